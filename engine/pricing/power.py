"""Power perpetuals (squeeth): mark, sensitivities and funding."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.pricing.admitted import not_negative, positive

Floats = NDArray[np.float64]

SCALE = 10_000.0
PERIOD_DAYS = 17.5


def power_mark(
    spot: ArrayLike,
    normalisation: ArrayLike,
    vol: ArrayLike,
    *,
    scale: float = SCALE,
    period_days: float = PERIOD_DAYS,
) -> Floats:
    """
    Fair price of one unit, in quote units.

    Parameters
    ----------
    spot : of the underlying, quote units
    normalisation : what funding has left of the original unit, 1 at the start
    vol : annualised, decimal
    scale, period_days : the contract's divisor and funding period

    Source
    ------
    S28: S^2 / 10^4 * norm * exp(sigma^2 * 17.5/365); "Power perpetuals" (Paradigm, 2021).

    >>> float(power_mark(3000.0, 0.5, 0.8).round(4))
    464.0223
    """
    drift = not_negative("vol", vol) ** 2 * period_days / 365.0
    norm = positive("normalisation", normalisation)
    return np.asarray(positive("spot", spot) ** 2 / scale * norm * np.exp(drift))


def power_gamma(spot: ArrayLike, normalisation: ArrayLike, vol: ArrayLike, **terms: float) -> Floats:
    """
    Second derivative of the mark by spot, the same at every spot. Arguments as in `power_mark`.

    Source: S28: 2 norm / 10^4 * exp(.).
    """
    return np.asarray(2.0 * power_mark(spot, normalisation, vol, **terms) / np.asarray(spot, float) ** 2)


def normalisation_after(normalisation: ArrayLike, vol: ArrayLike, years: ArrayLike) -> Floats:
    """
    Normalisation after funding over `years` with the mark at fair value throughout.

    Each period a long gives up the share by which the mark stands above its index, which at fair value
    is sigma^2 a year whatever the period.

    >>> float(normalisation_after(1.0, 0.8, 0.5).round(6))
    0.726149
    """
    spent = not_negative("vol", vol) ** 2 * not_negative("years", years)
    return np.asarray(positive("normalisation", normalisation) * np.exp(-spent))
