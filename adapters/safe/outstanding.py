"""Signed and not yet spent: what anybody who holds the signatures could still make the Safe do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from adapters.evm.wire import as_bytes
from adapters.safe.detached import Sheet
from adapters.safe.signatures import Terms, agreeing
from adapters.safe.vault import SafeVault
from engine.errors import ApprovalError, OrderRejected
from engine.orders import Address, SafeTx
from engine.policy.consensus import Quorum


class Standing(StrEnum):
    """What keeps a signed transaction from happening."""

    NOW = "anybody can send it now"
    LATER = "it waits for the nonces before it"
    UNSIGNED = "signatures are missing"


@dataclass(frozen=True, slots=True)
class Outstanding:
    """
    One signed transaction whose nonce is not spent.

    `effects` are words made from its bytes; `listed` is False where the call policy would refuse it, and
    `effects` say why. `since` is when the first owner signed; `deadline` is None for a cancel, which never
    dies. `voidable` says that the cancel of its nonce has its signatures too.
    """

    nonce: int
    hash: str
    standing: Standing
    effects: tuple[str, ...]
    listed: bool
    signed: int
    quorum: Quorum
    since: datetime
    deadline: datetime | None
    voidable: bool

    def __str__(self) -> str:
        until = f", until {self.deadline:%Y-%m-%d %H:%M:%S} UTC" if self.deadline else ""
        return (
            f"nonce {self.nonce}: {'; '.join(self.effects)} "
            f"({self.signed} of {self.quorum} signed{until}; {self.standing})"
        )


def outstanding(vault: SafeVault, transactions: Iterable[SafeTx], sheets: Sequence[Sheet]) -> tuple[Outstanding, ...]:
    """
    Every transaction that bears a signature of today's owners and could still happen, lowest nonce first.

    Left out: spent nonces, batches past their deadline (they can only revert), and what no owner signed.

    Parameters
    ----------
    transactions : all that were ever proposed for this Safe, cancels included
    sheets : the owners' signatures
    """
    terms, now = vault.terms(), vault.chain.block().at
    known = {tx.hash: tx for tx in transactions}
    signers = {name: _signers(tx, sheets, terms) for name, tx in known.items()}
    found = []
    for name, tx in known.items():
        if tx.nonce < terms.nonce or not signers[name]:
            continue
        effects, listed, deadline = _meaning(vault, tx)
        if deadline is not None and deadline < now:
            continue
        found.append(
            Outstanding(
                nonce=tx.nonce,
                hash=name,
                standing=_standing(tx, len(signers[name]), terms),
                effects=effects,
                listed=listed,
                signed=len(signers[name]),
                quorum=terms.quorum,
                since=min(sheet.made for sheet in sheets if name in sheet.transactions),
                deadline=deadline,
                voidable=terms.quorum.met(len(signers.get(vault.cancel(tx.nonce).hash, ()))),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.nonce, each.hash)))


def unexplained(transactions: Iterable[SafeTx], sheets: Iterable[Sheet]) -> frozenset[str]:
    """Hashes that somebody signed and whose transaction is not at hand: nobody here can say what they do."""
    return frozenset(name for sheet in sheets for name in sheet.transactions) - {tx.hash for tx in transactions}


def _signers(transaction: SafeTx, sheets: Sequence[Sheet], terms: Terms) -> frozenset[Address]:
    found: set[Address] = set()
    for sheet in sheets:
        if transaction.hash in sheet.transactions:
            given = {sheet.owner: as_bytes(sheet.transactions[transaction.hash])}
            try:
                found |= agreeing(transaction, given, terms)
            except ApprovalError:  # its fields do not give its hash: nobody signed what it says
                return frozenset()
    return frozenset(found)


def _meaning(vault: SafeVault, transaction: SafeTx) -> tuple[tuple[str, ...], bool, datetime | None]:
    try:
        batch = vault.derive(transaction)
    except OrderRejected as refused:
        return (str(refused),), False, None
    if batch is None:
        return (f"burn nonce {transaction.nonce}",), True, None
    return tuple(call.description for call in batch.calls), True, batch.deadline


def _standing(transaction: SafeTx, signed: int, terms: Terms) -> Standing:
    if not terms.quorum.met(signed):
        return Standing.UNSIGNED
    return Standing.NOW if transaction.nonce == terms.nonce else Standing.LATER
