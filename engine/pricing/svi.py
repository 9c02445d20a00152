"""Total variance of one expiry: Gatheral's raw SVI curve, and sums of such curves."""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError

Floats = NDArray[np.float64]

_ZOOMS = 8
_ROUNDING = 1e-9  # of the level: what |rho| near 1 loses

LEE_BOUND = 2.0
"""Steepest wing of total variance in log-moneyness that moments of the index allow (R. Lee, 2004)."""


class Smile(Protocol):
    """Total variance w(k) = sigma^2 T of one expiry at k = ln(K / F), its derivatives and its wings' slopes."""

    @property
    def left_wing(self) -> float:
        """-dw/dk as k -> -inf."""

    @property
    def right_wing(self) -> float:
        """dw/dk as k -> inf."""

    def total_variance(self, k: ArrayLike) -> Floats:
        """sigma^2 T at k."""

    def slope(self, k: ArrayLike) -> Floats:
        """dw/dk."""

    def curvature(self, k: ArrayLike) -> Floats:
        """d2w/dk2."""


@dataclass(frozen=True, slots=True)
class RawSvi:
    """
    w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2)).

    b >= 0, |rho| < 1, s > 0 and w >= 0 everywhere, else `InputError`. A curve may still hold arbitrage:
    `engine.pricing.surface_checks` says where.

    Source
    ------
    D04; J. Gatheral & A. Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), arXiv 1204.0646.

    >>> float(RawSvi(a=0.04, b=0.1, rho=-0.5, m=0.0, s=0.2).total_variance(0.0).round(12))
    0.06
    """

    a: float
    b: float
    rho: float
    m: float
    s: float

    def __post_init__(self) -> None:
        if not all(map(isfinite, (self.a, self.b, self.rho, self.m, self.s))):
            raise _refused(self, "a parameter is not a number")
        if self.b < 0 or abs(self.rho) >= 1 or self.s <= 0:
            raise _refused(self, "b >= 0, |rho| < 1 and s > 0 must hold")
        if self.least < -_ROUNDING * (abs(self.a) + self.b * self.s):
            raise _refused(self, f"the least total variance is {self.least:.3g}")

    @property
    def least(self) -> float:
        """Least total variance over all k."""
        return self.a + self.b * self.s * sqrt(1.0 - self.rho * self.rho)

    @property
    def left_wing(self) -> float:
        """-dw/dk as k -> -inf; arbitrage-free up to 2."""
        return self.b * (1.0 - self.rho)

    @property
    def right_wing(self) -> float:
        """dw/dk as k -> inf; arbitrage-free strictly below 2."""
        return self.b * (1.0 + self.rho)

    def total_variance(self, k: ArrayLike) -> Floats:
        """sigma^2 T at k = ln(K / F)."""
        x = np.asarray(k, float) - self.m
        return np.asarray(self.a + self.b * (self.rho * x + np.sqrt(x * x + self.s * self.s)))

    def slope(self, k: ArrayLike) -> Floats:
        """dw/dk."""
        x = np.asarray(k, float) - self.m
        return np.asarray(self.b * (self.rho + x / np.sqrt(x * x + self.s * self.s)))

    def curvature(self, k: ArrayLike) -> Floats:
        """d2w/dk2, never negative."""
        x = np.asarray(k, float) - self.m
        square = self.s * self.s
        return np.asarray(self.b * square / (x * x + square) ** 1.5)

    def lifted(self, variance: float) -> "RawSvi":
        """The same curve with `variance` added to total variance at every k."""
        return RawSvi(self.a + variance, self.b, self.rho, self.m, self.s)

    def scaled(self, share: float) -> "RawSvi":
        """The same curve with total variance times `share` > 0 at every k."""
        return RawSvi(self.a * share, self.b * share, self.rho, self.m, self.s)


@dataclass(frozen=True, slots=True)
class SviSum:
    """
    A level plus raw SVI curves: convex in k like each of them, with room for a smile that bends twice.

    One curve has five parameters for a strip that spans twenty standard deviations and is quoted to a
    tenth of a volatility point; two follow it within bid and ask. `level` may be negative as long as
    the sum is not, else `InputError`.

    >>> once = RawSvi(a=0.04, b=0.1, rho=-0.5, m=0.0, s=0.2)
    >>> float(SviSum(-0.02, (once, once)).total_variance(0.0).round(12))
    0.1
    """

    level: float
    parts: tuple[RawSvi, ...]

    def __post_init__(self) -> None:
        if isfinite(self.level) and self.level >= 0.0:
            return  # no part is negative anywhere
        least = self.least
        if not (isfinite(least) and least >= -_ROUNDING * sum(abs(part.a) + part.b * part.s for part in self.parts)):
            raise _refused(self, f"the least total variance is {least:.3g}")

    @property
    def left_wing(self) -> float:
        """-dw/dk as k -> -inf."""
        return sum(part.left_wing for part in self.parts)

    @property
    def right_wing(self) -> float:
        """dw/dk as k -> inf."""
        return sum(part.right_wing for part in self.parts)

    @property
    def least(self) -> float:
        """Least total variance over all k: between the curves' own lowest points, since each is convex."""
        bottoms = [part.m - part.s * part.rho / sqrt(1.0 - part.rho**2) for part in self.parts]
        low, high = min(bottoms, default=0.0), max(bottoms, default=0.0)
        for _ in range(_ZOOMS):
            grid = np.linspace(low, high, 33)
            w = self.total_variance(grid)
            at = int(np.argmin(w))
            low, high = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, 32)])
        return float(w[at])

    def total_variance(self, k: ArrayLike) -> Floats:
        """sigma^2 T at k = ln(K / F)."""
        at = np.asarray(k, float)
        return np.asarray(self.level + sum((part.total_variance(at) for part in self.parts), np.zeros_like(at)))

    def slope(self, k: ArrayLike) -> Floats:
        """dw/dk."""
        at = np.asarray(k, float)
        return np.asarray(sum((part.slope(at) for part in self.parts), np.zeros_like(at)))

    def curvature(self, k: ArrayLike) -> Floats:
        """d2w/dk2, never negative."""
        at = np.asarray(k, float)
        return np.asarray(sum((part.curvature(at) for part in self.parts), np.zeros_like(at)))

    def lifted(self, variance: float) -> "SviSum":
        """The same smile with `variance` added to total variance at every k."""
        return SviSum(self.level + variance, self.parts)

    def scaled(self, share: float) -> "SviSum":
        """The same smile with total variance times `share` > 0 at every k."""
        return SviSum(self.level * share, tuple(part.scaled(share) for part in self.parts))


def flat(variance: float) -> RawSvi:
    """
    The curve of a lognormal law with total variance `variance` = sigma^2 T.

    >>> flat(0.0025).total_variance([-1.0, 1.0]).tolist()
    [0.0025, 0.0025]
    """
    return RawSvi(variance, 0.0, 0.0, 0.0, 1.0)


def _refused(curve: RawSvi | SviSum, why: str) -> InputError:
    return InputError(f"{curve} refused", why=why, todo="correct the parameters or fit again")
