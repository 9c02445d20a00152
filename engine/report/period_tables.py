"""A period's report as tables of finished text, and as one document of values."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence

from engine.ledger.attribution import FLAGGED_FROM, NAMES
from engine.ledger.flat import as_cell
from engine.money import USD, Money
from engine.positions import Sleeve
from engine.report import book_rows, book_tables
from engine.report.day_parts import residuals_flagged
from engine.report.figures import Figure
from engine.report.linked import daily_returns, monthly
from engine.report.period_figures import RATE, SHARE, figures
from engine.report.period_report import PeriodReport
from engine.report.period_returns import BLENDED, engine_returns
from engine.report.plain_values import Json, plain_value
from engine.report.result_tables import nav_table, returns_table
from engine.report.risk_tables import greek_table, limit_table, liquidity_table, quick_ratio_table
from engine.report.table import Cell, Table, table
from engine.report.valued import total
from engine.report.wording import ABSENT, money, number, percent

SCHEMA = "hedge.report-period/1"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_NAMED = 3
"""How many flagged days an exception names."""


def period_tables(report: PeriodReport) -> tuple[Table, ...]:
    """Every table that has rows, in the order a reader needs them."""
    mark = report.mark
    made = (
        _summary(report),
        returns_table(engine_returns(report)),
        _attribution(report),
        _flows(report),
        nav_table(report.points),
        _grid(report),
        limit_table(mark.limits if mark else ()),
        quick_ratio_table(mark.quick_ratios if mark else ()),
        liquidity_table(mark.liquidity if mark else ()),
        greek_table(mark.greeks if mark else ()),
        _lines(report, "assets", "Positions and cash"),
        _lines(report, "", "Income, expenses and equity"),
        _breaks(report.source.breaks),
        _exceptions(report),
        _provenance(report),
        _sources(figures(report)),
    )
    return tuple(each for each in made if each.rows)


def document(report: PeriodReport) -> dict[str, Json]:
    """The report as JSON values: figures by name, each with its formula, then the series and rows behind them."""
    name = report.period.name
    return {
        "schema": SCHEMA,
        "status": "breaks" if report.source.breaks else "done",
        "period": name,
        "first": report.period.first.isoformat(),
        "last": report.period.last.isoformat(),
        "asof": plain_value(report.asof),
        "figures": {
            each.name: {
                "value": plain_value(each.value),
                "unit": each.unit,
                "formula": each.formula,
                "why": f"hedge ledger show --why {name}.{each.name}",
            }
            for each in figures(report)
        },
        "nav": plain_value(report.points),
        "daily_returns": {each.on.isoformat(): each.rate for each in daily_returns(report.points)},
        "breaks": plain_value(report.source.breaks),
        "exceptions": list(exceptions(report)),
        "provenance": dict(provenance(report)),
    }


def figures_csv(report: PeriodReport) -> str:
    """RFC 4180 text: one row per figure with its value in full, its unit and its formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("figure", "value", "unit", "formula"))
    for each in figures(report):
        value = each.value
        text = f"{value.amount:f}" if isinstance(value, Money) else "" if value is None else str(value)
        writer.writerow((each.name, as_cell(text), each.unit, as_cell(each.formula)))
    return out.getvalue()


def exceptions(report: PeriodReport) -> tuple[str, ...]:
    """What a reader should know before believing the figures: estimates, late postings, suspense, what is in flight."""
    found = [*report.stale]
    if report.mark and report.mark.in_flight:
        found.append(f"{report.mark.in_flight} balance(s) stand on entries in flight: they count, and may be voided")
    suspended = (line for line in report.lines if line.account.startswith("equity:suspense") and line.closing)
    found += [f"{-line.closing} in suspense ({line.account}): adopted, not explained" for line in suspended]
    if report.positive is not None and not report.positive.holds:
        found.append("the net return is not above zero at the worse of mid and liquidation (D15)")
    found += _unexplained(report)
    if report.mark:
        found += [f"modelled: {label}" for label in report.mark.modelled]
    return tuple(found)


def _unexplained(report: PeriodReport) -> list[str]:
    """The days on which an engine's residual is above 2 % of its gross, the worst named (D36)."""
    about = report.period
    kept = ((mark.day, mark.parts) for mark in report.source.marks.between(about.opens, about.last))
    found = sorted(residuals_flagged(kept), key=lambda one: -abs(one.residual.units))
    if not found:
        return []
    named = "; ".join(f"{one.day} {one.engine} {money(one.residual)} of {money(one.gross)}" for one in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return [f"residual above {FLAGGED_FROM:.0%} of gross on {len(found)} engine-day(s) (D36): {named}{more}"]


def provenance(report: PeriodReport) -> tuple[tuple[str, str], ...]:
    """Digests of what the report is made from: the same ones give the same bytes."""
    mark, source = report.mark, report.source
    marks = source.marks.between(source.period.opens, source.period.last)
    return (
        ("postings of the period, SHA-256", _postings(report)),
        ("marks of the period, SHA-256", _digest(source.marks.digest(each.day) for each in marks)),
        ("market snapshot of the closing mark", mark.snapshot if mark else "none"),
        ("policy of the closing mark", mark.policy if mark else "none"),
    )


def _postings(report: PeriodReport) -> str:
    """Of every account's opening, change and closing, in units: whoever has the export can make it again."""
    return _digest(
        f"{line.account}|{line.instrument}|{line.opening.units}|{line.change.units}|{line.closing.units}"
        for line in report.lines
    )


def _digest(lines: Iterable[str]) -> str:
    made = hashlib.sha256()
    for line in lines:
        made.update(f"{line}\n".encode())
    return made.hexdigest()


def _summary(report: PeriodReport) -> Table:
    rows = [
        (
            sleeve.value if sleeve else BLENDED,
            money(total(report.opening, sleeve), signed=False),
            money(total(report.put_in, sleeve)),
            money(report.gain(sleeve)),
            money(total(report.closing, sleeve), signed=False),
        )
        for sleeve in (None, *Sleeve)
    ]
    note = "Value at mid. Opening value, money put in and gain add up to the closing value to the cent."
    return table("summary", "Net asset value", "Engine | #Opening | #Put in | #Gain | #Closing", rows, note)


def _attribution(report: PeriodReport) -> Table:
    engines = list(report.parts)
    rows: list[Sequence[str | Cell]] = []
    for name in NAMES:
        cents = [report.parts[engine].get(name, 0) for engine in engines]
        if any(cents):
            rows.append((name, *(_cents(each) for each in cents), _cents(sum(cents))))
    blank = [""] * len(engines)
    rows.append(("unmarked", *blank, money(report.unmarked)))
    rows.append(("gain", *(_cents(sum(report.parts[engine].values())) for engine in engines), money(report.gain())))
    headings = ("Source", *(f"#{engine}" for engine in engines), "#All")
    note = "Parts of all engines and what no mark covers add up to the gain to the cent."
    return table("attribution", "What changed net asset value", headings, rows, note)


def _cents(cents: int) -> str:
    return money(Money(cents, USD)) if cents else ABSENT


def _flows(report: PeriodReport) -> Table:
    rows = ((account, money(-usd)) for account, usd in report.flows.items() if usd)
    return table("flows", "Income and costs", "Account | #Received or paid", rows)


def _grid(report: PeriodReport) -> Table:
    by_month = monthly(daily_returns(report.points))
    years = sorted({year for year, _ in by_month})
    rows = ((str(year), *(percent(by_month.get((year, month))) for month in range(1, 13))) for year in years)
    return table("months", "Return by month", ("Year", *(f"#{name}" for name in _MONTHS)), rows)


def _lines(report: PeriodReport, root: str, caption: str) -> Table:
    rows = (
        (
            line.account,
            line.instrument,
            number(line.opening.amount, _places(line.opening), signed=True),
            number(line.change.amount, _places(line.change), signed=True),
            number(line.closing.amount, _places(line.closing), signed=True),
            ABSENT if line.price is None else f"{number(line.price, 4)} USD",
            money(line.worth),
        )
        for line in report.lines
        if line.account.startswith("assets:") is (root == "assets") and (line.opening or line.change)
    )
    headings = "Account | Instrument | #Opening | #Change | #Closing | #Mark | #Worth"
    return table(root or "accounts", caption, headings, rows)


def _places(held: Money) -> int:
    return min(held.currency.decimals, 8)


def _breaks(rows: Sequence[book_rows.BreakRow]) -> Table:
    return book_tables.break_table(rows)


def _exceptions(report: PeriodReport) -> Table:
    return table("exceptions", "Estimates and exceptions", "What", ((line,) for line in exceptions(report)))


def _provenance(report: PeriodReport) -> Table:
    return table("provenance", "What this report was made from", "Source | @Digest", provenance(report))


def _sources(found: Sequence[Figure]) -> Table:
    rows = ((each.name, shown(each), each.formula) for each in found if not each.name.startswith("balance."))
    return table("sources", "Where each figure comes from", "Figure | #Value | Formula", rows)


def shown(found: Figure) -> str:
    """A figure's value as text, with its unit."""
    match found.value:
        case None:
            return "undefined"
        case bool():
            return "yes" if found.value else "no"
        case Money():
            return money(found.value)
        case str():
            return found.value
        case float() | int() if found.unit in (RATE, SHARE):
            return percent(found.value, 4 if found.unit == RATE else 2)
        case float() | int():
            return f"{number(found.value)} {found.unit}".rstrip()
