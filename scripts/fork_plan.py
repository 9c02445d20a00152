"""A plan carried out on a shocked fork as `apply` would: guards first, then broker and vault, refusals as findings."""

import re

from adapters.evm.chain import Reverted
from adapters.evm.fees import GasBudgetExceeded
from adapters.evm.fork import Sent
from adapters.evm.shock import Around, Stage, Verdict
from adapters.evm.shock_pools import taken
from adapters.safe.outcome import proven
from adapters.safe.simulation import approved_by
from engine.entries import Entry
from engine.errors import EngineError, LimitBreached, MarketDataError, OrderRejected, VenueError
from engine.instruments import LendingDebt
from engine.ledger import posting
from engine.market import MarketSnapshot
from engine.orders import Address, Plan, VaultBatch
from engine.plan import saga
from engine.ports import AckState, Receipt, SignedSafeTx
from engine.risk.peg import PegSide, PegState, PegTier, watch_peg
from engine.risk.valuation import STABLES
from scripts import flow
from scripts.desk import Desk
from scripts.fork_findings import Run, Step
from scripts.postings import gas_entries, posted

_GAS_MARGIN = 13, 10
_CALL = re.compile(r"call 0x([0-9a-f]{8}) to (0x[0-9a-fA-F]{40}): (.*)", re.DOTALL)
_GUARDS = {
    "Too much requested": "price bound",
    "Too little received": "price bound",
    "TotalCostOutsideOfSpecifiedBounds": "price bound",
    "exceeds allowance": "price bound",  # of which the approval is exactly the most that may be paid
    "exceeds balance": "vault balance",
    "stale": "freshness",
    "RateIsInvalid": "freshness",
    "past its deadline": "deadline",
    "is spent": "Safe nonce",
}
"""What a refusal says, and the guard that speaks in it."""


def carry_out(desk: Desk, stage: Stage, plan: Plan | None, found: Run) -> None:
    """
    Try everything the plan does and post what happened to the desk's own copies.

    A plan that the limits refuse is not begun; what the chain alone would say to its batches is still asked.
    """
    if plan is None:
        _unwatched(stage, found)
        return
    kept = _limits(desk, plan)
    carried = {order_id: batch for batch in plan.batches for order_id in batch.order_ids}
    tried: set[str] = set()
    for order in plan.orders:
        batch = carried.get(order.id)
        if batch is None:
            found.steps.append(_refused_by_limits(order.step, kept) if kept else _traded(desk, plan, order.id))
        elif batch.id not in tried:
            tried.add(batch.id)
            found.steps.append(_kept_back(desk, batch, kept) if kept else _batch(desk, stage, plan, batch, found))


def policy_says(desk: Desk, snapshot: MarketSnapshot, plan: Plan | None) -> list[Verdict]:
    """What the policy's own gates say to new risk on this market: borrow rate (S43) and pegs (D21)."""
    found = []
    most = float(desk.policy.limits.borrow_rate_max)
    drawn = {
        leg.instrument.market
        for order in (plan.orders if plan else ())
        for leg in order.legs
        if isinstance(leg.instrument, LendingDebt) and leg.quantity < 0
    }
    for market in snapshot.chain.lending:
        if market.name in drawn:
            over = market.borrow_rate > most
            says = f"{market.asset} costs {market.borrow_rate:.2%} a year; a decision draws none above {most:.2%}"
            found.append(Verdict(f"borrow rate of {market.name} (S43)", over, says))
    for code in sorted(STABLES & snapshot.chain.prices.keys()):
        tier = watch_peg(PegState(PegSide.COLLATERAL), snapshot.chain.prices[code], snapshot.chain.at).tier
        if tier > PegTier.HOLDS:
            says = f"{snapshot.chain.prices[code]:.4f} USD: {tier.name.lower()}, if it stays so for the window"
            found.append(Verdict(f"peg of {code} (D21)", tier >= PegTier.FREEZE, says))
    return found


def _limits(desk: Desk, plan: Plan) -> str:
    """Why the plan may not begin on this market, empty if it may."""
    try:
        flow.judged(desk, plan)
    except LimitBreached as breached:
        return f"limits: {breached.why}"
    except (MarketDataError, Reverted) as unseen:
        return f"market data: {unseen}"
    return ""


def _refused_by_limits(what: str, kept: str) -> Step:
    guard, _, why = kept.partition(": ")
    return Step(what, done=False, guard=guard, why=why)


def _kept_back(desk: Desk, batch: VaultBatch, kept: str) -> Step:
    guard, _, why = kept.partition(": ")
    refusal = _rehearsed(desk, batch)
    said = f"it would revert: {refusal.call or 'batch'}: {refusal.why}" if refusal else "it would execute"
    return Step(_named(batch), done=False, guard=guard, why=why, on_chain=said)


def _traded(desk: Desk, plan: Plan, order_id: str) -> Step:
    """One broker order on the copy of the broker's book."""
    order = next(each for each in plan.orders if each.id == order_id)
    try:
        state = desk.broker.submit(order).state
    except VenueError as refused:
        return Step(order.step, done=False, guard="broker", why=refused.why)
    if state is AckState.WORKING:
        desk.broker.cancel(order.id)
    fills = desk.broker.fills(order.id)
    desk.journal.post([posting.entry_for(fill) for fill in fills])
    return Step(order.step, bool(fills), *(() if fills else ("price bound", "the market does not give its limit")))


def _batch(desk: Desk, stage: Stage, plan: Plan, batch: VaultBatch, found: Run) -> Step:
    """Rehearse as signers do, send as the executor does, and post what the venues read off the receipt."""
    around, safe = found.shock.around, desk.vault.contract
    quorum = sorted(desk.vault.terms().owners)[: desk.vault.terms().threshold]
    data = desk.vault.calldata(SignedSafeTx(batch.transaction, approved_by(quorum)))
    found.shock.renew()
    if refusal := _rehearsed(desk, batch):
        return refusal
    try:
        if around is None:
            receipt = desk.executor.send(safe.address, data)
        else:
            receipt, refusal = _between(desk, stage, around, batch, data)
            found.effects.append(taken(stage, around))
        desk.journal.post(gas_entries(desk, receipt))
        if receipt.status != 1 and refusal is not None:
            return refusal
        proven(safe, batch.transaction, receipt)
        desk.journal.post(_entries(desk, plan, batch, receipt))
    except EngineError as refused:
        return _refusal(batch, refused)
    return _paid(desk, batch, receipt, found)


def _between(desk: Desk, stage: Stage, around: Around, batch: VaultBatch, data: bytes) -> tuple[Receipt, Step | None]:
    """Ours between a stranger's two in one block; with it why it reverts, asked right behind the first."""
    fork, chain, sender = stage.fork, desk.chain, desk.executor.sender.address
    gas = chain.estimate_gas(desk.vault.address, data, sender=sender) * _GAS_MARGIN[0] // _GAS_MARGIN[1]
    mark = fork.mark()
    fork.carry_out(around.front)
    refusal = _rehearsed(desk, batch)
    fork.back(mark)
    mined = fork.in_one_block([around.front, Sent(sender, desk.vault.address, data, gas), around.back])
    chain.mine_to_final()
    receipt = chain.receipt(mined[1].transaction_hash)
    assert receipt is not None
    return receipt, refusal


def _unwatched(stage: Stage, found: Run) -> None:
    """Without a plan a stranger still has his trades; he finds nobody between them."""
    if (around := found.shock.around) is not None:
        stage.fork.in_one_block([around.front, around.back])
        found.effects.append(taken(stage, around))
        found.notes.append("the book alone makes no swap: there was nothing between the stranger's two trades")


def _rehearsed(desk: Desk, batch: VaultBatch) -> Step | None:
    """The refusal a signer would meet, None where the batch would execute."""
    try:
        desk.vault.rehearse(batch.transaction)
    except (OrderRejected, VenueError) as refused:
        return _refusal(batch, refused)
    return None


def _refusal(batch: VaultBatch, refused: EngineError) -> Step:
    why = refused.why
    told = _CALL.search(why)
    call = _said(batch, told.group(1), Address(told.group(2))) if told else ""
    spoken = next((guard for words, guard in _GUARDS.items() if words.lower() in str(refused).lower()), "")
    guard = "gas budget" if isinstance(refused, GasBudgetExceeded) else spoken or "contract"
    return Step(_named(batch), done=False, guard=guard, why=_reason(told.group(3)) if told else why, call=call)


def _reason(reason: str) -> str:
    """The Safe's GS013 says only that the batch reverted: the contract itself gave no reason."""
    return "it reverts without a reason" if reason == "GS013" else reason


def _said(batch: VaultBatch, selector: str, to: Address) -> str:
    words = [call.description for call in batch.calls if call.to == to and call.data[:4].hex() == selector]
    return words[0] if words else f"0x{selector} to {to}"


def _entries(desk: Desk, plan: Plan, batch: VaultBatch, receipt: Receipt) -> list[Entry]:
    """What `apply` would post of the batch, read and proven as it would."""
    orders = {order.id: order for order in plan.orders if order.id in batch.order_ids}
    fills = saga.read(list(orders.values()), desk.onchain.by_name(), flow.own(desk, batch, receipt))
    given = flow.proof(desk, batch, receipt, fills)
    return [*(posted(desk, fill, orders[fill.order_id]) for fill in fills), *given]


def _paid(desk: Desk, batch: VaultBatch, receipt: Receipt, found: Run) -> Step:
    prices = desk.onchain.lending[0].prices() if desk.onchain.lending else {}
    usd = receipt.gas_used * receipt.gas_price_wei / 1e18 * prices.get("WETH", 0.0)
    assumed = float(desk.policy.loop.gas_usd)
    says = f"the batch costs {usd:,.2f} USD, the decision counted on {assumed:,.2f} to open and close"
    found.verdicts.append(Verdict("cost of gas (D14)", usd > assumed, says))
    return Step(_named(batch), done=True, gas=receipt.gas_used, gas_usd=usd)


def _named(batch: VaultBatch) -> str:
    return f"vault batch of {len(batch.calls)} calls"
