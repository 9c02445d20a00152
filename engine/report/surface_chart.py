"""Smiles with the quotes they rest on, and total variance by expiry: SVG in the manner of the report's charts."""

import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from engine.errors import InputError
from engine.market import Floats
from engine.report.charts import nice_ticks
from engine.report.tables import number, percent, plain, typeset
from engine.risk.surface_slice import SurfaceSlice

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 640.0, 56.0, 618.0, 34.0, 300.0
_POINTS = 161
_DECADES = (1.0, 2.0, 5.0)
_Scale = Callable[[float | Floats], Floats]


def smile_chart(part: SurfaceSlice) -> str:
    """One expiry: a bar from bid to ask volatility at each quoted strike, and the smile as a line."""
    key = f"smile-{part.root}-{part.expiry_date}"
    strikes = np.linspace(part.strikes[0], part.strikes[-1], _POINTS)
    vols = part.vol(strikes)
    first, last = float(part.strikes[0]), float(part.strikes[-1])
    xs = _linear(first, last, _LEFT, _RIGHT)
    top = min(float(part.ask_vol.max()), 1.3 * float(vols.max()))
    y_ticks = nice_ticks(100.0 * min(float(part.bid_vol.min()), float(vols.min())), 100.0 * top)
    ys = _linear(y_ticks[0], y_ticks[-1], _BOTTOM, _TOP)
    body = [_grid(float(ys(tick)), f"{number(tick, 0)} %") for tick in y_ticks]
    x_ticks = [tick for tick in nice_ticks(first, last, 7) if first <= tick <= last]
    body += [_text(float(xs(tick)), _BOTTOM + 18, number(tick, 0), "muted", "middle") for tick in x_ticks]
    bars = zip(xs(part.strikes), ys(100.0 * part.bid_vol), ys(100.0 * np.minimum(part.ask_vol, top)), strict=True)
    steps = "".join(f"M{x:.1f} {low:.1f}V{high:.1f}" for x, low, high in bars)
    body.append(f'<path d="{steps}" class="axis"/>')
    body.append(_path(xs(strikes), ys(100.0 * vols), "line"))
    body.append(_line(float(xs(part.forward)), _TOP, float(xs(part.forward)), _BOTTOM, "mark"))
    body.append(_text(float(xs(part.forward)), _TOP - 8, f"forward {number(part.forward, 0)}", "strong", "middle"))
    body.append(_text(0, 12, "bid to ask, and the smile; volatility a year against strike", "muted"))
    fit = part.fit
    desc = (
        f"{part.strikes.size} quotes from {number(first, 0)} to {number(last, 0)}; at the forward "
        f"{percent(part.atm_vol, 2, signed=False)}. The smile lies between bid and ask at "
        f"{percent(fit.inside, 0, signed=False)} of them, {number(100 * fit.worst, 2)} points off the mid at most."
    )
    return _svg(key, f"Volatility by strike, {part.root} {part.expiry_date}", desc, body)


def total_variance_chart(slices: Sequence[SurfaceSlice]) -> str:
    """
    Total variance against K / F on a logarithmic scale, one line an expiry; where none cross, time costs nothing.

    Raises `InputError` without a slice.
    """
    if not slices:
        raise InputError("chart refused", why="there is no expiry", todo="give one or more")
    reach = np.array([[part.moneyness[0], part.moneyness[-1]] for part in slices])
    low, high = float(np.median(reach[:, 0])), float(np.median(reach[:, 1]))
    k = np.linspace(low, high, _POINTS)
    lines = [(part, part.smile.total_variance(k)) for part in slices]
    ends = np.log10([min(float(w.min()) for _, w in lines), max(float(w.max()) for _, w in lines)])
    ys, xs = _linear(ends[0], ends[1], _BOTTOM, _TOP), _linear(np.exp(low), np.exp(high), _LEFT, _RIGHT)
    decades = [m * 10.0**p for p in range(math.floor(ends[0]), math.ceil(ends[1]) + 1) for m in _DECADES]
    shown = [tick for tick in decades if ends[0] <= math.log10(tick) <= ends[1]]
    body = [_grid(float(ys(math.log10(tick))), f"{tick:g}") for tick in shown]
    ratios = [tick for tick in nice_ticks(math.exp(low), math.exp(high), 7) if math.exp(low) <= tick <= math.exp(high)]
    body += [_text(float(xs(tick)), _BOTTOM + 18, percent(tick, 0, signed=False), "muted", "middle") for tick in ratios]
    body += [_path(xs(np.exp(k)), ys(np.log10(w)), "now") for _, w in lines]
    body.append(_text(0, 12, "total variance against strike over forward, one line an expiry", "muted"))
    first, last = slices[0], slices[-1]
    desc = (
        f"{len(slices)} expiries from {first.expiry_date} to {last.expiry_date}. At the forward total variance"
        f" rises from {float(first.smile.total_variance(0.0)):.2g} to {float(last.smile.total_variance(0.0)):.2g}."
    )
    return _svg("total-variance", "Total variance by expiry", desc, body)


def _linear(low: float, high: float, start: float, end: float) -> _Scale:
    span = (high - low) or 1.0
    return lambda value: np.asarray(start + (np.asarray(value, float) - low) / span * (end - start))


def _grid(y: float, words: str) -> str:
    return _line(_LEFT, y, _RIGHT, y, "grid") + _text(_LEFT - 8, y + 4, words, "muted", "end")


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def _path(xs: Floats, ys: Floats, style: str) -> str:
    steps = " ".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))
    return f'<path d="M{steps}" class="{style}"/>'


def _text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(typeset(plain(words)))}</text>'


def _svg(key: str, title: str, desc: str, body: Sequence[str]) -> str:
    return (
        f'<svg class="chart" role="img" aria-labelledby="{key}-title {key}-desc"'
        f' viewBox="0 0 {_WIDTH:.0f} {_BOTTOM + 26:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{key}-title">{escape(plain(title))}</title>'
        f'<desc id="{key}-desc">{escape(plain(desc))}</desc>{"".join(body)}</svg>'
    )
