"""Charts as inline SVG: the same bytes for the same numbers, readable without colour and without scripts."""

import math
from collections.abc import Callable, Sequence
from datetime import date

from engine.report import svg
from engine.report.performance import NavPoint
from engine.report.risk_rows import HeatMap, PayoffCurve
from engine.report.svg import nice_ticks
from engine.report.wording import compact, dollars, number, percent

__all__ = ["STYLE", "heat_map", "meter", "nav", "nice_ticks", "payoff", "waterfall"]

STYLE = """\
.chart{display:block;width:100%;height:auto;font:12px/1 var(--sans,system-ui,sans-serif);\
font-variant-numeric:tabular-nums}
.chart.meter{height:6px}
.chart text{fill:var(--ink,#1c2733)}
.chart .muted{fill:var(--muted,#5b6875)}
.chart .strong{font-weight:600}
.chart .grid{stroke:var(--rule,#e2e6eb);stroke-width:1}
.chart .axis{stroke:var(--muted,#5b6875);stroke-width:1}
.chart .line{fill:none;stroke:var(--accent,#14597a);stroke-width:2;stroke-linejoin:round}
.chart .second{fill:none;stroke:var(--muted,#5b6875);stroke-width:1.75;stroke-dasharray:6 4}
.chart .mark{stroke:var(--ink,#1c2733);stroke-width:1;stroke-dasharray:2 3}
.chart .area{fill:var(--accent,#14597a);fill-opacity:.08}
.chart .gain{fill:var(--gain,#1d7a55)}
.chart .loss{fill:var(--loss,#b0402f)}
.chart .total{fill:var(--accent,#14597a)}
.chart .step{fill:var(--muted,#5b6875);fill-opacity:.55}
.chart .soft{fill-opacity:.16}
.chart .band{fill:var(--muted,#5b6875);fill-opacity:.07}
.chart .now{fill:none;stroke:var(--ink,#1c2733);stroke-width:1.5}
.chart .track{fill:var(--rule,#e2e6eb)}
"""
"""The charts' look; its variables come from the page, for light and dark."""


def payoff(curve: PayoffCurve) -> str:
    """
    Profit and loss against the index level: solid at expiry, dashed today.

    Bands shade one and two standard deviations; dotted marks are break-evens and today's level.
    """
    left, right, top, bottom = 64.0, svg.WIDTH - 22, 58.0, 300.0
    x = svg.linear(curve.spots[0], curve.spots[-1], left, right)
    ticks = nice_ticks(min(*curve.at_expiry, *curve.today, 0), max(*curve.at_expiry, *curve.today, 0))
    y = svg.linear(ticks[0], ticks[-1], bottom, top)

    def clamped(level: float) -> float:
        return min(max(x(level), left), right)

    body = []
    for low, high in (curve.two_sd, curve.one_sd):
        body.append(svg.rect(clamped(low), top, clamped(high) - clamped(low), bottom - top, "band"))
    for tick in ticks:
        body.append(svg.line(left, y(tick), right, y(tick), "axis" if tick == 0 else "grid"))
        body.append(svg.text(left - 8, y(tick) + 4, compact(tick), "muted", "end"))
    body += [
        svg.text(x(tick), bottom + 18, number(tick, 0), "muted", "middle")
        for tick in nice_ticks(curve.spots[0], curve.spots[-1], 7)
        if curve.spots[0] <= tick <= curve.spots[-1]
    ]
    crossed = _with_crossings(curve.spots, curve.at_expiry)
    for keep, style in ((max, "gain soft"), (min, "loss soft")):
        outline = [(x(level), y(keep(result, 0.0))) for level, result in crossed]
        body.append(svg.path([(left, y(0)), *outline, (right, y(0))], style, closed=True))
    body.append(svg.path([(x(s), y(v)) for s, v in zip(curve.spots, curve.today, strict=True)], "second"))
    body.append(svg.path([(x(s), y(v)) for s, v in zip(curve.spots, curve.at_expiry, strict=True)], "line"))
    for level in curve.break_evens:
        body.append(svg.line(clamped(level), top, clamped(level), bottom, "mark"))
        body.append(svg.text(clamped(level), bottom + 34, number(level, 0), "strong", "middle"))
    body.append(svg.line(clamped(curve.spot), top - 6, clamped(curve.spot), bottom, "axis"))
    body.append(svg.text(clamped(curve.spot), top - 12, f"now {number(curve.spot, 0)}", "strong", "middle"))
    body.append(svg.text(clamped(curve.one_sd[0]) + 4, bottom - 8, "1 SD", "muted"))
    body.append(svg.text(clamped(curve.two_sd[0]) + 4, bottom - 8, "2 SD", "muted"))
    body.append(svg.text(0, bottom + 34, "break-even", "muted") if curve.break_evens else "")
    body += [
        svg.line(left, 12, left + 28, 12, "line"),
        svg.text(left + 34, 16, "at expiry"),
        svg.line(left + 110, 12, left + 138, 12, "second"),
        svg.text(left + 144, 16, "today"),
        svg.text(right, 16, "P/L in USD against index level", "muted", "end"),
    ]
    desc = (
        f"At expiry between {dollars(min(curve.at_expiry))} and {dollars(max(curve.at_expiry))}. Break-evens at "
        f"{', '.join(number(level, 0) for level in curve.break_evens) or 'no level'}; index now at "
        f"{number(curve.spot, 0)}; one standard deviation from {number(curve.one_sd[0], 0)} to "
        f"{number(curve.one_sd[1], 0)}. Probability of profit {percent(curve.pop, 1, signed=False)}."
    )
    return svg.document("payoff", f"Pay-off of {curve.label}", desc, bottom + 44, body)


def _with_crossings(spots: Sequence[float], results: Sequence[float]) -> list[tuple[float, float]]:
    points = [(spots[0], results[0])]
    for level, result in zip(spots[1:], results[1:], strict=True):
        before, value = points[-1]
        if value * result < 0:
            points.append((before + (level - before) * value / (value - result), 0.0))
        points.append((level, result))
    return points


def nav(points: Sequence[NavPoint]) -> str:
    """
    Net asset value as one panel per engine below the total, each on its own scale.

    A triangle marks a date on which money came in or went out.
    """
    panels = [("Total", [p.total.to_float() for p in points], 132.0)]
    panels.append(("Condor", [p.condor.to_float() for p in points], 70.0))
    panels.append(("DeFi", [p.defi.to_float() for p in points], 70.0))
    if any(p.transit for p in points):
        panels.append(("In transit", [p.transit.to_float() for p in points], 46.0))
    left, right, top = 76.0, svg.WIDTH - 104, 24.0
    days = [p.on.toordinal() for p in points]
    x = svg.linear(days[0], days[-1], left, right) if len(days) > 1 else svg.linear(0, 1, (left + right) / 2, right)
    body = [svg.text(svg.WIDTH, 12, "USD, each panel on its own scale", "muted", "end")]
    for label, values, height in panels:
        body += _nav_panel(label, [(x(d if len(days) > 1 else 0), v) for d, v in zip(days, values, strict=True)],
                           left, right, top, top + height)  # fmt: skip
        top += height + 30
    for day, point in zip(days, points, strict=True):
        if point.external:
            at = x(day if len(days) > 1 else 0)
            sign = -1 if point.external.units > 0 else 1
            base = 24.0 + 132 + (9 if sign < 0 else 1)
            tip = [(at, base + 8 * sign), (at - 5, base), (at + 5, base)]
            body.append(svg.path(tip, "total", closed=True))
            anchor = "end" if at > right - 90 else "start"
            body.append(svg.text(at + (-8 if anchor == "end" else 8), base + (0 if sign < 0 else 8),
                              compact(point.external.to_float()), "muted", anchor))  # fmt: skip
    for at in sorted({round(days[0] + (days[-1] - days[0]) * part / 3) for part in range(4)}):
        anchor = "start" if at == days[0] else "end" if at == days[-1] else "middle"
        where = x(at if len(days) > 1 else 0)
        body.append(svg.text(where, top - 8, date.fromordinal(at).isoformat(), "muted", anchor))
    first, last = points[0], points[-1]
    desc = (
        f"From {first.on.isoformat()} to {last.on.isoformat()} the total went from "
        f"{dollars(first.total.to_float(), signed=False)} to {dollars(last.total.to_float(), signed=False)}, "
        "money put in or taken out included."
    )
    return svg.document("nav", "Net asset value", desc, top, body)


def _nav_panel(
    label: str, points: Sequence[tuple[float, float]], left: float, right: float, top: float, bottom: float
) -> list[str]:
    values = [value for _, value in points]
    ticks = nice_ticks(min(values), max(values), 4 if bottom - top > 100 else 2)
    y = svg.linear(ticks[0], ticks[-1], bottom, top)
    places = 0 if ticks[1] - ticks[0] >= 1 else 2
    shown = ticks if len(ticks) <= 5 and bottom - top > 100 else (ticks[0], ticks[-1])
    body = []
    for tick in shown:
        body.append(svg.line(left, y(tick), right, y(tick), "grid"))
        body.append(svg.text(left - 8, y(tick) + 4, number(tick, places), "muted", "end"))
    outline = [(at, y(value)) for at, value in points]
    if len(outline) > 1:
        body.append(svg.path([(outline[0][0], bottom), *outline, (outline[-1][0], bottom)], "area", closed=True))
        body.append(svg.path(outline, "line"))
    end_x, end_y = outline[-1]
    body.append(f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="3" class="total"/>')
    middle = min(max(end_y, top + 8), bottom - 8)
    body.append(svg.text(right + 10, middle - 3, label, "strong"))
    body.append(svg.text(right + 10, middle + 12, number(values[-1], 0)))
    return body


def heat_map(heat: HeatMap) -> str:
    """Profit and loss per pair of shocks, written with its sign in each cell; the outlined cell is no shock."""
    left, top, row_height = 84.0, 46.0, 30.0
    width = (svg.WIDTH - left) / len(heat.spot_shocks)
    largest = max((abs(v) for line in heat.pnl for v in line if math.isfinite(v)), default=0.0) or 1.0
    body = [svg.text(left, 14, "Spot", "strong"), svg.text(0, top - 10, "Volatility", "strong")]
    outlined = []
    for column, shock in enumerate(heat.spot_shocks):
        body.append(svg.text(left + (column + 0.5) * width, top - 10, percent(shock, 0), "muted", "middle"))
    for row, (vol, line) in enumerate(zip(heat.vol_shocks, heat.pnl, strict=True)):
        y = top + row * row_height
        points = f"{number(vol * 100, 0, signed=True)} points"
        body.append(svg.text(left - 10, y + 19, points, "muted", "end"))
        for column, value in enumerate(line):
            x = left + column * width
            strength = 0.04 + 0.46 * math.sqrt(min(abs(value) / largest, 1.0)) if math.isfinite(value) else 0.0
            body.append(
                svg.rect(x + 1, y + 1, width - 2, row_height - 2, "gain" if value >= 0 else "loss",
                      f' fill-opacity="{strength:.2f}"')
            )  # fmt: skip
            words = compact(value) if math.isfinite(value) else "n/a"
            body.append(svg.text(x + width / 2, y + 19, words, "", "middle"))
            if vol == 0 and heat.spot_shocks[column] == 0:
                outlined.append(svg.rect(x + 1, y + 1, width - 2, row_height - 2, "now"))
    flat = [value for line in heat.pnl for value in line]
    desc = (
        f"{len(heat.vol_shocks)} volatility shocks by {len(heat.spot_shocks)} spot shocks. Worst cell "
        f"{dollars(min(flat))}, best cell {dollars(max(flat))}. All figures stand in the table that follows."
    )
    height = top + row_height * len(heat.vol_shocks) + 4
    return svg.document(
        "heat", "Profit and loss by shock to spot and volatility, in USD", desc, height, body + outlined
    )


def waterfall(
    key: str,
    title: str,
    steps: Sequence[tuple[str, float]],
    total: str,
    *,
    words: Callable[[float], str],
    costs: bool = False,
) -> str:
    """
    Steps that add up to a total, one bar per row, its signed figure beside it.

    `words` writes a figure with sign and unit; the bars start where the row above ended. `costs` draws
    the steps in one neutral colour, where more is neither gain nor loss.
    """
    left, right, figures, row_height = 292.0, svg.WIDTH - 2, 276.0, 28.0
    ends = [0.0]
    for _, value in steps:
        ends.append(ends[-1] + value)
    low, high = min(ends), max(ends)
    x = svg.linear(low, high, left, right) if high > low else svg.linear(0, 1, left, right)
    bottom = row_height * (len(steps) + 1)
    body = [svg.line(x(0), 2, x(0), bottom, "axis")]
    bars = [(label, start, start + value, value) for (label, value), start in zip(steps, ends, strict=False)]
    bars.append((total, 0.0, ends[-1], ends[-1]))
    for row, (label, start, end, value) in enumerate(bars):
        y, last = row * row_height, row == len(steps)
        style = "total" if last else "step" if costs else ("gain" if value >= 0 else "loss")
        body.append(svg.text(0, y + 18, label, "strong" if last else ""))
        body.append(svg.rect(x(min(start, end)), y + 6, max(abs(x(end) - x(start)), 1.0), row_height - 12, style))
        if not last:
            body.append(svg.line(x(end), y + row_height - 6, x(end), y + row_height + 6, "axis"))
        body.append(svg.text(figures, y + 18, words(value), "strong" if last else "", "end"))
    desc = "; ".join(f"{label} {words(value)}" for label, _, _, value in bars) + "."
    return svg.document(key, title, desc, bottom + 2, body)


def meter(used: float, *, width: float = 96.0) -> str:
    """A bar of how much of a limit is in use; decoration beside its figure, so screen readers skip it."""
    filled = min(max(used, 0.0), 1.0) * width if not math.isnan(used) else 0.0
    style = "total" if used <= 1.0 else "loss"
    boxes = svg.rect(0, 0, width, 6, "track") + svg.rect(0, 0, filled, 6, style)
    return (
        f'<svg class="chart meter" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 {width:.0f} 6"'
        f' xmlns="http://www.w3.org/2000/svg">{boxes}</svg>'
    )
