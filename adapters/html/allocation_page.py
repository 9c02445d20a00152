"""An allocation as one HTML document that works offline."""

from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from adapters.html.stress_page import TextTable
from engine.report.tables import instant, plain, typeset


def render_allocation(
    asof: datetime,
    *,
    summary: str,
    measure: str,
    assumptions: Sequence[str],
    reasons: Sequence[str],
    tables: Sequence[TextTable],
) -> str:
    """One self-contained HTML5 document: no script, no outside reference, the same bytes for equal figures."""
    environment = Environment(
        loader=PackageLoader("adapters.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value,
    )
    environment.filters |= {"instant": instant, "figure": typeset}
    return environment.get_template("allocation.html.jinja").render(
        asof=asof, summary=summary, measure=measure, assumptions=assumptions, reasons=reasons, tables=tables
    )
