"""Losses by scenario as bars, and losses by two shocks as a map: SVG in the manner of the report's charts."""

import math
from collections.abc import Sequence
from html import escape

from engine.errors import InputError
from engine.report.blended import HeatMap
from engine.report.charts import heat_map
from engine.report.tables import dollars, number, percent, plain, typeset
from engine.risk.stress import StressResult
from engine.risk.stress_rows import StressRow

_WIDTH = 640.0
_LABELS = 256.0
_FIGURES = 150.0
_ROW = 26.0


def loss_bars(rows: Sequence[StressRow], *, limit: float, key: str = "stress") -> str:
    """
    One bar per scenario, loss to the right, with its share of committed capital; the dotted line is the limit.

    `limit` is a share of committed capital. Raises `InputError` without a row.
    """
    if not rows:
        raise InputError("chart refused", why="there is no scenario", todo="give one scenario or more")
    left, right, top = _LABELS, _WIDTH - _FIGURES, 30.0
    low, high = min(0.0, *(row.share for row in rows)), max(limit, *(row.share for row in rows))
    span = (high - low) or 1.0

    def x(share: float) -> float:
        return left + (share - low) / span * (right - left)

    bottom = top + _ROW * len(rows)
    body = [
        f'<line x1="{x(limit):.1f}" y1="{top - 6:.1f}" x2="{x(limit):.1f}" y2="{bottom:.1f}" class="mark"/>',
        _words(x(limit), top - 12, f"limit {percent(limit, 1, signed=False)}", "muted", "middle"),
        f'<line x1="{x(0):.1f}" y1="{top:.1f}" x2="{x(0):.1f}" y2="{bottom:.1f}" class="axis"/>',
    ]
    for at, row in enumerate(rows):
        y, style = top + at * _ROW, "loss" if row.share > 0 else "gain"
        start, width = min(x(0), x(row.share)), max(abs(x(row.share) - x(0)), 1.0)
        body.append(_words(0, y + 17, row.name))
        body.append(
            f'<rect x="{start:.1f}" y="{y + 5:.1f}" width="{width:.1f}" height="{_ROW - 10:.1f}" class="{style}"/>'
        )
        body.append(
            _words(_WIDTH, y + 17, f"{number(-row.loss, 0, signed=True)} USD  {percent(-row.share, 1)}", "", "end")
        )
    worst = max(rows, key=lambda row: row.share)
    desc = (
        f"{len(rows)} scenarios. Worst is {worst.name}: {dollars(-worst.loss)}, {percent(-worst.share, 2)} of "
        f"committed capital, against a limit of {percent(limit, 1, signed=False)}."
    )
    return (
        f'<svg class="chart" role="img" aria-labelledby="{key}-title {key}-desc"'
        f' viewBox="0 0 {_WIDTH:.0f} {bottom + 6:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{key}-title">Profit and loss by scenario, in USD and percent of committed capital</title>'
        f'<desc id="{key}-desc">{escape(plain(desc))}</desc>{"".join(body)}</svg>'
    )


def stress_map(result: StressResult, *, across: str = "spot", down: str = "vol") -> str:
    """
    Gains by two shocks; of all cells that share a pair, the worst is shown.

    `across` is a change of a logarithm and shown in percent, `down` in points. Raises `InputError` where either
    shock takes one value only.
    """
    columns, rows = (sorted({*map(float, getattr(result.scenarios, axis))}) for axis in (across, down))
    if len(columns) < 2 or len(rows) < 2:
        raise InputError("map refused", why=f"{across} or {down} does not vary", todo="map a grid of both shocks")
    worst: dict[tuple[float, float], float] = {}
    pairs = zip(getattr(result.scenarios, down), getattr(result.scenarios, across), result.total, strict=True)
    for row, column, gain in pairs:
        worst[float(row), float(column)] = min(worst.get((float(row), float(column)), math.inf), float(gain))
    cells = tuple(tuple(worst.get((row, column), math.nan) for column in columns) for row in rows)
    return heat_map(HeatMap(tuple(math.expm1(column) for column in columns), tuple(rows), cells))


def _words(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(typeset(plain(words)))}</text>'
