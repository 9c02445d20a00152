"""Health of the protocols the sleeve lives on (S66, S67, S70-S72, S79, S83, S84, D21, D22)."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from engine.market import Floats
from engine.signals.columns import Axis, Column, Compute, Signal, Way, at_closes, joined, moment, on_bars, together
from engine.signals.observations import Instants, Known, Observations, Series
from engine.signals.panel import Family
from engine.signals.volatility import rolling
from engine.signals.windows import Period, over

_FRESH = 2.0
_BACK = np.timedelta64(48 * 60, "m")  # D22
_SLACK = np.timedelta64(30, "m")  # D22
_MONTH, _SIXTY = 30, 60  # days: S71, S67
_PLACES = 12  # a mean of equal prices carries float noise: exactly 2 % off is off
_YEAR_OF_EIGHT_HOURS = 3 * 365.0
_VENUES = tuple(  # S71: two at least, the most there are first
    venues for many in (3, 2) for venues in combinations(("funding_8h", "funding_8h_2", "funding_8h_3"), many)
)
_TREASURY_DAYS = np.timedelta64(7 * 24 * 60, "m")  # D13d, S72
_TWAP = np.timedelta64(30, "m")  # D21
_STANDS = np.timedelta64(int(_FRESH * 24 * 60), "m")
_COVERED = 0.5  # of the half hour that some price must have stood
_LASTING = 3  # S83 leaves its N open: three readings a minute apart or more span ten blocks of 12 s


def change_over_48h(known: Known) -> float:
    """
    Relative change of the last value on the one 48 hours before it, give or take half an hour (D22).

    NaN where there is none so near. Of daily values it is the change over two days.
    """
    before = earlier(known.as_of, known.as_of[-1] - _BACK)
    if before is None or not known.values[before] > 0:
        return float("nan")
    return float((known.values[-1] - known.values[before]) / known.values[before])


def earlier(as_of: Instants, wanted: np.datetime64) -> int | None:
    """Position of the instant nearest to `wanted` within half an hour, None where there is none."""
    at = int(np.searchsorted(as_of, wanted))
    near = [place for place in (at - 1, at) if 0 <= place < len(as_of) and abs(as_of[place] - wanted) <= _SLACK]
    return min(near, key=lambda place: abs(as_of[place] - wanted), default=None)


def flow_over_48h(units: Known, price: Known) -> float:
    """
    Change of value at the prices of 48 hours ago: what left, whatever prices did (D22, `basis: units`).

    NaN where units or price of then are missing.
    """
    then = units.as_of[-1] - _BACK
    held, cost = earlier(units.as_of, then), earlier(price.as_of, then)
    if held is None or cost is None or not units.values[held] > 0:
        return float("nan")
    worth = units.values[held] * price.values[cost]
    return float((units.values[-1] - units.values[held]) * price.values[cost] / worth)


def _outflow(name: str) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return at_closes(observations[name], axis, change_over_48h, max_age_days=_FRESH)

    return compute


def _level(name: str, fresh: float = _FRESH) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, lambda bars: bars, max_age_days=fresh)

    return compute


def _z(name: str, days: int) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return at_closes(observations[name], axis, over(days, Period.DAY, last_z), max_age_days=_FRESH)

    return compute


def last_z(part: Floats) -> float:
    """
    Standard deviations of the last value from the mean of those before it.

    NaN where they do not vary: no scale, no z.

    >>> round(last_z(np.array([1.0, 2.0, 3.0, 5.0])), 6)
    3.0
    """
    before = part[:-1]
    spread = float(before.std(ddof=1))
    return float((part[-1] - before.mean()) / spread) if spread > 0 else float("nan")


def _funding(observations: Observations, names: Sequence[str]) -> Series:
    """The median of what several venues charge for eight hours (S71)."""
    return joined([observations[name] for name in names], lambda *rates: np.median(rates, axis=0), names[0], "%")


def _funding_z(names: tuple[str, ...]) -> Way:
    def compute(observations: Observations, axis: Axis) -> Column:
        window = over(_MONTH, Period.DAY, last_z)
        return at_closes(_funding(observations, names), axis, window, max_age_days=_FRESH)

    return Way(names, compute)


def _funding_annual(names: tuple[str, ...]) -> Way:
    def compute(observations: Observations, axis: Axis) -> Column:
        rate = on_bars(_funding(observations, names), axis, lambda bars: bars, max_age_days=_FRESH)
        return rate.map(lambda eight_hours: np.abs(eight_hours) * _YEAR_OF_EIGHT_HOURS)

    return Way(names, compute)


def _differential(observations: Observations, axis: Axis) -> Column:
    """What lending pays less what borrowing costs, decimal a year: negative is stress (S67)."""
    return together(
        [_level(name)(observations, axis) for name in ("supply_rate", "borrow_rate")], lambda paid, owed: paid - owed
    )


def _differential_z(observations: Observations, axis: Axis) -> Column:
    pair = [observations[name] for name in ("supply_rate", "borrow_rate")]
    series = joined(pair, lambda paid, owed: paid - owed, "lending_differential", "%")
    return at_closes(series, axis, over(_SIXTY, Period.DAY, last_z), max_age_days=_FRESH)


def _fell_in_a_week(known: Known) -> float:
    before = earlier(known.as_of, known.as_of[-1] - _TREASURY_DAYS)
    if before is None:
        return float("nan")
    return float((known.values[-1] - known.values[before]) / known.values[before])


def _treasury(observations: Observations, axis: Axis) -> Column:
    return at_closes(observations["treasury_quick_ratio"], axis, _fell_in_a_week, max_age_days=_FRESH)


def time_weighted(prices: Known, until: np.datetime64) -> float:
    """
    Mean of the prices in the half hour to `until`, each by the time it stood, two days at most (D21).

    NaN where less than half of it has a price. A sole price, an oracle's in a snapshot, has no window: it counts
    as it is.
    """
    if len(prices) == 1:
        return float(prices.values[0])
    ends = np.minimum(np.append(prices.as_of[1:], until), prices.as_of + _STANDS)
    stood = (np.clip(ends, until - _TWAP, until) - np.clip(prices.as_of, until - _TWAP, until)) / _TWAP
    covered = float(stood.sum())
    return float(stood @ prices.values) / covered if covered >= _COVERED else float("nan")


def _off_peg(observations: Observations, axis: Axis) -> Column:
    """Time-weighted price over redemption value, less one; a gap of one block is averaged away (D21)."""
    series = observations["usdc_peg"]
    means = np.array([time_weighted(series.known(moment(close)), close) for close in axis.closes])
    latest = on_bars(series, axis, lambda bars: bars, max_age_days=_FRESH)
    return latest.map(lambda _: np.round(means - 1.0, _PLACES))


def _dislocated(observations: Observations, axis: Axis) -> Column:
    """Least distance of the pool's price from the exchange's at the last readings, in pool fees (S83)."""
    pair = [observations[name] for name in ("dex_mid", "cex_mid")]
    gaps = joined(pair, lambda dex, cex: np.abs(dex / cex - 1.0), "dislocation", "x")
    lasting = on_bars(
        gaps, axis, lambda bars: rolling(bars, _LASTING, lambda part: float(part.min())), max_age_days=_FRESH
    )
    return together([lasting, _level("pool_fee")(observations, axis)], lambda gap, fee: gap / fee)


def _onchain(name: str, unit: str, source: str, says: str, compute: Compute, *inputs: str) -> Signal:
    return Signal(name, Family.ONCHAIN, unit, (Way(inputs, compute),), source, says)


def _flow(observations: Observations, axis: Axis) -> Column:
    price = observations["tvl_price"]

    def change(known: Known) -> float:
        at = price.known(moment(known.released[-1]))
        return flow_over_48h(known, at) if len(at) else float("nan")

    return at_closes(observations["tvl_units"], axis, change, max_age_days=_FRESH)


SIGNALS: tuple[Signal, ...] = (
    _onchain("tvl_change", "%", "S66, D22", "value locked over 48 hours, in USD", _outflow("tvl_usd"), "tvl_usd"),
    _onchain(
        "tvl_outflow",
        "%",
        "S66, D22",
        "value locked over 48 hours, at the prices of then",
        _flow,
        "tvl_units",
        "tvl_price",
    ),
    Signal(
        "funding_z",
        Family.ONCHAIN,
        "sd",
        tuple(_funding_z(venues) for venues in _VENUES),
        "S71",
        "median perpetual funding against 30 days",
    ),
    Signal(
        "funding_annual",
        Family.ONCHAIN,
        "%",
        tuple(_funding_annual(venues) for venues in _VENUES),
        "S71",
        "absolute median perpetual funding a year",
    ),
    _onchain("utilisation", "%", "S79", "share of the lending pool lent out", _level("utilisation"), "utilisation"),
    _onchain("borrow_rate", "%", "S43", "variable borrow rate a year", _level("borrow_rate"), "borrow_rate"),
    _onchain(
        "lending_differential", "bp", "S67", "supply less borrow rate", _differential, "supply_rate", "borrow_rate"
    ),
    _onchain(
        "lending_differential_z",
        "sd",
        "S67",
        "the same against 60 days",
        _differential_z,
        "supply_rate",
        "borrow_rate",
    ),
    _onchain(
        "treasury_change",
        "%",
        "S72, D13",
        "protocol treasury's quick ratio over a week",
        _treasury,
        "treasury_quick_ratio",
    ),
    _onchain(
        "treasury_quick_ratio",
        "x",
        "S72, D13",
        "protocol treasury's quick ratio",
        _level("treasury_quick_ratio"),
        "treasury_quick_ratio",
    ),
    _onchain("peg", "bp", "S84, D21", "USDC against its redemption value, time-weighted", _off_peg, "usdc_peg"),
    _onchain("gas_z", "sd", "S79", "gas price against 30 days", _z("gas_price", _MONTH), "gas_price"),
    _onchain(
        "oracle_lag", "x", "S79, D22", "age of the oracle's answer in heartbeats", _level("oracle_lag"), "oracle_lag"
    ),
    _onchain(
        "dislocation",
        "x",
        "S83",
        "pool against exchange price at three readings in a row, in pool fees",
        _dislocated,
        "dex_mid",
        "cex_mid",
        "pool_fee",
    ),
)
"""Every on-chain signal."""
