"""
Proof that a vault transaction did what its fills say: the Safe's own word, and the balances themselves.

A status of 1 is no proof, and a token's event is only its word: a token that keeps a fee on transfer, or
rebases, logs one amount and moves another (faults, "What matters" 2; F27, F28, F50).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from adapters.evm.abi import RawLog
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


def balance_changes(
    chain: Chain, tokens: Sequence[Token], owner: Address, receipt: Receipt, *, within: range | None = None
) -> dict[Currency, int]:
    """
    What `receipt`, or its logs `within`, changed of `owner`'s balances.

    Measured: over its whole block, less what others did there. Raises `VenueUnavailable` once the block has left
    the chain.
    """
    queries = [token.contract.query("balanceOf", owner) for token in tokens]
    block = BlockHash(receipt.block_hash)
    before, after = chain.answers_at([(queries, receipt.block - 1), (queries, block)])
    logs = chain.block_logs(block, address=[token.address for token in tokens])
    others = [log for log in logs if log["transactionHash"] != receipt.transaction_hash]
    others += [log for at, log in enumerate(receipt.logs) if within is not None and at not in within]
    return {
        token.currency: new - old - _net(token, owner, others)
        for token, old, new in zip(tokens, before, after, strict=True)
    }


def proven(
    chain: Chain, holder: Holder, safe_tx_hash: str, receipt: Receipt, fills: Sequence[Fill], tokens: Sequence[Token]
) -> dict[Token, int]:
    """
    What came to the vault unasked in front of this transaction, once the rest moved as its fills say.

    Whoever sends our transaction may send the vault something in the same receipt: that is no reason to leave
    our own fills out of the books (faults F20, F99). It is empty for a transaction that we sent.

    Parameters
    ----------
    tokens : every token the vault holds, so that one that moved without a fill is seen too
    receipt : in a final block, or one that still is in the chain

    Raises
    ------
    VenueError : it was not carried out, or a balance and the fills disagree; nothing of it is posted
    """
    own = holder.own(receipt, safe_tx_hash)
    if not own:
        raise _unproven(safe_tx_hash, f"{receipt.transaction_hash} carries no ExecutionSuccess of it")
    expected = cash_expected(fills)
    moved = balance_changes(chain, tokens, holder.safe, receipt, within=own)
    surplus = {code: moved.get(code, 0) - expected.get(code, 0) for code in {**moved, **expected}}
    gifts = {token: units for token in tokens if (units := surplus[token.currency])}
    if len(gifts) != sum(map(bool, surplus.values())) or not _in_front(gifts, holder.safe, receipt, own, tokens):
        wrong = [
            f"{currency} moved {moved.get(currency, 0)}, its fills say {expected.get(currency, 0)}"
            for currency, units in surplus.items()
            if units
        ]
        raise _unproven(safe_tx_hash, "; ".join(wrong))
    return gifts


def _in_front(
    gifts: Mapping[Token, int], owner: Address, receipt: Receipt, own: range, tokens: Sequence[Token]
) -> bool:
    """Whether just this came to `owner` before it moved or allowed anything itself."""
    came = dict.fromkeys(gifts, 0)
    for at in own:
        if came == gifts:
            return True
        for token in tokens:
            moves, leaves = (token.contract.events(name, [receipt.logs[at]]) for name in ("Transfer", "Approval"))
            if any(owner in (event.arguments.get("from"), event.arguments.get("owner")) for event in moves + leaves):
                return False
            if units := _net(token, owner, [receipt.logs[at]]):
                came[token] = came.get(token, 0) + units
    return False


def _net(token: Token, owner: Address, logs: Iterable[RawLog]) -> int:
    found = token.contract.events("Transfer", logs)
    return sum(
        ((to == owner) - (source == owner)) * units
        for source, to, units in (event.arguments.values() for event in found)
    )


def _unproven(safe_tx_hash: str, why: str) -> VenueError:
    return VenueError(
        f"Safe transaction {safe_tx_hash[:10]} does not add up", why=why, todo="halt, then reconcile by hand"
    )
