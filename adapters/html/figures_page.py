"""Figures of one question as one HTML document that works offline: drawings, then tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from engine.report import charts
from engine.report.tables import instant, plain, typeset


@dataclass(frozen=True, slots=True)
class TextTable:
    """A title, headings and rows of finished text; `numeric` are the columns that stand to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int]


def render_figures(
    title: str,
    asof: datetime,
    *,
    summary: str,
    state: str,
    bad: bool,
    assumptions: Sequence[str],
    drawings: Sequence[tuple[str, str]],
    tables: Sequence[TextTable],
) -> str:
    """
    One self-contained HTML5 document: no script, no outside reference, the same bytes for equal figures.

    `state` is a word or two for the whole answer, `bad` whether it is an alarm. `drawings` are headings and
    finished SVG, the only text that is not escaped.
    """
    environment = Environment(
        loader=PackageLoader("adapters.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value,
    )
    environment.filters |= {"instant": instant, "figure": typeset}
    return environment.get_template("figures.html.jinja").render(
        asof=asof,
        title=title,
        summary=summary,
        state=state,
        bad=bad,
        assumptions=assumptions,
        drawings=drawings,
        tables=tables,
        chart_style=charts.STYLE,
    )
