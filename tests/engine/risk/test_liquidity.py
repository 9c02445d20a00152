"""What positions pay and what the broker calls: worked sums from live positions (D13)."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from engine.errors import MissingQuote
from engine.instruments import Cash, FundShare, Future, LendingDebt, LendingSupply
from engine.market import FundMark
from engine.money import USD, Currency, Money, usd
from engine.positions import Book, Position, Sleeve
from engine.risk.liquidity import Funding, book_ratio, liquid_holdings, margin_calls, ratio_by_scenario, withdrawable
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView
from tests.engine.terms import condor

ASOF = datetime(2023, 2, 7, 21, 15, tzinfo=UTC)
SETTLES = ASOF + timedelta(days=30)
USDC, WETH, DAI = Currency("USDC", 6), Currency("WETH", 18), Currency("DAI", 18)
MARKET = "aave"
VIEW = PricingView(
    ASOF, 4164.0, {}, {"USDC": 1.0, "DAI": 1.0, "WETH": 1600.0}, {},
    vix_futures={SETTLES: 20.0}, funds={"BIL": FundMark("BIL", 91.5)},
)  # fmt: skip
DOWN = Scenarios.of(-0.02)


def held(instrument, amount, sleeve=Sleeve.DEFI, venue="vault"):
    return Position(instrument, Money.of(amount, instrument.unit), sleeve, venue)


def cash(amount):
    return held(Cash(USD), amount, Sleeve.CONDOR, "broker")


def sold(lots):
    legs = condor(3700, 3750, 4500, 4550)
    rows = zip(legs.legs, legs.quantities, strict=True)
    return [held(leg, q * lots, Sleeve.CONDOR, "broker") for leg, q in rows]


def sums(book, funding=None):
    return {row.what: row.usd for row in liquid_holdings(book, VIEW, funding or Funding())}


@pytest.mark.requirement("D13")
def test_posted_margin_is_not_liquid():
    """Two condors fifty points wide hold 2 * 50 * 100 = 10,000 of 60,000 USD."""
    assert sums(Book((cash(60_000), *sold(2)))) == {"cash beyond margin": 50_000.0}


@pytest.mark.requirement("D13")
def test_margin_that_cash_does_not_cover_is_due_at_once():
    ratio = book_ratio(Book((cash(8_000), *sold(2))), VIEW, DOWN, Funding())

    assert (ratio.worst.of, ratio.worst.due, ratio.worst.ratio) == ("condor", 2_000.0, 0.0)


@pytest.mark.requirement("D13")
def test_bills_pay_the_next_day():
    bills = Book((held(FundShare("BIL"), 100, Sleeve.CONDOR, "broker"),))
    (_, row) = liquid_holdings(bills, VIEW, Funding())

    assert (row.paid(0.0), row.paid(1.0)) == (0.0, 9_150.0)


@pytest.mark.requirement("D13")
def test_idle_stablecoins_take_a_haircut_and_the_way_to_the_broker():
    (_, row) = liquid_holdings(Book((held(Cash(USDC), 40_000),)), VIEW, Funding(peg_haircut=0.02, transfer_days=2.0))

    assert row.paid(0.0) == pytest.approx(39_200.0)
    assert row.paid(1.0, moved=True) == 0.0
    assert row.paid(2.0, moved=True) == pytest.approx(39_200.0)


@pytest.mark.requirement("D13")
@pytest.mark.parametrize(
    ("free", "cap", "usd_out"),
    [(1e9, math.inf, 30_000.0), (12_000.0, math.inf, 12_000.0), (1e9, 5_000.0, 5_000.0), (0.0, math.inf, 0.0)],
)
def test_a_withdrawal_is_the_least_of_balance_pool_and_cap(free, cap, usd_out):
    book = Book((held(LendingSupply(MARKET, USDC), 30_000),))

    out = sums(book, Funding(free={(MARKET, "USDC"): free}, cap=cap))

    assert out[f"{MARKET} supply USDC"] == pytest.approx(usd_out)


@pytest.mark.requirement("D13")
def test_a_pool_pays_its_free_coins_once_however_many_positions_ask_for_them():
    supply = LendingSupply(MARKET, USDC)
    book = Book(
        (held(supply, 6_000), held(supply, 5_000, venue="second vault"), held(LendingSupply("other", USDC), 10))
    )
    funding = Funding(free={(MARKET, "USDC"): 7_000.0, ("other", "USDC"): 1_000.0})

    assert [usd for _, usd in withdrawable(book, VIEW, funding)] == [6_000.0, 1_000.0, 10.0]


@pytest.mark.requirement("D13")
def test_collateral_that_keeps_the_health_factor_at_one_and_a_half_stays():
    """30,000 USDC and 10 WETH (16,000) against 20,000 DAI at a threshold of 0.78: 1.5 * 20,000 / 0.78 = 38,461.54."""
    book = Book(
        (
            held(LendingSupply(MARKET, USDC), 30_000),
            held(LendingSupply(MARKET, WETH), 10),
            held(LendingDebt(MARKET, DAI), -20_000),
        )
    )
    funding = Funding(free={(MARKET, "USDC"): 1e9}, thresholds={(MARKET, code): 0.78 for code in ("USDC", "WETH")})

    assert sums(book, funding)[f"{MARKET} supply USDC"] == pytest.approx(46_000 - 38_461.538, abs=0.01)


def test_a_loan_without_a_known_threshold_is_refused():
    book = Book((held(LendingSupply(MARKET, USDC), 30_000), held(LendingDebt(MARKET, DAI), -20_000)))

    with pytest.raises(MissingQuote, match="threshold"):
        liquid_holdings(book, VIEW, Funding())


@pytest.mark.requirement("D13")
def test_the_call_is_the_increase_of_margin_times_one_point_three():
    def rising(book, view, scenarios):
        return 10_000.0 - 100_000.0 * scenarios.spot

    book = Book((cash(60_000), *sold(2)))

    assert margin_calls(book, VIEW, DOWN, requirement=rising)[0] == pytest.approx(1.3 * 2_000)
    assert book_ratio(book, VIEW, DOWN, Funding(), requirement=rising).worst.ratio == pytest.approx(50_000 / 2_600)


def test_the_largest_payout_rises_with_no_move_and_ends_with_the_contract():
    book = Book(tuple(sold(2)))

    calls = margin_calls(book, VIEW, Scenarios.of([-0.3, 0.3, -0.02], days=[0.0, 0.0, 60.0]))

    assert calls.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.requirement("D13")
def test_a_futures_loss_is_called_in_cash():
    """One long VIX future of 20.00, and ln VIX falls by 0.1 more than beta says: 20 * (1 - e^-0.1) * 1,000."""
    future = Future("VX", "VIX", SETTLES, Decimal(1000))
    book = Book((cash(60_000), held(future, 1, Sleeve.CONDOR, "broker")))

    call = margin_calls(book, VIEW, Scenarios.of(vix=-0.1))[0]

    assert call == pytest.approx(20 * (1 - math.exp(-0.1)) * 1000, rel=0.02)


@pytest.mark.requirement("D13")
def test_nothing_due_is_infinite_and_not_a_crash():
    ratio = book_ratio(Book((cash(60_000),)), VIEW, DOWN, Funding())

    assert ratio.worst.ratio == math.inf


def test_a_broken_peg_pays_less_in_its_own_scenario_only():
    book = Book((held(Cash(USDC), 1_000),))
    funding = Funding(gas_usd=10.0, transfer_days=0.0)

    ratios = ratio_by_scenario(book, VIEW, Scenarios.of(peg=[1.0, 0.88]), funding)

    assert ratios.tolist() == pytest.approx([990 / 50, 880 / 50])


def test_dollars_in_the_book_are_counted_once():
    assert usd(5).to_float() == sum(sums(Book((cash(5),))).values())


@pytest.mark.requirement("D13")
@pytest.mark.fault("F83")
def test_a_bare_short_owes_without_bound_and_nothing_meets_that():
    """Its margin is infinite now and then: the increase is no number, so what is not covered must carry it."""
    bare = Book((cash(60_000), *sold(1)[2:3]))

    ratio = book_ratio(bare, VIEW, DOWN, Funding())

    assert (ratio.worst.of, ratio.worst.due, ratio.worst.ratio) == ("condor", math.inf, 0.0)
    assert ratio_by_scenario(bare, VIEW, DOWN, Funding()).tolist() == [0.0]
