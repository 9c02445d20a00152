"""The steps of a rebalance on one desk: propose, sign, apply, accrue, reconcile."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from adapters.evm.foreign_transfers import given
from adapters.evm.proof import proven
from adapters.evm.token_promises import hold_to_promises
from adapters.evm.wire import Holder
from adapters.safe.signatures import sign_plan, signed, verify
from adapters.safe.signers import Signer
from adapters.sql.plans import PlanState
from engine import cycle
from engine.cycle import Decision
from engine.entries import Entry
from engine.errors import AlreadyApplied, PlanChanged
from engine.instruments import Cash, VanillaOption
from engine.ledger import balances
from engine.ledger.accounts import EXECUTOR
from engine.ledger.lending import accrual_key, accruals
from engine.ledger.openings import opening_credits
from engine.ledger.reconcile import Break, breaks
from engine.money import Money
from engine.orders import ApprovedPlan, Call, CheckedPlan, Fill, Order, Plan, PlanApproval, VaultBatch
from engine.plan.approval import approve, still_current
from engine.plan.canonical import canonical_bytes, document, parse
from engine.plan.saga import Outcome, Venues, execute, told_apart
from engine.plan.sequence import bounded, broker_orders, vault_orders
from engine.ports import Receipt
from engine.report.valued import book_of
from scripts.desk import Desk
from scripts.postings import gas_entries, posted
from scripts.session import earned_since, session_outer

_STABLE_SLIPPAGE = Decimal("0.003")

Progress = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A plan and the decision it came from."""

    plan: Plan
    decision: Decision


def propose(desk: Desk, *, borrowed_cash: float = 0.0) -> Proposal:
    """
    Decide on today's market, price every order at its venue, and check every reachable state.

    Raises `LimitBreached` with all breaches; sends nothing.
    """
    hold_to_promises(desk.chain, desk.vault.address, desk.tokens)
    decision = decide(desk, borrowed_cash=borrowed_cash)
    state = desk.state()
    stem = cycle.stem(decision.snapshot, desk.policy_digest, state)
    deadline = max(decision.snapshot.asof, desk.clock.now()) + timedelta(hours=desk.policy.costs.plan_ttl_hours)
    vault = _priced(desk, vault_orders(decision.target, _option(desk, decision), desk.names, stem))
    batches = [_batch(desk, vault, stem, deadline)] if vault else []
    plan = cycle.seal(
        decision,
        [*broker_orders(decision.target.core, desk.names, stem, decision.upkeep.rolls), *vault],
        batches,
        state=state,
        policy_digest=desk.policy_digest,
        deadline=deadline,
    )
    cycle.checked(plan, decision.snapshot, decision.book, desk.policy, session_outer=decision.frame.session_outer)
    return Proposal(plan, decision)


def decide(desk: Desk, *, borrowed_cash: float = 0.0) -> Decision:
    """What the engine would do now with the book as the journal has it."""
    snapshot, entries = desk.observe(), desk.journal.entries()
    return cycle.decide(
        snapshot,
        balances.book(entries),
        desk.policy,
        fee_per_contract=desk.broker.fee_per_contract,
        borrowed_cash=borrowed_cash,
        session_outer=session_outer(desk, snapshot.asof),
        opened=opening_credits(entries),
        earned=earned_since(desk, entries, snapshot),
    )


def sign(desk: Desk, plan: Plan, signer: Signer) -> PlanApproval:
    """
    One owner's approval, after deriving everything again from the plan's own bytes.

    Every batch must say in its bytes what it shows, its calls must be those its orders encode to, every
    reachable state must keep every limit on the market as this machine sees it, and the batch that is next must
    succeed when rehearsed on this machine's node, changing nothing of the Safe but its nonce.
    """
    reviewed(desk, plan)
    judged(desk, plan)
    nonce = desk.vault.state().nonce
    for batch in plan.batches:
        if batch.transaction.nonce == nonce:
            desk.vault.rehearse(batch.transaction)
    return sign_plan(plan, signer, safe=desk.vault.address)


def reviewed(desk: Desk, plan: Plan) -> None:
    """Raise `PlanChanged`, `OrderRejected` or `ConfigError` unless plan and tokens are what they are shown as."""
    hold_to_promises(desk.chain, desk.vault.address, desk.tokens)
    parse(document(plan))
    venues = desk.onchain.by_name()
    for batch in plan.batches:
        desk.vault.confirm(batch)
        if desk.vault.executed(batch.transaction) is not None:
            continue  # what it did is what its orders would now be encoded on top of
        orders = [order for order in plan.orders if order.id in batch.order_ids]
        told_apart(orders)
        encoded = [call for order in orders for call in venues[order.venue].calls(order)]
        if [(c.to, c.data, c.value) for c in encoded] != [(c.to, c.data, c.value) for c in batch.calls]:
            raise PlanChanged(
                f"batch {batch.id} refused",
                why="its calls are not those of its orders",
                todo="make a new plan; do not sign this one",
            )


def judged(desk: Desk, plan: Plan) -> CheckedPlan:
    """The plan held against every limit on the market and book as they are now, and on the session so far."""
    snapshot, book = desk.observe(), balances.book(desk.journal.entries())
    used = session_outer(desk, snapshot.asof)
    return cycle.checked(plan, snapshot, book, desk.policy, session_outer=used)


def apply(desk: Desk, plan: Plan, approvals: Sequence[PlanApproval], progress: Progress) -> Outcome:
    """
    Carry an approved plan out, once; continue it if it was begun, here or by whoever sent its batch (faults F20).

    Raises `ThresholdNotMet`, `SnapshotExpired`, `PlanChanged`, `AlreadyApplied`, `LimitBreached` before any
    effect, and the venues' own errors after.
    """
    stored = desk.journal.plan(plan.digest)
    applying = stored is not None and stored.state is PlanState.APPLYING
    if stored is not None and stored.state is PlanState.APPLIED:
        raise AlreadyApplied(
            f"plan {plan.digest[:8]} refused", why="it was applied already", todo="make a new plan; nothing was sent"
        )
    terms = desk.vault.terms()
    contracts = desk.vault.contract_owners()
    verified = [verify(plan, approval, safe=desk.vault.address, contracts=contracts) for approval in approvals]
    reviewed(desk, plan)
    begun = applying or any(desk.vault.executed(batch.transaction) for batch in plan.batches)
    if not begun:
        current(desk, plan)
    checked = cycle.unchecked(plan) if begun else judged(desk, plan)
    approved = approve(checked, verified, owners=terms.owners, threshold=terms.threshold)
    if not applying:
        _begin(desk, plan, approved)
    desk.executor.recover(desk.unsettled())
    orders = {order.id: order for order in plan.orders}
    outcome = execute(
        approved,
        Venues({desk.broker.name: desk.broker}, desk.onchain.by_name(), desk.vault),
        desk.journal,
        desk.clock,
        posting=lambda fill: posted(desk, fill, orders[fill.order_id]),
        gas=lambda receipt: gas_entries(desk, receipt),
        own=partial(own, desk),
        proof=partial(proof, desk),
        signed=lambda batch, whole: signed(batch.transaction, whole, desk.vault.terms()),
        progress=progress,
    )
    desk.journal.advance(plan.digest, PlanState.APPLIED, desk.clock.now())
    accrue(desk)
    return outcome


def own(desk: Desk, batch: VaultBatch, receipt: Receipt) -> Receipt:
    """The receipt of a batch without what others did in the same transaction, as far as it can be told."""
    return _holder(desk).only(receipt, batch.transaction.hash)


def proof(desk: Desk, batch: VaultBatch, receipt: Receipt, fills: Sequence[Fill]) -> list[Entry]:
    """
    What others gave in the transaction of a batch, once every balance moved as its fills say.

    Raises `VenueError` where one did not.
    """
    name = batch.transaction.hash
    gifts = proven(desk.chain, _holder(desk), name, receipt, fills, desk.tokens)
    return list(given(gifts, _holder(desk), receipt, name))


def _holder(desk: Desk) -> Holder:
    return Holder(desk.chain.chain_id, desk.vault.address)


def current(desk: Desk, plan: Plan) -> None:
    """Raise `SnapshotExpired` when the deadline passed or chain, Safe nonce or journal moved since it was made."""
    still_current(plan, desk.state(), desk.clock.now())


def accrue(desk: Desk, day: date | None = None) -> int:
    """Post the interest the chain shows since the last accrual, as that day's; returns how many entries were new."""
    day = day or desk.market.day
    book, block = book_of(desk.journal.balances()), desk.chain.block("finalized")
    posted = desk.journal.posted(accrual_key(position.instrument, day) for position in book)
    grown = accruals(book, chain_units(desk), day, at=block.at, block=block.number, posted=posted)
    return desk.journal.post(grown)


def chain_units(desk: Desk) -> dict[str, int]:
    """Smallest units the Safe holds per instrument, over every protocol, at the latest final block."""
    read = (venue.positions(desk.vault.address) for venue in desk.onchain.by_name().values())
    return {name: held for positions in read for name, held in positions.items()}


def differences(desk: Desk) -> tuple[Break, ...]:
    """Every disagreement of the journal with the broker's book and with the chain."""
    book = balances.book(desk.journal.entries(), final_only=True)
    at_broker = breaks(book, desk.broker.positions(), venues={desk.broker.name}, source=desk.broker.name)
    on_chain = breaks(book, chain_units(desk), venues={"vault"}, source="chain")
    ether = {"ETH": desk.chain.balance(desk.executor.sender.address, block="finalized")}
    return (*at_broker, *on_chain, *breaks(book, ether, venues={EXECUTOR}, source="chain"))


def save_plan(desk: Desk, plan: Plan) -> Path:
    """
    Put the plan on the journal's shelf and write its document; the name carries day and digest.

    From here on its Safe transactions are known as ours, whoever sends them (faults F20, F98).
    """
    desk.journal.save_plan(plan.digest, canonical_bytes(document(plan)).decode(), desk.clock.now())
    folder = desk.root / "plans"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"plan-{plan.asof.date()}-{plan.digest[:8]}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document(plan), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def _begin(desk: Desk, plan: Plan, approved: ApprovedPlan) -> None:
    """Make the plan, its approvals and its beginning durable; of two that begin it one is refused."""
    now = desk.clock.now()
    desk.journal.save_plan(plan.digest, canonical_bytes(document(plan)).decode(), now)
    for approval in approved.approvals:
        desk.journal.save_approval(plan.digest, approval.owner, approval.plan_signature, now)
    desk.journal.advance(plan.digest, PlanState.APPROVED, now)
    desk.journal.advance(plan.digest, PlanState.APPLYING, now)


def _option(desk: Desk, decision: Decision) -> VanillaOption | None:
    put = decision.target.put
    return desk.onchain.options.instrument(put.listing, "P") if put is not None else None


def _priced(desk: Desk, orders: list[Order]) -> list[Order]:
    """Each order at its venue's own quote; a swap is sized to what the option may cost at most."""
    slippage = desk.policy.costs.slippage
    put = next((order for order in orders if order.venue == desk.onchain.options.name), None)
    bought = bounded(put, desk.onchain.options.quote(put), slippage) if put is not None else None
    priced: list[Order] = []
    for order in orders:
        if order is put and bought is not None:
            priced.append(bought)
        elif order.venue == desk.onchain.swaps.name:
            sized = _sized(order, bought)
            priced.append(bounded(sized, desk.onchain.swaps.quote(sized), _STABLE_SLIPPAGE))
        else:
            priced.append(order)
    return priced


def _sized(swap: Order, bought: Order | None) -> Order:
    """A swap for the coins of an option buys what that may cost at most; any other stays as it is."""
    leg = swap.legs[0]
    if bought is None or leg.instrument != Cash(bought.limit.currency):
        return swap
    needed = -bought.limit.amount
    at_par = Money.rounded(-needed, swap.limit.currency)
    return replace(swap, legs=(replace(leg, quantity=needed),), arrival=at_par)


def _batch(desk: Desk, orders: Sequence[Order], stem: str, deadline: datetime) -> VaultBatch:
    told_apart(orders)
    venues = desk.onchain.by_name()
    calls: tuple[Call, ...] = tuple(call for order in orders for call in venues[order.venue].calls(order))
    described = desk.vault.describe(calls)
    transaction = desk.vault.propose(described, deadline=deadline)
    return VaultBatch(
        id=f"{stem}-batch",
        order_ids=tuple(order.id for order in orders),
        deadline=deadline,
        calls=described,
        transaction=transaction,
        cancel=desk.vault.cancel(transaction.nonce),
    )
