"""How far linked returns stand below their peak, day by day."""

from collections.abc import Sequence
from datetime import date

from engine.report import svg
from engine.report.linked import DayReturn, drawdown
from engine.report.wording import number, percent

_LEFT, _RIGHT, _TOP, _BOTTOM = 76.0, 536.0, 24.0, 124.0


def drawdown_chart(returns: Sequence[DayReturn], start: date) -> str:
    """One panel from zero down, in per cent; the deepest point is marked and named."""
    levels = [(start, 0.0), *_below_peak(returns)]
    deepest = drawdown(returns, start)
    days = [day.toordinal() for day, _ in levels]
    ticks = svg.nice_ticks(100.0 * min(value for _, value in levels), 0.0, 3)
    x = svg.linear(days[0], days[-1], _LEFT, _RIGHT)
    y = svg.linear(ticks[0], ticks[-1], _BOTTOM, _TOP)
    body = [svg.line(_LEFT, y(tick), _RIGHT, y(tick), "grid") for tick in ticks]
    body += [svg.text(_LEFT - 8, y(tick) + 4, f"{number(tick)} %", "muted", "end") for tick in ticks]
    outline = [(x(day.toordinal()), y(100.0 * value)) for day, value in levels]
    body.append(svg.path([(outline[0][0], y(0.0)), *outline, (outline[-1][0], y(0.0))], "loss soft", closed=True))
    body.append(svg.path(outline, "line"))
    at, low = x(deepest.trough.toordinal()), y(100.0 * deepest.depth)
    body.append(f'<circle cx="{at:.1f}" cy="{low:.1f}" r="3" class="loss"/>')
    body.append(svg.text(_RIGHT + 10, low + 4, percent(deepest.depth), "strong"))
    for day, anchor in ((levels[0][0], "start"), (levels[-1][0], "end")):
        body.append(svg.text(x(day.toordinal()), _BOTTOM + 22, day.isoformat(), "muted", anchor))
    desc = f"Deepest at {percent(deepest.depth)} on {deepest.trough}, below the peak of {deepest.peak}."
    return svg.document("drawdown", "Drawdown of linked daily returns", desc, _BOTTOM + 30, body)


def _below_peak(returns: Sequence[DayReturn]) -> list[tuple[date, float]]:
    level = top = 1.0
    found = []
    for each in returns:
        level *= 1.0 + each.rate
        top = max(top, level)
        found.append((each.on, level / top - 1.0))
    return found
