r"""
A risk committee as a state machine: proposal, votes, time lock, execution (S89, X09).

    voting --window ends, quorum--> locked --lock ends--> ready --executed--> executed
       \--window ends, no quorum--> rejected                 \--nobody executes in time--> expired

Nothing here reads a clock: every question is asked as of an instant, and every vote is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from engine.errors import AlreadyApplied, ApprovalError, AwaitsApproval, ConfigError, InputError, PlanChanged
from engine.policy.consensus import Quorum

_TWO_OF_THREE = Quorum(2, 3)  # X09, S86


class Stage(StrEnum):
    """Where a proposal stands."""

    VOTING = "voting"
    LOCKED = "locked"
    READY = "ready"
    EXECUTED = "executed"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Mode(StrEnum):
    """Whose money moves."""

    PAPER = "paper"
    LIVE = "live"


class NotSeated(ApprovalError):
    """Somebody without a seat voted or proposed."""


class VotedTwice(ApprovalError):
    """A member's vote stands once it is cast."""


class OutsideWindow(ApprovalError):
    """A vote came before the proposal or after its window."""


class QuorumNotMet(AwaitsApproval):
    """The window has not ended."""


class Rejected(ApprovalError):
    """The window ended with too few votes for it."""


class StillLocked(AwaitsApproval):
    """The time lock has not run out."""


class ProposalExpired(ApprovalError):
    """Nobody executed it in time."""


@dataclass(frozen=True, slots=True)
class Committee:
    """
    Who votes, how many must agree, and the time each step takes.

    `quorum` is the same k-of-n that the vault's threshold is; its seats are the members'. The default times
    fit the four hours for which a plan may be signed and are this policy's own choice. `auto_approve` lets a
    paper desk run unattended; a live committee refuses it (X09).
    """

    members: frozenset[str]
    quorum: Quorum = _TWO_OF_THREE
    voting: timedelta = timedelta(hours=2)
    lock: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(hours=1)
    mode: Mode = Mode.LIVE
    auto_approve: bool = False

    def __post_init__(self) -> None:
        if len(self.members) != self.quorum.of:
            raise ConfigError(
                f"committee.quorum = {self.quorum}",
                why=f"{len(self.members)} members have a seat (S89)",
                todo="name as many members as the quorum has seats",
            )
        if min(self.voting, self.lock, self.grace) <= timedelta(0):
            raise ConfigError(
                f"committee.times = {self.voting}, {self.lock}, {self.grace}",
                why="each step takes longer than nothing (S89)",
                todo="give positive durations",
            )
        if self.auto_approve and self.mode is Mode.LIVE:
            raise ConfigError(
                "committee.auto_approve = true",
                why="with live money only the quorum approves (X09)",
                todo="switch it off, or stay on paper",
            )


@dataclass(frozen=True, slots=True)
class Vote:
    """One member's vote, for or against, with what was said for it."""

    member: str
    approves: bool
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    What is put to the vote, by digest, and everything recorded about it.

    `adds_risk` is what the risk check found: a proposal that only reduces risk waits for nobody (X17).
    """

    digest: str
    by: str
    opened: datetime
    adds_risk: bool
    votes: tuple[Vote, ...] = ()
    executed: datetime | None = None

    @property
    def approvals(self) -> int:
        """Votes for it."""
        return sum(vote.approves for vote in self.votes)


def propose(committee: Committee, digest: str, *, by: str, at: datetime, adds_risk: bool) -> Proposal:
    """A proposal opened now. Raises `NotSeated` for a stranger."""
    _seated(committee, by)
    return Proposal(digest, by, _aware(at), adds_risk)


def cast(committee: Committee, proposal: Proposal, vote: Vote) -> Proposal:
    """The proposal with one more vote. Raises `NotSeated`, `VotedTwice` or `OutsideWindow`."""
    _seated(committee, vote.member)
    if any(vote.member == earlier.member for earlier in proposal.votes):
        raise VotedTwice(
            f"vote of {vote.member} refused", why="this member has voted on it", todo="propose anew to change a vote"
        )
    closes = proposal.opened + committee.voting
    if not proposal.opened <= _aware(vote.at) < closes or proposal.executed is not None:
        raise OutsideWindow(
            f"vote of {vote.member} at {vote.at} refused",
            why=f"votes are taken from {proposal.opened} until {closes}",
            todo="propose anew",
        )
    return replace(proposal, votes=(*proposal.votes, vote))


def stage(committee: Committee, proposal: Proposal, at: datetime) -> Stage:
    """Where a proposal stands at an instant; ends of intervals belong to what follows."""
    closes = proposal.opened + committee.voting
    unlocks = closes + committee.lock
    if proposal.executed is not None:
        return Stage.EXECUTED
    if _aware(at) >= unlocks + committee.grace:
        passed = committee.quorum.met(proposal.approvals) or _free(committee, proposal)
        return Stage.EXPIRED if passed else Stage.REJECTED
    if _free(committee, proposal):
        return Stage.READY
    if at < closes:
        return Stage.VOTING
    if not committee.quorum.met(proposal.approvals):
        return Stage.REJECTED
    return Stage.LOCKED if at < unlocks else Stage.READY


def execute(committee: Committee, proposal: Proposal, digest: str, at: datetime) -> Proposal:
    """
    The proposal marked as executed, if it may be.

    Parameters
    ----------
    digest : of what is about to be done; it must be what was voted on

    Raises `PlanChanged` for another digest, `AlreadyApplied` the second time, `QuorumNotMet` while voting,
    `Rejected` after too few votes, `StillLocked` before the lock ends and `ProposalExpired` after the grace.
    """
    if digest != proposal.digest:
        raise PlanChanged(
            f"digest {digest[:12]} refused", why=f"{proposal.digest[:12]} was put to the vote", todo="propose this one"
        )
    now = stage(committee, proposal, at)
    if now is not Stage.READY:
        raise _refusal(committee, proposal, now)
    return replace(proposal, executed=at)


def tally(committee: Committee, proposal: Proposal) -> Sequence[tuple[str, str]]:
    """Every seat with its vote in words, by name."""
    cast_votes = {vote.member: "for" if vote.approves else "against" for vote in proposal.votes}
    return tuple((member, cast_votes.get(member, "not cast")) for member in sorted(committee.members))


def _free(committee: Committee, proposal: Proposal) -> bool:
    return not proposal.adds_risk or (committee.mode is Mode.PAPER and committee.auto_approve)


def _refusal(committee: Committee, proposal: Proposal, now: Stage) -> ApprovalError:
    what = f"proposal {proposal.digest[:12]} not executed"
    unlocks = proposal.opened + committee.voting + committee.lock
    match now:
        case Stage.EXECUTED:
            return AlreadyApplied(what, why=f"it was executed at {proposal.executed}", todo="propose anew")
        case Stage.LOCKED:
            return StillLocked(what, why=f"its time lock ends at {unlocks}", todo="wait until then")
        case Stage.EXPIRED:
            return ProposalExpired(what, why=f"it could be until {unlocks + committee.grace}", todo="propose anew")
        case _:
            agreed = f"{proposal.approvals} of {committee.quorum} voted for it"
            if now is Stage.REJECTED:
                return Rejected(what, why=f"{agreed}; it is rejected", todo="propose anew")
            return QuorumNotMet(what, why=f"{agreed}; it is {now}", todo="wait for the window to end")


def _seated(committee: Committee, member: str) -> None:
    if member not in committee.members:
        raise NotSeated(f"{member} refused", why="no seat on the committee", todo="let a member do it")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InputError(f"instant {at} refused", why="it has no time zone", todo="give an aware instant")
    return at
