"""The committee's acts as they are kept, and every proposal read back from them (S89)."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from engine.errors import ApprovalError, InputError
from engine.policy.committee import Committee, Proposal, Vote, cast, execute, propose
from engine.policy.risk_direction import raising
from engine.policy.settings import Policy


class Deed(StrEnum):
    """What a member did."""

    PROPOSE = "propose"
    VOTE = "vote"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True)
class Act:
    """
    One member's deed on one policy.

    `digest` names the policy, `opened` when its proposal was; of a vote `approves` is its side. A proposal
    carries the whole policy as `text` and the keys that may raise risk. `signature` is the member's, in hex,
    over `statement`.
    """

    deed: Deed
    digest: str
    member: str
    opened: datetime
    at: datetime
    approves: bool = True
    why: str = ""
    text: str = ""
    raises: tuple[str, ...] = ()
    signature: str = ""

    @property
    def statement(self) -> str:
        """What the member signs: every field but the text, which the digest stands for."""
        side = "for" if self.approves else "against"
        said = (self.deed.value, self.digest, self.opened.isoformat(), self.at.isoformat(), side, self.why)
        return "\n".join(("hedge committee", self.member, *said, *self.raises))

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "deed": self.deed.value,
            "digest": self.digest,
            "member": self.member,
            "opened": self.opened.isoformat(),
            "at": self.at.isoformat(),
            "approves": self.approves,
            "why": self.why,
            "text": self.text,
            "raises": list(self.raises),
            "signature": self.signature,
        }

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> "Act":
        """The act in plain values, as `document` made them."""
        return cls(
            Deed(written["deed"]),
            written["digest"],
            written["member"],
            datetime.fromisoformat(written["opened"]),
            datetime.fromisoformat(written["at"]),
            written["approves"],
            written["why"],
            written["text"],
            tuple(written["raises"]),
            written["signature"],
        )


@dataclass(frozen=True, slots=True)
class Tabled:
    """One policy before the committee: its proposal with all that was recorded, the act that tabled it, itself."""

    proposal: Proposal
    opening: Act
    policy: Policy


class Register:
    """
    Every policy put to the vote, and the one in force: what was executed last, the default before anything was.

    Parameters
    ----------
    understood : the policy in a text, with its digest; raises `ConfigError` for one that means nothing
    genuine : whether an act is its member's
    """

    def __init__(
        self,
        committee: Committee,
        understood: Callable[[str], tuple[str, Policy]],
        genuine: Callable[[Act], bool] = lambda _: True,
    ) -> None:
        self.committee, self._understood, self._genuine = committee, understood, genuine
        self._tabled: dict[tuple[str, datetime], Tabled] = {}
        self.executed: Tabled | None = None

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.executed.policy if self.executed is not None else Policy()

    @property
    def tabled(self) -> tuple[Tabled, ...]:
        """Every proposal, in order."""
        return tuple(self._tabled.values())

    def latest(self, digest: str) -> Tabled:
        """The last proposal whose digest begins so. Raises `InputError` where there is none."""
        found = [each for each in self.tabled if digest and each.proposal.digest.startswith(digest)]
        if not found:
            raise InputError(
                f"{digest[:12]!r} refused", why="no such policy is before the committee", todo="hedge policy committee"
            )
        return found[-1]

    def replay(self, acts: Iterable[Act]) -> "Register":
        """This register after all acts; one that is refused stays in the record and counts for nothing."""
        for act in acts:
            with suppress(ApprovalError):
                self.take(act)
        return self

    def take(self, act: Act) -> Tabled:
        """
        What an act makes of its proposal.

        Raises `ApprovalError` for an act that is not its member's, for a policy that nobody proposed, for keys said
        to raise risk that are not those that do, and as `committee.cast` and `committee.execute` do.
        """
        if not self._genuine(act):
            raise _refused(act, "its signature is not the member's", "let the member do it")
        moved = self._opened(act) if act.deed is Deed.PROPOSE else self._moved(act)
        self._tabled[moved.proposal.digest, moved.proposal.opened] = moved
        if act.deed is Deed.EXECUTE:
            self.executed = moved
        return moved

    def _opened(self, act: Act) -> Tabled:
        digest, policy = self._understood(act.text)
        if digest != act.digest or act.opened != act.at:
            raise _refused(act, "the policy is not the one its digest names", "propose it again")
        if act.raises != raising(self.policy, policy):
            raise _refused(act, "what it raises is not what it says", "propose it against the policy in force")
        proposal = propose(self.committee, digest, by=act.member, at=act.at, adds_risk=bool(act.raises))
        return Tabled(proposal, act, policy)

    def _moved(self, act: Act) -> Tabled:
        found = self._tabled.get((act.digest, act.opened))
        if found is None:
            raise _refused(act, "it is not before the committee", "propose it first")
        if act.deed is Deed.VOTE:
            return replace(
                found,
                proposal=cast(self.committee, found.proposal, Vote(act.member, act.approves, act.at, act.why)),
            )
        if not found.proposal.adds_risk and raising(self.policy, found.policy):
            raise _refused(act, "against the policy now in force it raises risk (X17)", "propose it again")
        return replace(found, proposal=execute(self.committee, found.proposal, act.digest, act.at))


def _refused(act: Act, why: str, todo: str) -> ApprovalError:
    return ApprovalError(f"{act.deed} on {act.digest[:12]} refused", why=why, todo=todo)
