"""Why each change is proposed, or nothing is: inputs with their ages, votes, rules, limits, and what would flip it."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.policy.allocation import Allocation, Line
from engine.policy.candidates import Kind
from engine.policy.consensus import Decision as Ruling
from engine.policy.judgement import Judgement
from engine.policy.rule import Act, Finding
from engine.policy.target import Target


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

    `changes` are proposed, `withheld` is what was not and why; `flips` are single votes that would change what
    the committee decides; `unseen` names what could not be read, each with its reason.
    """

    regime: tuple[str, ...]
    ruling: str
    hedge_ratio: float
    leverage: float
    changes: tuple[Change, ...]
    withheld: tuple[str, ...]
    flips: tuple[str, ...]
    unseen: tuple[tuple[str, str], ...]


def explain(aim: Target, judged: Judgement) -> Explanation:
    """The explanation of a target and the judgement it was made under."""
    panel = judged.table.panel()
    return Explanation(
        regime=judged.regime.reasons,
        ruling=_ruling(judged),
        hedge_ratio=judged.hedge_ratio,
        leverage=judged.leverage,
        changes=tuple(_changes(aim, judged)),
        withheld=tuple(_withheld(aim, judged)),
        flips=tuple(
            f"{member} voting {stance} would make it {outcome}" for member, stance, outcome in judged.would_flip()
        ),
        unseen=tuple((name, reading.why) for name, reading in panel.items() if not reading.seen),
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
        said += f"; lost votes in {', '.join(verdict.vetoed_by)} could ask for less (D29)"
    return said


def _changes(aim: Target, judged: Judgement) -> Iterator[Change]:
    if aim.core is not None:
        for line in aim.core.changes:
            yield _line(line, aim.core, judged)
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


def _line(line: Line, wanted: Allocation, judged: Judgement) -> Change:
    lots = int(abs(line.change))
    binding = tuple(f"{limit.limit}: {limit.cost_bps:.2f} bp" for limit in wanted.binding)
    if line.kind is Kind.CONDOR:
        verb = "sell" if line.change > 0 else "buy back"
        grounds = (
            Because("D29", f"the committee decides to {judged.verdict.decision}", "C line 9"),
            Because("S03", "short strikes 1.5 to 2 standard deviations out, 45 days", "B line 4"),
        )
        return Change(f"{verb} {lots} {line.terms.id}", grounds, binding)
    verb = "buy" if line.change > 0 else "sell"
    scores = tuple(_rules(judged, Act.SCORE, None))
    ratio = Because("X10", f"hedge ratio {judged.hedge_ratio:.2f} of the two-sigma loss", "E line 7")
    return Change(f"{verb} {lots} {line.terms.id}", (ratio, *scores), binding)


def _withheld(aim: Target, judged: Judgement) -> Iterator[str]:
    if judged.verdict.decision is not Ruling.INCREASE:
        yield f"no new risk: the committee decides {judged.verdict.decision}"
    for found in judged.findings:
        stops = [effect for effect in found.rule.then if effect.act is Act.FREEZE]
        if found.fires and stops:
            yield f"{', '.join(effect.what for effect in stops)} frozen by {found.rule.id}: {found.rule.says}"
    for loan in aim.loans:
        if not loan.accepted:
            yield f"no loan from {loan.market}: {'; '.join(loan.reasons)}"
    yield from aim.reasons


def _rules(judged: Judgement, act: Act, objects: set[str] | None) -> Iterator[Because]:
    for found in judged.findings:
        if found.fires and any(e.act is act and (objects is None or e.what in objects) for e in found.rule.then):
            yield _because(found)


def _because(found: Finding) -> Because:
    ids, _, line = found.rule.source.partition(":")
    return Because(f"{found.rule.id} ({ids})", f"{found.rule.says}: {', '.join(found.met)}", line.strip())
