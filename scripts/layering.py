"""What armed layers would open, which condors are due to roll, and how the book stands, as rows and plain values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.cycle import Decision
    from engine.instruments import VanillaOption
    from engine.policy.condors import CondorOffer
    from engine.policy.hedges import HedgeOffer
    from engine.policy.layer_cost import LayerVerdict
    from engine.policy.layer_proposals import LayerProposal
    from engine.policy.rolls import RollDue


@dataclass(frozen=True, slots=True)
class Layering:
    """
    Everything about layers in one decision; `notes` say what of the book is not as the policy wants it.

    `borne` says of each layer that would buy whether the book bears its cost, empty where no book is wanted (S57).
    """

    proposals: "tuple[LayerProposal, ...]"
    borne: "Mapping[str, LayerVerdict]"
    rolls: "tuple[RollDue, ...]"
    notes: tuple[str, ...]


COLUMNS = ("layer", "opens", "why", "days", "wings", "USD a year", "session room, USD", "would trade")


def layering(decision: "Decision") -> Layering:
    """The layers of a decision, the rolls of its book, and how its ladder, sleeve and domains stand."""
    from engine.policy.layer_proposals import layer_proposals
    from engine.policy.waterfall import Stage

    condors = wanted(decision)
    proposals = layer_proposals(
        decision.snapshot,
        decision.view,
        decision.book,
        decision.policy,
        decision.judgement,
        condors=condors,
        capital=decision.frame.limits.capital,
        session_outer=decision.frame.session_outer,
        hedges=_hedges(decision),
        proceeds=decision.proceeds.of(Stage.HEDGE),
    )
    return Layering(proposals, _borne(decision, proposals), decision.upkeep.rolls, tuple(_notes(decision, condors)))


def _borne(decision: "Decision", proposals: "tuple[LayerProposal, ...]") -> "Mapping[str, LayerVerdict]":
    from engine.policy.layers_borne import borne

    core = decision.target.core
    if core is None:
        return {}
    return borne(proposals, core, decision.snapshot, decision.book, decision.view, decision.policy)


def wanted(decision: "Decision") -> "list[tuple[CondorOffer, int]]":
    """The condors that the decision holds or wants, with their lots."""
    from engine.policy.candidates import Kind
    from engine.policy.condors import CondorOffer
    from engine.policy.holdings import holdings

    core = decision.target.core
    if core is None:
        return [(offer, lots) for offer, lots in holdings(decision.book, decision.view).condors if lots > 0]
    return [
        (line.terms, int(line.wanted))
        for line in core.lines
        if line.kind is Kind.CONDOR and isinstance(line.terms, CondorOffer) and line.wanted > 0
    ]


def _hedges(decision: "Decision") -> "list[tuple[HedgeOffer, int]]":
    """The hedges that the decision holds or wants, with their lots."""
    from engine.policy.hedges import HedgeOffer
    from engine.policy.holdings import holdings

    core = decision.target.core
    if core is None:
        return list(holdings(decision.book, decision.view).hedges)
    return [(line.terms, int(line.wanted)) for line in core.lines if isinstance(line.terms, HedgeOffer) and line.wanted]


def rows(found: Layering) -> "list[tuple[str, ...]]":
    """A row per layer, under `COLUMNS`."""
    from engine.policy.layer_text import days_written, wings_written

    return [
        (
            one.layer.name,
            _opens(one, found.borne),
            one.reason,
            days_written(one.layer.dte),
            wings_written(one.layer.wings) or "-",
            f"{one.budget:,.0f}" if one.layer.share else "-",
            "-" if one.room is None else f"{one.room:,.0f}",
            _traded(one, found.borne),
        )
        for one in found.proposals
    ]


def roll_rows(found: Layering) -> "list[tuple[str, ...]]":
    """A row per condor that is due: what, why, and the combo or what stands against it."""
    return [
        (
            f"{due.lots} {due.offer.id}",
            ", ".join(due.decision.triggers),
            due.combo,
        )
        for due in found.rolls
    ]


def values(found: Layering) -> dict[str, Any]:
    """The same as plain values."""
    from engine.policy.layer_text import days_written, wings_written

    return {
        "layers": [
            {
                "layer": one.layer.name,
                "armed": one.armed,
                "opens": _opened(one, found.borne),
                "why": one.reason,
                "days": days_written(one.layer.dte),
                "wings": wings_written(one.layer.wings),
                "budget_usd_a_year": round(one.budget, 2),
                "session_room_usd": None if one.room is None else round(one.room, 2),
                "legs": [{"contract": option.id, "contracts": float(lots)} for option, lots in one.trade.legs],
                "cash_usd": round(one.trade.cash, 2),
                "bound_by": one.trade.why,
                "borne": _verdict(found.borne.get(one.layer.name)),
            }
            for one in found.proposals
        ],
        "rolls": [
            {"condor": what, "triggers": list(due.decision.triggers), "combo": combo}
            for due, (what, _, combo) in zip(found.rolls, roll_rows(found), strict=True)
        ],
        "notes": list(found.notes),
    }


def _opens(one: "LayerProposal", borne: "Mapping[str, LayerVerdict]") -> str:
    return "unknown" if one.armed is None else "yes" if _opened(one, borne) else "no"


def _opened(one: "LayerProposal", borne: "Mapping[str, LayerVerdict]") -> bool:
    """Whether it may open: armed, allowed, and its cost borne (S57)."""
    return one.allowed and (one.layer.name not in borne or borne[one.layer.name].bought)


def _verdict(one: "LayerVerdict | None") -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "bought": one.bought,
        "cost_bps": round(one.cost_bps, 2),
        "return_after": round(one.return_after, 6),
        "shortfall_bps": round(one.shortfall_bps, 2),
        "overspent_bps": round(one.overspent_bps, 2),
        "reason": one.reason,
    }


def _traded(one: "LayerProposal", borne: "Mapping[str, LayerVerdict]") -> str:
    if not one.trade.legs:
        return one.trade.why or "-"
    legs = ", ".join(f"{lots:+g} {option.id}" for option, lots in one.trade.legs)
    said = [one.trade.why, borne[one.layer.name].reason if one.layer.name in borne else ""]
    return "; ".join([f"{legs} for {one.trade.cash:+,.2f} USD", *filter(None, said)])


def _notes(decision: "Decision", condors: "list[tuple[CondorOffer, int]]") -> "list[str]":
    from engine.policy.priority import domain_order

    first, then = domain_order(decision.judgement.findings)
    return [
        *_ladder(decision, condors),
        *_sleeve(decision),
        *_hedged(decision, condors),
        *decision.proceeds.words,
        *_owed(decision),
        _shocked(decision),
        f"protected first: {first}, then {then} (S52)",
    ]


def _hedged(decision: "Decision", condors: "list[tuple[CondorOffer, int]]") -> "list[str]":
    from engine.policy.hedge_effect import hedge_effects

    hedges = _hedges(decision)
    return [hedge_effects(condors, hedges, decision.snapshot, decision.view)] if condors and hedges else []


def _owed(decision: "Decision") -> "list[str]":
    """Each liability with its flag, and the largest protocol, oracle and chain beside their caps."""
    from engine.risk.recourse import liabilities

    owed = [one.words for one in liabilities(decision.book, decision.view)]
    stands = [
        f"{one.detail}, {one.reading:.1%} of NAV of {one.level:.0%}"
        for one in decision.readings
        if one.source.startswith("S55")
    ]
    return [*([f"owed: {'; '.join(owed)} (S45)"] if owed else []), *([f"{'; '.join(stands)} (S55)"] if stands else [])]


def _shocked(decision: "Decision") -> str:
    """What the book as wanted loses at mid in the geopolitical shock: multiples down 15 %, VIX up 20 (S85)."""
    from engine.money import Money
    from engine.positions import Position, Sleeve
    from engine.risk.history_scenarios import gap_scenarios
    from engine.risk.scenarios import Scenarios
    from engine.risk.valuation import book_values

    pack = gap_scenarios(crypto_beta=decision.snapshot.crypto_beta)
    shock = pack.take([pack.names.index("geopolitical shock")])
    moved = [
        Position(option, Money.of(quantity, option.unit), Sleeve.CONDOR, "wanted")
        for option, quantity in _changed(decision)
    ]
    book = decision.book.plus(moved)
    now, then = (float(book_values(book, decision.view, at)[0]) for at in (Scenarios.now(), shock))
    capital = decision.frame.limits.capital
    return f"a geopolitical shock would cost {now - then:,.0f} USD, {(now - then) / capital:.1%} of capital (S85)"


def _changed(decision: "Decision") -> "Iterator[tuple[VanillaOption, int]]":
    """Every contract that the decision trades at the broker, with its signed lots."""
    from engine.policy.condors import CondorOffer
    from engine.policy.hedges import HedgeOffer

    for line in decision.target.core.changes if decision.target.core is not None else ():
        if isinstance(line.terms, CondorOffer):
            condor = line.terms.condor
            for leg, quantity in zip(condor.legs, condor.quantities, strict=True):
                yield leg, quantity * int(line.change)
        elif isinstance(line.terms, HedgeOffer):
            yield line.terms.option, int(line.change)


def _ladder(decision: "Decision", condors: "list[tuple[CondorOffer, int]]") -> "list[str]":
    from engine.policy.ladder import LadderRules, Rung, ladder

    if not condors:
        return []
    asked = decision.policy.ladder
    rules = LadderRules(asked.expiries, asked.widths, float(asked.spread))
    found = ladder(
        [
            Rung(offer.condor.put_short.expiry_date, float(offer.condor.width), lots * offer.max_loss)
            for offer, lots in condors
        ]
    )
    said = f"ladder: {found.expiries} expiries, {found.widths} widths, spread {found.spread:.0%}"
    if found.holds(rules):
        return [f"{said} (S08)"]
    return [f"{said}; the policy wants {rules.expiries}, {rules.widths} and {rules.spread:.0%} (S08)"]


def _sleeve(decision: "Decision") -> "list[str]":
    from engine.policy.priority import SleeveCaps, read_sleeve
    from engine.positions import Sleeve
    from engine.risk.scenarios import Scenarios
    from engine.risk.valuation import book_values

    now, limits = Scenarios.now(), decision.policy.limits
    nav = float(book_values(decision.book, decision.view, now)[0])
    sleeve = sum(
        float(book_values(decision.book.of(part), decision.view, now)[0]) for part in (Sleeve.DEFI, Sleeve.TRANSIT)
    )
    if not sleeve > 0:
        return []
    found = read_sleeve(sleeve, nav, caps=SleeveCaps(float(limits.sleeve_target), float(limits.sleeve_cap)))
    move = f", move {found.reduce_by:,.0f} USD out" if found.reduce_by else ""
    factor = decision.judgement.table.panel().value("complex_factor")
    scaled = f", target scaled by {factor:.2f} (S51)" if factor is not None else ""
    return [f"sleeve: {found.share:.1%} of NAV, {found.state}{move}{scaled} (S39, X05)"]
