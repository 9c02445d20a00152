"""VIX futures: their model-free upper bound, betas by maturity, and options on nothing but the same-expiry future."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.admitted import finite, not_negative, positive
from engine.pricing.black import forward_value

Floats = NDArray[np.float64]

MONTHLY_BETA = (-2.87, -2.02, -1.62, -1.40, -1.24, -1.06)
"""Change of ln VIX future per change of ln SPX by contract month M1..M6 (D06, settlements 2004-2017)."""

INDEX_YEARS = 30.0 / 365.0
"""The span of variance that VIX looks at."""

_MONTHS_A_YEAR = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class SpotLevel:
    """The VIX index itself, in points: an observation that nothing can be delivered into or priced on."""

    points: ArrayLike


@dataclass(frozen=True, slots=True, eq=False)
class FutureLevel:
    """
    A VIX future in points, with the years left to its own settlement (ACT/365F).

    An option on VIX settles to the same auction as the future of its expiry, so it is priced on that
    future and takes its time from it.
    """

    points: ArrayLike
    years: ArrayLike

    def __post_init__(self) -> None:
        positive("VIX future", self.points)
        not_negative("time to the future's settlement", self.years)


def vix_option_value(
    future: FutureLevel, strike: ArrayLike, vol: ArrayLike, *, sign: ArrayLike, rate: float = 0.0
) -> Floats:
    """
    Present value of an option on VIX, in VIX points.

    Parameters
    ----------
    future : the future of the option's own expiry
    strike : VIX points, > 0
    vol : lognormal volatility of that future, decimal per year
    sign : +1 for a call, -1 for a put
    rate : continuously compounded to the same instant

    Raises
    ------
    InputError for anything but a `FutureLevel`: spot VIX reverts and cannot be carried to expiry.

    Source
    ------
    D06; Black (1976) on the future.

    >>> float(vix_option_value(FutureLevel(20.0, 0.25), 20.0, 0.9, sign=1).round(4))
    3.5604
    """
    level = _same_expiry(future)
    value = forward_value(level.points, positive("strike", strike), level.years, not_negative("vol", vol), sign=sign)
    return np.asarray(np.exp(-finite("rate", rate) * np.asarray(level.years, float)) * value)


def vix_beta(years: ArrayLike) -> Floats:
    """
    Change of the log of a VIX future per change of ln SPX, at a constant maturity.

    Each contract month stands for the middle of its month; between them the beta is linear, beyond
    them that of the nearest.

    Source
    ------
    D06, D19.

    >>> vix_beta([0.5 / 12, 1.5 / 12]).tolist()
    [-2.87, -2.02]
    """
    months = np.arange(1, len(MONTHLY_BETA) + 1) - 0.5
    return np.asarray(np.interp(np.asarray(years, float) * _MONTHS_A_YEAR, months, MONTHLY_BETA))


def spx_delta(future: FutureLevel, spot: float, multiplier: float = 1000.0) -> Floats:
    """
    USD that one future gains per SPX point, through its beta: negative for a long future.

    Source: D06.

    >>> float(spx_delta(FutureLevel(20.0, 1.5 / 12), 4000.0))
    -10.1
    """
    level = _same_expiry(future)
    return np.asarray(vix_beta(level.years) * np.asarray(level.points, float) * multiplier / positive("spot", spot))


def forward_variance(years: Floats, variances: Floats, start: ArrayLike, span: float = INDEX_YEARS) -> Floats:
    """
    Annualised variance between `start` and `start + span`, from a term structure of variance.

    Parameters
    ----------
    years : tenors, rising, > 0
    variances : annualised variance to each tenor, from a strip (D05) or another variance curve
    start, span : years

    Returns
    -------
    The slope of total variance, linear in time between tenors and from zero to the first.

    Raises
    ------
    InputError when the window reaches beyond the last tenor, or total variance falls within it.

    >>> float(forward_variance(np.array([0.1, 0.3]), np.array([0.04, 0.04]), 0.1, 0.1).round(12))
    0.04
    """
    tenors = np.concatenate([[0.0], positive("tenor", years)])
    total = np.concatenate([[0.0], positive("variance", variances) * tenors[1:]])
    begins = not_negative("start of the window", start)
    if np.any(begins + span > tenors[-1] * (1 + 1e-12)):
        raise InputError(
            f"forward variance to {float(np.max(begins + span)):.3f} years refused",
            why=f"the term structure ends at {tenors[-1]:.3f} years",
            todo="give longer expiries or ask for a nearer month",
        )
    gained = np.interp(begins + span, tenors, total) - np.interp(begins, tenors, total)
    return positive("forward variance (calendar arbitrage in the term structure)", gained / span)


def future_bound(years: Floats, variances: Floats, settlement: ArrayLike) -> Floats:
    """
    The most a VIX future settling at `settlement` can be worth, in points.

    A future is the expected root of what the forward variance swap is the expectation of, so by
    Jensen's inequality it lies below the root. Arguments as in `forward_variance`.

    Source: D06; Carr and Wu, "A tale of two indices", J. Derivatives 13 (2006).

    >>> float(future_bound(np.array([0.1, 0.3]), np.array([0.04, 0.04]), 0.1).round(12))
    20.0
    """
    return np.asarray(100.0 * np.sqrt(forward_variance(years, variances, settlement)))


def constant_maturity(years: Floats, levels: Floats, target: ArrayLike) -> Floats:
    """
    The future of a constant maturity, in points: the two listed ones around it, weighted by time.

    Parameters
    ----------
    years : to each listed settlement, rising
    levels : settlement prices in points
    target : years, such as 30, 60 and 90 over 365

    Raises
    ------
    InputError when no two listed futures stand around the maturity.

    Source: S21, D08.

    >>> float(constant_maturity(np.array([0.05, 0.15]), np.array([15.0, 17.0]), 0.1).round(9))
    16.0
    """
    tenors, wanted = finite("time to settlement", years), positive("maturity", target)
    if tenors.size == 0 or np.any(wanted < tenors[0]) or np.any(wanted > tenors[-1]):
        listed = f"{tenors[0]:.3f} to {tenors[-1]:.3f} years" if tenors.size else "nothing"
        raise InputError(
            f"constant maturity of {float(np.max(wanted)):.3f} years refused",
            why=f"listed futures span {listed}",
            todo="ask for a maturity between two listed futures",
        )
    return np.asarray(np.interp(wanted, tenors, positive("VIX future", levels)))


def _same_expiry(future: FutureLevel) -> FutureLevel:
    if not isinstance(future, FutureLevel):
        raise InputError(
            f"{type(future).__name__} refused as the level of a VIX option",
            why="options and hedges on VIX follow the future of their own expiry, never spot VIX",
            todo="give the same-expiry future as a FutureLevel",
        )
    return future
