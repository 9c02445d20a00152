"""Whether a Safe transaction happened: its own event says so, and nothing else does."""

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.safe.editions import named_hash
from engine.errors import OrderRejected, OutcomeUnknown
from engine.orders import SafeTx
from engine.ports import Receipt

SUCCESS, FAILURE = "ExecutionSuccess", "ExecutionFailure"


def success(chain: Chain, safe: Contract, transaction: SafeTx, *, since: int) -> Receipt | None:
    """The receipt in which the transaction succeeded at or after block `since`, whoever sent it; else None."""
    logs = chain.logs(address=safe.address, topics=[safe.topic(SUCCESS)], first=since)
    ours = [log for log in logs if named_hash(log) == transaction.hash]
    return chain.receipt(ours[-1]["transactionHash"]) if ours else None


def proven(safe: Contract, transaction: SafeTx, receipt: Receipt) -> Receipt:
    """
    The receipt, if it holds `ExecutionSuccess` of this very transaction: a status of 1 is no proof.

    Raises `OrderRejected` if it reverted or logged `ExecutionFailure`, `OutcomeUnknown` if it says neither.
    """
    if receipt.status == 1 and transaction.hash in _logged(safe, SUCCESS, receipt):
        return receipt
    failed = transaction.hash in _logged(safe, FAILURE, receipt)
    if receipt.status == 1 and not failed:
        raise OutcomeUnknown(
            f"Safe transaction {transaction.hash[:10]} left no word",
            why=f"{receipt.transaction_hash} was mined without its ExecutionSuccess",
            todo="run `hedge reconcile` before anything else",
        )
    raise OrderRejected(
        f"Safe transaction {transaction.hash[:10]} failed on chain",
        why=f"{receipt.transaction_hash} {'reverted' if receipt.status == 0 else 'logged ExecutionFailure'}",
        todo="gas was spent, no position changed; make a new plan",
    )


def _logged(safe: Contract, name: str, receipt: Receipt) -> set[str]:
    topic, mine = safe.topic(name), safe.address.lower()
    return {named_hash(log) for log in receipt.logs if log["topics"][:1] == [topic] and log["address"].lower() == mine}
