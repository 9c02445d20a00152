"""The dollar and its collateral: effective rates, their curve and swings, and rates apart (S68-S70, D23)."""

import numpy as np

from engine.market import Floats
from engine.signals.columns import Axis, Column, Compute, Signal, Way, at_closes, on_bars, together
from engine.signals.observations import Observations
from engine.signals.panel import Family
from engine.signals.position import z_of_last
from engine.signals.volatility import rolling
from engine.signals.windows import Period, over

_MONTH_FRESH = 85.0  # REER: 50 days to its release, 31 until the next is due, a few of slack
_TEN_YEARS_OF_MONTHS = 120
_YEAR = 252
_DECAY = 0.94
_DAILY_FRESH = 5.0


def forward_effective_rate(
    level: float, weights: Floats, foreign: Floats, domestic: float, years: float, inflation: Floats | None = None
) -> float:
    """
    Effective exchange rate for delivery in `years` by covered parity on trade weights; up means the dollar is up.

    Parameters
    ----------
    level : today's nominal index
    weights, foreign : one per partner; weights sum to 1, rates are continuously compounded decimals
    domestic : the dollar's rate to the same tenor
    inflation : expected dollar less partner inflation per partner, decimal; given, the answer is the real rate

    Source
    ------
    D23.

    >>> forward_effective_rate(100.0, np.array([1.0]), np.array([0.02]), 0.05, 1.0) < 100.0
    True
    """
    carry = float(weights @ (foreign - domestic))
    real = float(weights @ inflation) if inflation is not None else 0.0
    return level * float(np.exp((carry + real) * years))


def _level_z(observations: Observations, axis: Axis) -> Column:
    window = over(_TEN_YEARS_OF_MONTHS, Period.MONTH, z_of_last)
    return at_closes(observations["reer"], axis, window, max_age_days=_MONTH_FRESH)


def _shaken(name: str) -> Compute:
    """Z of today's exponentially weighted volatility of a daily index against its last year (D23)."""

    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, _volatility_z, max_age_days=_DAILY_FRESH)

    return compute


def _volatility_z(bars: Floats) -> Floats:
    changes = np.diff(np.log(bars), prepend=np.log(bars[:1]))
    variance = np.empty(len(bars))
    level = 0.0
    for at, squared in enumerate((changes**2).tolist()):
        level = _DECAY * level + (1.0 - _DECAY) * squared if at > 1 else squared
        variance[at] = level
    return rolling(np.sqrt(variance), _YEAR, z_of_last)


def _difference(one: str, two: str) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        pair = [on_bars(observations[name], axis, lambda bars: bars, max_age_days=_DAILY_FRESH) for name in (one, two)]
        return together(pair, lambda first, second: first - second)

    return compute


def _forward_premium(observations: Observations, axis: Axis) -> Column:
    """Premium of the dollar twelve months forward, decimal per year: the slope of the curve (D23)."""
    pair = [on_bars(observations[name], axis, np.log, max_age_days=_MONTH_FRESH) for name in ("reer", "reer_12m")]
    return together(pair, lambda spot, forward: forward - spot)


def _currency(name: str, unit: str, source: str, says: str, compute: Compute, *inputs: str) -> Signal:
    return Signal(name, Family.FUNDAMENTAL, unit, (Way(inputs, compute),), source, says)


SIGNALS: tuple[Signal, ...] = (
    _currency(
        "reer_level",
        "sd",
        "S69, D23",
        "real effective dollar against ten years",
        _level_z,
        "reer",
    ),
    _currency("reer_slope", "%", "S69, D23", "dollar twelve months forward", _forward_premium, "reer", "reer_12m"),
    _currency(
        "currency_shaken", "sd", "S70, D23", "volatility of the collateral's currency basket", _shaken("neer"), "neer"
    ),
    _currency(
        "rate_differential",
        "%",
        "S68",
        "dollar less foreign three-month rate",
        _difference("usd_3m", "foreign_3m"),
        "usd_3m",
        "foreign_3m",
    ),
)
"""Every signal of currencies and rates."""
