"""Risk-neutral law of the index at an expiry, read off its smile."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from engine.errors import InputError
from engine.pricing.black import forward_value
from engine.pricing.implied import implied_vol
from engine.pricing.surface_checks import butterfly_g
from engine.pricing.svi import Smile

Floats = NDArray[np.float64]

_INV_SQRT_2PI = 0.3989422804014327


def density(smile: Smile, k: ArrayLike) -> Floats:
    """
    Density of ln(S_T / F) at k; negative exactly where the smile holds a butterfly arbitrage.

    Source
    ------
    D03, D04; Gatheral & Jacquier (2014), section 2.1, times K to be per unit of k.

    >>> from engine.pricing.svi import flat
    >>> round(float(density(flat(0.04), 0.0)), 6) == round(float(np.exp(-0.005) / np.sqrt(0.08 * np.pi)), 6)
    True
    """
    at = np.asarray(k, float)
    sd = np.sqrt(smile.total_variance(at))
    d2 = -at / sd - 0.5 * sd
    return np.asarray(butterfly_g(smile, at) * _INV_SQRT_2PI / sd * np.exp(-0.5 * d2 * d2))


def cumulative(smile: Smile, k: ArrayLike) -> Floats:
    """
    Q[ln(S_T / F) < k], the smile's slope included.

    Source
    ------
    D03; the strike derivative of the undiscounted call plus one.

    >>> from engine.pricing.svi import flat
    >>> float(cumulative(flat(0.04), -0.02).round(12))
    0.5
    """
    at = np.asarray(k, float)
    sd = np.sqrt(smile.total_variance(at))
    d2 = -at / sd - 0.5 * sd
    return np.asarray(ndtr(-d2) + _INV_SQRT_2PI * np.exp(-0.5 * d2 * d2) * 0.5 * smile.slope(at) / sd)


@dataclass(frozen=True, slots=True)
class Law:
    """
    Distribution of the index at one instant: a mixture of smiles' laws, a single smile as a rule.

    Between two expiries the undiscounted option price at fixed K / F is a weighted mean of theirs, so the
    law is that mixture of two laws: free of arbitrage wherever both ends are. `weights` are >= 0, sum 1.

    Source
    ------
    D03, D04; Gatheral & Jacquier (2014), lemma 5.1.
    """

    smiles: tuple[Smile, ...]
    weights: tuple[float, ...] = (1.0,)

    def density(self, k: ArrayLike) -> Floats:
        """Density of ln(S_T / F) at k."""
        return np.asarray(sum(w * density(s, k) for w, s in zip(self.weights, self.smiles, strict=True)))

    def cumulative(self, k: ArrayLike) -> Floats:
        """Q[ln(S_T / F) < k]."""
        return np.asarray(sum(w * cumulative(s, k) for w, s in zip(self.weights, self.smiles, strict=True)))

    def total_variance(self, k: ArrayLike) -> Floats:
        """sigma^2 T at k; the one of the mixed price where two smiles are mixed."""
        if len(self.smiles) == 1:
            return self.smiles[0].total_variance(k)
        strike = np.exp(np.asarray(k, float))
        sign = np.where(strike < 1.0, -1.0, 1.0)
        variances = [smile.total_variance(k) for smile in self.smiles]
        prices = [forward_value(1.0, strike, 1.0, np.sqrt(w), sign=sign) for w in variances]
        mixed = sum(weight * price for weight, price in zip(self.weights, prices, strict=True))
        found = implied_vol(mixed, 1.0, strike, 1.0, sign=sign).vol ** 2
        linear = sum(weight * w for weight, w in zip(self.weights, variances, strict=True))
        return np.asarray(np.where(np.isfinite(found), found, linear))


def probability_between(law: Law, forward: float, low: float, high: float) -> float:
    """
    Q[low < S_T < high]: the probability of profit of a condor with break-evens `low` and `high`.

    Parameters
    ----------
    law : of the expiry
    forward : index points, > 0
    low, high : index points, low < high; a `low` at or below zero bounds nothing,
        nor does an infinite `high`

    Source
    ------
    D03.

    >>> from engine.pricing.svi import flat
    >>> round(probability_between(Law((flat(1e-6),)), 100.0, 100.0 * np.exp(-0.0015), 100.0 * np.exp(0.0015)), 4)
    0.8664
    """
    if not forward > 0 or not high > 0 or not low < high:
        raise InputError(
            f"range {low:g} to {high:g} at forward {forward:g} refused",
            why="break-evens must rise and the forward must be positive",
            todo="give the lower break-even first",
        )
    below = float(law.cumulative(np.log(low / forward))) if low > 0 else 0.0
    above = float(law.cumulative(np.log(high / forward))) if high < np.inf else 1.0
    return above - below
