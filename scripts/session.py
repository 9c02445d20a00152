"""What a desk did so far: how much of the session's cap on outer risk it used, and what it earned (D12, X13)."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from adapters.files.calendar import session, sessions_between
from adapters.sql.plans import PlanState
from engine.entries import Entry
from engine.instruments import MARKET_ZONE
from engine.ledger.earnings import Earnings, earnings
from engine.market import MarketSnapshot
from engine.orders import Fill, Order, OrderId
from engine.plan.canonical import parse
from engine.plan.session_orders import lots_of, outer_events
from engine.positions import Sleeve
from engine.risk.session_cap import session_use
from scripts.desk import Desk

_INTENT = "order:"
_BEGUN = frozenset({PlanState.APPLYING, PlanState.APPLIED, PlanState.UNWOUND})
_AROUND = timedelta(days=7)


def session_outer(desk: Desk, at: datetime) -> float:
    """
    USD of maximum loss of outer layers that this desk opened in the session of `at`, by what it sent and what filled.

    A plan that was approved and never begun used nothing.
    """
    begun = [parse(json.loads(kept.document)) for kept in desk.journal.plans() if kept.state in _BEGUN]
    sent = {OrderId(kept.key.removeprefix(_INTENT)): kept.at for kept in desk.journal.intents(_INTENT)}
    return session_use(outer_events(begun, sent, lambda order: _filled(desk, order)), at, closes_around(at))


def earned_since(desk: Desk, entries: Sequence[Entry], snapshot: MarketSnapshot) -> Earnings:
    """What the books earned since the last plan that was begun; nothing before the first (X13)."""
    begun = [at for kept in desk.journal.plans() for state, at in kept.history if state is PlanState.APPLYING]
    prices = snapshot.chain.prices
    return earnings(entries, max(begun, default=None), lambda coin: prices[coin.currency.code])


def closes_around(at: datetime) -> list[datetime]:
    """The exchange's closes from a week before an instant until a week after it."""
    day = at.astimezone(MARKET_ZONE).date()
    return [found.closes for each in sessions_between(day - _AROUND, day + _AROUND) if (found := session(each))]


def _filled(desk: Desk, order: Order) -> int:
    """Lots that filled; an order of the vault is carried out whole once its batch is sent."""
    if order.sleeve is not Sleeve.CONDOR:
        return 1
    return sum(_lots(order, fill) for fill in desk.broker.fills(order.id))


def _lots(order: Order, fill: Fill) -> int:
    first = order.legs[0]
    moved = sum(abs(change.quantity) for change in fill.changes if change.instrument == first.instrument)
    return round(lots_of(order) * moved / abs(first.quantity))
