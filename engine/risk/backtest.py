"""Was a loss limit as often exceeded as it said, and at random: Kupiec's and Christoffersen's tests (D11)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, xlogy

from engine.errors import InputError


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood-ratio statistic, its degrees of freedom, and the probability of a larger one under the null."""

    statistic: float
    freedom: int
    p_value: float

    def rejects(self, size: float = 0.05) -> bool:
        """True when the null is rejected at this size."""
        return self.p_value < size


@dataclass(frozen=True, slots=True)
class Backtest:
    """
    How a rule that promises losses beyond its level with `probability` has done.

    `coverage` asks whether the share of exceedances is right (Kupiec), `independence` whether one follows
    another no more often than it should (Christoffersen), `conditional` both at once.
    """

    observations: int
    exceedances: int
    probability: float
    coverage: LikelihoodRatio
    independence: LikelihoodRatio
    conditional: LikelihoodRatio


def kupiec(exceedances: int, observations: int, probability: float) -> LikelihoodRatio:
    """
    The test of unconditional coverage: is the share of exceedances `probability`?

    Source: P. Kupiec, "Techniques for verifying the accuracy of risk measurement models", J. Derivatives 3 (1995).

    >>> round(kupiec(3, 250, 0.01).statistic, 3)
    0.095
    """
    if not 0 < probability < 1:
        raise InputError("back-test refused", why=f"probability {probability:g}", todo="give one between 0 and 1")
    if not 0 <= exceedances <= observations or observations < 1:
        raise InputError(
            "back-test refused", why=f"{exceedances} of {observations} exceed", todo="count one or more observations"
        )
    calm = observations - exceedances
    seen = exceedances / observations
    return _ratio(_bernoulli(calm, exceedances, seen) - _bernoulli(calm, exceedances, probability), 1)


def christoffersen(exceeded: ArrayLike, probability: float) -> Backtest:
    """
    All three tests of a series of exceedances, in the order of time.

    Coverage is over all observations, independence over the pairs of neighbours; their sum tests both.

    Parameters
    ----------
    exceeded : True where the loss was beyond the rule's level, two observations or more
    probability : what the rule promises, decimal

    Source: P. Christoffersen, "Evaluating interval forecasts", Int. Economic Review 39 (1998).
    """
    hits = np.asarray(exceeded)
    if hits.ndim != 1 or len(hits) < 2 or not np.isin(hits, (0, 1)).all():
        raise InputError("back-test refused", why="no series of yes and no", todo="give two observations or more")
    hits = hits.astype(bool)
    before, after = hits[:-1], hits[1:]
    n00, n01 = int(np.sum(~before & ~after)), int(np.sum(~before & after))
    n10, n11 = int(np.sum(before & ~after)), int(np.sum(before & after))
    chained = _bernoulli(n00, n01, _share(n01, n00)) + _bernoulli(n10, n11, _share(n11, n10))
    free = _bernoulli(n00 + n10, n01 + n11, _share(n01 + n11, n00 + n10))
    coverage, independence = kupiec(int(hits.sum()), len(hits), probability), _ratio(chained - free, 1)
    both = coverage.statistic + independence.statistic
    return Backtest(len(hits), int(hits.sum()), probability, coverage, independence, _ratio(both / 2.0, 2))


def _bernoulli(misses: int, hits: int, probability: float) -> float:
    """Log likelihood of so many misses and hits; 0 ln 0 is 0."""
    return float(xlogy(misses, 1.0 - probability) + xlogy(hits, probability))


def _share(hits: int, misses: int) -> float:
    return hits / (hits + misses) if hits + misses else 0.0


def _ratio(log_gain: float, freedom: int) -> LikelihoodRatio:
    statistic = max(2.0 * log_gain, 0.0)
    return LikelihoodRatio(statistic, freedom, float(chdtrc(freedom, statistic)))
