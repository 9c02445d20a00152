"""The steps of a rebalance on one desk: propose, sign, apply, accrue, reconcile."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from adapters.safe.keystore import OwnerKey
from adapters.safe.signatures import sign_plan, signed, verify
from adapters.sql.plans import PlanState
from engine import cycle
from engine.cycle import Decision
from engine.entries import Entry
from engine.errors import AlreadyApplied, OrderRejected, PlanChanged
from engine.instruments import VanillaOption
from engine.ledger import balances, posting
from engine.ledger.accounts import EXECUTOR
from engine.ledger.lending import accruals
from engine.ledger.reconcile import Break, breaks
from engine.ledger.transfer import Transfer, sent
from engine.money import Money
from engine.orders import ApprovedPlan, Call, CheckedPlan, Fill, Order, Plan, PlanApproval, VaultBatch
from engine.plan.approval import approve, still_current
from engine.plan.canonical import canonical_bytes, document, parse
from engine.plan.saga import Outcome, Venues, execute
from engine.plan.sequence import bounded, broker_orders, vault_orders
from engine.ports import Receipt, SignedSafeTx
from engine.positions import Sleeve
from scripts.desk import Desk

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
    decision = decide(desk, borrowed_cash=borrowed_cash)
    state = desk.state()
    stem = cycle.stem(decision.snapshot, desk.policy_digest, state)
    deadline = max(decision.snapshot.asof, desk.clock.now()) + timedelta(hours=desk.policy.costs.plan_ttl_hours)
    vault = _priced(desk, vault_orders(decision.target, _option(desk, decision), desk.names, stem))
    batches = [_batch(desk, vault, stem, deadline)] if vault else []
    plan = cycle.seal(
        decision,
        [*broker_orders(decision.target.core, desk.names, stem), *vault],
        batches,
        state=state,
        policy_digest=desk.policy_digest,
        deadline=deadline,
    )
    cycle.checked(plan, decision.snapshot, decision.book, desk.policy)
    return Proposal(plan, decision)


def decide(desk: Desk, *, borrowed_cash: float = 0.0) -> Decision:
    """What the engine would do now with the book as the journal has it."""
    return cycle.decide(
        desk.observe(),
        balances.book(desk.journal.entries()),
        desk.policy,
        fee_per_contract=desk.broker.fee_per_contract,
        borrowed_cash=borrowed_cash,
    )


def sign(desk: Desk, plan: Plan, key: OwnerKey) -> PlanApproval:
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
    return sign_plan(plan, key, safe=desk.vault.address)


def reviewed(desk: Desk, plan: Plan) -> None:
    """Raise `PlanChanged` or `OrderRejected` unless the plan's bytes are what it shows."""
    parse(document(plan))
    venues = desk.onchain.by_name()
    for batch in plan.batches:
        desk.vault.confirm(batch)
        encoded = [
            call for order in plan.orders if order.id in batch.order_ids for call in venues[order.venue].calls(order)
        ]
        if [(c.to, c.data, c.value) for c in encoded] != [(c.to, c.data, c.value) for c in batch.calls]:
            raise PlanChanged(
                f"batch {batch.id} refused",
                why="its calls are not those of its orders",
                todo="make a new plan; do not sign this one",
            )


def judged(desk: Desk, plan: Plan) -> CheckedPlan:
    """The plan held against every limit on the market and book as they are now."""
    return cycle.checked(plan, desk.observe(), balances.book(desk.journal.entries()), desk.policy)


def apply(desk: Desk, plan: Plan, approvals: Sequence[PlanApproval], progress: Progress) -> Outcome:
    """
    Carry an approved plan out, once; continue it if it was begun.

    Raises `ThresholdNotMet`, `SnapshotExpired`, `PlanChanged`, `AlreadyApplied`, `LimitBreached` before any
    effect, and the venues' own errors after.
    """
    stored = desk.journal.plan(plan.digest)
    begun = stored is not None and stored.state is PlanState.APPLYING
    if stored is not None and stored.state is PlanState.APPLIED:
        raise AlreadyApplied(
            f"plan {plan.digest[:8]} refused", why="it was applied already", todo="make a new plan; nothing was sent"
        )
    terms = desk.vault.terms()
    contracts = desk.vault.contract_owners()
    verified = [verify(plan, approval, safe=desk.vault.address, contracts=contracts) for approval in approvals]
    reviewed(desk, plan)
    checked = cycle.unchecked(plan) if begun else judged(desk, plan)
    approved = approve(checked, verified, owners=terms.owners, threshold=terms.threshold)
    if not begun:
        current(desk, plan)
        _begin(desk, plan, approved)
    roles = {order.id: order.role for order in plan.orders}
    outcome = execute(
        approved,
        Venues({desk.broker.name: desk.broker}, desk.onchain.by_name(), desk.vault),
        desk.journal,
        desk.clock,
        posting=lambda fill: _posted(desk, fill, roles[fill.order_id]),
        gas=lambda _, receipt: gas_entry(desk, receipt),
        signed=lambda batch, whole: signed(batch.transaction, whole, desk.vault.terms()),
        progress=progress,
    )
    desk.journal.advance(plan.digest, PlanState.APPLIED, desk.clock.now())
    accrue(desk)
    return outcome


def current(desk: Desk, plan: Plan) -> None:
    """Raise `SnapshotExpired` when the deadline passed or chain, Safe nonce or journal moved since it was made."""
    still_current(plan, desk.state(), desk.clock.now())


def simulated(desk: Desk, batch: VaultBatch) -> Receipt:
    """
    Execute a batch on a fork as if a quorum had approved it; needs a fork that lends out any account.

    The owners approve the hash on the fork itself, so that no signature is needed. Raises `OrderRejected`
    with the reason when the batch would fail.
    """
    safe, terms = desk.vault.contract, desk.vault.terms()
    quorum = sorted(terms.owners, key=lambda owner: int(owner, 16))[: terms.threshold]
    for owner in quorum:
        desk.chain.request("anvil_setBalance", owner, hex(10**18))
        desk.chain.request("anvil_impersonateAccount", owner)
        approval = safe.encode("approveHash", bytes.fromhex(batch.transaction.hash.removeprefix("0x")))
        sent_hash = desk.chain.request(
            "eth_sendTransaction", {"from": owner, "to": safe.address, "data": "0x" + approval.hex()}
        )
        desk.chain.mined(sent_hash)
    words = b"".join(bytes.fromhex(owner[2:]).rjust(32, b"\0") + bytes(32) + b"\x01" for owner in quorum)
    data = desk.vault.calldata(SignedSafeTx(batch.transaction, words))
    receipt = desk.executor.send(safe.address, data)
    if receipt.status != 1:
        raise OrderRejected(
            f"batch {batch.id} would fail", why="it reverts on a fork of the current block", todo="make a new plan"
        )
    return receipt


def gas_entry(desk: Desk, receipt: Receipt) -> Entry:
    """The executor's cost of one transaction."""
    return posting.gas(
        receipt.gas_used * receipt.gas_price_wei,
        chain_id=desk.chain.chain_id,
        transaction_hash=receipt.transaction_hash,
        at=receipt.at,
        evidence={"block": str(receipt.block), "block_hash": receipt.block_hash},
    )


def accrue(desk: Desk) -> int:
    """Post the interest that the chain shows since the last accrual; returns how many entries were new."""
    entries = desk.journal.entries()
    block = desk.chain.block("finalized")
    return desk.journal.post(
        accruals(
            balances.book(entries),
            chain_units(desk),
            desk.market.day,
            at=block.at,
            block=block.number,
            posted={entry.key for entry in entries},
        )
    )


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


def save_plan(plan: Plan, folder: Path) -> Path:
    """Write the plan's document; the name carries day and digest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"plan-{plan.asof.date()}-{plan.digest[:8]}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document(plan), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def _posted(desk: Desk, fill: Fill, role: str) -> Entry:
    if role != "ramp":
        return posting.entry_for(fill)
    moved = next(change for change in fill.changes if change.sleeve is Sleeve.TRANSIT)
    return sent(ramp_transfer(desk, fill.key, moved.held, fill), at=fill.at, evidence=fill.evidence)


def _begin(desk: Desk, plan: Plan, approved: ApprovedPlan) -> None:
    """Make the plan, its approvals and its beginning durable; of two that begin it one is refused."""
    now = desk.clock.now()
    desk.journal.save_plan(plan.digest, canonical_bytes(document(plan)).decode(), now)
    for approval in approved.approvals:
        desk.journal.save_approval(plan.digest, approval.owner, approval.plan_signature, now)
    desk.journal.advance(plan.digest, PlanState.APPROVED, now)
    desk.journal.advance(plan.digest, PlanState.APPLYING, now)


def ramp_transfer(desk: Desk, key: str, amount: Money, fill: Fill) -> Transfer:
    """Coins on their way to the broker, due after the policy's ramp days."""
    return Transfer(
        id=key,
        sent=amount,
        source=Sleeve.DEFI,
        source_venue="vault",
        target=Sleeve.CONDOR,
        target_venue=desk.broker.name,
        due=fill.at + timedelta(days=desk.policy.loop.ramp_days),
    )


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
        elif order.role == "swap" and bought is not None:
            needed = -bought.limit.amount
            at_par = Money.rounded(-needed, order.limit.currency)
            sized = replace(order, legs=(replace(order.legs[0], quantity=needed),), arrival=at_par)
            priced.append(bounded(sized, desk.onchain.swaps.quote(sized), _STABLE_SLIPPAGE))
        else:
            priced.append(order)
    return priced


def _batch(desk: Desk, orders: Sequence[Order], stem: str, deadline: datetime) -> VaultBatch:
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
