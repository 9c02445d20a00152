"""Who has to agree: votes by family of evidence, a quorum to add risk, a single one to cut it (D29)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.errors import InputError
from engine.signals.panel import Family


class Stance(StrEnum):
    """What a member or a family asks for."""

    MORE = "more risk"
    LESS = "less risk"
    HOLD = "hold"


class Decision(StrEnum):
    """What the committee lets happen."""

    INCREASE = "increase"
    DECREASE = "decrease"
    NO_ACTION = "no action"


@dataclass(frozen=True, slots=True)
class Quorum:
    """
    `needed` of `of` seats: of signal families for adding risk, of owners for moving the vault.

    >>> str(Quorum(2, 3))
    '2-of-3'
    """

    needed: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.needed <= self.of:
            raise InputError(f"quorum {self} refused", why="1 <= needed <= seats must hold", todo="write 2-of-3")

    def met(self, agreeing: int) -> bool:
        """Whether so many seats are enough."""
        return agreeing >= self.needed

    def __str__(self) -> str:
        return f"{self.needed}-of-{self.of}"


@dataclass(frozen=True, slots=True)
class Ballot:
    """
    One member's vote.

    `stance` is None for a vote not cast: the reading is unseen. `lost` says that its input has a source
    which gives nothing now. `inputs` are the readings it rests on (decision 6); `why` is for a reader.
    `awaits` are observations that nobody supplies, any one of which would let it vote or vote anew; `due` says
    that something of its evidence is supplied, or that the policy expects its family to be heard.
    """

    member: str
    family: Family
    stance: Stance | None
    inputs: tuple[str, ...]
    why: str = ""
    lost: bool = False
    awaits: tuple[str, ...] = ()
    due: bool = False

    def without(self, reading: str) -> "Ballot":
        """This vote with one input taken away: not cast, if it rested on it."""
        return replace(self, stance=None, lost=True) if reading in self.inputs else self


@dataclass(frozen=True, slots=True)
class FamilyVote:
    """A family's stance, None where it abstains, with how its members voted."""

    family: Family
    stance: Stance | None
    more: int
    less: int
    hold: int
    unseen: int
    lost: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The committee's decision with its grounds.

    `base` is what the votes alone say; `pivotal` names each input without which an increase would not
    stand, and `vetoed_by` each family in which votes that are missing could make a majority for less risk.
    """

    decision: Decision
    base: Decision
    families: tuple[FamilyVote, ...]
    quorum: Quorum
    pivotal: tuple[str, ...] = ()
    vetoed_by: tuple[Family, ...] = ()


def family_votes(ballots: Sequence[Ballot]) -> tuple[FamilyVote, ...]:
    """Each family's vote: the stance of a strict majority of its members that were seen, else an abstention."""
    votes = []
    for family in Family:
        members = [ballot for ballot in ballots if ballot.family is family]
        if not members:
            continue
        count = Counter(ballot.stance for ballot in members)
        cast = len(members) - count[None]
        winner = next((stance for stance in Stance if 2 * count[stance] > cast), None)
        lost = sum(ballot.lost for ballot in members if ballot.stance is None)
        votes.append(
            FamilyVote(family, winner, count[Stance.MORE], count[Stance.LESS], count[Stance.HOLD], count[None], lost)
        )
    return tuple(votes)


def judge(ballots: Sequence[Ballot], quorum: Quorum) -> Verdict:
    """
    What the votes decide.

    One family for less risk is enough to decrease. An increase needs the quorum of families for more risk,
    must stand with any one input taken away, and is vetoed by a family in which missing votes could make a
    majority for less risk: all those that were lost, with what any one absent observation would bring. No single
    point of data adds risk, and none that goes missing does either.

    Source
    ------
    D29, S87, S88, X17.

    >>> for_more = [Ballot(str(n), f, Stance.MORE, (str(n),)) for n, f in enumerate([*Family, *Family])]
    >>> judge(for_more, Quorum(2, 3)).decision.value
    'increase'
    """
    base = _base(ballots, quorum)
    votes = family_votes(ballots)
    if base is not Decision.INCREASE:
        return Verdict(base, base, votes, quorum)
    inputs = sorted({name for ballot in ballots for name in ballot.inputs})
    pivotal = tuple(name for name in inputs if _base(_without(ballots, name), quorum) is not Decision.INCREASE)
    vetoes = tuple(
        vote.family for vote in votes if _could_ask_for_less([one for one in ballots if one.family is vote.family])
    )
    decision = Decision.NO_ACTION if pivotal or vetoes else Decision.INCREASE
    return Verdict(decision, base, votes, quorum, pivotal, vetoes)


def flips(ballots: Sequence[Ballot], quorum: Quorum) -> tuple[tuple[str, Stance, Decision], ...]:
    """Every single vote that, cast otherwise, would change the decision: (member, its other stance, the outcome)."""
    now = judge(ballots, quorum).decision
    found = []
    for at, ballot in enumerate(ballots):
        for stance in Stance:
            if stance is ballot.stance:
                continue
            changed = [*ballots[:at], replace(ballot, stance=stance, lost=False, awaits=()), *ballots[at + 1 :]]
            outcome = judge(changed, quorum).decision
            if outcome is not now:
                found.append((ballot.member, stance, outcome))
    return tuple(found)


def _base(ballots: Sequence[Ballot], quorum: Quorum) -> Decision:
    count: Callable[[Stance], int] = Counter(vote.stance for vote in family_votes(ballots)).__getitem__
    if count(Stance.LESS):
        return Decision.DECREASE
    return Decision.INCREASE if quorum.met(count(Stance.MORE)) else Decision.NO_ACTION


def _could_ask_for_less(members: Sequence[Ballot]) -> bool:
    """Whether missing votes could give a family a majority for less; one that was never heard has none to miss."""
    if all(ballot.stance is None for ballot in members):
        return any(ballot.due or ballot.lost for ballot in members)
    absent = {name for ballot in members for name in ballot.awaits}
    return any(_asks_for_less(members, name) for name in (None, *absent))


def _asks_for_less(members: Sequence[Ballot], brought: str | None) -> bool:
    """A strict majority for less, were it asked by every vote that was lost or that rests on what is `brought`."""
    stances = [
        Stance.LESS if brought in ballot.awaits or (ballot.stance is None and ballot.lost) else ballot.stance
        for ballot in members
    ]
    return 2 * stances.count(Stance.LESS) > len(stances) - stances.count(None)


def _without(ballots: Sequence[Ballot], observation: str) -> list[Ballot]:
    return [ballot.without(observation) for ballot in ballots]
