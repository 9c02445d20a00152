"""Every state a plan can leave the book in is held against every limit before anybody signs (faults 4.1)."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.money import Money
from engine.orders import Breach, CheckedPlan, Order, OrderLeg, Plan, VaultBatch
from engine.positions import Book, Position, Sleeve
from engine.risk.limits import LimitReading
from engine.risk.session_cap import layer_max_loss

_RAMP_VENUE = "offramp"
_OUTER_ROLES = frozenset({"hedge", "outer"})
_COSTS = 1e-3  # of a level: what half spreads and fees of taking risk off may move a share by

_Key = tuple[str, str]  # a limit, and the market or protocol it is read for

Readings = Callable[[Book, float], tuple[LimitReading, ...]]
"""All limits of a book, given the USD of maximum loss of outer layers that the plan has opened so far (D12)."""


def changes(order: Order) -> tuple[Position, ...]:
    """What the book becomes if the order fills at its limit: legs in, limit cash in or out."""
    venue = "vault" if order.sleeve is Sleeve.DEFI else order.venue
    moved = [Position(Cash(order.limit.currency), order.limit, order.sleeve, venue)] if order.limit else []
    for leg in order.legs:
        held = Money.rounded(leg.quantity, leg.instrument.unit)
        sleeve, place = (Sleeve.TRANSIT, _RAMP_VENUE) if order.role == "ramp" else (order.sleeve, venue)
        moved.append(Position(leg.instrument, held, sleeve, place))
    return tuple(moved)


def reachable(book: Book, orders: Sequence[Order], batches: Sequence[VaultBatch] = ()) -> list[tuple[str, Book, float]]:
    """
    Each state the orders can leave behind: every prefix, and every whole number of lots of its last order.

    The orders of a vault batch happen together or not at all. Returned as (what happened, book, USD of maximum loss
    of outer layers opened).
    """
    within = {order_id: batch.order_ids[-1] for batch in batches for order_id in batch.order_ids}
    states = [("nothing filled", book, 0.0)]
    outer = 0.0
    for order in orders:
        lots = _lots(order)
        whole = within.get(order.id, order.id) == order.id
        for filled in range(1, lots + 1) if whole else ():
            part = _part(order, filled, lots)
            done = "the vault's batch" if order.id in within else f"{order.step}: {filled} of {lots}"
            states.append((done, book.plus(changes(part)), outer + _opened(part, book)))
        outer += _opened(order, book)
        book = book.plus(changes(order))
    return states


def check(plan: Plan, book: Book, readings: Readings) -> CheckedPlan | tuple[Breach, ...]:
    """
    The plan with its worst readings, or every limit that some reachable state breaks.

    A plan that only takes risk off a book whose limits are broken already need not mend them at once: it may leave
    none further broken than it found it, each loan and protocol by itself, and break no other (X05, X17).
    """
    breaches: dict[tuple[_Key, str], Breach] = {}
    worst: dict[str, LimitReading] = {}
    found = {} if _takes_risk(plan.orders, book) else _broken(readings(book, 0.0))
    for state, reached, outer in reachable(book, plan.orders, plan.batches):
        for reading in readings(reached, outer):
            key = reading.limit, reading.subject
            if (breach := reading.breach()) and not reading.headroom >= found.get(key, 0.0):
                named = replace(breach, detail=f"{state}; {breach.detail}")
                breaches.setdefault((key, breach.source), named)
            kept = worst.get(reading.limit)
            if kept is None or reading.headroom < kept.headroom:
                worst[reading.limit] = reading
    if breaches:
        return tuple(breaches.values())
    return CheckedPlan(plan, {name: reading.reading for name, reading in worst.items()})


def _broken(readings: Iterable[LimitReading]) -> dict[_Key, float]:
    """
    Headroom, negative, of each limit that a book breaks, and what the costs of an order may take of it.

    A reading that is no number excuses nothing.
    """
    found: dict[_Key, float] = {}
    for reading in readings:
        if reading.breach() and not math.isnan(reading.headroom):
            key, least = (reading.limit, reading.subject), reading.headroom - _COSTS * abs(reading.level)
            found[key] = min(least, found.get(key, least))
    return found


def _takes_risk(orders: Sequence[Order], book: Book) -> bool:
    """Whether some order adds to a position other than a hedge, coins, or what secures a loan that stands."""
    in_debt = {p.instrument.market for p in book if isinstance(p.instrument, LendingDebt) and p.quantity}
    return any(
        order.role not in _OUTER_ROLES
        and not isinstance(leg.instrument, Cash)
        and not (isinstance(leg.instrument, LendingSupply) and leg.instrument.market in in_debt)
        and abs(book.held(leg.instrument).amount + leg.quantity) > abs(book.held(leg.instrument).amount)
        for order in orders
        for leg in order.legs
    )


def _opened(order: Order, book: Book) -> float:
    """USD of maximum loss an outer layer's order adds; one that only lessens what is held opens nothing."""
    if order.role not in _OUTER_ROLES:
        return 0.0
    held = ((book.held(leg.instrument).amount, leg.quantity) for leg in order.legs)
    if all(abs(had + change) <= abs(had) for had, change in held):
        return 0.0
    return layer_max_loss(order)


def _lots(order: Order) -> int:
    if order.sleeve is not Sleeve.CONDOR:
        return 1
    return max(int(min(abs(leg.quantity) for leg in order.legs)), 1)


def _part(order: Order, filled: int, lots: int) -> Order:
    legs = tuple(OrderLeg(leg.instrument, leg.quantity * filled / Decimal(lots)) for leg in order.legs)
    return replace(order, legs=legs, limit=Money(order.limit.units * filled // lots, order.limit.currency))
