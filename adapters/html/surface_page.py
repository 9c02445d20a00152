"""A volatility surface as one HTML document that works offline."""

from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from engine.report import charts
from engine.report.surface_chart import smile_chart, total_variance_chart
from engine.report.tables import instant, number, plain, typeset
from engine.risk.surface_slice import SurfaceSlice


def render_surface(
    slices: Sequence[SurfaceSlice],
    *,
    underlying: str,
    asof: datetime,
    arbitrage: bool,
    summary: str,
    findings: Sequence[tuple[str, str, str]],
) -> str:
    """
    One self-contained HTML5 document: no script, no outside reference, the same bytes for an equal surface.

    `findings` are severity, where, and what it says.
    """
    environment = Environment(
        loader=PackageLoader("adapters.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value,
    )
    environment.filters |= {"instant": instant, "figure": _figure}
    return environment.get_template("surface.html.jinja").render(
        slices=[(part, smile_chart(part)) for part in slices],
        overview=total_variance_chart(slices),
        underlying=underlying,
        asof=asof,
        arbitrage=arbitrage,
        summary=summary,
        findings=findings,
        chart_style=charts.STYLE,
    )


def _figure(value: float, places: int = 2) -> str:
    return typeset(number(value, places))
