"""Owner signatures: made, recovered, packed in the order the Safe wants, and refused before gas is spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from adapters.evm.wire import address, as_bytes, hex0x
from adapters.safe.eip712 import plan_approval_hash, rehash
from adapters.safe.keystore import OwnerKey
from engine.errors import ApprovalError, OrderRejected, PlanChanged, ThresholdNotMet
from engine.orders import Address, ApprovedPlan, Plan, PlanApproval, SafeTx
from engine.ports import SignedSafeTx

_LENGTH = 65


@dataclass(frozen=True, slots=True)
class Terms:
    """What a Safe asks for right now."""

    chain_id: int
    safe: Address
    owners: frozenset[Address]
    threshold: int
    nonce: int


def transactions(plan: Plan) -> tuple[SafeTx, ...]:
    """Every Safe transaction of the plan in signing order: each batch, then its cancel."""
    return tuple(tx for batch in plan.batches for tx in (batch.transaction, batch.cancel))


def plan_hash(plan: Plan, safe: Address) -> bytes:
    """The plan's EIP-712 hash on its own chain and `safe`, from hashes derived here."""
    return plan_approval_hash(
        plan_digest=plan.digest,
        safe_tx_hashes=[hex0x(rehash(tx)) for tx in transactions(plan)],
        deadline=int(plan.deadline.timestamp()),
        chain_id=plan.state.chain_id,
        safe=safe,
    )


def sign_transaction(transaction: SafeTx, key: OwnerKey) -> bytes:
    """65 bytes over the hash computed here; raises `PlanChanged` if the transaction claims another hash."""
    return key.sign(_own_hash(transaction))


def sign_plan(plan: Plan, key: OwnerKey, *, safe: Address) -> PlanApproval:
    """One owner's approval: the plan, and each of its vault transactions and cancels (faults 4.2)."""
    signed = {tx.hash: hex0x(sign_transaction(tx, key)) for tx in transactions(plan)}
    return PlanApproval(key.address, plan.digest, hex0x(key.sign(plan_hash(plan, safe))), signed)


def recover(digest: bytes, signature: bytes) -> Address:
    """
    The owner who signed `digest`. Raises `OrderRejected` for anything but a plain ECDSA signature.

    Contract (v=0), pre-approved (v=1) and eth_sign (v>30) signatures are refused: they say less.
    """
    if len(signature) != _LENGTH or signature[64] not in (27, 28):
        raise OrderRejected(
            "signature refused",
            why=f"{len(signature)} bytes ending in v={signature[64] if len(signature) == _LENGTH else '?'}",
            todo="sign with an owner's key; contract and eth_sign signatures are not taken",
        )
    try:
        found = Signature(signature[:64] + bytes([signature[64] - 27]))
        return address(found.recover_public_key_from_msg_hash(digest).to_canonical_address())
    except (BadSignature, ValidationError) as broken:
        raise OrderRejected("signature refused", why="no key made it", todo="sign again") from broken


def verify(plan: Plan, approval: PlanApproval, *, safe: Address) -> PlanApproval:
    """
    The approval, once each of its signatures recovers to its owner over hashes derived here.

    Raises `PlanChanged` (made for other bytes) or `ApprovalError` (a signature is another's).
    """
    wanted = {tx.hash: _own_hash(tx) for tx in transactions(plan)}
    if approval.plan_digest != plan.digest or set(approval.transaction_signatures) != set(wanted):
        raise PlanChanged(
            f"approval of {approval.owner} refused",
            why=f"it is for plan {approval.plan_digest[:8]} and its transactions, not {plan.digest[:8]}",
            todo="let the owner approve this plan",
        )
    signed = [(plan_hash(plan, safe), approval.plan_signature)]
    signed += [(digest, approval.transaction_signatures[name]) for name, digest in wanted.items()]
    for digest, signature in signed:
        if recover(digest, as_bytes(signature)) != approval.owner:
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
    digest = _own_hash(transaction)
    valid = {owner: raw for owner, raw in given.items() if owner in terms.owners and recover(digest, raw) == owner}
    if len(valid) < terms.threshold:
        raise ThresholdNotMet(signed=len(valid), threshold=terms.threshold)
    first = sorted(valid, key=lambda owner: int(owner, 16))[: terms.threshold]
    return SignedSafeTx(transaction, b"".join(valid[owner] for owner in first))


def check(signed_tx: SignedSafeTx, terms: Terms) -> None:
    """
    Refuse, before any gas is spent, what the Safe would refuse (faults F68).

    Raises
    ------
    PlanChanged : the transaction's fields do not give its hash
    OrderRejected : other chain or Safe, stale or future nonce, unsorted, twice, or not an owner
    ThresholdNotMet : too few signatures
    """
    transaction, raw = signed_tx.transaction, signed_tx.signatures
    digest = _own_hash(transaction)
    if (transaction.chain_id, transaction.safe) != (terms.chain_id, terms.safe):
        raise _refused(transaction, f"it is for Safe {transaction.safe} on chain {transaction.chain_id}")
    if transaction.nonce != terms.nonce:
        raise _refused(transaction, f"it has nonce {transaction.nonce}, the Safe is at {terms.nonce}")
    if len(raw) % _LENGTH:
        raise _refused(transaction, f"{len(raw)} bytes are not whole signatures")
    owners = [recover(digest, raw[at : at + _LENGTH]) for at in range(0, len(raw), _LENGTH)]
    strangers = sorted(set(owners) - terms.owners)
    if strangers:
        raise _refused(transaction, f"signed by {', '.join(strangers)}, not an owner of this Safe and hash")
    if not _rising(owners):
        raise _refused(transaction, "signatures are not sorted by owner, each once")
    if len(owners) < terms.threshold:
        raise ThresholdNotMet(signed=len(owners), threshold=terms.threshold)


def _rising(owners: Sequence[Address]) -> bool:
    return all(int(low, 16) < int(high, 16) for low, high in pairwise(owners))


def _own_hash(transaction: SafeTx) -> bytes:
    digest = rehash(transaction)
    if hex0x(digest) != transaction.hash:
        raise PlanChanged(
            f"Safe transaction {transaction.hash} refused",
            why=f"its fields hash to {hex0x(digest)}",
            todo="make the plan again; sign nothing",
        )
    return digest


def _refused(transaction: SafeTx, why: str) -> OrderRejected:
    return OrderRejected(
        f"Safe transaction {transaction.hash[:10]} refused", why=why, todo="make a new plan and sign that"
    )
