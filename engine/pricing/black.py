"""Black's formula on forwards, whole arrays at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
_INV_SQRT_2PI = 0.3989422804014327


class Greeks(NamedTuple):
    """
    Undiscounted sensitivities of one option to its own forward.

    `delta` per point of forward, `gamma` per point squared, `vega` per unit of volatility (1.00 =
    100 points), `theta` per year of calendar time passing (negative for a long option).
    """

    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


def forward_value(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, *, sign: ArrayLike
) -> Floats:
    """
    Undiscounted option value, in the units of `forward`.

    Parameters
    ----------
    forward, strike : index points, > 0
    years : ACT/365F time to expiry, >= 0
    vol : annualised lognormal volatility, decimal (0.18 is 18 %), >= 0
    sign : +1 for a call, -1 for a put

    Returns
    -------
    Broadcast of the inputs. Intrinsic where `vol * sqrt(years)` is zero.

    Source
    ------
    F. Black, "The pricing of commodity contracts", J. Fin. Econ. 3 (1976).

    >>> float(forward_value(100.0, 100.0, 1.0, 0.2, sign=1).round(4))
    7.9656
    """
    f, k, w = np.asarray(forward, float), np.asarray(strike, float), np.asarray(sign, float)
    sd = np.asarray(vol, float) * np.sqrt(np.asarray(years, float))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        d1 = np.log(f / k) / sd + 0.5 * sd
        value = w * (f * ndtr(w * d1) - k * ndtr(w * (d1 - sd)))
    return np.asarray(np.where(sd > 0, value, np.maximum(w * (f - k), 0.0)))


def greeks(forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, *, sign: ArrayLike) -> Greeks:
    """
    Undiscounted sensitivities; arguments as in `forward_value`, with `vol * sqrt(years)` > 0.

    >>> float(greeks(100.0, 100.0, 1.0, 0.2, sign=1).delta.round(4))
    0.5398
    """
    f, k, w = np.asarray(forward, float), np.asarray(strike, float), np.asarray(sign, float)
    t, v = np.asarray(years, float), np.asarray(vol, float)
    sd = v * np.sqrt(t)
    d1 = np.log(f / k) / sd + 0.5 * sd
    density = _INV_SQRT_2PI * np.exp(-0.5 * d1 * d1)
    return Greeks(
        delta=np.asarray(w * ndtr(w * d1)),
        gamma=np.asarray(density / (f * sd)),
        vega=np.asarray(f * density * np.sqrt(t)),
        theta=np.asarray(-0.5 * f * density * v / np.sqrt(t)),
    )
