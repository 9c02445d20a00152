"""What plans begun so far did to the session's cap on outer risk, read from what was sent and filled (D12)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from engine.orders import Order, OrderId, Plan
from engine.positions import Sleeve
from engine.risk.session_cap import OuterEnd, OuterEvent, OuterFill, OuterOrder, layer_max_loss

OUTER_ROLES = frozenset({"hedge", "outer"})
"""Roles of orders that open an outer layer."""

Filled = Callable[[Order], int]
"""Lots of an order that filled, as its venue knows."""


def outer_events(plans: Iterable[Plan], sent: Mapping[OrderId, datetime], filled: Filled) -> tuple[OuterEvent, ...]:
    """
    The outer orders of these plans that were sent, and what became of them.

    Nothing rests beyond its plan: what did not fill was cancelled (`engine.plan.saga`). An order that only sells
    opened nothing.

    Parameters
    ----------
    sent : when each order's intent became durable; an order without one was never sent
    """
    return tuple(
        event
        for plan in plans
        for order in plan.orders
        if order.id in sent and opens_outer(order)
        for event in _events(order, sent[order.id], filled(order))
    )


def opens_outer(order: Order) -> bool:
    """Whether an order adds to an outer layer: it is of one and buys something."""
    return order.role in OUTER_ROLES and any(leg.quantity > 0 for leg in order.legs)


def lots_of(order: Order) -> int:
    """Whole lots that may fill one by one; an order of the vault fills whole."""
    if order.sleeve is not Sleeve.CONDOR:
        return 1
    return int(min(abs(leg.quantity) for leg in order.legs))


def _events(order: Order, at: datetime, filled: int) -> Iterator[OuterEvent]:
    lots = lots_of(order)
    yield OuterOrder(order.id, at, lots, layer_max_loss(order) / lots)
    if filled:
        yield OuterFill(order.id, order.id, at, min(filled, lots))
    yield OuterEnd(order.id, at)
