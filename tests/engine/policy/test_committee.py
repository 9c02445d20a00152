from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AlreadyApplied, ApprovalError, ConfigError, InputError, PlanChanged
from engine.policy.committee import (
    Committee,
    Mode,
    NotSeated,
    OutsideWindow,
    ProposalExpired,
    QuorumNotMet,
    Rejected,
    Stage,
    StillLocked,
    Vote,
    VotedTwice,
    cast,
    execute,
    propose,
    stage,
    tally,
)
from engine.policy.consensus import Quorum

SEATS = frozenset({"ann", "bo", "cy"})
BOARD = Committee(SEATS)
T0 = datetime(2024, 3, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOSES, UNLOCKS, ENDS = T0 + 2 * HOUR, T0 + 3 * HOUR, T0 + 4 * HOUR
TICK = timedelta(microseconds=1)


def opened(adds_risk=True, board=BOARD):
    return propose(board, "d1gest", by="ann", at=T0, adds_risk=adds_risk)


def with_votes(*approves):
    proposal = opened()
    for member, approved in zip(sorted(SEATS), approves, strict=False):
        proposal = cast(BOARD, proposal, Vote(member, approved, T0 + HOUR))
    return proposal


@pytest.mark.requirement("S89")
def test_a_proposal_is_voted_locked_ready_and_executed_in_turn():
    proposal = with_votes(True, True)

    instants = [T0, CLOSES - TICK, CLOSES, UNLOCKS - TICK, UNLOCKS, ENDS - TICK, ENDS]
    assert [stage(BOARD, proposal, at) for at in instants] == [
        Stage.VOTING, Stage.VOTING, Stage.LOCKED, Stage.LOCKED, Stage.READY, Stage.READY, Stage.EXPIRED,
    ]  # fmt: skip
    done = execute(BOARD, proposal, "d1gest", UNLOCKS)
    assert (stage(BOARD, done, ENDS), done.executed) == (Stage.EXECUTED, UNLOCKS)


@pytest.mark.requirement("S89", "X09")
@pytest.mark.parametrize("approves", [(), (True,), (True, False, False)])
def test_without_the_quorum_nothing_is_ever_executed(approves):
    proposal = with_votes(*approves)

    assert stage(BOARD, proposal, CLOSES) is Stage.REJECTED
    with pytest.raises(Rejected, match="2-of-3 voted for it; it is rejected"):
        execute(BOARD, proposal, "d1gest", UNLOCKS)


@pytest.mark.requirement("S89")
@pytest.mark.parametrize(
    ("at", "refusal"),
    [(T0, QuorumNotMet), (CLOSES, StillLocked), (UNLOCKS - TICK, StillLocked), (ENDS, ProposalExpired)],
)
def test_execution_outside_its_time_is_refused_by_type(at, refusal):
    with pytest.raises(refusal) as refused:
        execute(BOARD, with_votes(True, True, True), "d1gest", at)

    assert isinstance(refused.value, ApprovalError)


@pytest.mark.requirement("S89")
def test_nobody_votes_twice_and_the_first_vote_stands():
    proposal = with_votes(False)

    with pytest.raises(VotedTwice):
        cast(BOARD, proposal, Vote("ann", True, T0 + HOUR))
    assert proposal.approvals == 0


@pytest.mark.requirement("S89")
@pytest.mark.parametrize("at", [T0 - TICK, CLOSES])
def test_a_vote_outside_the_window_is_refused(at):
    with pytest.raises(OutsideWindow):
        cast(BOARD, opened(), Vote("bo", True, at))


@pytest.mark.requirement("S89")
def test_strangers_neither_propose_nor_vote():
    with pytest.raises(NotSeated):
        propose(BOARD, "d", by="zed", at=T0, adds_risk=True)
    with pytest.raises(NotSeated):
        cast(BOARD, opened(), Vote("zed", True, T0))


def test_what_is_executed_is_what_was_voted_on():
    with pytest.raises(PlanChanged):
        execute(BOARD, with_votes(True, True), "another", UNLOCKS)


def test_a_proposal_is_executed_once():
    done = execute(BOARD, with_votes(True, True), "d1gest", UNLOCKS)

    with pytest.raises(AlreadyApplied):
        execute(BOARD, done, "d1gest", UNLOCKS)


@pytest.mark.requirement("X17")
def test_a_proposal_that_only_reduces_risk_waits_for_nobody():
    proposal = opened(adds_risk=False)

    assert execute(BOARD, proposal, "d1gest", T0).executed == T0
    with pytest.raises(ProposalExpired):
        execute(BOARD, proposal, "d1gest", ENDS)


@pytest.mark.requirement("X09")
def test_a_paper_desk_may_approve_itself_and_a_live_one_may_not():
    paper = Committee(SEATS, mode=Mode.PAPER, auto_approve=True)

    assert stage(paper, opened(board=paper), T0) is Stage.READY
    with pytest.raises(ConfigError, match=r"committee\.auto_approve.*X09"):
        Committee(SEATS, mode=Mode.LIVE, auto_approve=True)


@pytest.mark.requirement("S86", "S89")
def test_seats_and_quorum_are_those_of_one_k_of_n():
    assert str(BOARD.quorum) == "2-of-3"
    assert Committee(frozenset("abcde"), Quorum(3, 5)).quorum.met(3)
    with pytest.raises(ConfigError, match=r"committee\.quorum = 3-of-5.*3 members"):
        Committee(SEATS, Quorum(3, 5))


def test_times_of_nothing_are_no_setting():
    with pytest.raises(ConfigError, match=r"committee\.times"):
        Committee(SEATS, lock=timedelta(0))


def test_every_seat_is_told_with_its_vote():
    assert tally(BOARD, with_votes(True, False)) == (("ann", "for"), ("bo", "against"), ("cy", "not cast"))


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(InputError, match="time zone"):
        stage(BOARD, opened(), datetime(2024, 3, 1, 15))  # noqa: DTZ001


acts = st.tuples(st.sampled_from(sorted(SEATS)), st.booleans(), st.integers(-30, 300))


@pytest.mark.requirement("S89")
@given(st.lists(acts, max_size=8), st.lists(st.integers(-30, 300), max_size=6))
def test_whatever_is_tried_execution_follows_a_quorum_and_a_lock_and_happens_once(tries, attempts):
    proposal, executed = opened(), 0
    for member, approves, minutes in tries:
        try:
            proposal = cast(BOARD, proposal, Vote(member, approves, T0 + timedelta(minutes=minutes)))
        except ApprovalError:
            continue
    for minutes in attempts:
        try:
            proposal = execute(BOARD, proposal, "d1gest", T0 + timedelta(minutes=minutes))
            executed += 1
        except ApprovalError:
            continue

    assert executed <= 1
    assert len({vote.member for vote in proposal.votes}) == len(proposal.votes)
    if executed:
        assert proposal.approvals >= 2
        assert UNLOCKS <= proposal.executed < ENDS
