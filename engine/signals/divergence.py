"""Where two series disagree: swings that are not confirmed, and trends that part."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from engine.errors import InputError
from engine.market import Floats

CONFIRM_BARS = 3
"""Bars after a swing until it counts as one (D18)."""

TREND_BARS = 20
"""Bars of the trend regression (D18)."""

_SIGNIFICANT = 2.0


class Trend(NamedTuple):
    """Least-squares slope per bar of a standardised series, and its t-statistic by Newey and West."""

    slope: float
    t: float


def swings(values: Floats, *, highs: bool, confirm: int = CONFIRM_BARS) -> tuple[int, ...]:
    """
    Positions of swing highs (or lows): strictly beyond the `confirm` bars on either side.

    A swing at i is known at i + `confirm` and no sooner; none later than that is returned.

    >>> swings(np.array([1.0, 2.0, 3.0, 2.0, 1.0]), highs=True, confirm=2)
    (2,)
    """
    outward = values if highs else -values
    if confirm < 1 or len(outward) < 2 * confirm + 1:
        return ()
    windows = np.lib.stride_tricks.sliding_window_view(outward, 2 * confirm + 1)
    around = np.delete(windows, confirm, axis=1).max(axis=1)
    return tuple((np.flatnonzero(windows[:, confirm] > around) + confirm).tolist())


def swing_divergence(prices: Floats, indicator: Floats, *, confirm: int = CONFIRM_BARS) -> Floats:
    """
    Divergence that is known at each bar: -1 bearish, +1 bullish, 0 none.

    Bearish: the last confirmed swing high of the price lies above the one before while the indicator at it
    lies below; bullish: the same of lows, reversed. It stands from the day of confirmation until the next
    swing of its kind is confirmed. Where both stand, the one confirmed later. Swings without an indicator
    (NaN) are passed over.

    Source
    ------
    D18.
    """
    if prices.shape != indicator.shape:
        raise InputError("two series refused", why="their lengths differ", todo="give one bar of each per day")
    standing = np.zeros(len(prices))
    events: list[tuple[int, int, float]] = []
    for highs, verdict in ((True, -1.0), (False, 1.0)):
        known = [at for at in swings(prices, highs=highs, confirm=confirm) if np.isfinite(indicator[at])]
        side = 1.0 if highs else -1.0
        for before, at in pairwise(known):
            apart = side * (prices[at] - prices[before]) > 0 and side * (indicator[at] - indicator[before]) < 0
            events.append((at + confirm, int(highs), verdict if apart else 0.0))
    kinds = [0.0, 0.0]
    order = sorted(events)
    for number, (at, kind, verdict) in enumerate(order):
        kinds[kind] = verdict
        until = order[number + 1][0] if number + 1 < len(order) else len(prices)
        standing[at:until] = verdict or kinds[1 - kind]
    return standing


def trend(values: Floats) -> Trend:
    """
    Slope and t-statistic of a standardised series on time, with Newey-West errors.

    The lag is floor(4 (n / 100)^(2/9)), Newey and West's rule. A series without movement has slope and t of 0.

    Source
    ------
    W. Newey and K. West, "A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix", Econometrica 55 (1987).
    """
    count = len(values)
    spread = float(values.std())
    if count < 3 or not spread > 0:
        return Trend(0.0, 0.0)
    y = (values - values.mean()) / spread
    x = np.arange(count) - 0.5 * (count - 1)
    squares = float(x @ x)
    slope = float(x @ y) / squares
    score = x * (y - slope * x)
    lags = int(4.0 * (count / 100.0) ** (2.0 / 9.0))
    variance = float(score @ score)
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(score[lag:] @ score[:-lag])
    if not variance > 0:
        return Trend(slope, float(np.copysign(np.inf, slope)) if slope else 0.0)
    return Trend(slope, slope * squares / float(np.sqrt(variance)))


def trends_part(first: Floats, second: Floats, *, bars: int = TREND_BARS) -> bool:
    """Whether the last `bars` of two series trend in opposite directions, each with |t| >= 2 (D18)."""
    one, two = trend(first[-bars:]), trend(second[-bars:])
    return one.slope * two.slope < 0 and min(abs(one.t), abs(two.t)) >= _SIGNIFICANT


def deviation(line: Floats, log_price: Floats) -> float:
    """
    How far the last `line` lies off its regression on `log_price`, in standard deviations of the residuals (D18).

    NaN where there are fewer than three bars or the regression leaves nothing.
    """
    if len(line) < 3:
        return float("nan")
    x = log_price - log_price.mean()
    squares = float(x @ x)
    residual = line - line.mean() - (float(x @ line) / squares if squares > 0 else 0.0) * x
    spread = float(residual.std(ddof=2))
    return float(residual[-1] / spread) if spread > 1e-12 * max(float(np.abs(line).max()), 1.0) else float("nan")
