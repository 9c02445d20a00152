"""From a checked plan and signatures to an approved one."""

from collections.abc import Sequence
from datetime import datetime

from engine.errors import SnapshotExpired, ThresholdNotMet
from engine.orders import Address, ApprovedPlan, CheckedPlan, Plan, PlanApproval, StateMark


def covers(approval: PlanApproval, plan: Plan) -> bool:
    """True when the owner signed this digest and every Safe transaction in it, cancels included."""
    wanted = {tx.hash for batch in plan.batches for tx in (batch.transaction, batch.cancel)}
    return approval.plan_digest == plan.digest and wanted == set(approval.transaction_signatures)


def approve(
    checked: CheckedPlan, verified: Sequence[PlanApproval], *, owners: frozenset[Address], threshold: int
) -> ApprovedPlan:
    """
    Turn a checked plan into one that may be executed, or raise `ThresholdNotMet`.

    `verified` are approvals whose every signature was recovered to its owner over hashes derived here.
    An owner counts once, and only with signatures over all of the plan.
    """
    valid = {a.owner: a for a in verified if covers(a, checked.plan) and a.owner in owners}
    if len(valid) < threshold:
        raise ThresholdNotMet(signed=len(valid), threshold=threshold)
    return ApprovedPlan(checked.plan, tuple(valid[owner] for owner in sorted(valid)))


def still_current(plan: Plan, state: StateMark, now: datetime) -> None:
    """
    Raise `SnapshotExpired` when the deadline passed or what the plan was made from has moved.

    The block may be newer as long as chain, journal and Safe nonce are the same.
    """
    if now > plan.deadline:
        raise SnapshotExpired(
            f"plan {plan.digest[:8]} refused",
            why=f"its deadline was {plan.deadline.isoformat()}, it is {now.isoformat()}",
            todo="make a new plan",
        )
    for name, was, found in (
        ("chain id", plan.state.chain_id, state.chain_id),
        ("Safe nonce", plan.state.safe_nonce, state.safe_nonce),
        ("journal", plan.state.journal_hash, state.journal_hash),
    ):
        if was != found:
            raise SnapshotExpired(
                f"plan {plan.digest[:8]} refused",
                why=f"{name} was {was} when it was made and is {found} now",
                todo="make a new plan; the old signatures are void",
            )
