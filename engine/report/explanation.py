"""Why each change is proposed, or nothing is: inputs with their ages, votes, rules, limits, and what would flip it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.cycle import Decision
from engine.policy.allocation import Allocation, Line
from engine.policy.condors import CondorOffer
from engine.policy.consensus import Decision as Ruling
from engine.policy.consensus import Stance
from engine.policy.judgement import Judgement
from engine.policy.rule import Act, Finding
from engine.policy.rule_text import MemberText
from engine.policy.ruling import MeetingAction
from engine.policy.selection import standing
from engine.policy.target import Target
from engine.policy.upkeep import Upkeep
from engine.report.wording import reading_text


@dataclass(frozen=True, slots=True)
class Because:
    """One ground of a change: the id it comes from, what it says, and the article's line."""

    id: str
    says: str
    source: str


@dataclass(frozen=True, slots=True)
class Change:
    """
    One proposed change.

    `what` says it in words with its lots; `because` are the rules and votes behind it; `binding` the limits that
    stop more of it, with what each costs in basis points of capital.
    """

    what: str
    because: tuple[Because, ...]
    binding: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    A decision in words.

    `changes` are proposed, `withheld` is what was not and why; `held` is what the open positions ask for; `flips`
    are single votes that would change what the committee decides, each with the reading it would take; `unseen`
    names what could not be read, each with its reason.
    """

    regime: tuple[str, ...]
    ruling: str
    hedge_ratio: float
    leverage: float
    changes: tuple[Change, ...]
    withheld: tuple[str, ...]
    held: tuple[str, ...]
    flips: tuple[str, ...]
    unseen: tuple[tuple[str, str], ...]


def explain(decision: Decision) -> Explanation:
    """The explanation of a decision and the judgement it was made under."""
    aim, judged = decision.target, decision.judgement
    return Explanation(
        regime=judged.regime.reasons,
        ruling=_ruling(judged),
        hedge_ratio=judged.hedge_ratio,
        leverage=judged.leverage,
        changes=tuple(_changes(decision)),
        withheld=tuple(_withheld(aim, judged)),
        held=decision.upkeep.words,
        flips=tuple(_flips(judged, decision.policy.members)),
        unseen=tuple((name, reading.why) for name, reading in judged.table.panel().items() if not reading.seen),
    )


def _ruling(judged: Judgement) -> str:
    verdict = judged.verdict
    families = "; ".join(
        f"{vote.family} {vote.stance or 'abstains'} ({vote.more} more, {vote.less} less, {vote.hold} hold, "
        f"{vote.unseen} unseen)"
        for vote in verdict.families
    )
    said = f"{verdict.decision} by {verdict.quorum}: {families}"
    if verdict.pivotal:
        said += f"; rests on {', '.join(verdict.pivotal)} alone, so nothing is added (S88)"
    if verdict.vetoed_by:
        said += f"; votes missing in {', '.join(verdict.vetoed_by)} could ask for less (D29)"
    return said


def _changes(decision: Decision) -> Iterator[Change]:
    aim, judged = decision.target, decision.judgement
    if aim.core is not None:
        for line in aim.core.changes:
            yield _line(line, aim.core, decision)
    if aim.put is not None and aim.put.quantity:
        listing = aim.put.listing
        yield Change(
            f"buy {aim.put.quantity:,.2f} ether puts at {listing.strike:,.0f} on {listing.venue}",
            (
                Because("S10", f"covers {aim.put.covered_loss:,.0f} USD of the sleeve's two-sigma loss", "C line 7"),
                *_rules(judged, Act.ARM, {"defi-protection"}),
            ),
            (),
        )
    if aim.loan is not None:
        yield Change(
            f"borrow {aim.loan.debt:,.0f} {aim.loan.asset} from {aim.loan.market}",
            (
                Because(
                    "D16", f"the condors it funds earn {aim.loan.edge_bps:,.0f} bp a year above its cost", "B line 5"
                ),
                Because("X07", f"VIX {judged.regime.vix:.2f} bears {judged.leverage:.2f} of the full loan", "B line 4"),
            ),
            (),
        )


def _line(line: Line, wanted: Allocation, decision: Decision) -> Change:
    judged, lots = decision.judgement, int(abs(line.change))
    binding = tuple(f"{limit.limit}: {limit.cost_bps:.2f} bp" for limit in wanted.binding)
    if isinstance(line.terms, CondorOffer):
        if line.change < 0:
            return Change(f"buy back {lots} {line.terms.id}", tuple(_leaving(line, decision.upkeep)), binding)
        grounds = (
            Because("D29", f"the committee decides to {judged.verdict.decision}", "C line 9"),
            Because("S03", "short strikes 1.5 to 2 standard deviations out, 45 days", "B line 4"),
            *(Because("S12", said, "B line 4") for said in _standing(line.terms, decision)),
        )
        return Change(f"sell {lots} {line.terms.id}", grounds, binding)
    verb = "buy" if line.change > 0 else "sell"
    scores = tuple(_rules(judged, Act.SCORE, None))
    ratio = Because("X10", f"hedge ratio {judged.hedge_ratio:.2f} of the two-sigma loss", "E line 7")
    return Change(f"{verb} {lots} {line.terms.id}", (ratio, *scores), binding)


def _standing(offer: CondorOffer, decision: Decision) -> tuple[str, ...]:
    wanted = decision.policy.core.short_sd_min
    return standing(offer, decision.target.ranking, decision.view.smiles, deviations=wanted)


def _leaving(line: Line, care: Upkeep) -> Iterator[Because]:
    """Why a condor goes: the book is worth more without it, and what the steward says of it; neither asks a quorum."""
    yield Because("X17", "its margin and tail serve better elsewhere, and less risk needs no quorum (D33)", "C line 9")
    for one in care.condors:
        if one.closes and one.offer.id == line.terms.id:
            yield Because("S90", "; ".join(one.advice.reasons), "A line 6")


def _withheld(aim: Target, judged: Judgement) -> Iterator[str]:
    if judged.verdict.decision is not Ruling.INCREASE:
        yield f"no new risk: the committee decides {judged.verdict.decision}"
    for found in judged.findings:
        stopped = ", ".join(effect.what for effect in found.rule.then if effect.act is Act.FREEZE)
        if stopped and found.fires:
            yield f"{stopped} frozen by {found.rule.id}: {found.rule.says}"
        elif stopped and found.dropped:
            missing = ", ".join(found.dropped)
            yield f"{stopped} frozen: {found.rule.id} cannot be told, {missing} went missing (F89)"
    if judged.meeting is MeetingAction.REDUCE:
        yield "all frozen: a policy meeting is near, and fomc.action is reduce (X08)"
    for loan in aim.loans:
        if not loan.accepted:
            yield f"no loan from {loan.market}: {'; '.join(loan.reasons)}"
    yield from aim.reasons


def _flips(judged: Judgement, members: Sequence[MemberText]) -> Iterator[str]:
    """Each vote that would flip the decision, with its conditions and what their signals read now."""
    asked: Mapping[str, MemberText] = {member.name: member for member in members}
    panel = judged.table.panel()
    for name, stance, outcome in judged.would_flip():
        seat = asked[name]
        conditions = {Stance.MORE: seat.more, Stance.LESS: seat.less}.get(stance, ())
        signals = dict.fromkeys(text.split()[0] for text in conditions)
        now = ", ".join(f"{signal} {reading_text(panel.value(signal), panel[signal].unit)}" for signal in signals)
        joined = (" and " if stance is Stance.MORE else " or ").join(conditions)
        by = f" by {joined} (now {now})" if conditions else ""
        yield f"{name} voting {stance}{by} would make it {outcome}"


def _rules(judged: Judgement, act: Act, objects: set[str] | None) -> Iterator[Because]:
    for found in judged.findings:
        if found.fires and any(e.act is act and (objects is None or e.what in objects) for e in found.rule.then):
            yield _because(found)


def _because(found: Finding) -> Because:
    ids, _, line = found.rule.source.partition(":")
    return Because(f"{found.rule.id} ({ids})", f"{found.rule.says}: {', '.join(found.met)}", line.strip())
