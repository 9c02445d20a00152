"""Inflation, growth, earnings and flows, each as it was known then (S24, S65, S73-S75, S81, S82, D23)."""

from collections.abc import Callable

import numpy as np

from engine.market import Floats
from engine.signals.columns import Axis, Column, Compute, Signal, Way, at_closes, in_step, moment, on_bars, together
from engine.signals.observations import Known, Observations, Series
from engine.signals.panel import Family
from engine.signals.position import percentile_rank, z_of_last
from engine.signals.volatility import rolling
from engine.signals.windows import Period, over, run_starts

# The start of a month or quarter to its release, and one more period until the next is due (CPI 46 + 31,
# GDP 122 + 92 days), with a few days of slack.
_MONTH_FRESH, _QUARTER_FRESH = 85.0, 220.0
_MONTHS = 12
_SURPRISES = 20  # D23
_TEN_YEARS_OF_MONTHS, _TEN_YEARS_OF_QUARTERS = 120, 40
_MEETING_FRESH = 85.0  # dissents: from one meeting to the minutes of the next, eight and three weeks, and slack
_PROJECTIONS_FRESH = 110.0  # the committee projects each quarter, at most 98 days apart, and slack
_YEAR = 252
_WACC_CHANGE = 20  # S24: sessions
_WACC_HISTORY = 3 * _YEAR  # S24
_DAILY_FRESH = 5.0
_APART = 0.0025  # D23
_PLACES = 12  # the difference of two rates carries float noise: exactly 25 bp apart is apart


def year_on_year(known: Known) -> Floats:
    """Change of a monthly index on the same month a year before, decimal, NaN for the first twelve."""
    months = known.as_of.astype("datetime64[M]").astype(np.int64)
    at = np.searchsorted(months, months - _MONTHS)
    at = np.minimum(at, len(months) - 1)
    there = months[at] == months - _MONTHS
    return np.asarray(np.where(there, known.values / known.values[at] - 1.0, np.nan))


def surprise(actual: Known, consensus: Known) -> float:
    """
    Z of the last release: actual less consensus over the standard deviation of the twenty surprises before it (D23).

    NaN before there are twenty, or where consensus and actual do not meet.
    """
    periods, one, two = np.intersect1d(actual.as_of, consensus.as_of, return_indices=True)
    gaps = actual.values[one] - consensus.values[two]
    if len(periods) < _SURPRISES + 1 or periods[-1] != actual.as_of[-1]:
        return float("nan")
    spread = float(gaps[-_SURPRISES - 1 : -1].std(ddof=1))
    return float(gaps[-1]) / spread if spread > 0 else float("nan")


def _rising(name: str) -> Compute:
    """1 where the year-on-year rate of the last month out stands above that of the month before."""

    def change(known: Known) -> float:
        rates = year_on_year(known)[-2:]
        return float(rates[1] > rates[0]) if len(rates) == 2 and np.all(np.isfinite(rates)) else float("nan")

    def compute(observations: Observations, axis: Axis) -> Column:
        return at_closes(observations[name], axis, change, max_age_days=_MONTH_FRESH)

    return compute


def _yearly(name: str) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return at_closes(
            observations[name], axis, lambda known: float(year_on_year(known)[-1]), max_age_days=_MONTH_FRESH
        )

    return compute


def _spread(observations: Observations, axis: Axis) -> Column:
    return together([_yearly(name)(observations, axis) for name in ("cpi", "ppi")], lambda cpi, ppi: cpi - ppi)


def _surprised(actual: str, consensus: str, fresh: float) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        asked = observations[consensus]

        def change(known: Known) -> float:
            return surprise(known, asked.known(moment(known.released[-1])))

        return at_closes(observations[actual], axis, change, max_age_days=fresh)

    return compute


def _against_history(name: str, window: Callable[[Known], float], fresh: float) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return at_closes(observations[name], axis, window, max_age_days=fresh)

    return compute


def _below_median(values: Floats) -> float:
    return float(values[-1] < np.median(values))


def _wacc_jump(observations: Observations, axis: Axis) -> Column:
    """Z of the 20-session change of the bond-implied cost of capital over three years of such changes (S24)."""

    def change(bars: Floats) -> Floats:
        moved = np.full(len(bars), np.nan)
        moved[_WACC_CHANGE:] = bars[_WACC_CHANGE:] - bars[:-_WACC_CHANGE]
        scaled = rolling(moved, _WACC_HISTORY, lambda part: float(part.std(ddof=1)))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(scaled > 0, moved / scaled, np.nan))

    return on_bars(observations["bond_wacc"], axis, change, max_age_days=_DAILY_FRESH)


def _dissented(observations: Observations, axis: Axis) -> Column:
    """1 with a dissent at the last meeting (D23)."""
    votes = on_bars(observations["fomc_dissents"], axis, lambda bars: bars, max_age_days=_MEETING_FRESH)
    return votes.map(lambda count: np.asarray(count >= 1, float))


def _apart(observations: Observations, axis: Axis) -> Column:
    """1 where the market's path and the committee's part by 25 bp (D23)."""
    pair = [
        on_bars(observations[name], axis, lambda bars: bars, max_age_days=fresh)
        for name, fresh in (("ois_12m", _DAILY_FRESH), ("sep_median", _PROJECTIONS_FRESH))
    ]
    return together(pair, lambda priced, median: np.round(np.abs(priced - median), _PLACES) >= _APART)


def _either(one: Way, other: Way) -> tuple[Way, ...]:
    """A truth of which one half suffices: by both, or by one that is true already while the other is unseen."""

    def both(observations: Observations, axis: Axis) -> Column:
        return together([half.compute(observations, axis) for half in (one, other)], np.maximum)

    def alone(half: Way) -> Way:
        def compute(observations: Observations, axis: Axis) -> Column:
            return half.compute(observations, axis).map(lambda told: np.where(told == 1.0, told, np.nan))

        return Way(half.inputs, compute, one_sided=True)

    return Way((*one.inputs, *other.inputs), both), alone(one), alone(other)


def bond_implied_wacc(earnings_yield: float, bond_yield: float, *, equity_weight: float, tax: float = 0.0) -> float:
    """
    Cost of capital that markets imply: earnings yield on equity and investment-grade yield on debt, decimal (S24).

    >>> round(bond_implied_wacc(0.05, 0.06, equity_weight=0.7, tax=0.21), 5)
    0.04922
    """
    return equity_weight * earnings_yield + (1.0 - equity_weight) * bond_yield * (1.0 - tax)


def _flow_imbalance(observations: Observations, axis: Axis) -> Column:
    """Z of the flow into volatility products less z of the flow into the index fund (S81)."""

    def flows(name: str) -> Series:
        days, released, (shares, price) = in_step([observations[f"{name}_shares"], observations[f"{name}_nav"]])
        moved = np.flatnonzero(np.diff(run_starts(days, 2.0 * _DAILY_FRESH)) == 0)
        flow = (shares[moved + 1] - shares[moved]) * price[moved]
        out = np.maximum(released[moved], released[moved + 1])
        return Series(f"{name}_flow", "USD", days[moved + 1], out, flow, observations[f"{name}_shares"].source)

    pair = [
        on_bars(flows(name), axis, lambda bars: rolling(bars, _YEAR, z_of_last), max_age_days=_DAILY_FRESH)
        for name in ("vxx", "spy")
    ]
    return together(pair, lambda vxx, spy: vxx - spy)


def _fundamental(name: str, unit: str, source: str, says: str, compute: Compute, *inputs: str) -> Signal:
    return Signal(name, Family.FUNDAMENTAL, unit, (Way(inputs, compute),), source, says)


SIGNALS: tuple[Signal, ...] = (
    _fundamental("cpi_rising", "yes", "S73, D23", "CPI inflation is higher than a month before", _rising("cpi"), "cpi"),
    _fundamental("ppi_rising", "yes", "S73, D23", "PPI inflation is higher than a month before", _rising("ppi"), "ppi"),
    Signal(
        "inflation_rising",
        Family.FUNDAMENTAL,
        "yes",
        _either(*(Way((name,), _rising(name)) for name in ("cpi", "ppi"))),
        "S66, S73, D22",
        "CPI or PPI inflation rises",
    ),
    _fundamental("cpi_ppi_spread", "%", "S73", "CPI less PPI inflation, year on year", _spread, "cpi", "ppi"),
    _fundamental(
        "cpi_surprise",
        "sd",
        "S73, D23",
        "CPI against its consensus",
        _surprised("cpi_change", "cpi_consensus", _MONTH_FRESH),
        "cpi_change",
        "cpi_consensus",
    ),
    _fundamental(
        "gdp_surprise",
        "sd",
        "S74, D23",
        "GDP growth against its consensus",
        _surprised("gdp_growth", "gdp_consensus", _QUARTER_FRESH),
        "gdp_growth",
        "gdp_consensus",
    ),
    _fundamental(
        "gdp_uncertainty",
        "%",
        "S42, S74, D20",
        "rank of the dispersion of GDP forecasts over ten years",
        _against_history(
            "gdp_dispersion", over(_TEN_YEARS_OF_QUARTERS, Period.QUARTER, percentile_rank), _QUARTER_FRESH
        ),
        "gdp_dispersion",
    ),
    Signal(
        "policy_divergence",
        Family.FUNDAMENTAL,
        "yes",
        _either(Way(("fomc_dissents",), _dissented), Way(("ois_12m", "sep_median"), _apart)),
        "S75, D23",
        "a dissent, or market and committee apart by 25 bp",
    ),
    _fundamental("bond_wacc_jump", "sd", "S24", "20-session change of bond-implied WACC", _wacc_jump, "bond_wacc"),
    _fundamental(
        "pe_rank",
        "%",
        "S82",
        "price to earnings of the index, rank over ten years",
        _against_history("pe", over(_TEN_YEARS_OF_MONTHS, Period.MONTH, percentile_rank), _QUARTER_FRESH),
        "pe",
    ),
    _fundamental(
        "pcf_compressed",
        "yes",
        "S65, D23",
        "price to cash flow of the top 50 below its ten-year median",
        _against_history("pcf_top50", over(_TEN_YEARS_OF_MONTHS, Period.MONTH, _below_median), _MONTH_FRESH),
        "pcf_top50",
    ),
    _fundamental(
        "flow_imbalance",
        "sd",
        "S81",
        "flow into VXX against flow into SPY",
        _flow_imbalance,
        "vxx_shares",
        "vxx_nav",
        "spy_shares",
        "spy_nav",
    ),
)
"""Every fundamental signal but those of currencies; policy meetings are dates and stand in `engine.policy.regime`."""
