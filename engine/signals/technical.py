"""Momentum and breadth of SPX and of the sleeve's coins (S59-S62, D18)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engine.market import Floats
from engine.signals.columns import Axis, Column, Compute, Signal, Way, in_order, in_step, on_bars
from engine.signals.divergence import TREND_BARS, deviation, swing_divergence, trends_part
from engine.signals.momentum import crossed, macd, rsi
from engine.signals.observations import Observations, Series
from engine.signals.panel import Family

_FRESH_DAYS = 5.0
_DEVIATION_BARS = 252
_EXHAUSTED_LOW, _EXHAUSTED_HIGH = 30.0, 70.0  # X14
_ON_BARS = Callable[[Floats], Floats]


def _bars(name: str, change: _ON_BARS) -> Callable[[Observations, Axis], Column]:
    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, change, max_age_days=_FRESH_DAYS)

    return compute


def _histogram(closes: Floats) -> Floats:
    return macd(closes).histogram


def _crossing(closes: Floats) -> Floats:
    line = macd(closes)
    return np.where(np.isnan(line.histogram), np.nan, crossed(line.histogram))


def _divergence(closes: Floats) -> Floats:
    line = macd(closes).line
    return np.where(np.isnan(line), np.nan, swing_divergence(closes, line))


def _diverges(closes: Floats) -> Floats:
    told = _divergence(closes)
    return np.where(np.isnan(told), np.nan, told != 0)


class Breadth(NamedTuple):
    """The advance-decline line, and the log price of SPX on the same days."""

    line: Series
    log_price: Floats


def advance_decline(observations: Observations) -> Breadth | None:
    """AD_t = AD_{t-1} + advances - declines on the days that also have a price, None where there is none (D18)."""
    parts = [observations[name] for name in ("spx", "advances", "declines")]
    days, released, (price, up, down) = in_step(parts)
    if not len(days):
        return None
    line = np.cumsum(up - down)
    return Breadth(Series("advance_decline", "issues", days, released, line, parts[1].source), np.log(price))


def _breadth(change: Callable[[Floats, Floats], Floats]) -> Callable[[Observations, Axis], Column]:
    """An indicator of the breadth line against log price on the days that have both."""

    def compute(observations: Observations, axis: Axis) -> Column:
        breadth = advance_decline(observations)
        if breadth is None:
            return Column.unseen(axis)
        line = breadth.line
        columns = [breadth.log_price, line.values]
        return in_order(line.as_of, line.released, columns, axis, change, max_age_days=_FRESH_DAYS)

    return compute


def _parted(log_price: Floats, line: Floats) -> Floats:
    """1 where breadth parts from price by trend or by swing, 0 where it does not, NaN before enough bars."""
    found = np.full(len(line), np.nan)
    swung = swing_divergence(log_price, line) != 0
    for at in range(TREND_BARS - 1, len(line)):
        window = slice(at + 1 - TREND_BARS, at + 1)
        found[at] = float(swung[at] or trends_part(log_price[window], line[window]))
    return found


def _deviated(log_price: Floats, line: Floats) -> Floats:
    found = np.full(len(line), np.nan)
    for at in range(_DEVIATION_BARS - 1, len(line)):
        window = slice(at + 1 - _DEVIATION_BARS, at + 1)
        found[at] = deviation(line[window], log_price[window])
    return found


def _exhaustion(observations: Observations, axis: Axis) -> Column:
    """
    1 for a move that is exhausted, 0 for one that momentum drives, unseen where it is undetermined (D18, X14).

    Exhausted: RSI at 30 or below, or 70 or above, and a MACD divergence, and breadth that does not confirm.
    Driven: RSI between, or breadth that confirms.
    """
    strength = _bars("spx", rsi)(observations, axis)
    swing = _bars("spx", _divergence)(observations, axis).values
    parted = _breadth(_parted)(observations, axis).values
    extreme = (strength.values <= _EXHAUSTED_LOW) | (strength.values >= _EXHAUSTED_HIGH)
    confirms = parted == 0.0
    exhausted = extreme & (swing != 0) & np.isfinite(swing) & (parted == 1.0)
    driven = (~extreme | confirms) & np.isfinite(strength.values)
    return Column(np.select([exhausted, driven], [1.0, 0.0], np.nan), strength.as_of, strength.released)


def _technical(name: str, unit: str, source: str, says: str, compute: Compute, *inputs: str) -> Signal:
    return Signal(name, Family.TECHNICAL, unit, (Way(inputs, compute),), source, says)


_BREADTH = ("spx", "advances", "declines")

SIGNALS: tuple[Signal, ...] = (
    _technical("rsi_spx", "points", "S61, D18", "Wilder's RSI(14) of SPX", _bars("spx", rsi), "spx"),
    _technical("macd_spx", "points", "S59, D18", "MACD 12/26/9 histogram of SPX", _bars("spx", _histogram), "spx"),
    _technical("macd_cross_spx", "sign", "S59, D18", "+1 or -1 on the close it turns", _bars("spx", _crossing), "spx"),
    _technical(
        "macd_divergence_spx", "sign", "S59, D18", "-1 bearish, +1 bullish, 0 none", _bars("spx", _divergence), "spx"
    ),
    _technical("macd_diverges", "yes", "S59, D18", "MACD denies the last price swing", _bars("spx", _diverges), "spx"),
    _technical("rsi_eth", "points", "S59, D18", "Wilder's RSI(14) of ether", _bars("eth", rsi), "eth"),
    _technical("macd_eth", "points", "S59, D18", "MACD 12/26/9 histogram of ether", _bars("eth", _histogram), "eth"),
    _technical("ad_divergence", "yes", "S62, D18", "breadth parts from SPX", _breadth(_parted), *_BREADTH),
    _technical("ad_deviation", "sd", "S62, D18", "breadth off its regression on SPX", _breadth(_deviated), *_BREADTH),
    _technical("exhausted", "yes", "S61, D18, X14", "the move is spent rather than driven", _exhaustion, *_BREADTH),
)
"""Every technical signal but MACD on weekly VIX futures, which `engine.signals.volatility` has."""
