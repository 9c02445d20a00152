"""Model-free variance of one expiry, and the volatility index from two of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from engine.errors import ArbitrageInChain, InputError
from engine.pricing.svi import Smile

Floats = NDArray[np.float64]

MINUTES_PER_YEAR = 525_600.0
INDEX_MINUTES = 43_200.0  # thirty days
_MINUTES_PER_DAY = 1_440.0
_WINDOW_DAYS = (22.0, 38.0)  # 23 to 37 whole calendar days; a settlement hour may reach over by a part
_DEAD_BIDS = 2
_PERIODS = (252, 365)
_ROUNDING = 1e-12
_NODES, _PANELS = 16, 48
_FARTHEST = 60.0  # |ln(K / F)| beyond which no wing below 2 leaves an option of any value


class StripVariance(NamedTuple):
    """
    What one strip of out-of-the-money options says.

    `variance` is annualised (0.04 is 20 %); `floor_strike` is K0, the highest listed strike at or
    below the forward; `strikes_used` counts them, K0 included.
    """

    variance: float
    floor_strike: float
    strikes_used: int

    @property
    def vol(self) -> float:
        """Square root of the variance, decimal per year."""
        return float(np.sqrt(self.variance))


class Term(NamedTuple):
    """One side of the thirty-day interpolation: minutes to settlement and annualised variance."""

    minutes: float
    variance: float


def strip_variance(
    strikes: Floats,
    call_bid: Floats,
    call_ask: Floats,
    put_bid: Floats,
    put_ask: Floats,
    *,
    years: float,
    rate: float,
    forward: float,
) -> StripVariance | None:
    """
    Annualised variance of one expiry by Cboe's sum over strikes.

    Parameters
    ----------
    strikes : strictly rising, index points
    call_bid, call_ask, put_bid, put_ask : index points; NaN or 0.0 is no bid
    years : minutes to settlement over 525,600, > 0
    rate : continuously compounded, decimal
    forward : index points

    Returns
    -------
    None where the strip cannot be built: no strike at or below the forward, K0 without both asks, or
    fewer than three strikes. Going outward from K0, strikes without a bid are skipped, and two of
    them in a row end the strip.

    Source
    ------
    D05; Cboe VIX white paper (2019), steps 1 and 2.
    """
    if not (years > 0 and np.isfinite(years * rate) and 0 < forward < np.inf and (np.diff(strikes) > 0).all()):
        raise InputError(
            f"strip of {len(strikes)} strikes refused",
            why=f"years {years:g}, rate {rate:g} and forward {forward:g} must be numbers, time left and strikes rising",
            todo="leave settled expiries and repeated strikes out",
        )
    below = int(np.searchsorted(strikes, forward, side="right")) - 1
    if below < 0:
        return None
    central = 0.25 * (call_bid[below] + call_ask[below] + put_bid[below] + put_ask[below])
    puts = _outward(put_bid[:below][::-1])[::-1]
    calls = _outward(call_bid[below + 1 :])
    used = np.concatenate([puts, [True], calls])
    bid = np.concatenate([put_bid[:below], [central], call_bid[below + 1 :]])[used]
    ask = np.concatenate([put_ask[:below], [central], call_ask[below + 1 :]])[used]
    k, quote = strikes[used], 0.5 * (bid + ask)
    if k.size < 3 or not np.isfinite(quote).all():
        return None
    total = float(np.sum(_widths(k) / (k * k) * quote)) * float(np.exp(rate * years))
    floor = float(strikes[below])
    variance = (2.0 * total - (forward / floor - 1.0) ** 2) / years
    return StripVariance(variance, floor, int(k.size)) if variance > 0 else None


def nearest_terms(minutes: Floats) -> tuple[int, int] | None:
    """
    Positions of the last expiry at or before thirty days and of the first after it.

    `minutes` are those of the weekly expiries that qualify, any order. None where either side is
    missing between 23 and 37 days.

    >>> nearest_terms(np.array([24.0, 31.0, 38.5]) * 1440.0)
    (0, 1)
    """
    days = np.asarray(minutes, float) / _MINUTES_PER_DAY
    inside = (days > _WINDOW_DAYS[0]) & (days < _WINDOW_DAYS[1])
    near = np.where(inside & (days <= 30.0), days, -np.inf)
    after = np.where(inside & (days > 30.0), days, np.inf)
    if not np.isfinite(near).any() or not np.isfinite(after).any():
        return None
    return int(np.argmax(near)), int(np.argmin(after))


def index_level(near: Term, after: Term) -> float:
    """
    Thirty-day volatility index in points (18.0 is 18 %).

    Total variance is linear in time between the two terms.

    Source
    ------
    D05; Cboe VIX white paper (2019), step 3.

    >>> round(index_level(Term(28 * 1440, 0.04), Term(35 * 1440, 0.04)), 10)
    20.0
    """
    span = after.minutes - near.minutes
    if not (span > 0 and near.variance > 0 and after.variance > 0 and np.isfinite(span)):
        raise InputError(
            "volatility index refused", why=f"{near} and {after} are no two terms", todo="give the earlier term first"
        )
    weight = (after.minutes - INDEX_MINUTES) / span
    total = (weight * near.minutes * near.variance + (1.0 - weight) * after.minutes * after.variance) / MINUTES_PER_YEAR
    return 100.0 * float(np.sqrt(total * MINUTES_PER_YEAR / INDEX_MINUTES))


def replicated_variance(smile: Smile, years: float) -> float:
    """
    Annualised fair variance of a swap, by the static portfolio of options that a smile prices.

    K_var = (2 / T) [ int_0^F P(K) / K^2 dK + int_F^inf C(K) / K^2 dK ], prices undiscounted.

    Parameters
    ----------
    smile : total variance by log-moneyness, free of butterflies, left wing below 2
    years : ACT/365F, > 0

    Source
    ------
    D05; P. Carr & D. Madan, "Towards a theory of volatility trading" (1998).

    >>> from engine.pricing.svi import flat
    >>> round(replicated_variance(flat(0.04 * 0.25), 0.25), 10)
    0.04
    """
    if not years > 0:
        raise InputError(f"{years:g} years refused", why="variance needs time to accrue", todo="give a later expiry")
    sd = float(np.sqrt(smile.total_variance(0.0)))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(0.0, np.arcsinh(_FARTHEST / sd), _PANELS + 1)
    half = 0.5 * np.diff(edges)[:, None]
    u = (edges[:-1, None] + half * (1.0 + nodes)).ravel()
    distance, step = sd * np.sinh(u), sd * np.cosh(u) * (half * weights).ravel()
    total = 0.0
    for sign in (-1.0, 1.0):
        k = sign * distance
        deviation = np.sqrt(smile.total_variance(k))
        d1 = -k / deviation + 0.5 * deviation
        price = sign * (np.exp(-k) * ndtr(sign * d1) - ndtr(sign * (d1 - deviation)))  # over K
        total += float(np.sum(price * step))
    return 2.0 * total / years


def forward_variance(near: float, near_years: float, after: float, after_years: float) -> float:
    """
    Annualised variance between two dates, from the annualised variance up to each.

    Parameters
    ----------
    near, after : annualised variance (0.04 is 20 %), >= 0
    near_years, after_years : ACT/365F, 0 <= near_years < after_years

    Returns
    -------
    (after T2 - near T1) / (T2 - T1), never negative: less total variance later is a calendar arbitrage and
    raises `ArbitrageInChain`.

    Source
    ------
    D05, D06.

    >>> round(forward_variance(0.04, 0.25, 0.0625, 0.5), 12)
    0.085
    """
    if not 0 <= near_years < after_years or not near >= 0 or not after >= 0:
        raise InputError(
            f"forward variance from {near_years:g} to {after_years:g} years refused",
            why="dates must rise and variances must not be negative",
            todo="give the earlier date first",
        )
    total = after * after_years - near * near_years
    if total < -_ROUNDING * near * near_years:
        raise ArbitrageInChain(
            f"forward variance from {near_years:.4f} to {after_years:.4f} years refused",
            why="the later date holds less total variance",
            todo="use expiries that are free of calendar arbitrage",
        )
    return max(total, 0.0) / (after_years - near_years)


class SwapResult(NamedTuple):
    """
    What a variance swap paid and by which count of periods.

    `payoff` in the units of the notional, positive when realised variance lies above the strike.
    `realised` is annualised by `per_year`; `observed_per_year` is how many marks a year there really
    were, and `mismatch` = per_year / observed_per_year - 1 the share by which that count over- or
    understates variance.
    """

    payoff: float
    realised: float
    per_year: int
    observed_per_year: float
    mismatch: float


def variance_swap(
    levels: Floats, *, strike_variance: float, notional: float, per_year: int, years: float
) -> SwapResult:
    """
    Pay-off N_var (sigma_R^2 - K_var) with sigma_R^2 = (A / n) sum ln^2(S_i / S_{i-1}).

    Parameters
    ----------
    levels : marks in time order, > 0, two or more
    strike_variance : K_var, annualised (0.04 is 20 %)
    notional : per unit of annualised variance, positive when we are long
    per_year : A, 365 for marks around the clock, 252 for exchange sessions
    years : ACT/365F from the first mark to the last, > 0

    Source
    ------
    D05.

    >>> marks = 100.0 * np.exp(0.01 * np.array([0, 1, 0, 1, 0]))
    >>> result = variance_swap(marks, strike_variance=0.03, notional=1e6, per_year=365, years=4 / 365)
    >>> round(result.realised, 6), round(result.payoff), round(result.mismatch, 12)
    (0.0365, 6500, 0.0)
    """
    marks = np.asarray(levels, float)
    sound = marks.size >= 2 and (np.isfinite(marks) & (marks > 0)).all() and strike_variance >= 0
    if not sound or not np.isfinite(strike_variance * notional) or not years > 0 or per_year not in _PERIODS:
        raise InputError(
            "variance swap refused",
            why="it needs a strike >= 0, a notional, two positive marks, time between, 365 or 252 periods a year",
            todo="correct the terms",
        )
    returns = np.diff(np.log(marks))
    realised = per_year / returns.size * float(returns @ returns)
    observed = returns.size / years
    return SwapResult(notional * (realised - strike_variance), realised, per_year, observed, per_year / observed - 1.0)


def _outward(bids: Floats) -> NDArray[np.bool_]:
    """Which strikes stay when walking away from the money."""
    with np.errstate(invalid="ignore"):
        live = np.asarray(bids > 0)
    dead = ~live
    ends = np.flatnonzero(dead[_DEAD_BIDS - 1 :] & dead[: dead.size - (_DEAD_BIDS - 1)])
    if ends.size:
        live[ends[0] :] = False
    return live


def _widths(strikes: Floats) -> Floats:
    inner = 0.5 * (strikes[2:] - strikes[:-2])
    return np.concatenate([[strikes[1] - strikes[0]], inner, [strikes[-1] - strikes[-2]]])
