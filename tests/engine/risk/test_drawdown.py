"""Finding 4 of the requirements: the golden condor under two-sigma sessions, worked out once by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from engine.errors import InputError
from engine.instruments import Cash, LendingDebt, Settlement, VanillaOption
from engine.market import ExpiryQuotes
from engine.money import USD, Currency, Money, usd
from engine.positions import Book, Position, Sleeve
from engine.pricing.black import forward_value
from engine.risk.drawdown import book_drawdown, down_cells, rule_losses, soq_losses, two_sd_scenarios
from engine.risk.margin import max_payout
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from engine.risk.valuation import PricingView, book_values
from tests.engine.terms import condor, spx

ASOF = datetime(2025, 1, 2, 21, 15, tzinfo=UTC)
EXPIRY = ASOF + timedelta(days=45)
S, R, Q, VOL = 6000.0, 0.042, 0.013, 0.18


@pytest.fixture
def view():
    years = 45 / 365
    smile = Smile(EXPIRY, years, S * np.exp((R - Q) * years), R, np.array([-1.0, 1.0]), np.array([VOL, VOL]))
    return PricingView(ASOF, S, {("SPXW", EXPIRY): smile}, {}, {})


@pytest.fixture
def book():
    legs = condor(5425, 5475, 6625, 6675, expiry=EXPIRY)
    return Book(
        tuple(
            Position(leg, Money(quantity, leg.unit), Sleeve.CONDOR, "paper")
            for leg, quantity in zip(legs.legs, legs.quantities, strict=True)
        )
    )


@pytest.mark.requirement("D03")
def test_the_golden_condor_has_the_stated_credit_and_maximum_loss(view, book):
    credit = -book_values(book, view, Scenarios.now())[0] / 100

    assert credit == pytest.approx(5.7612, abs=5e-5)
    legs = [(position.instrument, position.quantity) for position in book]
    assert 100 * (max_payout(legs) - credit) == pytest.approx(4423.88, abs=0.01)


@pytest.mark.requirement("D11")
@pytest.mark.parametrize(("dvol", "loss"), [(0.0, 115.0), (0.025, 359.7), (0.04, 505.0), (0.06, 692.9)])
def test_a_two_sigma_session_loses_what_finding_four_says(view, book, dvol, loss):
    spot = -2 * VOL * np.sqrt(1 / 252)
    years_left = 44 / 365
    parallel = dvol / np.sqrt((30 / 365) / years_left)  # the finding moves every tenor by the same points
    one = Scenarios.of(np.array([spot]), np.array([parallel]), np.array([1.0]))

    change = book_values(book, view, one)[0] - book_values(book, view, Scenarios.now())[0]

    assert -change == pytest.approx(loss, abs=0.6)


@pytest.mark.requirement("D11")
def test_a_move_to_expiry_loses_the_whole_width_less_credit(view, book):
    scenarios = two_sd_scenarios(view, next_expiry=EXPIRY, crypto_beta=0.0, crypto_idiosyncratic_vol=0.0)

    worst = book_drawdown(book, view, scenarios, 1_000_000.0)

    assert worst.share * 1_000_000 == pytest.approx(4423.88, abs=1.0)
    assert worst.cell.startswith("to expiry")


@pytest.mark.requirement("D11")
def test_drawdown_rises_strictly_with_units(view, book):
    scenarios = two_sd_scenarios(view, next_expiry=EXPIRY, crypto_beta=0.0, crypto_idiosyncratic_vol=0.0)
    shares = []
    for units in range(1, 6):
        more = Book(tuple(Position(p.instrument, p.held * units, p.sleeve, p.venue) for p in book))
        shares.append(book_drawdown(more, view, scenarios, 1e6).share)

    assert all(low < high for low, high in pairwise(shares))


def test_value_without_a_shock_is_blacks_formula(view, book):
    forward = S * np.exp((R - Q) * 45 / 365)
    strikes, signs, quantities = [5425, 5475, 6625, 6675], [-1, -1, 1, 1], [1, -1, -1, 1]
    undiscounted = sum(
        q * float(forward_value(forward, k, 45 / 365, VOL, sign=s))
        for k, s, q in zip(strikes, signs, quantities, strict=True)
    )

    value = book_values(book, view, Scenarios.now())[0]

    assert value == pytest.approx(undiscounted * np.exp(-R * 45 / 365) * 100, rel=1e-12)


@pytest.mark.requirement("D11")
def test_shocks_are_two_deviations_of_their_horizon_and_volatility_answers_against_them(view):
    scenarios = two_sd_scenarios(view, next_expiry=EXPIRY, crypto_beta=1.5, crypto_idiosyncratic_vol=0.5)
    at = {name: i for i, name in enumerate(scenarios.names)}
    down, up = at["1 session, -2 SD, mid vol, model corr"], at["1 session, +2 SD, mid vol, model corr"]

    assert len(scenarios) == 4 * 2 * 3 * 3
    assert scenarios.spot[down] == pytest.approx(-2 * 0.18 / np.sqrt(252))
    assert scenarios.vol[down] == pytest.approx(1.2 * 2 * 0.18 / np.sqrt(252))  # points per percent
    assert scenarios.vol[up] == pytest.approx(-scenarios.vol[down])
    assert scenarios.vol.min() >= -0.05
    assert scenarios.vol.max() <= 0.25
    own = 2 * 0.5 / np.sqrt(252)
    assert scenarios.crypto[down] == pytest.approx(1.5 * scenarios.spot[down] - own)
    assert scenarios.crypto[at["1 session, -2 SD, mid vol, model corr, crypto up"]] == pytest.approx(
        1.5 * scenarios.spot[down] + own
    )
    assert scenarios.crypto[at["1 session, +2 SD, mid vol, corr 1"]] == pytest.approx(1.5 * scenarios.spot[up] + own)
    assert scenarios.vol[at["1 session, -2 SD, high vol, model corr"]] > scenarios.vol[down]
    assert scenarios.days[at["to expiry, -2 SD, mid vol, corr 1"]] == pytest.approx(45)


def rule(view, expiry=EXPIRY, **terms):
    terms = {"crypto_beta": 0.0, "crypto_idiosyncratic_vol": 0.0} | terms
    return two_sd_scenarios(view, next_expiry=expiry, **terms)


@pytest.mark.requirement("D11")
def test_time_to_expiry_falls_by_the_calendar_time_of_the_sessions(view):
    """2 January 2025 is a Thursday; 9 January was a day of mourning without a session."""
    plain, closed = rule(view), rule(view, holidays=(date(2025, 1, 9),))
    days = {name.split(",")[0]: float(d) for name, d in zip(plain.names, plain.days, strict=True)}
    shut = {name.split(",")[0]: float(d) for name, d in zip(closed.names, closed.days, strict=True)}

    assert days == {"1 session": 1.0, "5 sessions": 7.0, "21 sessions": 29.0, "to expiry": 45.0}
    assert shut["5 sessions"] == 8.0


@pytest.mark.requirement("D11")
def test_one_session_from_a_friday_is_three_calendar_days(view):
    friday = replace(view, asof=datetime(2025, 1, 3, 21, 15, tzinfo=UTC))

    assert rule(friday).days[0] == 3.0


@pytest.mark.requirement("D11")
def test_peg_gas_borrow_and_spreads_are_stressed_in_every_cell(view):
    scenarios = rule(view, borrow_rise=0.02)

    assert set(scenarios.peg) == {0.99}
    assert set(scenarios.gas) == {5.0}
    assert set(scenarios.borrow) == {0.02}
    assert (scenarios.liquidity > 1.0).all()


@pytest.mark.requirement("D11")
def test_volatility_of_volatility_moves_the_answered_level_by_ninety_percent_of_root_time(view):
    scenarios = rule(view)
    at = {name: i for i, name in enumerate(scenarios.names)}
    root = np.sqrt(1 / 252)
    answered = VOL + 1.2 * 2 * VOL * root

    for variant, factor in (("mid", 1.0), ("high", 1 + 0.9 * root), ("low", 1 - 0.9 * root)):
        vol = scenarios.vol[at[f"1 session, -2 SD, {variant} vol, corr 1"]]
        assert VOL + vol == pytest.approx(answered * factor)


@pytest.mark.requirement("D11")
def test_adding_what_no_scenario_moves_changes_nothing(view, book):
    scenarios = rule(view)
    cash = Position(Cash(USD), usd(250_000), Sleeve.CONDOR, "broker")

    with_cash, without = (book_drawdown(b, view, scenarios, 1e6) for b in (book.plus([cash]), book))
    assert with_cash.cell == without.cell
    assert dict(with_cash.by_cell) == pytest.approx(dict(without.by_cell), abs=1e-14)


@pytest.mark.requirement("D11")
def test_losses_of_two_books_add_up(view, book):
    scenarios = rule(view)
    other = Book((Position(spx(5800, "P", EXPIRY), Money(2, spx(5800, "P", EXPIRY).unit), Sleeve.CONDOR, "paper"),))

    both = rule_losses(book.plus(other), view, scenarios)

    apart = rule_losses(book, view, scenarios) + rule_losses(other, view, scenarios)
    assert both == pytest.approx(apart, abs=1e-6)


@pytest.mark.requirement("D11")
def test_every_horizon_sign_and_correlation_is_reported_and_the_worst_of_them_binds(view, book):
    worst = book_drawdown(book, view, rule(view), 1e6)

    assert len(worst.by_cell) == 4 * 2 * 3
    assert max(share for _, share in worst.by_cell) == worst.share
    assert dict(worst.by_horizon)["to expiry"] == worst.share


@pytest.mark.requirement("D11")
def test_leaving_at_a_stressed_half_spread_is_part_of_the_loss(view, book):
    """Each of four legs is quoted 1.00 point wide around its model value: half a point, three times, each."""
    legs = {(p.instrument.strike, p.instrument.right): p.instrument for p in book}
    strikes = np.array(sorted({float(k) for k, _ in legs}))
    now = Scenarios.now()

    def side(right, half):
        option = [spx(int(k), right, EXPIRY) for k in strikes]
        mids = [book_values([Position(o, Money(1, o.unit), Sleeve.CONDOR, "x")], view, now)[0] / 100 for o in option]
        return np.array(mids) + half

    quoted = ExpiryQuotes(
        "SPXW", EXPIRY, Settlement.PM, strikes,
        side("C", -0.5), side("C", 0.5), side("P", -0.5), side("P", 0.5), strikes * 0, strikes * 0,
    )  # fmt: skip
    wide = replace(view, quotes={("SPXW", EXPIRY): quoted})
    one = Scenarios.of(0.0, liquidity=3.0)
    short = Book(tuple(p for p in book if p.quantity < 0))

    cost = rule_losses(short, wide, one) - rule_losses(short, view, one)

    assert cost[0] == pytest.approx(2 * 0.5 * 3 * 100)


@pytest.mark.requirement("D11")
def test_what_settles_on_the_way_settles_after_an_equal_number_of_deviations(view):
    """A ten-day put under a 2-SD fall over 40 days meets a fall of 2 SD over ten days, half as far."""
    soon = ASOF + timedelta(days=10)
    smile = Smile(soon, 10 / 365, S, 0.0, np.array([-1.0, 1.0]), np.array([VOL, VOL]))
    there = replace(view, smiles=dict(view.smiles) | {("SPXW", soon): smile})
    put = Position(spx(6000, "P", soon), Money(-1, spx(6000, "P", soon).unit), Sleeve.CONDOR, "paper")
    premium = -book_values([put], there, Scenarios.now())[0]

    loss = rule_losses(Book((put,)), there, Scenarios.of(-0.2, days=40.0))[0]

    assert loss == pytest.approx((S - S * np.exp(-0.1)) * 100 - premium, rel=1e-6)


@pytest.mark.requirement("D11")
@pytest.mark.requirement("D21")
def test_a_stablecoin_below_par_makes_what_we_owe_no_cheaper(view):
    dai = Currency("DAI", 18)
    there = replace(view, token_usd={"DAI": 1.0})
    held = Position(Cash(dai), Money.of(1000, dai), Sleeve.DEFI, "vault")
    debt = LendingDebt("aave", dai)
    owed = Position(debt, Money.of(-1000, debt.unit), Sleeve.DEFI, "vault")
    depeg = Scenarios.of(peg=0.95)

    assert rule_losses(Book((held,)), there, depeg)[0] == pytest.approx(50.0)
    assert rule_losses(Book((owed,)), there, depeg)[0] == pytest.approx(0.0)


@pytest.mark.requirement("D11")
@pytest.mark.fault("F84")
def test_the_opening_settlement_of_am_options_is_a_cell_of_its_own(view):
    """A short AM put at 5940 settles against 6000 * 0.97 = 5820: 120 points are owed."""
    at_open = ASOF + timedelta(days=1)
    forward = Smile(at_open, 1 / 365, S, 0.0, np.array([-1.0, 1.0]), np.array([1e-4, 1e-4]))
    there = replace(view, smiles=dict(view.smiles) | {("SPX", at_open): forward})
    put = VanillaOption("SPX", "SPX", at_open, spx(5940, "P").strike, spx(5940, "P").right, spx(1, "P").multiplier,
                        Settlement.AM)  # fmt: skip
    short = Book((Position(put, Money(-1, put.unit), Sleeve.CONDOR, "paper"),))

    found = dict(soq_losses(short, there))

    assert found == {"SOQ 2025-01-03, -3.0%": pytest.approx(120 * 100.0), "SOQ 2025-01-03, +3.0%": pytest.approx(0.0)}
    assert book_drawdown(short, there, rule(there, at_open), 1e6).cell == "SOQ 2025-01-03, -3.0%"


def test_a_book_without_am_options_has_no_opening_settlement(view, book):
    assert soq_losses(book, view) == ()


@pytest.mark.parametrize("capital", [0.0, -1.0, float("nan"), float("inf")])
def test_a_denominator_that_is_no_positive_sum_is_refused(view, book, capital):
    with pytest.raises(InputError, match="committed capital"):
        book_drawdown(book, view, rule(view), capital)


def test_a_refusal_tells_money_to_the_cent(view, book):
    with pytest.raises(InputError, match=r"committed capital is -645\.00 USD"):
        book_drawdown(book, view, rule(view), -645.0000000000036)


def test_the_cells_that_size_calls_are_those_of_one_session_down(view):
    assert {name.split(", ")[0:2] == ["1 session", "-2 SD"] for name in down_cells(rule(view)).names} == {True}
    assert len(down_cells(rule(view))) == 9
    assert len(down_cells(Scenarios.of([0.0, 0.1]))) == 2
