"""How many standard deviations a strike lies from the forward, and the strike at a given distance."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from engine.errors import InputError, MissingQuote
from engine.pricing.admitted import positive
from engine.pricing.svi import Smile

Floats = NDArray[np.float64]

_VIX_DAYS = (23.0, 37.0)  # the index's own window around its thirty days
_BISECTIONS = 200
_FARTHEST = 700.0  # |ln(K / F)| that a double's exponent still holds


class Basis(StrEnum):
    """
    Which volatility measures the distance.

    `atmf` the one at the forward, `strike` the strike's own, `vix` the index over 100 (about 30 days
    only), `straddle` the one a straddle struck at the forward implies.
    """

    ATMF = "atmf"
    STRIKE = "strike"
    VIX = "vix"
    STRADDLE = "straddle"


class Deviation(NamedTuple):
    """One standard deviation of ln S over the whole time, sigma sqrt(T), with the basis it comes from."""

    sd: float
    basis: Basis


def atmf_deviation(smile: Smile) -> Deviation:
    """
    sigma(F) sqrt(T) of the smile.

    >>> from engine.pricing.svi import flat
    >>> atmf_deviation(flat(0.0025)).sd
    0.05
    """
    return Deviation(float(np.sqrt(smile.total_variance(0.0))), Basis.ATMF)


def vix_deviation(level: float, years: float) -> Deviation:
    """
    VIX / 100 sqrt(T), for expiries between 23 and 37 days.

    Parameters
    ----------
    level : index points (18.0 is 18 %), > 0
    years : ACT/365F

    Source
    ------
    D02: the index knows thirty days, so any other tenor is refused.

    >>> round(vix_deviation(18.0, 30 / 365).sd, 6)
    0.051604
    """
    days = 365.0 * years
    if not _VIX_DAYS[0] <= days <= _VIX_DAYS[1]:
        raise InputError(
            f"VIX as a measure of {days:.0f} days refused",
            why="the index is the volatility of thirty days",
            todo="measure by `atmf`",
        )
    return Deviation(float(positive("VIX", level)) / 100.0 * float(np.sqrt(years)), Basis.VIX)


def straddle_deviation(straddle: float, forward: float, discount: float) -> Deviation:
    """
    Exactly the sigma sqrt(T) at which a straddle struck at the forward costs `straddle`.

    Parameters
    ----------
    straddle : call plus put at K = F, index points, > 0 and below twice the discounted forward
    forward : index points, > 0
    discount : e^{-rT}

    Returns
    -------
    2 N^-1((1 + x / 2) / 2) with x = straddle / (F e^{-rT}), since each leg costs 2 N(sd / 2) - 1 of it;
    sqrt(pi / 2) x for a small x.

    Source
    ------
    D02; M. Brenner & M. Subrahmanyam, "A simple formula to compute the implied standard deviation" (1988).

    >>> round(straddle_deviation(8.0, 100.0, 1.0).sd, 6), round((np.pi / 2) ** 0.5 * 0.08, 6)
    (0.100307, 0.100265)
    """
    share = straddle / (forward * discount) if forward > 0 and discount > 0 else float("nan")
    if not 0 < share < 2:
        raise InputError(
            f"straddle {straddle:g} refused",
            why="it must be positive and below twice the discounted forward",
            todo="give call plus put struck at the forward",
        )
    return Deviation(2.0 * float(ndtri(0.5 * (1.0 + 0.5 * share))), Basis.STRADDLE)


def expected_move(straddle: float) -> float:
    """
    The desk's "expected move", 85 % of the straddle: 0.68 standard deviations, for display only.

    Source
    ------
    D02: it never feeds a distance.

    >>> expected_move(100.0)
    85.0
    """
    return 0.85 * straddle


def deviations(strike: ArrayLike, forward: float, by: Deviation | Smile) -> Floats:
    """
    n(K) = |ln(K / F)| / (sigma sqrt T).

    Parameters
    ----------
    strike, forward : index points, > 0
    by : one deviation for all strikes, or a smile, whose volatility at the strike itself is meant

    Source
    ------
    D02.

    >>> float(deviations(110.0, 100.0, Deviation(0.05, Basis.ATMF)).round(6))
    1.906204
    """
    k = np.log(positive("strike", strike) / positive("forward", forward))
    sd = by.sd if isinstance(by, Deviation) else np.sqrt(by.total_variance(k))
    return np.asarray(np.abs(k) / positive("standard deviation", sd))


def strike_at(n: float, forward: float, by: Deviation | Smile, *, sign: int) -> float:
    """
    The strike `n` deviations from the forward: above it for sign +1, below it for -1.

    K = F exp(sign n sigma sqrt T). With a smile, sigma is the strike's own, a fixed point; it is the only
    one where the smile holds no butterfly, since k / sqrt(w) then rises with k.

    Parameters
    ----------
    n : >= 0
    forward : index points, > 0

    Source
    ------
    D02; uniqueness: M. Fukasawa, "The normalizing transformation of the implied volatility smile" (2012).

    >>> round(strike_at(2.0, 100.0, Deviation(0.05, Basis.ATMF), sign=-1), 4)
    90.4837
    """
    if not n >= 0 or not np.isfinite(n) or not forward > 0 or sign not in (1, -1):
        raise InputError(
            f"{n:g} deviations from {forward:g} refused",
            why="distance must be finite and not negative, the forward positive, the sign +1 or -1",
            todo="correct the request",
        )
    if isinstance(by, Deviation):
        return float(forward * np.exp(sign * n * float(positive("standard deviation", by.sd))))
    return float(forward * np.exp(sign * _distance(n, by, sign)))


def listed_strike(target: float, forward: float, strikes: Floats) -> float:
    """
    The listed strike at `target`, else the next one away from the forward: never nearer than asked.

    Parameters
    ----------
    target, forward : index points, > 0; a target at the forward counts as above it
    strikes : listed strikes, rising, index points

    Source
    ------
    D02, F77: raises `MissingQuote` where none is listed that far out, instead of a nearer one.

    >>> listed_strike(3952.0, 4000.0, np.array([3900.0, 3950.0, 3955.0]))
    3950.0
    """
    beyond = strikes[strikes <= target] if target < forward else strikes[strikes >= target]
    if not beyond.size:
        raise MissingQuote(
            f"no strike at {target:.2f} or beyond",
            why="the listed strikes end nearer to the forward",
            todo="choose an expiry with more strikes, or ask for a smaller distance",
        )
    return float(beyond[-1] if target < forward else beyond[0])


def _distance(n: float, smile: Smile, sign: int) -> float:
    """|k| with |k| / sqrt(w(k)) = n, by bisection on a function that rises."""
    low, high = 0.0, max(n * float(np.sqrt(smile.total_variance(0.0))), 1e-12)
    while high < n * float(np.sqrt(smile.total_variance(sign * high))):
        low, high = high, 2.0 * high
        if high > _FARTHEST:
            raise InputError(
                f"{n:g} deviations refused",
                why="the smile's wing rises too fast to reach them",
                todo="measure by `atmf`",
            )
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if middle < n * float(np.sqrt(smile.total_variance(sign * middle))):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
