"""Every state a plan can reach is held against every limit."""

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from engine.money import usd
from engine.orders import Breach, CheckedPlan
from engine.positions import Book, Sleeve
from engine.risk.check import changes, check, reachable
from engine.risk.limits import LimitReading
from tests.engine.plans import condor_order, hedge_order, plan, transfer_order


def test_every_prefix_and_every_partial_fill_is_a_state():
    states = reachable(Book(), [hedge_order(lots=2), condor_order(lots=3), transfer_order()])

    assert [name for name, _, _ in states] == [
        "nothing filled",
        "buy 2 SPXW 3900 P: 1 of 2",
        "buy 2 SPXW 3900 P: 2 of 2",
        "sell 3 condors: 1 of 3",
        "sell 3 condors: 2 of 3",
        "sell 3 condors: 3 of 3",
        "send 100 USDC to the off-ramp: 1 of 1",
    ]


def test_a_partial_fill_keeps_the_legs_in_ratio():
    states = {name: book for name, book, _ in reachable(Book(), [condor_order(lots=3)])}
    quantities = [p.quantity for p in states["sell 3 condors: 2 of 3"] if p.instrument.kind == "option"]

    assert quantities == [2, -2, -2, 2]


def test_money_sent_to_the_ramp_is_in_transit_not_gone():
    out, there = changes(transfer_order())

    assert (out.sleeve, there.sleeve) == (Sleeve.DEFI, Sleeve.TRANSIT)
    assert out.held == -there.held


def test_the_first_state_that_breaks_a_limit_is_named_and_all_limits_are_reported():
    def readings(book, outer):
        options = sum(abs(p.quantity) for p in book if p.instrument.kind == "option")
        return (
            LimitReading("contracts", "S1", 5.0, float(options), True, "held"),
            LimitReading("premium", "S2", 1_000.0, outer, True, "spent"),
            LimitReading("always", "S3", 1.0, 0.0, True, "fine"),
        )

    found = check(plan(), Book(), readings)

    assert [(breach.limit, type(breach)) for breach in found] == [("premium", Breach), ("contracts", Breach)]
    assert "sell 2 condors: 2 of 2" in found[1].detail


def test_a_reading_that_is_not_a_number_never_holds():
    assert not LimitReading("x", "S", 1.0, float("nan"), True, "").holds
    assert LimitReading("x", "S", 1.0, float("inf"), False, "").holds


@pytest.mark.requirement("X05", "X17")
@pytest.mark.parametrize(("subject", "passes"), [("sick", False), ("", True)])
def test_a_plan_that_takes_risk_off_may_not_bring_a_sound_loan_down_to_a_sick_ones_level(subject, passes):
    """Before: sick 1.2, sound 2.0. After its order the sound one stands at 1.21, above the worst of before."""

    def readings(book, outer):
        after = any(p.instrument.kind == "option" for p in book)
        sick = LimitReading("health_factor", "D17", 1.5, 1.2, False, "", subject=subject)
        return sick, replace(sick, reading=1.21 if after else 2.0, subject=subject and "sound")

    found = check(plan(orders=(hedge_order(),), batches=()), Book(), readings)

    assert isinstance(found, CheckedPlan) == passes


@pytest.mark.fault("F76")
@pytest.mark.parametrize("orders", [(), (hedge_order(),), (condor_order(),)])
def test_a_reading_that_is_no_number_lets_no_plan_through(orders):
    def readings(book, outer):
        return (LimitReading("health_factor", "D17", 1.5, math.nan, False, "no price"),)

    (breach,) = check(plan(orders=orders, batches=()), Book(), readings)

    assert breach.limit == "health_factor"


@pytest.mark.fault("F76")
def test_a_number_that_becomes_none_is_a_breach_although_the_limit_was_broken_before():
    def readings(book, outer):
        bought = any(p.instrument.kind == "option" for p in book)
        return (LimitReading("health_factor", "D17", 1.5, math.nan if bought else 1.2, False, ""),)

    (breach,) = check(plan(orders=(hedge_order(),), batches=()), Book(), readings)

    assert "buy 1 SPXW 3900 P" in breach.detail


def test_half_a_lot_is_a_state_too():
    half = replace(hedge_order(), legs=tuple(replace(leg, quantity=Decimal("0.5")) for leg in hedge_order().legs))

    names = [name for name, _, _ in reachable(Book(), [half])]

    assert names == ["nothing filled", "buy 1 SPXW 3900 P: 1 of 1"]


def test_a_plan_inside_every_limit_carries_its_worst_readings():
    made = check(plan(), Book(), lambda book, outer: (LimitReading("outer", "S", 1e9, outer, True, ""),))

    assert isinstance(made, CheckedPlan)
    assert made.worst == {"outer": 4_000.0}


@pytest.mark.requirement("D12")
def test_a_sold_outer_condor_counts_its_largest_loss_and_buying_it_back_nothing():
    """A hundred points a lot, USD 10,000, less its credit of USD 600."""
    sold = replace(condor_order(lots=2), role="outer")

    *_, (_, reached, outer) = reachable(Book(), [sold])
    back = replace(
        sold,
        legs=tuple(replace(leg, quantity=-leg.quantity) for leg in sold.legs),
        limit=usd(-700),
    )

    assert outer == pytest.approx(2 * (10_000.0 - 600.0))
    assert reachable(reached, [back])[-1][2] == 0.0
