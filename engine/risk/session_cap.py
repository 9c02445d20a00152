"""How much new outer risk one session may take on, counted once whatever happens to its orders (D12)."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.errors import InputError, MissingQuote
from engine.instruments import VanillaOption
from engine.orders import Order, OrderId
from engine.risk.margin import max_payout


@dataclass(frozen=True, slots=True)
class OuterOrder:
    """An order for an outer layer began to work: so many `lots`, each losing `max_loss` USD at most."""

    id: OrderId
    at: datetime
    lots: int
    max_loss: float

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or self.lots < 1 or not 0 <= self.max_loss < float("inf"):
            raise InputError(
                f"outer order {self.id} refused",
                why=f"{self.lots} lots at {self.max_loss} USD, {self.at}",
                todo="give whole lots, a finite maximum loss and an instant with its zone",
            )


@dataclass(frozen=True, slots=True)
class OuterFill:
    """So many lots of an order filled; `key` is the venue's stable identity of the event (faults I2)."""

    key: str
    order: OrderId
    at: datetime
    lots: int


@dataclass(frozen=True, slots=True)
class OuterEnd:
    """What was left of an order stopped working: cancelled, rejected or expired."""

    order: OrderId
    at: datetime


OuterEvent = OuterOrder | OuterFill | OuterEnd


def session_of(at: datetime, closes: Sequence[datetime]) -> datetime:
    """
    The close that ends the session of an instant: weekends, holidays and nights belong to the following one.

    `closes` are the exchange's closes, rising, aware. An instant at a close is still of its session.
    Raises `MissingQuote` beyond the last close.
    """
    place = bisect_left(closes, at)
    if place == len(closes):
        raise MissingQuote("no session", why=f"{at} is after the last close known", todo="extend the calendar")
    return closes[place]


def session_use(events: Iterable[OuterEvent], at: datetime, closes: Sequence[datetime]) -> float:
    """
    USD of maximum loss opened or working in the session of `at`, from everything recorded until then.

    The answer depends on the set of events alone: the same order or fill recorded twice, or everything read
    again after a restart, counts once. Lots that worked and filled in one session count once; lots that ended
    unfilled count no more; lots still working from an earlier session count here too.

    Raises `InputError` for two different records under one identity, or fills beyond their order.
    """
    orders, fills, ends = _distinct(event for event in events if event.at <= at)
    session = session_of(at, closes)
    used = 0.0
    for order in orders.values():
        filled = fills[order.id]
        open_lots = order.lots - sum(fill.lots for fill in filled)
        if open_lots < 0:
            raise InputError(
                f"fills of {order.id} refused", why=f"{-open_lots} lots too many", todo="reconcile with the venue"
            )
        opened = sum(fill.lots for fill in filled if session_of(fill.at, closes) == session)
        working = 0 if order.id in ends else open_lots
        used += (opened + working) * order.max_loss
    return used


def session_room(used: float, *, share: float, defined_risk: float) -> float:
    """
    USD of maximum loss the session may still take on; negative when the cap is broken.

    `defined_risk` is the policy's allocation to defined-risk structures at session open, USD (D12).

    >>> session_room(40_000.0, share=0.25, defined_risk=300_000.0)
    35000.0
    """
    if not (0 < share <= 1 and 0 < defined_risk < float("inf") and used >= 0):
        why = f"{used} used of {share} of {defined_risk} USD"
        raise InputError("session cap refused", why=why, todo="allocate defined risk")
    return share * defined_risk - used


def layer_max_loss(order: Order) -> float:
    """
    USD an order can lose at most per the whole order: largest payout of its options less the cash it brings (D03).

    A bought option loses its premium; a sold condor its width less the credit. Infinite with a bare short.
    """
    groups: defaultdict[object, list[tuple[VanillaOption, float]]] = defaultdict(list)
    for leg in order.legs:
        option = leg.instrument
        if isinstance(option, VanillaOption):
            groups[option.root, option.expiry, option.settlement].append((option, float(leg.quantity)))
    owed = sum(max_payout(legs) * float(legs[0][0].multiplier) for legs in groups.values())
    return max(owed - order.limit.to_float(), 0.0)


def _distinct(
    events: Iterable[OuterEvent],
) -> tuple[dict[OrderId, OuterOrder], defaultdict[OrderId, list[OuterFill]], set[OrderId]]:
    """Each order, its fills, and which orders ended, every identity once."""
    orders: dict[OrderId, OuterOrder] = {}
    fills: dict[str, OuterFill] = {}
    ends: set[OrderId] = set()
    for event in events:
        match event:
            case OuterOrder():
                first = orders.setdefault(event.id, event)
                if (first.lots, first.max_loss) != (event.lots, event.max_loss):  # a retry has a later instant
                    raise _conflict(event.id)
            case OuterFill():
                if fills.setdefault(event.key, event) != event:
                    raise _conflict(event.key)
            case OuterEnd():
                ends.add(event.order)
    by_order: defaultdict[OrderId, list[OuterFill]] = defaultdict(list)
    for fill in fills.values():
        if fill.order not in orders:
            raise InputError(f"fill {fill.key} refused", why=f"no order {fill.order}", todo="record the order first")
        by_order[fill.order].append(fill)
    return orders, by_order, ends


def _conflict(identity: str) -> InputError:
    return InputError(f"{identity} refused", why="it is recorded with other terms", todo="reconcile with the venue")
