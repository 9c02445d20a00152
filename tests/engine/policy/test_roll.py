"""The roll: each trigger, each constraint, and the one combo it sends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from engine.errors import InputError
from engine.instruments import Settlement
from engine.market import ExpiryQuotes
from engine.money import usd
from engine.policy.roll import RollState, RollTrigger, decide_roll, roll_triggers, settle_roll, short_distance
from engine.policy.roll_combo import HeldCondor, RollMarket, RollRules
from engine.pricing.black import forward_value
from engine.risk.smile import Smile
from tests.engine.terms import condor

ASOF = datetime(2025, 1, 2, 21, 0, tzinfo=UTC)
SOON, LATER = ASOF + timedelta(days=20), ASOF + timedelta(days=50)
STRIKES = np.arange(4_500.0, 7_501.0, 25.0)
VOL, RATE = 0.18, 0.04


def smile(expiry, forward=6_000.0):
    years = (expiry - ASOF) / timedelta(days=365)
    return Smile(expiry, years, forward, RATE, np.array([-1.0, 1.0]), np.array([VOL, VOL]))


def quotes(expiry, forward=6_000.0, half=0.10, strikes=STRIKES):
    s = smile(expiry, forward)
    sides = []
    for sign in (1, -1):
        mid = np.exp(-RATE * s.years) * forward_value(forward, strikes, s.years, VOL, sign=sign)
        sides += [np.maximum(mid - half, 0.0), mid + half]
    empty = np.full(len(strikes), np.nan)
    return ExpiryQuotes("SPXW", expiry, Settlement.PM, strikes, *sides, empty, empty)


def market(forward=6_000.0, **terms):
    return RollMarket(ASOF, quotes(SOON, forward, **terms), smile(SOON, forward), quotes(LATER, forward, **terms),
                      smile(LATER, forward))  # fmt: skip


HELD = HeldCondor(condor(5_550, 5_600, 6_400, 6_450, expiry=SOON), 10, 1.5, 1.5, 6.0)


def decide(held=HELD, where=None, **terms):
    given = {"event_diverges": False, "session_room": 1e9, "drawdown_after": lambda _: 0.03, **terms}
    return decide_roll(held, where or market(), **given)


@pytest.mark.requirement("D25")
@pytest.mark.parametrize(
    ("days", "fires"),
    [(21.01, False), (21.0, True), (5.0, True)],
)
def test_twenty_one_days_before_expiry_a_roll_is_due(days, fires):
    expiry = ASOF + timedelta(days=days)
    held = replace(HELD, condor=condor(5_550, 5_600, 6_400, 6_450, expiry=expiry))

    assert (RollTrigger.TENOR in roll_triggers(held, smile(expiry), ASOF, event_diverges=False)) is fires


@pytest.mark.requirement("D25")
@pytest.mark.parametrize("side", [-1, 1])
def test_a_short_strike_within_half_a_deviation_is_tested_on_either_side(side):
    far = ASOF + timedelta(days=60)
    deviation = VOL * np.sqrt(60 / 365)
    held = replace(HELD, condor=condor(5_550, 5_600, 6_400, 6_450, expiry=far))
    short = 5_600.0 if side < 0 else 6_400.0

    for distance, tested in ((0.49, True), (0.51, False), (-0.5, True)):
        moved = smile(far, short * np.exp(-side * distance * deviation))
        found = roll_triggers(held, moved, ASOF, event_diverges=False)
        assert (found == (RollTrigger.TESTED,)) is tested
        assert short_distance(held.condor, moved) == pytest.approx(distance, abs=1e-9)


@pytest.mark.requirement("D25")
def test_without_a_trigger_the_condor_is_held_and_with_an_event_it_is_not():
    far = replace(HELD, condor=condor(5_400, 5_450, 6_550, 6_600, expiry=LATER))
    beyond = ASOF + timedelta(days=80)
    where = RollMarket(ASOF, quotes(LATER), smile(LATER), quotes(beyond), smile(beyond))

    assert decide(far, where).state is RollState.HELD
    eventful = decide(far, where, event_diverges=True, rules=RollRules(debit_max=5.0))
    assert eventful.triggers == (RollTrigger.EVENT,)
    assert eventful.state is RollState.PROPOSED


@pytest.mark.requirement("D25")
@pytest.mark.requirement("S13")
@pytest.mark.requirement("S92")
def test_the_roll_is_one_combo_of_eight_legs_at_the_same_distance():
    decision = decide(rules=RollRules(debit_max=5.0))

    proposal = decision.proposal
    assert decision.state is RollState.PROPOSED
    assert [leg.quantity for leg in proposal.legs] == [-10, 10, 10, -10, 10, -10, -10, 10]
    assert [leg.instrument for leg in proposal.legs[:4]] == list(HELD.condor.legs)
    assert {leg.instrument.expiry for leg in proposal.legs[4:]} == {LATER}
    assert 1.5 <= proposal.put_sd < 1.5 + 25 / (5_500 * VOL * np.sqrt(50 / 365))
    assert 1.5 <= proposal.call_sd < 1.5 + 25 / (6_500 * VOL * np.sqrt(50 / 365))
    assert proposal.condor.put_short.strike != HELD.condor.put_short.strike
    assert proposal.condor.width == HELD.condor.width


@pytest.mark.requirement("D25")
def test_the_limit_is_what_crossing_every_spread_brings_and_the_arrival_the_mids():
    proposal = decide(rules=RollRules(debit_max=50.0)).proposal

    def model(structure, expiry):
        s = smile(expiry)
        values = [
            np.exp(-RATE * s.years) * forward_value(6_000.0, float(leg.strike), s.years, VOL, sign=leg.right.sign)
            for leg in structure.legs
        ]
        return -np.dot(structure.quantities, values)

    net = model(proposal.condor, LATER) - model(HELD.condor, SOON)
    assert proposal.arrival.to_float() == pytest.approx(1_000 * net, abs=0.01)
    assert 0 <= proposal.limit.to_float() - 1_000 * (net - 8 * 0.10) < 1_000 * 0.05
    assert (proposal.limit.amount / 1_000) % Decimal("0.05") == 0


@pytest.mark.requirement("D25")
def test_no_more_than_the_largest_debit_is_paid():
    wide = market(half=2.0)
    credit = decide(rules=RollRules(debit_max=50.0)).proposal.arrival.to_float() / 1_000

    assert decide(where=wide).proposal.limit == usd(0)
    assert decide(where=wide, rules=RollRules(debit_max=3.0)).proposal.limit == usd(-3_000)
    refused = decide(rules=RollRules(debit_max=-credit - 0.01))
    assert refused.state is RollState.DUE
    assert refused.proposal is None
    assert "net credit" in refused.refusals[0]


@pytest.mark.requirement("D25")
@pytest.mark.requirement("S40")
@pytest.mark.parametrize(
    ("drawdown", "state"), [(0.06, RollState.PROPOSED), (0.0601, RollState.DUE), (np.nan, RollState.DUE)]
)
def test_a_roll_that_breaks_the_drawdown_rule_stays_due(drawdown, state):
    decision = decide(drawdown_after=lambda _: drawdown)

    assert decision.state is state
    assert bool(decision.refusals) is (state is RollState.DUE)


@pytest.mark.requirement("D25")
def test_drawdown_is_asked_of_the_very_legs_that_are_sent():
    seen = []

    decision = decide(drawdown_after=lambda legs: seen.append(legs) or 0.01)

    assert seen == [decision.proposal.legs]


@pytest.mark.requirement("D25")
def test_the_session_cap_counts_only_what_the_roll_adds():
    proposal = decide().proposal
    whole = 1_000 * (50 - proposal.credit)

    assert proposal.added_max_loss == pytest.approx(max(whole - 1_000 * (50 - 6.0), 0.0))
    assert proposal.added_max_loss < whole / 4
    assert decide(session_room=proposal.added_max_loss).state is RollState.PROPOSED
    richer = replace(HELD, credit=proposal.credit + 2.0)
    assert decide(richer, session_room=1_999.0).state is RollState.DUE
    assert decide(richer, session_room=2_000.01).state is RollState.PROPOSED
    poorer = replace(HELD, credit=proposal.credit - 2.0)
    assert decide(poorer, session_room=0.0).proposal.added_max_loss == 0.0


@pytest.mark.requirement("D25")
def test_vega_days_before_and_after_are_quantlibs_and_logged():
    ql = pytest.importorskip("QuantLib")
    proposal = decide().proposal

    def vega_days(structure, expiry, days):
        s = smile(expiry)
        kinds = (ql.Option.Put, ql.Option.Put, ql.Option.Call, ql.Option.Call)
        vegas = [
            ql.BlackCalculator(
                ql.PlainVanillaPayoff(kind, float(leg.strike)), 6_000.0, VOL * np.sqrt(s.years), np.exp(-RATE * s.years)
            ).vega(s.years)
            for kind, leg in zip(kinds, structure.legs, strict=True)
        ]
        return 10 * 100 * np.dot(structure.quantities, vegas) / 100 * days

    assert proposal.vega_days_before == pytest.approx(vega_days(HELD.condor, SOON, 20), rel=1e-9)
    assert proposal.vega_days_after == pytest.approx(vega_days(proposal.condor, LATER, 50), rel=1e-9)
    assert proposal.vega_days_shifted < 0
    assert f"(shifted {proposal.vega_days_shifted:+,.0f})" in proposal.log


@pytest.mark.parametrize(
    ("strikes", "why"),
    [
        (np.arange(5_500.0, 6_451.0, 50.0), "no put listed within"),
        (np.r_[np.arange(4_500.0, 6_451.0, 25.0), 7_500.0], "no call listed within"),
        (np.r_[5_425.0, np.arange(5_550.0, 7_501.0, 25.0)], "no put wing listed within"),
    ],
)
def test_a_listing_without_the_same_distance_leaves_the_roll_due(strikes, why):
    where = replace(market(), later=quotes(LATER, strikes=strikes))

    decision = decide(where=where)

    assert decision.state is RollState.DUE
    assert why in decision.refusals[0]


def test_a_leg_without_a_market_leaves_the_roll_due():
    unquoted = replace(market().held, put_ask=np.full(len(STRIKES), np.nan))

    assert "no two-sided market" in decide(where=replace(market(), held=unquoted)).refusals[0]


def test_a_roll_goes_to_a_later_expiry():
    where = replace(market(), later=quotes(SOON), later_smile=smile(SOON))

    assert "no later expiry" in decide(where=where).refusals[0]


def test_what_has_expired_is_settled_not_rolled():
    past = replace(HELD, condor=condor(5_550, 5_600, 6_400, 6_450, expiry=ASOF))

    with pytest.raises(InputError, match="has expired"):
        decide(past)


@pytest.mark.requirement("D25")
def test_a_combo_fills_whole_or_the_roll_is_due_again():
    proposed = decide()
    due = decide(drawdown_after=lambda _: 1.0)

    assert settle_roll(proposed, filled=True) is RollState.ROLLED
    assert settle_roll(proposed, filled=False) is RollState.DUE
    assert settle_roll(due, filled=False) is RollState.DUE
    with pytest.raises(InputError, match="no combo was proposed"):
        settle_roll(due, filled=True)


@pytest.mark.parametrize("broken", [{"count": 0}, {"put_sd": 0.0}, {"call_sd": -1.0}, {"credit": np.nan}])
def test_a_condor_without_its_opening_terms_is_refused(broken):
    with pytest.raises(InputError, match="count, distances and a credit"):
        replace(HELD, **broken)
