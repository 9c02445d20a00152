"""Power perpetuals (squeeth): mark, sensitivities, funding, and how well a strip of options stands in for one."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
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


def power_delta(spot: ArrayLike, normalisation: ArrayLike, vol: ArrayLike, **terms: float) -> Floats:
    """Change of the mark per unit of spot: twice the mark over spot. Arguments as in `power_mark`."""
    return np.asarray(2.0 * power_mark(spot, normalisation, vol, **terms) / np.asarray(spot, float))


def power_gamma(spot: ArrayLike, normalisation: ArrayLike, vol: ArrayLike, **terms: float) -> Floats:
    """
    Change of delta per unit of spot, the same at every spot. Arguments as in `power_mark`.

    Source: S28: 2 norm / 10^4 * exp(.).
    """
    return np.asarray(2.0 * power_mark(spot, normalisation, vol, **terms) / np.asarray(spot, float) ** 2)


def power_vega(
    spot: ArrayLike, normalisation: ArrayLike, vol: ArrayLike, *, scale: float = SCALE, period_days: float = PERIOD_DAYS
) -> Floats:
    """Change of the mark per unit of volatility (1.00 = 100 points)."""
    mark = power_mark(spot, normalisation, vol, scale=scale, period_days=period_days)
    return np.asarray(mark * 2.0 * np.asarray(vol, float) * period_days / 365.0)


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


def strip_for_square(strikes: Floats, spot: float, *, scale: float = SCALE) -> tuple[Floats, float, float]:
    """
    Options that stand in for the square: quantities by strike, units of the underlying, and cash.

    Parameters
    ----------
    strikes : rising, at least three; puts at strikes up to `spot`, calls above
    spot : where the strip is set up
    scale : the contract's divisor

    Returns
    -------
    At expiry, cash + units * S + sum of quantity * payoff is S^2 / scale exactly at every strike and
    runs straight between them; `strip_error` states the difference. A short strip is this, negated.

    Source
    ------
    Carr and Madan (1998), "Towards a theory of volatility trading", discretised on listed strikes.
    """
    k = positive("strike", strikes)
    if k.size < 3 or np.any(np.diff(k) <= 0) or not k[0] < spot < k[-1]:
        raise _unusable(k, spot)
    slopes = np.diff(k**2) / np.diff(k) / scale
    at = int(np.searchsorted(k, spot, side="right")) - 1
    quantities = np.zeros(k.size)
    quantities[1:-1] = np.diff(slopes)
    units = float(slopes[at])
    cash = float(k[at] ** 2 / scale - units * k[at])
    return quantities, units, cash


def strip_payoff(strikes: Floats, levels: ArrayLike, spot: float, *, scale: float = SCALE) -> Floats:
    """What the strip of `strip_for_square` pays at expiry at each of `levels`, quote units."""
    quantities, units, cash = strip_for_square(strikes, spot, scale=scale)
    s = np.asarray(levels, float)[..., None]
    at = int(np.searchsorted(strikes, spot, side="right")) - 1
    sign = np.where(np.arange(strikes.size) <= at, -1.0, 1.0)
    return np.asarray(cash + units * s[..., 0] + np.maximum(sign * (s - strikes), 0.0) @ quantities)


def strip_error(strikes: Floats, levels: ArrayLike, spot: float, *, scale: float = SCALE) -> Floats:
    """
    Strip less square at expiry, quote units: what a static strip leaves unhedged.

    Between two strikes it lies between zero and a quarter of their squared distance over `scale`;
    beyond the last ones it is negative and grows with the square, where no listed strip helps.

    >>> strip_error(np.array([1800.0, 2000.0, 2200.0]), [1800, 1900, 2100, 2400], 2000.0).tolist()
    [0.0, 1.0, 1.0, -8.0]
    """
    s = positive("level", levels)
    return np.asarray(strip_payoff(strikes, s, spot, scale=scale) - s**2 / scale)


def _unusable(strikes: Floats, spot: float) -> InputError:
    return InputError(
        f"strip of {strikes.size} strikes refused",
        why=f"it needs three strikes that rise around {spot}",
        todo="give listed strikes on both sides of spot",
    )
