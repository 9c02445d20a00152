"""Tokens that reached or left the vault without any deed of ours that explains them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from adapters.evm.erc20 import Token, transferred
from adapters.evm.wire import VAULT, Holder, change, evidence
from engine.entries import Entry
from engine.ledger.accounts import assets
from engine.ledger.suspense import adopted
from engine.ports import Receipt
from engine.positions import Sleeve

_HELD = assets(Sleeve.DEFI, VAULT)


def unexplained(
    tokens: Sequence[Token], holder: Holder, receipt: Receipt, explained: Sequence[Entry]
) -> Iterator[Entry]:
    """
    Per token what one receipt moved in or out of the vault beyond `explained`, as an entry against suspense.

    Nobody has to ask before he sends us tokens, and what a stranger gives is no income of ours before somebody
    has said why (faults F98). Its key is the same whoever reads it, wherever in a block it stands.
    """
    for token in tokens:
        said = sum(
            leg.amount.units
            for entry in explained
            for leg in entry.legs
            if leg.account == _HELD and leg.instrument == token.cash
        )
        if units := -transferred(token, receipt, sender=holder.safe) - said:
            yield _adopted(token, units, receipt, f"chain:{holder.chain_id}:{receipt.transaction_hash}")


def given(gifts: Mapping[Token, int], holder: Holder, receipt: Receipt, name: str) -> Iterator[Entry]:
    """What came to the vault in front of our Safe transaction `name` in one receipt (`proof.proven`), likewise."""
    for token, units in gifts.items():
        yield _adopted(token, units, receipt, f"chain:{holder.chain_id}:{holder.safe}:{name}")


def _adopted(token: Token, units: int, receipt: Receipt, key: str) -> Entry:
    verb, way = ("sent", "to the vault") if units > 0 else ("taken", "from the vault")
    return replace(
        adopted(change(token.cash, units), at=receipt.at, evidence={**evidence(receipt, 0), "by": receipt.sender}),
        key=f"{key}:{token.currency}",
        memo=f"{token.shown(abs(units))} {verb} {way} by {receipt.sender}, unexplained",
    )
