"""An allocation in words: tables for a terminal, one JSON document, one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.html.figures_page import TextTable
    from engine.cycle import Decision
    from engine.policy.allocation import Allocation, Line


def _rows(decision: "Decision", core: "Allocation") -> list[list[str]]:
    from engine.policy.candidates import LoanOffer
    from engine.report.tables import number, percent

    profits = _profits(decision, core)
    rows = []
    for line in core.lines:
        if isinstance(line.terms, LoanOffer):
            continue
        chance = profits.get(line.terms.id)
        rows.append(
            [
                line.terms.id,
                line.kind.value,
                number(line.held, 0),
                number(line.wanted, 0),
                number(line.change, 0, signed=True),
                _distance(line),
                "n/a" if chance is None else percent(chance, 1, signed=False),
            ]
        )
    return rows


def _distance(line: "Line") -> str:
    from engine.policy.condors import CondorOffer

    if not isinstance(line.terms, CondorOffer):
        return "n/a"
    return f"{line.terms.put_sd:.2f} / {line.terms.call_sd:.2f}"


def _profits(decision: "Decision", core: "Allocation") -> dict[str, float]:
    """Chance of profit of each condor by the law its own prices imply (D03)."""
    import numpy as np

    from engine.policy.condors import CondorOffer
    from engine.policy.outcomes import risk_neutral

    offers = [line.terms for line in core.lines if isinstance(line.terms, CondorOffer)]
    series = {(offer.condor.put_short.root, offer.condor.put_short.expiry) for offer in offers}
    law = risk_neutral(decision.view, series)
    found = {}
    for offer in offers:
        levels = law.levels[offer.condor.put_short.root, offer.condor.put_short.expiry]
        low, high = offer.break_evens
        found[offer.id] = float(np.mean((levels > low) & (levels < high)))
    return found


def _figures(decision: "Decision", core: "Allocation") -> list[list[str]]:
    from engine.report.tables import number, percent

    bp = 1e4 / core.capital

    def usd(name: str, value: float) -> list[str]:
        return [name, number(value, 2, signed=True), number(value * bp, 2, signed=True)]

    ratio = "nothing to hedge" if core.hedge_ratio is None else number(core.hedge_ratio)
    return [
        usd("expected result", core.expected),
        usd("expected shortfall 97.5 %", -core.shortfall),
        usd("cost of the changes", -core.cost),
        usd(f"objective, aversion {decision.policy.core.risk_aversion:g}", core.objective),
        usd("certified gap to the optimum", core.gap),
        usd("margin", core.margin),
        usd("hedge carry a year", core.carry),
        ["hedge ratio", ratio, ""],
        [f"drawdown, {core.cell}", percent(core.drawdown, signed=False), ""],
    ]


def _limit_rows(core: "Allocation") -> list[list[str]]:
    from engine.report.tables import number

    ordered = sorted(core.limits, key=lambda limit: -limit.cost_bps)
    return [
        [limit.limit, number(limit.cost_bps, 4), "binds" if limit.binds else "costs nothing", number(limit.room, 2)]
        for limit in ordered
    ]


def _loan_rows(decision: "Decision") -> list[list[str]]:
    from engine.report.tables import number, percent

    return [
        [
            loan.market,
            f"{number(loan.debt, 0)} {loan.asset}",
            percent(loan.project_return),
            percent(loan.cost, signed=False),
            number(loan.edge_bps, 0, signed=True),
            "; ".join(loan.reasons) or "accepted",
        ]
        for loan in decision.target.loans
    ]


def _tables(decision: "Decision") -> "list[TextTable]":
    from adapters.html.figures_page import TextTable

    core = decision.target.core
    made = []
    if core is not None:
        columns = ("instrument", "kind", "held", "wanted", "change", "n put / call", "chance of profit")
        made.append(TextTable("proposed lots", columns, _rows(decision, core), (2, 3, 4, 5, 6)))
        made.append(TextTable("answer", ("figure", "USD", "bp of capital"), _figures(decision, core), (1, 2)))
        made.append(
            TextTable("limits", ("limit", "cost, bp of capital", "state", "room"), _limit_rows(core), (1, 3)),
        )
    if decision.target.loans:
        markets = ("market", "loan", "project return", "cost", "edge, bp", "decision")
        made.append(TextTable("loans", markets, _loan_rows(decision), (1, 2, 3, 4)))
    return made


def _measure(decision: "Decision") -> str:
    core = decision.target.core
    return core.measure if core is not None else "none: nothing could be asked"


def _summary(decision: "Decision") -> str:
    core = decision.target.core
    if core is None or not core.changes:
        return "nothing to change"
    return "; ".join(f"{line.change:+.0f} {line.terms.id}" for line in core.changes)


def print_text(decision: "Decision", assumptions: "Sequence[str]", without: "Sequence[str]", html: Path | None) -> None:
    """Tables for a terminal, what binds, and the next step."""
    from scripts.output import say, table

    say(f"as of {decision.snapshot.asof.isoformat()}: {_summary(decision)}")
    say(f"measure of expectations: {_measure(decision)}; chances of profit by the law that prices imply")
    if without:
        say(f"what-if without {', '.join(without)}: no plan is made of this")
    for line in assumptions:
        say(f"assumed: {line}")
    for shown in _tables(decision):
        table(shown.title, list(shown.columns), [list(row) for row in shown.rows], numeric=list(shown.numeric))
    for line in decision.target.reasons:
        say(line)
    if html is not None:
        say(f"written to {html}")
    say(f"next: {_next(decision)}")


def _next(decision: "Decision") -> str:
    core = decision.target.core
    return "hedge plan new -C FOLDER" if core is not None and core.changes else "hedge stress"


def document(
    decision: "Decision", assumptions: "Sequence[str]", without: "Sequence[str]", html: Path | None
) -> dict[str, Any]:
    """The JSON document."""
    from dataclasses import asdict
    from math import isfinite

    core = decision.target.core
    profits = _profits(decision, core) if core is not None else {}
    answer = None if core is None else {
        "lines": [
            {
                "instrument": line.terms.id,
                "kind": line.kind.value,
                "held": line.held,
                "wanted": line.wanted,
                "chance_of_profit": profits.get(line.terms.id),
            }
            for line in core.lines
        ],
        "expected_usd": core.expected,
        "shortfall_usd": core.shortfall,
        "cost_usd": core.cost,
        "objective_usd": core.objective,
        "objective_bps": core.objective / core.capital * 1e4,
        "gap_usd": core.gap,
        "capital_usd": core.capital,
        "hedge_ratio": core.hedge_ratio,
        "drawdown": core.drawdown,
        "cell": core.cell,
        "margin_usd": core.margin,
        "carry_usd_a_year": core.carry,
        "limits": [asdict(limit) | {"binds": limit.binds} for limit in core.limits],
        "waived": list(core.waived),
    }  # fmt: skip
    return {
        "schema": "hedge.allocate/1",
        "status": "what-if" if without else "proposed",
        "asof": decision.snapshot.asof.isoformat(),
        "snapshot": decision.snapshot.digest,
        "measure": _measure(decision),
        "without": list(without),
        "answer": answer,
        "loans": [
            asdict(loan) | {"health": loan.health if isfinite(loan.health) else None} for loan in decision.target.loans
        ],
        "reasons": list(decision.target.reasons),
        "assumptions": list(assumptions),
        "report": str(html) if html else None,
        "next": [_next(decision)],
    }


def write_page(html: Path, decision: "Decision", assumptions: "Sequence[str]") -> None:
    """The HTML file; raises `InputError` where it cannot be written."""
    from adapters.html.figures_page import render_figures
    from engine.errors import InputError

    core = decision.target.core
    page = render_figures(
        "Allocation",
        decision.snapshot.asof,
        summary=_summary(decision),
        state="proposed" if core is not None and core.changes else "nothing to change",
        bad=core is not None and bool(core.waived),
        assumptions=(f"measure of expectations: {_measure(decision)}", *assumptions, *decision.target.reasons),
        drawings=(),
        tables=_tables(decision),
    )
    partial = html.with_suffix(".partial")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(html)
    except OSError as refused:
        raise InputError(f"--html {html} refused", why=str(refused), todo="name a file that can be written") from None
