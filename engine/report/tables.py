"""The report's tables as rows of text: the same on a page and a terminal."""

from collections.abc import Callable

from engine.report import book_tables, result_tables, risk_tables
from engine.report.blended import BlendedReport
from engine.report.table import Align, Cell, Column, Table, Tone, table
from engine.report.wording import (
    ABSENT,
    amount_and_share,
    basis_points,
    compact,
    dollars,
    in_unit,
    instant,
    money,
    number,
    percent,
    period,
    period_return,
    plain,
    typeset,
)

__all__ = [
    "ABSENT", "Align", "Cell", "Column", "Table", "Tone", "amount_and_share", "basis_points", "compact", "dollars",
    "in_unit", "instant", "money", "number", "percent", "period", "period_return", "plain", "tables", "typeset",
]  # fmt: skip


def _provenance(report: BlendedReport) -> Table:
    made = report.provenance
    rows = (
        ("Market snapshot", made.snapshot),
        ("Policy", made.policy),
        ("Plan", made.plan or "none"),
        ("Ledger", made.ledger),
        ("Software", made.software),
    )
    return table("provenance", "What this report was made from", "Source | @Digest", rows)


_BUILDERS: tuple[Callable[[BlendedReport], Table], ...] = (
    result_tables.returns, risk_tables.limits, risk_tables.quick_ratios, risk_tables.liquidity, book_tables.positions,
    risk_tables.greeks, risk_tables.scenarios, risk_tables.heat, result_tables.nav, risk_tables.lending,
    result_tables.wacc, book_tables.plan, book_tables.approvals, book_tables.fills, book_tables.ledger,
    book_tables.breaks, _provenance,
)  # fmt: skip


def tables(report: BlendedReport) -> dict[str, Table]:
    """Every table of the report by its key, in the report's order; a table without rows is still there."""
    return {table.key: table for table in (build(report) for build in _BUILDERS)}
