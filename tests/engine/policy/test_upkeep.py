"""What an open book asks for in a decision: rolls, harvests, its delta, and packages that distort nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import exp, log, pi, sqrt
from statistics import NormalDist

import numpy as np
import pytest

from adapters.files.observation import recorded_day
from engine import cycle
from engine.instruments import Cash, Right, Settlement, VanillaOption
from engine.market import OnchainState, OptionListing
from engine.money import USD, Currency, Money, usd
from engine.orders import StateMark
from engine.plan.sequence import broker_orders
from engine.policy.candidates import Kind
from engine.policy.capital_cost import cost_of_capital
from engine.policy.condors import condor_offers, option
from engine.policy.roll import RollState
from engine.policy.settings import Policy
from engine.policy.stewardship import Move
from engine.positions import Book, Position, Sleeve
from engine.risk.view import pricing_view
from tests.adapters.files.chains import RECORDED
from tests.engine.policy.test_allocate import VENUES

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared/data beside the checkout")

POLICY = Policy()
WETH, SUSD = Currency("WETH", 18), Currency("sUSD", 18)
CASH = Position(Cash(USD), usd(1_000_000), Sleeve.CONDOR, "broker")


@pytest.fixture(scope="module")
def snapshot():
    market = recorded_day(RECORDED / "chains" / "spx-2023-02-07.csv")
    listed = OptionListing("lyra", "weth-1500", market.asof + timedelta(days=30), 1500.0, 0.6, 0.6)
    prices = {"USDC": 1.0, "DAI": 1.0, "sUSD": 1.0, "WETH": 1650.0}
    return market.with_chain(OnchainState(31337, 1, "0x", market.asof, prices, (), (listed,), 10**9))


def quotes_of(snapshot, day, root="SPXW"):
    return next(q for q in snapshot.spx.slices if str(q.expiry_date) == day and q.root == root)


def sold(quotes, strikes, lots=1):
    """A condor of these strikes, sold."""
    return tuple(
        Position(leg, Money.of(Decimal(sign * lots), leg.unit), Sleeve.CONDOR, "broker")
        for leg, sign in zip((option(quotes, k, Right(r)) for k, r in zip(strikes, "PPCC", strict=True)),
                             (1, -1, -1, 1), strict=True)
    )  # fmt: skip


def far(snapshot, lots=1):
    """A condor with 31 days left, shorts 1.5 deviations out."""
    quotes = quotes_of(snapshot, "2023-03-10")
    smile = pricing_view(snapshot).smiles[quotes.root, quotes.expiry]
    offer = next(iter(condor_offers(quotes, smile, POLICY.core)))
    return sold(quotes, [float(leg.strike) for leg in offer.condor.legs], lots)


def decided(snapshot, *positions, **terms):
    return cycle.decide(snapshot, Book((CASH, *positions)), POLICY, fee_per_contract=1.15, **terms)


@pytest.fixture(scope="module")
def near(snapshot):
    """A condor with 17 days left, shorts 1.4 and 1.5 deviations out."""
    return sold(quotes_of(snapshot, "2023-02-24"), (3885, 3935, 4400, 4450))


@pytest.fixture(scope="module")
def due(snapshot, near):
    return decided(snapshot, *near)


@pytest.mark.requirement("D25", "S13", "S92")
def test_a_condor_of_seventeen_days_is_rolled_as_one_combo_at_its_distance_for_no_debit(due):
    (roll,) = due.upkeep.rolls
    proposal = roll.decision.proposal

    assert roll.decision.state is RollState.PROPOSED
    assert [str(trigger) for trigger in roll.decision.triggers] == ["few days left"]
    assert (len(proposal.legs), proposal.limit.units >= 0, proposal.drawdown <= 0.06) == (8, True, True)
    assert 1.5 <= min(proposal.put_sd, proposal.call_sd) <= max(proposal.put_sd, proposal.call_sd) <= 1.75
    assert 30 <= (proposal.condor.put_short.expiry_date - due.snapshot.asof.date()).days <= 60
    assert sum(leg.quantity for leg in proposal.legs) == 0


@pytest.mark.requirement("D25", "S92")
def test_the_plan_keeps_the_roll_with_its_vega_days_among_its_notes(due):
    plan = cycle.seal(due, [], [], state=StateMark(1, "h", 1, 1, "b", 1), policy_digest="p")
    proposal = due.upkeep.rolls[0].decision.proposal

    (note,) = [line for line in plan.notes if "(D25, S13)" in line]
    assert "few days left: roll 1 condors to 2023-03-17" in note
    assert f"vega-days {proposal.vega_days_before:,.0f} -> {proposal.vega_days_after:,.0f}" in note


@pytest.mark.requirement("S13", "D25")
def test_the_combo_is_one_order_where_nothing_else_is_traded_and_waits_where_something_is(due):
    still = replace(due.target.core, lines=tuple(replace(line, wanted=line.held) for line in due.target.core.lines))

    (order,) = broker_orders(still, VENUES, "t", due.upkeep.rolls)
    assert (len(order.legs), order.role, order.limit) == (8, "core", due.upkeep.rolls[0].decision.proposal.limit)
    assert due.target.core.changes
    assert all(len(order.legs) < 8 for order in broker_orders(due.target.core, VENUES, "t", due.upkeep.rolls))


@pytest.mark.requirement("D25")
def test_a_condor_with_time_and_distance_is_left_alone_until_the_minutes_diverge(snapshot):
    book = far(snapshot)
    calm = cycle.judged_alone(snapshot, POLICY)

    assert decided(snapshot, *book, judged=calm).upkeep.rolls == ()
    (roll,) = decided(snapshot, *book, judged=replace(calm, rolls=True)).upkeep.rolls
    assert [str(trigger) for trigger in roll.decision.triggers] == ["event divergence"]


@pytest.mark.requirement("D25")
def test_a_condor_with_nowhere_to_go_is_due_all_the_same(snapshot, near):
    narrow = Policy.model_validate({"core": {"dte_min": 58, "dte_target": 58, "dte_max": 58}})
    found = cycle.decide(snapshot, Book((CASH, *near)), narrow, fee_per_contract=1.15)

    (roll,) = found.upkeep.rolls
    assert roll.decision.state is RollState.DUE
    assert "no later expiry" in roll.combo


@pytest.mark.requirement("D31", "S90")
@pytest.mark.parametrize(("earned", "taken"), [(0.50, True), (0.49, False)])
def test_half_of_the_credit_earned_is_taken(snapshot, earned, taken):
    book = far(snapshot)
    legs = frozenset(position.instrument for position in book)
    mid = decided(snapshot, *book).upkeep.condors[0].offer.mid_credit

    (one,) = decided(snapshot, *book, opened={legs: mid / (1.0 - earned)}).upkeep.condors

    assert any("50 % of the credit" in reason for reason in one.advice.reasons) is taken
    assert (one.advice.move is Move.HARVEST) is bool(one.advice.reasons)


@pytest.mark.requirement("D31", "S90")
def test_at_twenty_one_days_the_steward_harvests_and_says_what_it_could_not_see(due):
    (one,) = due.upkeep.condors

    assert one.advice.move is Move.HARVEST
    assert "17 days are left" in one.words
    assert "what it was opened for is unseen" in one.words
    assert one.words in due.reasons


@pytest.mark.requirement("D31", "X17")
def test_where_a_limit_is_broken_the_steward_cuts_and_asks_no_quorum(snapshot):
    many = far(snapshot, lots=400)
    found = decided(snapshot, *many)

    assert not found.judgement.may_add
    assert any(reading.breach() for reading in found.readings)
    assert found.upkeep.condors[0].advice.move is Move.CUT
    assert "a limit is broken" in found.upkeep.condors[0].words


@pytest.mark.requirement("S16", "S91", "D26")
def test_the_delta_is_traded_to_the_edge_of_the_band_and_neither_never_nor_always(snapshot):
    quotes = quotes_of(snapshot, "2023-03-10")
    call = option(quotes, 4165.0, Right.CALL)
    held = Position(call, Money.of(Decimal(4), call.unit), Sleeve.CONDOR, "broker")
    found = decided(snapshot, held).upkeep.delta
    smile = pricing_view(snapshot).smiles[quotes.root, quotes.expiry]
    spot, capital = snapshot.spx.spot, decided(snapshot).frame.limits.capital

    # Black: gamma per point of the forward e^{-rT} phi(d1) / (F s sqrt T), four contracts of 100
    k = log(4165.0 / smile.forward)
    s = float(np.interp(k, smile.moneyness, smile.vols)) * sqrt(smile.years)
    d1 = -k / s + s / 2
    gamma = 400 * exp(-smile.rate * smile.years) * exp(-d1 * d1 / 2) / sqrt(2 * pi) / (smile.forward * s)
    at = int(np.argmin(np.abs(quotes.strikes - smile.forward)))
    cost = 0.5 * (quotes.call_ask[at] - quotes.call_bid[at] + quotes.put_ask[at] - quotes.put_bid[at]) / smile.forward
    half = (1.5 * exp(-smile.rate * smile.years) * cost * spot * gamma**2 * capital / 5) ** (1 / 3)

    assert found.cost == pytest.approx(cost)
    assert found.reading.band_usd == pytest.approx(half * spot, rel=0.02)  # gamma by spot rather than forward
    assert found.units == pytest.approx(_delta(smile, spot, 400), rel=1e-3)
    assert not found.reading.holds
    assert found.units + found.reading.trade_units == pytest.approx(found.reading.band_usd / spot)
    assert f"loyalty trades 0, motion {-found.units:+,.2f}" in found.words


def _delta(smile, spot, units):
    """USD a point of calls struck at 4165 by central differences, the smile moving with the forward."""

    def value(forward):
        k = log(4165.0 / forward)
        s = float(np.interp(k, smile.moneyness, smile.vols)) * sqrt(smile.years)
        normal = NormalDist().cdf
        return exp(-smile.rate * smile.years) * (forward * normal(-k / s + s / 2) - 4165.0 * normal(-k / s - s / 2))

    up, down = value(smile.forward * exp(1e-4)), value(smile.forward * exp(-1e-4))
    return units * (up - down) / 2e-4 / spot


@pytest.mark.requirement("S16", "D26")
def test_a_condor_lies_inside_its_band_and_no_book_without_index_options_has_one(due, snapshot):
    assert due.upkeep.delta.reading.holds
    assert ": hold; loyalty trades 0" in due.upkeep.delta.words
    assert decided(snapshot).upkeep.delta is None


@pytest.mark.requirement("S15")
def test_every_condor_wanted_stands_a_weeks_deviation_beyond_its_charged_break_evens(due):
    lines = [line for line in due.target.core.lines if line.kind is Kind.CONDOR and line.wanted > 0]
    wacc = cost_of_capital(due.snapshot, due.book, due.view, POLICY).rate

    assert {one.offer.id for one in due.upkeep.break_evens} == {line.terms.id for line in lines}
    for one in due.upkeep.break_evens:
        # h = WACC T M; BE_low = K2 - (c - h), BE_high = K3 + (c - h); then one deviation of five sessions further
        h, credit = wacc * one.offer.days / 365 * one.offer.margin / 100, one.offer.credit
        put, call = (float(leg.strike) for leg in one.offer.condor.legs[1:3])
        low, high = one.stresses
        short = one.offer.condor.put_short
        move = due.view.smiles[short.root, short.expiry].atm_vol * sqrt(5 / 252)
        assert one.charge == pytest.approx(h)
        assert (low.break_even, high.break_even) == pytest.approx((put - credit + h, call + credit - h))
        assert (low.level, high.level) == pytest.approx((low.break_even * exp(-move), high.break_even * exp(move)))
        assert one.holds
        assert max(low.share, high.share) <= 0.06
        assert one.words in due.reasons


def _ether(strike: int, right: str, expiry: datetime) -> VanillaOption:
    return VanillaOption(
        "lyra", "WETH", expiry, Decimal(strike), Right(right), Decimal(1), Settlement.CHAIN, SUSD, decimals=18
    )


def _vault(instrument, quantity) -> Position:
    return Position(instrument, Money.of(Decimal(quantity), instrument.unit), Sleeve.DEFI, "vault")


@pytest.mark.requirement("D27", "S31")
def test_a_conversion_in_the_book_moves_neither_the_hedge_nor_the_target_layers(snapshot):
    expiry = snapshot.chain.options[0].expiry
    plain = (_vault(Cash(WETH), 20),)
    packed = (
        _vault(Cash(WETH), 25),
        _vault(_ether(1500, "P", expiry), 5),
        _vault(_ether(1500, "C", expiry), -5),
    )
    without, beside = decided(snapshot, *plain), decided(snapshot, *packed)

    (package,) = beside.upkeep.packages
    assert (package.kind.sign, package.contracts) == (1, 5)
    assert any("set apart, no hedge is sized on it (D27, S31)" in line for line in beside.reasons)
    assert without.target.put is not None
    assert beside.target.put == without.target.put
    assert beside.target.core.hedge_ratio == without.target.core.hedge_ratio
    assert [line.wanted for line in beside.target.core.lines] == [line.wanted for line in without.target.core.lines]
