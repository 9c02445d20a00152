"""A period's report as one HTML document that works offline."""

from datetime import datetime, time

from adapters.html.figures_page import TextTable, render_figures
from engine.instruments import MARKET_ZONE
from engine.report import charts
from engine.report.drawdown_chart import drawdown_chart
from engine.report.linked import daily_returns
from engine.report.period_report import PeriodReport
from engine.report.period_returns import engine_returns
from engine.report.period_tables import exceptions, period_tables
from engine.report.table import Align, Table
from engine.report.valued import total
from engine.report.wording import money, number, period_return


def render_period(report: PeriodReport) -> str:
    """One self-contained HTML5 document: no script, no outside reference, the same bytes for an equal report."""
    about = report.period
    blended = next(iter(engine_returns(report)), None)
    earned = f", {period_return(blended.net)} net" if blended else ""
    open_breaks = len(report.source.breaks)
    return render_figures(
        f"Report of {about.name}, {about.first} to {about.last}",
        report.asof or datetime.combine(about.last, time(16, 15), MARKET_ZONE),
        summary=f"{money(total(report.closing), signed=False)}; gain {money(report.gain())}{earned}",
        state=f"{open_breaks} open break{'' if open_breaks == 1 else 's'}" if open_breaks else "reconciled",
        bad=bool(open_breaks),
        assumptions=exceptions(report),
        drawings=_drawings(report),
        tables=[_text(each) for each in period_tables(report)],
    )


def _drawings(report: PeriodReport) -> list[tuple[str, str]]:
    drawn = []
    if len(report.points) > 1:
        drawn.append(("Net asset value", charts.nav(report.points)))
        drawn.append(
            ("Drawdown of linked daily returns", drawdown_chart(daily_returns(report.points), report.points[0].on))
        )
    steps = [
        (name, sum(row.get(name, 0) for row in report.parts.values()) / 100.0)
        for name in dict.fromkeys(name for row in report.parts.values() for name in row)
    ]
    if report.unmarked:
        steps.append(("unmarked", report.unmarked.to_float()))
    if steps:
        title = "What changed NAV, in USD"
        drawn.append((title, charts.waterfall("attribution", title, steps, "Gain", words=_whole_dollars)))
    return drawn


def _whole_dollars(value: float) -> str:
    return f"{number(value, 0, signed=True)} USD"


def _text(table: Table) -> TextTable:
    return TextTable(
        table.caption,
        [column.heading for column in table.columns],
        [[cell.text for cell in row] for row in table.rows],
        [at for at, column in enumerate(table.columns) if column.align is Align.NUMBER],
    )
