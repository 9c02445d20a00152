"""What a market snapshot itself lets the rules observe, joined with what an operator supplies."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from engine.errors import MissingQuote
from engine.instruments import MARKET_ZONE
from engine.market import DailySeries, MarketSnapshot
from engine.signals.columns import Axis
from engine.signals.observations import Instants, Observations, Series, instant

_REMEMBERED = 400
"""Sessions that latches and hysteresis look back."""

_HOLE = np.timedelta64(10, "D")
"""Longer than the exchange was ever shut: what lies before such a hole is another history."""


def observed(snapshot: MarketSnapshot, supplied: Observations | None = None, *, asset: str = "") -> Observations:
    """
    Every series the snapshot carries, under the names that signals read; a supplied series replaces its own.

    Parameters
    ----------
    supplied : an operator's observations
    asset : the token whose cheapest lending market is read; none where empty
    """
    own = {series.name: series for series in _carried(snapshot, asset)}
    return Observations(dict(sorted((own | dict(supplied or {})).items())))


def session_closes(snapshot: MarketSnapshot) -> Axis:
    """
    The closes the snapshot's index history knows, the last of them the snapshot's own as-of.

    A history that ends long before it is not continued: a latch of years ago says nothing of today.

    Raises `MissingQuote` without a history.
    """
    history = snapshot.histories.get("SPX")
    if history is None or not len(history.days):
        raise MissingQuote("no session axis", why="the snapshot has no SPX history", todo="give recorded closes")
    closes, last = _closes(snapshot, history), instant(snapshot.asof)
    rows = np.append(closes[closes < last][1 - _REMEMBERED :], last)
    holes = np.flatnonzero(np.diff(rows) > _HOLE)
    return Axis(rows[holes[-1] + 1 :] if len(holes) else rows)


def _carried(snapshot: MarketSnapshot, asset: str) -> Iterator[Series]:
    for history, name, level in (("SPX", "spx", snapshot.spx.spot), ("VIX", "vix", snapshot.vix)):
        series = snapshot.histories.get(history)
        if series is not None and len(series.days):
            series = _with_today(series, snapshot, level)
            days = series.days.astype("datetime64[m]")
            yield Series(name, "points", days, _closes(snapshot, series), series.values, series.source)
    if snapshot.chain.chain_id:
        yield from _onchain(snapshot, asset)


def _with_today(series: DailySeries, snapshot: MarketSnapshot, level: float) -> DailySeries:
    """The history with the snapshot's own level as its last bar, where it does not reach the snapshot's day."""
    day = np.datetime64(snapshot.asof.astimezone(MARKET_ZONE).date())
    if series.days[-1] >= day or not np.isfinite(level):
        return series
    days, values = np.append(series.days, day), np.append(series.values, level)
    return DailySeries(series.name, days, values, f"{series.source}; {day} from the snapshot")


def _onchain(snapshot: MarketSnapshot, asset: str) -> Iterator[Series]:
    markets = [market for market in snapshot.chain.lending if market.asset == asset]
    if markets:
        cheapest = min(markets, key=lambda market: (market.borrow_rate, market.name))
        yield _reading(snapshot, "utilisation", "%", cheapest.utilisation, cheapest.name)
        yield _reading(snapshot, "borrow_rate", "%", cheapest.borrow_rate, cheapest.name)
        yield _reading(snapshot, "supply_rate", "%", cheapest.supply_rate, cheapest.name)
    if "USDC" in snapshot.chain.prices:
        yield _reading(snapshot, "usdc_peg", "x", snapshot.chain.prices["USDC"], "oracle")


def _reading(snapshot: MarketSnapshot, name: str, unit: str, value: float, source: str) -> Series:
    now = np.array([instant(snapshot.chain.at)])
    return Series(name, unit, now, now.copy(), np.array([value]), f"{source}, block {snapshot.chain.block}")


def _closes(snapshot: MarketSnapshot, series: DailySeries) -> Instants:
    """A close a day at the snapshot's own hour: what matters is that none is known before its day's end."""
    hour = snapshot.asof - snapshot.asof.replace(hour=0, minute=0, second=0, microsecond=0)
    return np.asarray(series.days.astype("datetime64[m]") + np.timedelta64(int(hour / timedelta(minutes=1)), "m"))
