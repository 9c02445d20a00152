"""The report as one HTML document that works offline, on paper, on a phone and in a screen reader."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engine.money import Money
from engine.report import charts
from engine.report.blended import BlendedReport, BookState
from engine.report.tables import (
    Align,
    instant,
    money,
    number,
    percent,
    period,
    period_return,
    plain,
    tables,
    typeset,
)


def render(report: BlendedReport) -> str:
    """
    One self-contained HTML5 document: no script, no outside reference, the same bytes for an equal report.

    Text from venues is escaped, and its control and direction characters are made visible.
    """
    return _template().render(
        report=report,
        tables=tables(report),
        drawn=_charts(report),
        chart_style=charts.STYLE,
        state_tone={BookState.OPEN: "wait", BookState.SETTLED: "good", BookState.HALTED: "bad"}[report.state],
    )


def _charts(report: BlendedReport) -> dict[str, str]:
    """Each chart that has figures, by name; the only text that is not escaped again."""
    drawn = {}
    if report.nav:
        drawn["nav"] = charts.nav(report.nav)
    if report.attribution:
        steps = [(row.label, row.amount.to_float()) for row in report.attribution]
        drawn["attribution"] = charts.waterfall(
            "attribution", "What changed NAV, in USD", steps, "Result", words=_whole_dollars
        )
    if report.payoff:
        drawn["payoff"] = charts.payoff(report.payoff)
    if report.heat:
        drawn["heat"] = charts.heat_map(report.heat)
    if report.wacc:
        parts = [(row.source, row.contribution) for row in report.wacc]
        drawn["wacc"] = charts.waterfall(
            "wacc-chart", "Cost of capital, by source", parts, "WACC", costs=True, words=_per_year
        )
    return drawn


def _whole_dollars(value: float) -> str:
    return f"{number(value, 0, signed=True)} USD"


def _per_year(rate: float) -> str:
    return f"{percent(rate, signed=False)} p.a."


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("adapters.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "instant": instant,
        "figure": typeset,
        "level": lambda amount: money(amount, signed=False),
        "percent": percent,
        "period": period,
        "period_return": period_return,
        "share_of": _share_of,
        "meter": charts.meter,
    }
    environment.globals |= {"Align": Align}
    return environment.get_template("report.html.jinja")


def _share_of(part: Money, whole: Money) -> str:
    return percent(part.units / whole.units if whole else None, 1, signed=False)


def _shown(value: object) -> object:
    """Make control characters visible in every plain string that reaches the page."""
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
