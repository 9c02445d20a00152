"""Tables of value by date, returns, and the cost of capital."""

from collections.abc import Sequence

from engine.report.blended import BlendedReport
from engine.report.performance import EngineReturn, NavPoint, PeriodReturn, WaccRow
from engine.report.table import Table, table
from engine.report.wording import ABSENT, basis_points, money, percent, period, period_return


def returns(report: BlendedReport) -> Table:
    """Each engine's returns, with every cost between gross and net."""
    return returns_table(report.returns)


def returns_table(found: Sequence[EngineReturn]) -> Table:
    """Each engine's returns, with every cost between gross and net."""
    labels = tuple(dict.fromkeys(w.label for row in found for w in row.wedges))
    rows = []
    for row in found:
        wedges = {w.label: w.bp for w in row.wedges}
        shown = (row.net, row.gross, row.time_weighted, row.modified_dietz, row.mirr)
        defined = [r for r in shown if r is not None and r.rate is not None]
        common = period(defined[0]) if len({period(r) for r in defined}) == 1 else ""
        gross, net, linked = (_beside(r, common) for r in (row.gross, row.net, row.time_weighted))
        beside = [_beside(r, common) for r in (row.modified_dietz, row.mirr) if r is not None]
        costs = (basis_points(wedges.get(label)) for label in labels)
        beside += [ABSENT] * (2 - len(beside))
        rows.append((row.engine, gross, *costs, net, linked, *beside, common or "as stated"))
    headings = (
        "Engine",
        "#Gross, money-weighted",
        *(f"#{label}" for label in labels),
        "#Net, money-weighted",
        "#Net, time-weighted",
        "#Modified Dietz",
        "#MIRR",
        "Period",
    )
    note = "Gross is before every cost; each cost stands in basis points between gross and net."
    return table("returns", "Returns by engine", headings, rows, note)


def _beside(value: PeriodReturn, common: str) -> str:
    """A return in a row that states the period itself, if all of the row's returns share it."""
    return percent(value.rate) if common and value.rate is not None else period_return(value)


def nav(report: BlendedReport) -> Table:
    """Value of each engine by date, and money that came or went."""
    return nav_table(report.nav)


def nav_table(points: Sequence[NavPoint]) -> Table:
    """Value of each engine by date, and money that came or went."""
    rows = (
        (p.on.isoformat(), *(money(m, signed=False) for m in (p.condor, p.defi, p.transit, p.total)), money(p.external))
        for p in points
    )
    headings = "Date | #Condor | #DeFi | #In transit | #Total | #Money in or out"
    return table("nav-figures", "Net asset value by date", headings, rows)


def wacc(report: BlendedReport) -> Table:
    """Each source of capital: weight, cost, and what it adds."""
    rows = [
        (
            row.source,
            percent(row.weight, 1, signed=False),
            percent(row.cost, signed=False),
            percent(row.contribution, signed=False),
            _parts(row),
        )
        for row in report.wacc
    ]
    return table("wacc", "Cost of capital by source", "Source | #Weight | #Cost p.a. | #Adds | Parts", rows)


def _parts(row: WaccRow) -> str:
    return " + ".join(f"{part.label} {percent(part.rate, signed=False)}" for part in row.parts) or ABSENT
