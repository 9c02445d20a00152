"""Forward, implied financing rate and at-the-money volatility of one expiry's quotes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.pricing.admitted import finite

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_BAND = 0.08  # strikes within 8 % of the forward enter the regression (D01)
_FEWEST_STRIKES = 5


class ParityForward(NamedTuple):
    """`forward` in index points and the listed `strike` at which call and put were closest."""

    forward: float
    strike: float


class ParityRate(NamedTuple):
    """
    Financing rate that the quotes themselves imply.

    `rate` and its standard error `error` are decimals per year, continuously compounded;
    `residual` is the root mean square of C - P - e^{-rT}(F - K) at the *curve's* rate, in index
    points; `strikes` counts the regression's points. NaN where too few strikes are quoted.
    """

    rate: float
    error: float
    residual: float
    strikes: int


def usable(bid: Floats, ask: Floats) -> Mask:
    """
    Where a side is a market: a positive bid, an ask that is not below it. NaN is no quote.

    >>> usable(np.array([1.0, 0.0, 2.0]), np.array([1.1, 0.1, 1.9])).tolist()
    [True, False, False]
    """
    with np.errstate(invalid="ignore"):
        return np.asarray((bid > 0) & (ask >= bid) & np.isfinite(ask))


def mid(bid: Floats, ask: Floats) -> Floats:
    """Half of bid plus ask where the side is `usable`, NaN elsewhere."""
    return np.where(usable(bid, ask), 0.5 * (bid + ask), np.nan)


def parity_forward(
    strikes: Floats, call_mid: Floats, put_mid: Floats, *, years: float, rate: float
) -> ParityForward | None:
    """
    Forward by put-call parity at the strike of least |C - P|.

    Parameters
    ----------
    strikes, call_mid, put_mid : index points; NaN where a side has no two-sided quote
    years : ACT/365F time to settlement, > 0
    rate : continuously compounded, decimal

    Returns
    -------
    F = K + e^{rT}(C - P); the lower strike where two tie. None where no strike has both sides.

    Source
    ------
    D01; Cboe VIX white paper (2019), step 1.

    >>> parity_forward(np.array([90.0, 100.0]), np.array([12.0, 5.0]), np.array([2.0, 4.5]),
    ...     years=0.0, rate=0.0)
    ParityForward(forward=100.5, strike=100.0)
    """
    growth = float(np.exp(finite("rate", rate) * finite("years", years)))
    gap = call_mid - put_mid
    both = np.isfinite(gap)
    if not both.any():
        return None
    at = int(np.argmin(np.where(both, np.abs(gap), np.inf)))
    strike = float(strikes[at])
    return ParityForward(strike + growth * float(gap[at]), strike)


def parity_rate(
    strikes: Floats, call_mid: Floats, put_mid: Floats, *, years: float, rate: float, forward: float
) -> ParityRate:
    """
    Rate from the least-squares slope of C - P on K within 8 % of the forward.

    C - P = e^{-rT}(F - K), so the slope is minus the discount factor. Arguments as in
    `parity_forward`; `rate` is the curve's, against which the residual is measured.

    Source
    ------
    D01.

    >>> k = np.arange(95.0, 106.0)
    >>> fit = parity_rate(k, np.exp(-0.04) * (200.0 - k), np.exp(-0.04) * 100.0 + 0.0 * k,
    ...     years=1.0, rate=0.04, forward=100.0)
    >>> round(fit.rate, 12), fit.strikes
    (0.04, 11)
    """
    gap = call_mid - put_mid
    near = np.isfinite(gap) & (np.abs(strikes / forward - 1.0) <= _BAND)
    count = int(near.sum())
    if count < _FEWEST_STRIKES or not years > 0:
        return ParityRate(np.nan, np.nan, np.nan, count)
    k, y = strikes[near], gap[near]
    centred = k - k.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    rest = y - y.mean() - slope * centred
    error = float(np.sqrt(rest @ rest / (count - 2) / spread))
    off = y - np.exp(-rate * years) * (forward - k)
    residual = float(np.sqrt(np.mean(off * off)))
    if slope >= 0:
        return ParityRate(np.nan, np.nan, residual, count)
    return ParityRate(float(-np.log(-slope) / years), error / (-slope * years), residual, count)


def atm_vol(strikes: Floats, vols: Floats, *, forward: float) -> float:
    """
    Volatility at the forward, decimal; NaN unless a quoted strike lies on each side of it.

    Total variance is taken as linear in log strike between the nearest quoted strikes.

    >>> round(atm_vol(np.array([90.0, 110.0]), np.array([0.2, 0.2]), forward=100.0), 12)
    0.2
    """
    known = np.isfinite(vols)
    k, variance = np.log(strikes[known]), np.square(vols[known])
    at = np.log(forward)
    if not known.any() or not k[0] <= at <= k[-1]:
        return float("nan")
    return float(np.sqrt(np.interp(at, k, variance)))
