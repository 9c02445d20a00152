"""What fills and receipts become in this desk's books: one entry each."""

from datetime import timedelta

from engine.entries import Entry
from engine.ledger import liquidity_fees, posting
from engine.ledger.transfer import Transfer, sent
from engine.money import Money
from engine.orders import Fill, Order
from engine.ports import Receipt
from engine.positions import Sleeve
from scripts.desk import Desk


def posted(desk: Desk, fill: Fill, order: Order) -> Entry:
    """The entry of a fill of `order`: coins on the ramp are in transit, swap fees of a range are income."""
    if order.role == "ramp":
        moved = next(change for change in fill.changes if change.sleeve is Sleeve.TRANSIT)
        return sent(_ramped(desk, fill, moved.held), at=fill.at, evidence=fill.evidence)
    if fill.evidence.get("income") == liquidity_fees.KIND:
        return liquidity_fees.of_fill(fill, order)
    return posting.entry_for(fill)


def gas_entries(desk: Desk, receipt: Receipt) -> tuple[Entry, ...]:
    """The executor's cost of one transaction; nothing where another account sent it (faults F20)."""
    if receipt.sender != desk.executor.sender.address:
        return ()
    paid = posting.gas(
        receipt.gas_used * receipt.gas_price_wei,
        chain_id=desk.chain.chain_id,
        transaction_hash=receipt.transaction_hash,
        at=receipt.at,
        evidence={"block": str(receipt.block), "block_hash": receipt.block_hash},
    )
    return (paid,)


def _ramped(desk: Desk, fill: Fill, amount: Money) -> Transfer:
    """Coins on their way to the broker, due after the policy's ramp days."""
    return Transfer(
        id=fill.key,
        sent=amount,
        source=Sleeve.DEFI,
        source_venue="vault",
        target=Sleeve.CONDOR,
        target_venue=desk.broker.name,
        due=fill.at + timedelta(days=desk.policy.loop.ramp_days),
    )
