"""
Proof that a vault transaction did what its fills say: the Safe's own word, and the balances themselves.

A status of 1 is no proof, and a token's event is only its word: a token that keeps a fee on transfer, or
rebases, logs one amount and moves another (faults, "What matters" 2; F27, F28, F50).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from adapters.evm.chain import BlockHash, Chain
from adapters.evm.erc20 import Token
from adapters.evm.wire import VAULT, Holder
from engine.errors import VenueError
from engine.instruments import Cash
from engine.money import Currency
from engine.orders import Address, Fill
from engine.ports import Receipt


def cash_expected(fills: Iterable[Fill]) -> dict[Currency, int]:
    """Smallest units of each token that these fills say entered (+) or left (-) the vault, fees included."""
    moved: defaultdict[Currency, int] = defaultdict(int)
    for fill in fills:
        for change in fill.changes:
            if isinstance(change.instrument, Cash) and change.venue == VAULT:
                moved[change.held.currency] += change.held.units
        for fee in fill.fees.values():
            moved[fee.currency] -= fee.units
    return dict(moved)


def balance_changes(chain: Chain, tokens: Sequence[Token], owner: Address, receipt: Receipt) -> dict[Currency, int]:
    """
    What `receipt` changed of `owner`'s balances, measured: over its whole block, less what others did there.

    Raises `VenueUnavailable` once the block has left the chain.
    """
    queries = [token.contract.query("balanceOf", owner) for token in tokens]
    block = BlockHash(receipt.block_hash)
    before, after = chain.answers_at([(queries, receipt.block - 1), (queries, block)])
    logs = chain.block_logs(block, address=[token.address for token in tokens])
    others = [log for log in logs if log["transactionHash"] != receipt.transaction_hash]
    return {
        token.currency: new - old - _net(token, owner, others)
        for token, old, new in zip(tokens, before, after, strict=True)
    }


def proven(
    chain: Chain, holder: Holder, safe_tx_hash: str, receipt: Receipt, fills: Sequence[Fill], tokens: Sequence[Token]
) -> Receipt:
    """
    The receipt, once the Safe logged the success of this very transaction and each token moved as its fills say.

    Parameters
    ----------
    tokens : every token the vault holds, so that one that moved without a fill is seen too
    receipt : in a final block, or one that still is in the chain

    Raises
    ------
    VenueError : it was not carried out, or a balance and the fills disagree; nothing of it is posted
    """
    if safe_tx_hash not in holder.executions(receipt).values():
        raise _unproven(safe_tx_hash, f"{receipt.transaction_hash} carries no ExecutionSuccess of it")
    expected = cash_expected(fills)
    moved = balance_changes(chain, tokens, holder.safe, receipt)
    wrong = [
        f"{currency} moved {moved.get(currency, 0)}, its fills say {expected.get(currency, 0)}"
        for currency in {**moved, **expected}
        if moved.get(currency, 0) != expected.get(currency, 0)
    ]
    if wrong:
        raise _unproven(safe_tx_hash, "; ".join(wrong))
    return receipt


def _net(token: Token, owner: Address, logs: Iterable[dict[str, object]]) -> int:
    found = token.contract.events("Transfer", logs)
    return sum(
        ((to == owner) - (source == owner)) * units
        for source, to, units in (event.arguments.values() for event in found)
    )


def _unproven(safe_tx_hash: str, why: str) -> VenueError:
    return VenueError(
        f"Safe transaction {safe_tx_hash[:10]} does not add up", why=why, todo="halt, then reconcile by hand"
    )
