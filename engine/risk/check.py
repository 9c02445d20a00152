"""Every state a plan can leave the book in is held against every limit before anybody signs (faults 4.1)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from engine.instruments import Cash
from engine.money import Money
from engine.orders import Breach, CheckedPlan, Order, OrderLeg, Plan
from engine.positions import Book, Position, Sleeve
from engine.risk.limits import LimitReading

_RAMP_VENUE = "offramp"

Readings = Callable[[Book, float], tuple[LimitReading, ...]]
"""All limits of a book, given the USD premium of outer layers bought so far in the session."""


def changes(order: Order) -> tuple[Position, ...]:
    """What the book becomes if the order fills at its limit: legs in, limit cash in or out."""
    venue = "vault" if order.sleeve is Sleeve.DEFI else order.venue
    moved = [Position(Cash(order.limit.currency), order.limit, order.sleeve, venue)] if order.limit else []
    for leg in order.legs:
        held = Money.rounded(leg.quantity, leg.instrument.unit)
        sleeve, place = (Sleeve.TRANSIT, _RAMP_VENUE) if order.role == "ramp" else (order.sleeve, venue)
        moved.append(Position(leg.instrument, held, sleeve, place))
    return tuple(moved)


def reachable(book: Book, orders: Sequence[Order]) -> list[tuple[str, Book, float]]:
    """
    Each state the orders can leave behind: every prefix, and every whole number of lots of its last order.

    Returned as (what happened, book, USD premium of outer layers bought).
    """
    states = [("nothing filled", book, 0.0)]
    outer = 0.0
    for order in orders:
        lots = _lots(order)
        for filled in range(1, lots + 1):
            part = _part(order, filled, lots)
            spent = outer + (max(-part.limit.to_float(), 0.0) if order.role == "hedge" else 0.0)
            states.append((f"{order.step}: {filled} of {lots}", book.plus(changes(part)), spent))
        book = book.plus(changes(order))
        outer += max(-order.limit.to_float(), 0.0) if order.role == "hedge" else 0.0
    return states


def check(plan: Plan, book: Book, readings: Readings) -> CheckedPlan | tuple[Breach, ...]:
    """The plan with its worst readings, or every limit that some reachable state breaks."""
    breaches: dict[tuple[str, str], Breach] = {}
    worst: dict[str, LimitReading] = {}
    for state, reached, outer in reachable(book, plan.orders):
        for reading in readings(reached, outer):
            if breach := reading.breach():
                named = replace(breach, detail=f"{state}; {breach.detail}")
                breaches.setdefault((breach.limit, breach.source), named)
            kept = worst.get(reading.limit)
            if kept is None or reading.headroom < kept.headroom:
                worst[reading.limit] = reading
    if breaches:
        return tuple(breaches.values())
    return CheckedPlan(plan, {name: reading.reading for name, reading in worst.items()})


def _lots(order: Order) -> int:
    if order.sleeve is not Sleeve.CONDOR:
        return 1
    return int(min(abs(leg.quantity) for leg in order.legs))


def _part(order: Order, filled: int, lots: int) -> Order:
    legs = tuple(OrderLeg(leg.instrument, leg.quantity * filled / Decimal(lots)) for leg in order.legs)
    return replace(order, legs=legs, limit=Money(order.limit.units * filled // lots, order.limit.currency))
