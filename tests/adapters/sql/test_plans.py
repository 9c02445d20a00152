import threading

import pytest

from adapters.sql.journal import SqlJournal
from adapters.sql.plans import PlanState
from engine.errors import AlreadyApplied, ApprovalError, InputError, PlanChanged
from tests.engine.ledger.events import START

DIGEST = "d" * 64


@pytest.fixture
def planned(journal):
    journal.save_plan(DIGEST, '{"orders":[]}', START)
    return journal


def walk(journal, *states):
    for state in states:
        journal.advance(DIGEST, state, START)


def test_a_plan_is_kept_with_its_approvals_and_its_history(planned):
    assert planned.save_plan(DIGEST, '{"orders":[]}', START) is False
    assert planned.save_approval(DIGEST, "0xA", "{}", START) is True
    assert planned.save_approval(DIGEST, "0xA", "{1}", START) is False
    walk(planned, PlanState.APPROVED, PlanState.APPROVED)

    kept = planned.plan(DIGEST)

    assert kept.document == '{"orders":[]}'
    assert [a.owner for a in kept.approvals] == ["0xA"]
    assert kept.history == ((PlanState.PLANNED, START), (PlanState.APPROVED, START))
    assert planned.plan("e" * 64) is None
    assert planned.verify() is None


@pytest.mark.fault("F60")
def test_another_document_under_the_same_digest_is_refused(planned):
    with pytest.raises(PlanChanged):
        planned.save_plan(DIGEST, '{"orders":[1]}', START)


@pytest.mark.fault("F04")
@pytest.mark.parametrize("last", [(), (PlanState.APPLIED,), (PlanState.UNWOUND,)])
def test_a_plan_is_applied_once(planned, last):
    walk(planned, PlanState.APPROVED, PlanState.APPLYING, *last)

    with pytest.raises(AlreadyApplied):
        planned.advance(DIGEST, PlanState.APPLYING, START)
    with pytest.raises(AlreadyApplied):
        planned.save_approval(DIGEST, "0xB", "{}", START)


def test_nobody_applies_what_nobody_approved(planned):
    with pytest.raises(ApprovalError, match="cannot become applying"):
        planned.advance(DIGEST, PlanState.APPLYING, START)
    with pytest.raises(InputError, match="unknown"):
        planned.advance("e" * 64, PlanState.APPROVED, START)


@pytest.mark.fault("F05")
def test_open_plans_are_those_that_still_wait(planned):
    assert [p.digest for p in planned.plans(only_open=True)] == [DIGEST]

    planned.advance(DIGEST, PlanState.WITHDRAWN, START)

    assert planned.plans(only_open=True) == ()
    assert planned.plans()[0].state is PlanState.WITHDRAWN
    with pytest.raises(ApprovalError, match="it is withdrawn"):
        planned.advance(DIGEST, PlanState.APPROVED, START)


@pytest.mark.fault("F04")
def test_of_two_that_start_at_once_one_is_told_it_is_too_late(planned, url):
    walk(planned, PlanState.APPROVED)
    gate, told = threading.Barrier(2), []

    def start():
        with SqlJournal(url) as mine:
            gate.wait()
            try:
                mine.advance(DIGEST, PlanState.APPLYING, START)
                told.append("applying")
            except AlreadyApplied:
                told.append("too late")

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == ["applying", "too late"]
