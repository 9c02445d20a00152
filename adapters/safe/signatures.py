"""Owner signatures: made, recovered, packed in the order the Safe wants, and refused before gas is spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from eth_utils.crypto import keccak

from adapters.evm.wire import as_bytes, hex0x
from adapters.safe.eip712 import plan_approval_preimage, preimage, rehash
from adapters.safe.packed import Part, join, split
from adapters.safe.recovery import recover
from adapters.safe.signers import ContractSigner, Signer
from engine.errors import ApprovalError, OrderRejected, PlanChanged, ThresholdNotMet
from engine.orders import Address, ApprovedPlan, Plan, PlanApproval, SafeTx
from engine.policy.consensus import Quorum
from engine.ports import SignedSafeTx


class Vouching(Protocol):
    """Knows which owners are contracts, and asks them (`ContractOwners`)."""

    def __contains__(self, owner: object) -> bool:
        """Whether that owner is a contract."""

    def accept(self, owner: Address, preimage: bytes, signature: bytes) -> bool:
        """Whether that contract vouches for the bytes behind a hash."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a Safe asks for right now; without `contracts` every owner is a key."""

    chain_id: int
    safe: Address
    owners: frozenset[Address]
    threshold: int
    nonce: int
    contracts: Vouching | None = field(default=None, repr=False, compare=False)

    @property
    def quorum(self) -> Quorum:
        """How many of its owners must agree."""
        return Quorum(self.threshold, len(self.owners))


def transactions(plan: Plan) -> tuple[SafeTx, ...]:
    """Every Safe transaction of the plan in signing order: each batch, then its cancel."""
    return tuple(tx for batch in plan.batches for tx in (batch.transaction, batch.cancel))


def plan_preimage(plan: Plan, safe: Address) -> bytes:
    """The 66 bytes behind the plan's EIP-712 hash on its own chain and `safe`, from hashes derived here."""
    return plan_approval_preimage(
        plan_digest=plan.digest,
        safe_tx_hashes=[hex0x(rehash(tx)) for tx in transactions(plan)],
        deadline=int(plan.deadline.timestamp()),
        chain_id=plan.state.chain_id,
        safe=safe,
    )


def sign_transaction(transaction: SafeTx, signer: Signer) -> bytes:
    """An owner's signature over the hash computed here; raises `PlanChanged` if it claims another hash."""
    return _made(signer, _own_preimage(transaction))


def sign_plan(plan: Plan, signer: Signer, *, safe: Address) -> PlanApproval:
    """One owner's approval: the plan, and each of its vault transactions and cancels (faults 4.2)."""
    signed = {tx.hash: hex0x(sign_transaction(tx, signer)) for tx in transactions(plan)}
    return PlanApproval(signer.address, plan.digest, hex0x(_made(signer, plan_preimage(plan, safe))), signed)


def verify(plan: Plan, approval: PlanApproval, *, safe: Address, contracts: Vouching | None = None) -> PlanApproval:
    """
    The approval, once each of its signatures is its owner's over hashes derived here.

    A key's signature is recovered, a contract among `contracts` is asked. Raises `PlanChanged` (made for
    other bytes) or `ApprovalError` (a signature is another's).
    """
    wanted = {tx.hash: _own_preimage(tx) for tx in transactions(plan)}
    if approval.plan_digest != plan.digest or set(approval.transaction_signatures) != set(wanted):
        raise PlanChanged(
            f"approval of {approval.owner} refused",
            why=f"it is for plan {approval.plan_digest[:8]} and its transactions, not {plan.digest[:8]}",
            todo="let the owner approve this plan",
        )
    signed = [(plan_preimage(plan, safe), approval.plan_signature)]
    signed += [(message, approval.transaction_signatures[name]) for name, message in wanted.items()]
    for message, signature in signed:
        if not _is_of(approval.owner, message, as_bytes(signature), contracts):
            raise ApprovalError(
                f"approval of {approval.owner} refused",
                why="a signature in it was not made by that owner over this plan",
                todo="let the owner approve again; check the machine that signed",
            )
    return approval


def signed(transaction: SafeTx, approved: ApprovedPlan, terms: Terms) -> SignedSafeTx:
    """The transaction with the approvals' signatures, packed for execution."""
    given = {a.owner: as_bytes(a.transaction_signatures[transaction.hash]) for a in approved.approvals}
    return pack(transaction, given, terms)


def pack(transaction: SafeTx, given: Mapping[Address, bytes], terms: Terms) -> SignedSafeTx:
    """
    Exactly `threshold` owners' signatures, sorted by owner as `checkNSignatures` demands.

    Raises `ThresholdNotMet` if fewer owners signed; signatures of non-owners do not count.
    """
    valid = agreeing(transaction, given, terms)
    if not terms.quorum.met(len(valid)):
        raise ThresholdNotMet(signed=len(valid), threshold=terms.threshold)
    first = sorted(valid, key=lambda owner: int(owner, 16))[: terms.threshold]
    contracts = terms.contracts or ()
    parts = [Part(given[owner], owner if owner in contracts else None) for owner in first]
    return SignedSafeTx(transaction, join(parts))


def agreeing(transaction: SafeTx, given: Mapping[Address, bytes], terms: Terms) -> frozenset[Address]:
    """Those of today's owners whose signature in `given` holds for the transaction."""
    message = _own_preimage(transaction)

    def holds(owner: Address, raw: bytes) -> bool:
        try:
            return owner in terms.owners and _is_of(owner, message, raw, terms.contracts)
        except OrderRejected:  # no signature at all
            return False

    return frozenset(owner for owner, raw in given.items() if holds(owner, raw))


def check(signed_tx: SignedSafeTx, terms: Terms) -> None:
    """
    Refuse, before any gas is spent, what the Safe would refuse (faults F68).

    Raises
    ------
    PlanChanged : the transaction's fields do not give its hash
    OrderRejected : other chain or Safe, stale or future nonce, unsorted, twice, or not an owner
    ThresholdNotMet : too few signatures
    """
    transaction = signed_tx.transaction
    message = _own_preimage(transaction)
    if (transaction.chain_id, transaction.safe) != (terms.chain_id, terms.safe):
        raise _refused(transaction, f"it is for Safe {transaction.safe} on chain {transaction.chain_id}")
    if transaction.nonce != terms.nonce:
        raise _refused(transaction, f"it has nonce {transaction.nonce}, the Safe is at {terms.nonce}")
    parts = split(signed_tx.signatures)
    owners = [part.contract or recover(keccak(message), part.raw) for part in parts]
    strangers = sorted(set(owners) - terms.owners)
    if strangers:
        raise _refused(transaction, f"signed by {', '.join(strangers)}, not an owner of this Safe and hash")
    if not _rising(owners):
        raise _refused(transaction, "signatures are not sorted by owner, each once")
    contracts = terms.contracts
    for part in parts:
        owner = part.contract
        if owner and (contracts is None or owner not in contracts or not contracts.accept(owner, message, part.raw)):
            raise _refused(transaction, f"contract owner {owner} does not vouch for it")
    if not terms.quorum.met(len(owners)):
        raise ThresholdNotMet(signed=len(owners), threshold=terms.threshold)


def _made(signer: Signer, message: bytes) -> bytes:
    return signer.vouch(message) if isinstance(signer, ContractSigner) else signer.sign(keccak(message))


def _is_of(owner: Address, message: bytes, raw: bytes, contracts: Vouching | None) -> bool:
    if contracts is not None and owner in contracts:
        return contracts.accept(owner, message, raw)
    return recover(keccak(message), raw) == owner


def _rising(owners: Sequence[Address]) -> bool:
    return all(int(low, 16) < int(high, 16) for low, high in pairwise(owners))


def _own_preimage(transaction: SafeTx) -> bytes:
    digest = rehash(transaction)
    if hex0x(digest) != transaction.hash:
        raise PlanChanged(
            f"Safe transaction {transaction.hash} refused",
            why=f"its fields hash to {hex0x(digest)}",
            todo="make the plan again; sign nothing",
        )
    return preimage(transaction)


def _refused(transaction: SafeTx, why: str) -> OrderRejected:
    return OrderRejected(
        f"Safe transaction {transaction.hash[:10]} refused", why=why, todo="make a new plan and sign that"
    )
