"""The one loop with effects: intent first, look before sending, then post what happened (faults 4)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.entries import Entry
from engine.errors import OrderRejected, OutcomeUnknown, VenueError
from engine.orders import ApprovedPlan, Fill, Order, VaultBatch
from engine.ports import AckState, BrokerVenue, Clock, Journal, OnchainVenue, Receipt, SignedSafeTx, Vault

Posting = Callable[[Fill], Entry]
Gas = Callable[[Receipt], Sequence[Entry]]
Proof = Callable[[VaultBatch, Receipt, Sequence[Fill]], Sequence[Entry]]
Own = Callable[[VaultBatch, Receipt], Receipt]
Signed = Callable[[VaultBatch, ApprovedPlan], SignedSafeTx]
Progress = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Venues:
    """Where orders go, by the venue name they carry."""

    brokers: Mapping[str, BrokerVenue]
    onchain: Mapping[str, OnchainVenue]
    vault: Vault


@dataclass(slots=True)
class Outcome:
    """What an execution did; `unfilled` are orders that ended without a fill."""

    fills: list[Fill] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    unfilled: list[Order] = field(default_factory=list)


def execute(
    approved: ApprovedPlan,
    venues: Venues,
    journal: Journal,
    clock: Clock,
    *,
    posting: Posting,
    gas: Gas,
    own: Own,
    proof: Proof,
    signed: Signed,
    progress: Progress,
) -> Outcome:
    """
    Carry the plan out in its order, resumable at every step.

    Each order's intent is durable before its venue hears of it, and a venue is asked what it knows of an
    id before the id is sent, so that running this again after a crash changes nothing that already
    happened. Broker legs come first in the plan where they reduce risk; a vault batch is sent when the
    last broker order before it has ended. Raises `OrderRejected` or `OutcomeUnknown` as the venue did.

    Parameters
    ----------
    gas : what a batch's receipt cost us; nothing where somebody else sent it
    own : the receipt of a batch without what others did in the same transaction
    proof : raises where the vault's balances did not move as all fills of a batch say; none of it is posted then.
        Else entries for what others gave in the same transaction, mostly none
    """
    outcome = Outcome()
    carried = {order_id: batch for batch in approved.plan.batches for order_id in batch.order_ids}
    sent: set[str] = set()
    for order in approved.plan.orders:
        batch = carried.get(order.id)
        if batch is None:
            progress(order.step, "now")
            fills = list(_trade(order, approved, venues.brokers[order.venue], journal, clock))
            journal.post([posting(fill) for fill in fills])
            outcome.fills.extend(fills)
            if not fills:
                outcome.unfilled.append(order)
            progress(order.step, "done" if fills else "unfilled")
        elif batch.id not in sent:
            sent.add(batch.id)
            _settle(batch, approved, venues, journal, clock, outcome, posting, gas, own, proof, signed, progress)
    return outcome


def told_apart(orders: Sequence[Order]) -> None:
    """
    Raise `OrderRejected` where two orders of one batch ask the same: both would be read off the one event.

    A venue tells the orders of a batch apart by what they move: instrument, quantity, currency paid in.
    """
    seen: dict[object, Order] = {}
    for order in orders:
        wanted = order.venue, order.limit.currency, tuple((leg.instrument, leg.quantity) for leg in order.legs)
        if (same := seen.setdefault(wanted, order)) is not order:
            raise OrderRejected(
                f"order {order.id} refused",
                why=f"it asks for the same as {same.id}, and what the chain did for each could not be told",
                todo="make one order of both",
            )


def read(orders: Sequence[Order], onchain: Mapping[str, OnchainVenue], receipt: Receipt) -> list[Fill]:
    """
    What a batch did for each of its orders, from its own part of the receipt.

    Raises `OrderRejected` for an order that it did nothing for, `VenueError` for an event that two of them claim.
    """
    fills: list[Fill] = []
    for order in orders:
        found = onchain[order.venue].read(order, receipt)
        if not found:
            raise OrderRejected(
                f"{order.step} left no trace on chain",
                why="the batch succeeded but neither event nor balance shows this order",
                todo="run `hedge reconcile`; nothing was posted for it",
            )
        fills += found
    _claimed_once(fills)
    return fills


def _claimed_once(fills: Sequence[Fill]) -> None:
    """Raise `VenueError` where two fills name one event: posted by its key, it would be counted once."""
    first: dict[str, Fill] = {}
    for fill in fills:
        if (other := first.setdefault(fill.key, fill)) is not fill:
            raise VenueError(
                f"event {fill.key} does not add up",
                why=f"orders {other.order_id} and {fill.order_id} both claim it",
                todo="halt, then reconcile by hand; nothing of the batch was posted",
            )


def _trade(order: Order, approved: ApprovedPlan, venue: BrokerVenue, journal: Journal, clock: Clock) -> Iterator[Fill]:
    journal.intend(f"order:{order.id}", _intent(order, approved), clock.now())
    state = venue.status(order.id).state
    if state is AckState.UNKNOWN:
        state = venue.submit(order).state
    if state is AckState.WORKING:
        venue.cancel(order.id)
    yield from venue.fills(order.id)


def _settle(
    batch: VaultBatch,
    approved: ApprovedPlan,
    venues: Venues,
    journal: Journal,
    clock: Clock,
    outcome: Outcome,
    posting: Posting,
    gas: Gas,
    own: Own,
    proof: Proof,
    signed: Signed,
    progress: Progress,
) -> None:
    orders = [order for order in approved.plan.orders if order.id in batch.order_ids]
    for order in orders:
        journal.intend(f"order:{order.id}", _intent(order, approved), clock.now())
        progress(order.step, "now")
    journal.intend(f"batch:{batch.transaction.hash}", batch.id, clock.now())
    receipt = venues.vault.execute(signed(batch, approved))
    if not receipt.final:
        raise OutcomeUnknown(
            f"batch {batch.id} is mined but not final",
            why=f"block {receipt.block} can still be reorganised away",
            todo="wait for finality and run `hedge apply` again: it continues where it stopped",
        )
    fills = read(orders, venues.onchain, own(batch, receipt))
    given = proof(batch, receipt, fills)
    journal.post([*gas(receipt), *map(posting, fills), *given])
    outcome.fills.extend(fills)
    outcome.receipts.append(receipt)
    for order in orders:
        progress(order.step, "done")


def _intent(order: Order, approved: ApprovedPlan) -> str:
    return json.dumps({"plan": approved.plan.digest, "venue": order.venue, "step": order.step}, sort_keys=True)
