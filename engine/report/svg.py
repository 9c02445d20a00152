"""Scales, ticks and the marks that every chart is drawn from: the same bytes for the same numbers."""

import math
from collections.abc import Callable, Sequence
from html import escape

from engine.report.wording import plain, typeset

WIDTH = 640.0
"""Width of a drawing, in its own units."""

Scale = Callable[[float], float]
"""Where a value lies."""


def nice_ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """
    Round values that span `low` to `high`, about `count` of them.

    >>> nice_ticks(-43.0, 12.0)
    (-60.0, -40.0, -20.0, 0.0, 20.0)
    >>> nice_ticks(3.0, 3.0)
    (2.0, 2.5, 3.0, 3.5, 4.0)
    """
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):
        spread = 1.0 if abs(low) < 1e4 else abs(low) * 1e-3
        low, high = low - spread, high + spread
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(at * step, 10) for at in range(first, last + 1))


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Where each value lies between `start` and `end`; at `start` where all values are one."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """Words at a place, escaped and typeset."""
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(typeset(plain(words)))}</text>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def rect(x: float, y: float, width: float, height: float, style: str, extra: str = "") -> str:
    """A box; `extra` is further attributes."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
        f' class="{style}"{extra}/>'
    )


def path(points: Sequence[tuple[float, float]], style: str, *, closed: bool = False) -> str:
    """A line through points."""
    steps = " ".join(f"{'L' if at else 'M'}{x:.1f} {y:.1f}" for at, (x, y) in enumerate(points))
    return f'<path d="{steps}{" Z" if closed else ""}" class="{style}"/>'


def document(key: str, title: str, desc: str, height: float, body: Sequence[str]) -> str:
    """A whole drawing, with its title and description for a screen reader."""
    return (
        f'<svg class="chart" role="img" aria-labelledby="{key}-title {key}-desc"'
        f' viewBox="0 0 {WIDTH:.0f} {height:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{key}-title">{escape(plain(title))}</title>'
        f'<desc id="{key}-desc">{escape(plain(desc))}</desc>{"".join(body)}</svg>'
    )
