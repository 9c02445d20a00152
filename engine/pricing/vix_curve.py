"""A curve of VIX futures from mean-reverting variance, fitted to what is listed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.admitted import not_negative, positive
from engine.pricing.vix_futures import INDEX_YEARS

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_ANGLE = 0.25 * np.pi * (_NODES + 1.0)
_FEWEST_FUTURES = 3


@dataclass(frozen=True, slots=True)
class RevertingVariance:
    """
    Instantaneous SPX variance v with dv = reversion (mean - v) dt + vol_of_variance sqrt(v) dW.

    `level` is v today and `mean` its long run (0.04 is a volatility of 20 %); `reversion` is per year.
    """

    level: float
    mean: float
    reversion: float
    vol_of_variance: float

    def __post_init__(self) -> None:
        for name in ("level", "mean", "reversion"):
            positive(name, getattr(self, name))
        not_negative("vol_of_variance", self.vol_of_variance)

    def expected(self, years: ArrayLike) -> Floats:
        """Expected VIX squared `years` ahead, as variance: the square of the future's upper bound."""
        weight, decay = self._weight, np.exp(-self.reversion * np.asarray(years, float))
        return np.asarray(self.mean + weight * (self.level - self.mean) * decay)

    def future(self, years: ArrayLike) -> Floats:
        """
        VIX future in points: the expected root of thirty-day variance, exact up to quadrature.

        Source
        ------
        Zhang and Zhu, "VIX futures", J. Futures Markets 26 (2006): VIX squared is affine in v. The
        root's expectation is an integral over the Laplace transform of v (Schuerger, 2002), here by
        Gauss-Legendre.

        >>> RevertingVariance(0.04, 0.04, 3.0, 0.0).future([0.1, 0.5]).round(9).tolist()
        [20.0, 20.0]
        """
        time = np.atleast_1d(not_negative("time to settlement", years))
        expected = self.expected(time)
        # sqrt(x) = (1/sqrt(pi)) int_0^inf (1 - exp(-y^2 x)) / y^2 dy, with y = tan(angle) / sqrt(E x)
        squared = np.tan(_ANGLE) ** 2 / expected[:, None]
        kernel = (1.0 - self._laplace(squared, time[:, None])) / np.sin(_ANGLE) ** 2
        roots = np.sqrt(expected / np.pi) * (kernel @ _WEIGHTS) * 0.25 * np.pi
        return np.asarray(100.0 * roots).reshape(np.shape(years))

    @property
    def _weight(self) -> float:
        span = self.reversion * INDEX_YEARS
        return float(-np.expm1(-span) / span)

    def _laplace(self, s: Floats, years: Floats) -> Floats:
        """E exp(-s VIX^2) `years` ahead."""
        decay = np.exp(-self.reversion * years)
        u = s * self._weight
        floor = s * (1.0 - self._weight) * self.mean
        widened = u * self.vol_of_variance**2 * (1.0 - decay) / (2.0 * self.reversion)
        drawn = np.log1p(widened) / np.where(widened > 0.0, widened, 1.0)
        pulled = u * self.mean * (1.0 - decay) * np.where(widened > 0.0, drawn, 1.0)
        return np.asarray(np.exp(-floor - u * self.level * decay / (1.0 + widened) - pulled))


@dataclass(frozen=True, slots=True, eq=False)
class FuturesCurve:
    """
    A fitted curve that passes through every listed future.

    `years` and `levels` (points) are the listed ones; `gaps` is ln(listed / model) at each, which is
    carried to other settlements linearly and flat beyond the ends. `error` is the root mean square of
    `gaps`.
    """

    model: RevertingVariance
    years: Floats
    levels: Floats
    gaps: Floats

    @property
    def error(self) -> float:
        return float(np.sqrt(np.mean(self.gaps**2)))

    def future(self, years: ArrayLike) -> Floats:
        """VIX future in points, at any settlement."""
        carried = np.interp(np.asarray(years, float), self.years, self.gaps)
        return np.asarray(self.model.future(years) * np.exp(carried))


def fit_curve(years: Floats, levels: Floats, *, vol_of_variance: float = 0.5) -> FuturesCurve:
    """
    Mean-reverting variance fitted to listed futures by least squares in logs.

    Parameters
    ----------
    years : to each settlement, rising, > 0
    levels : settlement prices, points
    vol_of_variance : given, since futures alone hardly tell it from the mean

    Raises
    ------
    InputError with fewer than three futures, or settlements that do not rise.

    Source: D06.

    >>> truth = RevertingVariance(0.02, 0.045, 4.0, 0.5)
    >>> t = np.arange(1, 8) / 12
    >>> bool(fit_curve(t, truth.future(t)).error < 1e-6)
    True
    """
    from scipy.optimize import least_squares  # noqa: PLC0415

    tenors, quoted = positive("time to settlement", years), positive("VIX future", levels)
    if tenors.size < _FEWEST_FUTURES or tenors.size != quoted.size or np.any(np.diff(tenors) <= 0):
        raise InputError(
            f"{tenors.size} VIX futures refused",
            why=f"a curve needs {_FEWEST_FUTURES} settlements that rise, with a price each",
            todo="give more listed futures",
        )

    def gaps(logs: Floats) -> Floats:
        level, mean, reversion = np.exp(logs)
        model = RevertingVariance(float(level), float(mean), float(reversion), vol_of_variance)
        return np.asarray(np.log(quoted / model.future(tenors)))

    start = np.log([(quoted[0] / 100) ** 2, (quoted[-1] / 100) ** 2, 4.0])
    bounds = (np.log([1e-4, 1e-4, 0.05]), np.log([4.0, 4.0, 60.0]))
    found = least_squares(gaps, np.clip(start, *bounds), bounds=bounds, xtol=1e-12, ftol=1e-12, gtol=1e-12)
    level, mean, reversion = np.exp(found.x)
    model = RevertingVariance(float(level), float(mean), float(reversion), vol_of_variance)
    return FuturesCurve(model, tenors, quoted, gaps(found.x))
