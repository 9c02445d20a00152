"""Where a smile or a pair of smiles would allow a riskless trade: butterflies, calendars, wings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.pricing.svi import LEE_BOUND, Smile

Floats = NDArray[np.float64]

_SCAN = 1_001
_ZOOMS = 4
_EQUAL = 1e-10  # relative gap of total variance that rounding alone makes


class Worst(NamedTuple):
    """The log-moneyness `k` at which a condition is closest to failing, and its `level` there."""

    k: float
    level: float


class Crossing(NamedTuple):
    """
    An interval of log-moneyness on which an earlier expiry holds more total variance than a later one.

    `low` or `high` is infinite where it runs out of the scanned range and never closes. `worst` is the k
    of the largest excess within that range and `excess` that difference of total variances, > 0.
    """

    low: float
    high: float
    worst: float
    excess: float


def butterfly_g(smile: Smile, k: ArrayLike) -> Floats:
    """
    Gatheral's g(k): the risk-neutral density over a positive factor, so negative is arbitrage.

    g = (1 - k w' / 2w)^2 - w'^2/4 (1/w + 1/4) + w''/2.

    Source
    ------
    D04; Gatheral & Jacquier (2014), equation 2.1.

    >>> from engine.pricing.svi import flat
    >>> butterfly_g(flat(0.04), [-1.0, 0.0, 1.0]).tolist()
    [1.0, 1.0, 1.0]
    """
    at = np.asarray(k, float)
    w, slope, bend = smile.total_variance(at), smile.slope(at), smile.curvature(at)
    return np.asarray((1.0 - 0.5 * at * slope / w) ** 2 - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend)


def worst_butterfly(smile: Smile, low: float, high: float) -> Worst:
    """
    Least g on [low, high], found on a dense grid and refined around its lowest point.

    >>> from engine.pricing.svi import RawSvi
    >>> vogt = RawSvi(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, s=0.4153)
    >>> k, level = worst_butterfly(vogt, -1.5, 1.5)
    >>> round(k, 3), round(level, 4)
    (0.879, -0.0329)
    """
    for _ in range(_ZOOMS):
        grid = np.linspace(low, high, _SCAN)
        g = butterfly_g(smile, grid)
        at = int(np.argmin(g))
        low, high = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, _SCAN - 1)])
    return Worst(float(grid[at]), float(g[at]))


def wings_hold(smile: Smile) -> bool:
    """Whether the left wing's slope is at most 2 and the right one's strictly below (Lee; calls must vanish)."""
    return smile.left_wing <= LEE_BOUND and smile.right_wing < LEE_BOUND


def crossings(near: Smile, after: Smile, *, low: float, high: float) -> tuple[Crossing, ...]:
    """
    Every interval of k on which `near` holds more total variance than `after`.

    [low, high] is scanned on a dense grid; beyond it the wings decide: a steeper wing of `near` makes an
    interval that ends at infinity.

    Source
    ------
    D04; Gatheral & Jacquier (2014), lemma 2.1.

    >>> from engine.pricing.svi import flat
    >>> crossings(flat(0.01), flat(0.02), low=-1.0, high=1.0)
    ()
    >>> [(c.low, c.high) for c in crossings(flat(0.02), flat(0.01), low=-1.0, high=1.0)]
    [(-inf, inf)]
    """
    grid = np.linspace(low, high, _SCAN)
    later = after.total_variance(grid)
    gap = near.total_variance(grid) - later
    over = np.concatenate([[False], gap > _EQUAL * later, [False]])
    starts, ends = (np.flatnonzero(over[:-1] < over[1:]), np.flatnonzero(over[:-1] > over[1:]) - 1)
    found = []
    for start, end in zip(starts, ends, strict=True):
        worst = start + int(np.argmax(gap[start : end + 1]))
        left = -np.inf if start == 0 and near.left_wing >= after.left_wing else float(grid[start])
        right = np.inf if end == _SCAN - 1 and near.right_wing >= after.right_wing else float(grid[end])
        found.append(Crossing(left, right, float(grid[worst]), float(gap[worst])))
    return tuple(found)
