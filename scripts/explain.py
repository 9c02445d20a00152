"""`hedge explain`: for every proposed change the evidence, votes, rules and limits, and what would flip it."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.policy.judgement import Judgement
    from engine.report.explanation import Explanation
    from scripts.inputs import Stage
    from scripts.layering import Layering

_SCHEMA = "hedge.explain/1"
_READINGS = ("signal", "value", "age, days", "source", "meaning, or why unseen")
_VOTES = ("member", "family", "stance", "why")
_CHANGES = ("change", "because", "says", "article", "limits that stop more")


def explain(
    chain: str = typer.Option("", "--chain", help="Option-chain file; without it the folder's or a modelled day."),
    data: str = typer.Option("", "--data", help="Folder of observations (docs/observations.md)."),
    book: str = typer.Option("", "--book", help="Book file: quantity,instrument,sleeve,venue."),
    folder: str = typer.Option("", "-C", help="Workspace folder."),
    policy: str = typer.Option("", "--policy", help="Policy file."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
    html: Path | None = typer.Option(None, "--html", help="Write one self-contained HTML file."),
) -> None:
    """Why the engine would do what it would do now; sends nothing."""
    from engine.report.explanation import explain as explained
    from scripts.decision import decided
    from scripts.layering import layering

    stage, decision, judged = decided(chain, data, book, folder, policy)
    found, layers = explained(decision), layering(decision)
    if html is not None:
        _write(html, stage, judged, found, layers)
    if as_json:
        _emit(stage, judged, found, layers)
    else:
        _print(stage, judged, found, layers, html)


def _emit(stage: "Stage", judged: "Judgement", found: "Explanation", layers: "Layering") -> None:
    from dataclasses import asdict

    from scripts.evidence import readings, rules, votes
    from scripts.layering import values
    from scripts.output import emit_json

    emit_json(
        {
            "schema": _SCHEMA,
            "status": judged.verdict.decision.value,
            "next": ["hedge plan new"],
            "asof": stage.snapshot.asof.isoformat(),
            "snapshot": stage.snapshot.digest,
            **asdict(found),
            "regime": {
                "reasons": list(found.regime),
                "zone": judged.regime.zone.value,
                "vix": judged.regime.vix,
                "term_structure": judged.regime.term_structure.value,
                "high_vol": judged.regime.high_vol,
            },
            **values(layers),
            "readings": readings(judged),
            "votes": votes(judged),
            "rules": rules(judged),
            "assumptions": list(stage.assumptions),
        }
    )


def _print(stage: "Stage", judged: "Judgement", found: "Explanation", layers: "Layering", html: Path | None) -> None:
    from scripts.output import say, table

    say(f"as of {stage.snapshot.asof:%Y-%m-%d %H:%M} UTC, snapshot {stage.snapshot.digest[:16]}")
    for line in found.regime:
        say(f"  {line}")
    say(f"  {found.ruling}")
    say(f"  hedge ratio {found.hedge_ratio:.2f}, leverage {found.leverage:.2f} of the full loan")
    for line in layers.notes:
        say(f"  {line}")
    for title, columns, rows, numeric in _tables(judged, found, layers):
        table(title, columns, rows, numeric=numeric)
    for label in stage.assumptions:
        say(f"assumed: {label}")
    if html is not None:
        say(f"written to {html}")
    say("next: hedge plan new -C DIR")


def _write(html: Path, stage: "Stage", judged: "Judgement", found: "Explanation", layers: "Layering") -> None:
    from adapters.html.figures_page import TextTable, render_figures
    from scripts.output import write_page

    page = render_figures(
        "Why",
        stage.snapshot.asof,
        summary=f"{found.ruling}. Hedge ratio {found.hedge_ratio:.2f}, leverage {found.leverage:.2f}.",
        state=judged.verdict.decision.value,
        bad=not judged.may_add,
        assumptions=(*found.regime, *layers.notes, *stage.assumptions),
        drawings=[],
        tables=[TextTable(*part) for part in _tables(judged, found, layers)],
    )
    write_page(html, page)


Drawn = tuple[str, tuple[str, ...], list[tuple[str, ...]], tuple[int, ...]]


def _tables(judged: "Judgement", found: "Explanation", layers: "Layering") -> list[Drawn]:
    from scripts.layering import COLUMNS, rows

    opened: list[Drawn] = [("Layers", COLUMNS, rows(layers), (5, 6))]
    return [part for part in (*_changes(found), *opened, *_grounds(judged, found)) if part[2]]


def _changes(found: "Explanation") -> list[Drawn]:
    rows: list[tuple[str, ...]] = [
        (change.what if not number else "", ground.id, ground.says, ground.source, "; ".join(change.binding))
        for change in found.changes
        for number, ground in enumerate(change.because)
    ]
    return [
        ("Proposed changes", _CHANGES, rows, ()),
        ("Not done, or bounded", ("why",), [(line,) for line in found.withheld], ()),
        ("What is held asks for", ("advice",), [(line,) for line in found.held], ()),
        ("What single vote would flip the decision", ("vote",), [(line,) for line in found.flips], ()),
    ]


def _grounds(judged: "Judgement", found: "Explanation") -> list[Drawn]:
    from engine.report.wording import meaning_text, reading_text
    from scripts.evidence import votes

    panel = judged.table.panel()
    seen: list[tuple[str, ...]] = [
        (
            name,
            reading_text(reading.value, reading.unit),
            f"{reading.age_days(panel.at) or 0.0:.1f}",
            reading.source,
            meaning_text(reading, judged.table.signals[name]),
        )
        for name, reading in panel.items()
        if reading.seen
    ]
    cast: list[tuple[str, ...]] = [
        (vote["member"], vote["family"], vote["stance"] or "not cast", vote["why"]) for vote in votes(judged)
    ]
    stand: list[tuple[str, ...]] = [
        (
            each.rule.id,
            f"{each.since} sessions",
            ", ".join(each.met) or "latched",
            ", ".join(f"{effect.act} {effect.what}" for effect in each.rule.then),
            each.rule.source,
            each.rule.says,
        )
        for each in judged.findings
        if each.fires
    ]
    unseen: list[tuple[str, ...]] = [(name, "unseen", "-", panel[name].source, why) for name, why in found.unseen]
    return [
        ("Rules that stand", ("rule", "since", "conditions", "then", "source", "meaning"), stand, ()),
        (f"Votes: {judged.verdict.decision}", _VOTES, cast, ()),
        ("Readings", _READINGS, seen, (1, 2)),
        ("Unseen: no vote, no rule", _READINGS, unseen, ()),
    ]
