"""`hedge margin`: what the broker holds against the book under each rule set, and the pairing behind it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from scripts.mark_option import MARKS

if TYPE_CHECKING:
    from datetime import date

    from engine.risk.margin import FutureRequirement, InitialMargin, MarginLeg, MarginRule, Requirement
    from engine.risk.valuation import PricingView

_CHOICES = "all, max_payout, max_loss, cboe, cboe_universal, ib or portfolio"


class Answer(NamedTuple):
    """One rule set's requirement, or why there is none."""

    rule: str
    source: str
    found: "Requirement | None"
    refused: str = ""


def margin(
    chain: str = typer.Option("", "--chain", help="Option-chain file."),
    book: str = typer.Option("", "--book", help="Book file."),
    folder: str = typer.Option("", "-C", help="Folder made by `hedge init`."),
    rules: str = typer.Option("all", "--rules", help=f"One rule set: {_CHOICES}."),
    mark: list[str] = MARKS,
    initial: list[str] = typer.Option([], "--initial", help='Exchange rate of a future, "VX 2026-02-01 11500".'),
    html: Path | None = typer.Option(None, "--html", help="Write one self-contained HTML file."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """What the broker holds against the book, by rule set, and which legs form which strategy."""
    from engine.risk.margin import future_requirements, margin_legs
    from scripts.inputs import stage
    from scripts.output import emit_json

    chosen = _rules(rules)
    rates = [_rate(text) for text in initial]
    set_up = stage(chain, book, folder, marks=mark)
    legs = margin_legs(set_up.book, set_up.view, set_up.snapshot.vix)
    futures = future_requirements(set_up.book, rates, _day(set_up.view))
    _held(legs, futures)
    answers = [_answer(rule, legs, set_up.view, alone=rules != "all") for rule in chosen]
    if html is not None:
        from adapters.html.margin_page import render
        from scripts.output import write_page

        write_page(html, render(answers, futures, set_up.book, set_up.view, set_up.assumptions))
    if as_json:
        emit_json(_document(answers, futures, set_up.view, set_up.assumptions, html))
    else:
        _tell(answers, futures, set_up.view, set_up.assumptions, html)


def _answer(rule: "MarginRule", legs: Sequence["MarginLeg"], view: "PricingView", *, alone: bool) -> Answer:
    from engine.errors import EngineError
    from engine.risk.margin import requirement
    from engine.risk.margin.rules import SOURCES

    try:
        return Answer(rule.value, SOURCES[rule], requirement(rule, legs, view))
    except EngineError as refused:
        if alone:
            raise
        return Answer(rule.value, SOURCES[rule], None, f"{refused.what}: {refused.why}")


def _document(
    answers: Sequence[Answer],
    futures: Sequence["FutureRequirement"],
    view: "PricingView",
    assumptions: Sequence[str],
    html: Path | None,
) -> dict[str, Any]:
    return {
        "schema": "hedge.margin/1",
        "asof": view.asof.isoformat(),
        "index": view.spot,
        "rules": [_rule_document(answer) for answer in answers],
        "futures": [
            {"future": row.future.id, "quantity": row.quantity, "usd": row.usd, "since": str(row.rate.since)}
            for row in futures
        ],
        "assumptions": list(assumptions),
        "report": str(html) if html else None,
    }


def _rule_document(answer: Answer) -> dict[str, Any]:
    found = answer.found
    if found is None:
        return {"rule": answer.rule, "source": answer.source, "status": "refused", "why": answer.refused}
    return {
        "rule": answer.rule,
        "source": answer.source,
        "status": "bounded" if _finite(found.usd) else "unbounded",
        "usd": _finite(found.usd),
        "groups": [
            {"strategy": group.strategy, "units": group.units, "usd": _finite(group.usd), "legs": dict(group.legs)}
            for group in found.groups
        ],
        "unused": dict(found.unused),
    }


def _tell(
    answers: Sequence[Answer],
    futures: Sequence["FutureRequirement"],
    view: "PricingView",
    assumptions: Sequence[str],
    html: Path | None,
) -> None:
    from scripts.output import note, say, table

    for assumed in assumptions:
        note(f"assumed: {assumed}")
    say(f"as of {view.asof.isoformat()}, index {view.spot:,.2f}; longs are paid in full and carry no loan value")
    rows = [[a.rule, _dollars(a.found.usd) if a.found else "not computed", a.refused or a.source] for a in answers]
    rows += [[row.future.id, _dollars(row.usd), f"exchange initial of {row.rate.since}"] for row in futures]
    table("requirement", ["rule set", "USD", "by"], rows, numeric=(1,))
    for answer in answers:
        if answer.found is not None and answer.found.groups:
            groups = [
                [group.strategy, _dollars(group.usd), ", ".join(f"{n:+d} {name}" for name, n in group.legs)]
                for group in answer.found.groups
            ]
            groups += [["unused long", "0.00", f"{n:+d} {name}"] for name, n in answer.found.unused]
            say()
            table(answer.rule, ["strategy", "USD", "legs"], groups, numeric=(1,))
    if html is not None:
        say(f"written to {html}")


def _rules(written: str) -> "list[MarginRule]":
    from engine.errors import InputError
    from engine.risk.margin import MarginRule

    if written == "all":
        return list(MarginRule)
    if written not in set(MarginRule):
        raise InputError(f"--rules {written!r} refused", why="no such rule set", todo=f"use {_CHOICES}")
    return [MarginRule(written)]


def _rate(written: str) -> "InitialMargin":
    from datetime import date

    from engine.errors import InputError
    from engine.risk.margin import InitialMargin

    try:
        root, since, usd = written.split()
        return InitialMargin(root, date.fromisoformat(since), float(usd), "--initial")
    except ValueError:
        raise InputError(
            f"--initial {written!r} refused",
            why="it is not a root, a day and dollars per contract",
            todo='write it as "VX 2026-02-01 11500"',
        ) from None


def _held(legs: Sequence["MarginLeg"], futures: Sequence["FutureRequirement"]) -> None:
    from engine.errors import InputError

    if not legs and not futures:
        raise InputError(
            "nothing to margin",
            why="the book has no listed options or futures",
            todo="give a book with --book, or a folder with -C",
        )


def _day(view: "PricingView") -> "date":
    from engine.instruments import MARKET_ZONE

    return view.asof.astimezone(MARKET_ZONE).date()


def _finite(usd: float) -> float | None:
    from math import isfinite

    return round(usd, 2) if isfinite(usd) else None


def _dollars(usd: float) -> str:
    return f"{usd:,.2f}" if _finite(usd) is not None else "unbounded"
