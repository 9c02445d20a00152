"""Wilder's relative strength and the moving-average convergence of a series of completed bars."""

from typing import NamedTuple

import numpy as np

from engine.errors import InputError
from engine.market import Floats


class Macd(NamedTuple):
    """Fast less slow average, its own average, and the difference of the two, in the units of the series."""

    line: Floats
    signal: Floats
    histogram: Floats


def ema(values: Floats, span: int) -> Floats:
    """
    Exponential average with weight 2 / (span + 1), started at the mean of the first `span` values.

    The first `span` - 1 answers are NaN, and as many as the series begins with. Causal: a later bar never
    changes an earlier answer.

    >>> ema(np.array([1.0, 2.0, 3.0, 4.0]), 3).tolist()
    [nan, nan, 2.0, 3.0]
    """
    _whole(span)
    lead = int(np.isnan(values).sum())
    return _smoothed(values, lead, span, 2.0 / (span + 1.0))


def rsi(closes: Floats, span: int = 14) -> Floats:
    """
    Relative strength index, 0 to 100.

    Average gain and loss start at the mean of the first `span` changes, then move by 1/span (Wilder).
    NaN for the first `span` bars, and where the price has not moved at all since then.

    Source
    ------
    D18; J. W. Wilder, New Concepts in Technical Trading Systems (1978).

    >>> rsi(np.array([1.0, 2.0, 1.0, 2.0, 2.0]), 2).round(4).tolist()
    [nan, nan, 50.0, 75.0, 75.0]
    """
    _whole(span)
    changes = np.concatenate([[np.nan], np.diff(closes)])
    gain = _smoothed(np.maximum(changes, 0.0), 1, span, 1.0 / span)
    loss = _smoothed(np.maximum(-changes, 0.0), 1, span, 1.0 / span)
    moved = gain + loss
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(moved > 0, 100.0 * gain / moved, np.nan))


def macd(closes: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """
    Moving-average convergence and divergence; a crossover is a change of sign of `histogram`.

    Source
    ------
    D18; G. Appel's 12/26/9.
    """
    if not fast < slow:
        raise InputError(f"spans {fast} and {slow} refused", why="fast must be shorter", todo="give rising spans")
    line = ema(closes, fast) - ema(closes, slow)
    average = ema(line, signal)
    return Macd(line, average, line - average)


def crossed(histogram: Floats) -> Floats:
    """
    +1 where the histogram turns positive, -1 where it turns negative, 0 elsewhere; zero keeps the side before.

    >>> crossed(np.array([np.nan, -1.0, 0.0, 2.0, 1.0, -1.0])).tolist()
    [0.0, 0.0, 0.0, 1.0, 0.0, -1.0]
    """
    side = np.sign(np.nan_to_num(histogram))
    latest = np.maximum.accumulate(np.where(side != 0, np.arange(side.size), 0))
    held = side[latest]
    turned = np.diff(held, prepend=held[:1])
    return np.asarray(np.where((turned != 0) & (held - turned != 0), held, 0.0))


def _smoothed(values: Floats, lead: int, span: int, weight: float) -> Floats:
    """Average of `span` values after `lead` without one, then moved by `weight` towards each next."""
    answers = np.full(values.size, np.nan)
    first = lead + span - 1
    if first >= values.size:
        return answers
    level = float(np.mean(values[lead : first + 1]))
    answers[first] = level
    for at, value in enumerate(values[first + 1 :].tolist(), start=first + 1):
        level += weight * (value - level)
        answers[at] = level
    return answers


def _whole(span: int) -> None:
    if span < 1:
        raise InputError(f"span {span} refused", why="an average needs a bar", todo="give a positive number of bars")
