from dataclasses import replace
from datetime import timedelta

import pytest

from engine.errors import SnapshotExpired, ThresholdNotMet
from engine.orders import Address, CheckedPlan, PlanApproval
from engine.plan.approval import approve, still_current
from tests.engine.plans import NOW, plan

OWNERS = frozenset(Address(name) for name in ("0xA", "0xB", "0xC"))
BOTH = {"0xaa": "sig", "0xcc": "sig"}


def approval(owner, transactions=None, digest=None):
    return PlanApproval(Address(owner), digest or plan().digest, "sig", BOTH if transactions is None else transactions)


def approved(*approvals):
    return approve(CheckedPlan(plan(), {}), approvals, owners=OWNERS, threshold=2)


def test_two_owners_are_enough():
    assert [a.owner for a in approved(approval("0xB"), approval("0xA")).approvals] == ["0xA", "0xB"]


@pytest.mark.parametrize(
    "second",
    [
        approval("0xA"),
        approval("0xD"),
        approval("0xB", {"0xaa": "sig"}),
        approval("0xB", {}),
        approval("0xB", digest="another"),
    ],
    ids=["same owner twice", "a stranger", "cancel not signed", "no transaction signed", "another plan"],
)
def test_an_approval_that_is_not_whole_does_not_count(second):
    with pytest.raises(ThresholdNotMet, match="1 of 2"):
        approved(approval("0xA"), second)


def test_a_plan_is_current_until_its_deadline_and_not_a_second_longer():
    still_current(plan(), plan().state, plan().deadline)

    with pytest.raises(SnapshotExpired, match="deadline"):
        still_current(plan(), plan().state, plan().deadline + timedelta(seconds=1))


@pytest.mark.parametrize("moved", [{"safe_nonce": 8}, {"journal_hash": "h4"}, {"chain_id": 1}])
def test_a_plan_made_from_another_state_is_stale(moved):
    with pytest.raises(SnapshotExpired, match="when it was made"):
        still_current(plan(), replace(plan().state, **moved), NOW)


def test_a_newer_block_alone_does_not_make_a_plan_stale():
    still_current(plan(), replace(plan().state, block=99, block_hash="0xff"), NOW)
