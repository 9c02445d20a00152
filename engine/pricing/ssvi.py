"""SSVI: a whole surface from its at-the-money total variances and three numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.pricing.least_squares import Rows, cost, descend
from engine.pricing.svi import RawSvi

Floats = NDArray[np.float64]

_RHO = 0.999
_STEPS = 100
_BUTTERFLY = 4.0  # bound of theta phi (1 + |rho|) and of theta phi^2 (1 + |rho|)


@dataclass(frozen=True, slots=True)
class Ssvi:
    """
    w(k, theta) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)).

    Its phi(theta) = eta theta^-gamma (1 + theta)^(gamma - 1).

    theta is the at-the-money total variance of an expiry. |rho| < 1, eta > 0 and 0 <= gamma <= 1, else
    `InputError`; those keep calendars out by themselves, `holds` says where butterflies are too.

    Source
    ------
    D04; J. Gatheral & A. Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), section 4.

    >>> round(float(Ssvi(rho=-0.7, eta=1.0, gamma=0.5).slice(0.04).total_variance(0.0)), 12)
    0.04
    """

    rho: float
    eta: float
    gamma: float

    def __post_init__(self) -> None:
        inside = abs(self.rho) < 1 and self.eta > 0 and 0 <= self.gamma <= 1
        if not (all(map(isfinite, (self.rho, self.eta, self.gamma))) and inside):
            raise InputError(
                f"{self} refused",
                why="|rho| < 1, eta > 0 and 0 <= gamma <= 1 must hold",
                todo="correct the parameters or fit again",
            )

    def phi(self, theta: float) -> float:
        """Steepness of the smile at at-the-money total variance `theta` > 0."""
        return float(self.eta * theta**-self.gamma * (1.0 + theta) ** (self.gamma - 1.0))

    def holds(self, theta: float) -> bool:
        """
        Whether the sufficient conditions against butterflies hold at `theta`.

        theta phi (1 + |rho|) < 4 and theta phi^2 (1 + |rho|) <= 4.

        >>> Ssvi(rho=-0.7, eta=1.0, gamma=0.5).holds(0.04), Ssvi(rho=-0.7, eta=2.0, gamma=0.5).holds(0.04)
        (True, False)
        """
        phi, lean = self.phi(theta), 1.0 + abs(self.rho)
        return theta * phi * lean < _BUTTERFLY and theta * phi * phi * lean <= _BUTTERFLY

    def slice(self, theta: float) -> RawSvi:
        """The raw SVI curve of an expiry with at-the-money total variance `theta` > 0."""
        if not theta > 0:
            raise InputError(f"theta {theta:g} refused", why="total variance is positive", todo="give sigma^2 T")
        phi, rest = self.phi(theta), 1.0 - self.rho * self.rho
        return RawSvi(0.5 * theta * rest, 0.5 * theta * phi, self.rho, -self.rho / phi, sqrt(rest) / phi)


class Strip(NamedTuple):
    """One expiry's quotes for the fit: at-the-money total variance, then k, total variance and weight of each."""

    theta: float
    k: Floats
    variance: Floats
    weight: Floats


def fit_ssvi(strips: Sequence[Strip]) -> Ssvi:
    """
    The SSVI surface of least weighted squared error that allows neither butterflies nor calendars.

    Parameters
    ----------
    strips : one or more expiries, any order, at least three quotes together

    Returns
    -------
    rho, eta, gamma with the sufficient conditions met at every given theta.

    Source
    ------
    D04.

    >>> true, k = Ssvi(rho=-0.6, eta=0.9, gamma=0.4), np.linspace(-0.4, 0.2, 13)
    >>> fitted = fit_ssvi([Strip(t, k, true.slice(t).total_variance(k), np.ones(13)) for t in (0.01, 0.05)])
    >>> round(fitted.rho, 6), round(fitted.eta, 6), round(fitted.gamma, 6)
    (-0.6, 0.9, 0.4)
    """
    quotes = [np.concatenate(parts) for parts in zip(*(strip[1:] for strip in strips), strict=True)]
    if not quotes or quotes[0].size < 3 or not all(np.isfinite(part).all() for part in quotes):
        raise InputError("surface refused", why="three finite quotes are needed at least", todo="give more quotes")
    theta = np.concatenate([np.full(strip.k.size, strip.theta) for strip in strips])
    if not (theta > 0).all():
        raise InputError("surface refused", why="an at-the-money variance is not positive", todo="drop that expiry")
    k, variance, weight = quotes
    lower, upper = np.array([-_RHO, np.log(1e-3), 0.0]), np.array([_RHO, np.log(50.0), 1.0])
    problem = _Fit(theta, k, variance, weight, lower, upper)
    tries = [np.array([rho, np.log(0.8), 0.5]) for rho in (-0.8, -0.4, 0.0, 0.4)]
    found = [descend(problem, p, steps=_STEPS) for p in tries]
    rho, log_eta, gamma = (float(part) for part in min(found, key=lambda p: cost(problem, p)))
    return Ssvi(rho, min(float(np.exp(log_eta)), _largest_eta(rho, gamma, theta)), gamma)


def _largest_eta(rho: float, gamma: float, theta: Floats) -> float:
    """The steepest eta that keeps butterflies out at every theta."""
    unit, lean = theta**-gamma * (1.0 + theta) ** (gamma - 1.0), 1.0 + abs(rho)
    bounds = np.minimum(_BUTTERFLY / (theta * unit * lean), np.sqrt(_BUTTERFLY / (theta * lean)) / unit)
    return float(bounds.min()) * (1.0 - 1e-12)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Residuals in rho, ln eta and gamma; an eta beyond its bound counts as the bound and is pushed back."""

    theta: Floats
    k: Floats
    variance: Floats
    weight: Floats
    lower: Floats
    upper: Floats

    def rows(self, p: Floats) -> Rows:
        rho, log_eta, gamma = p
        most = np.log(_largest_eta(float(rho), float(gamma), self.theta))
        phi = np.exp(min(log_eta, most)) * self.theta**-gamma * (1.0 + self.theta) ** (gamma - 1.0)
        x = phi * self.k
        w = 0.5 * self.theta * (1.0 + rho * x + np.sqrt((x + rho) ** 2 + 1.0 - rho * rho))
        scale = sqrt(float(np.sum(np.square(self.weight * self.variance))))
        return Rows((w - self.variance) * self.weight, np.array([(log_eta - most) * scale]))

    def gradients(self, p: Floats) -> Rows:
        here, columns = self.rows(p), []
        for at in range(p.size):
            step = 1e-6
            moved = p.copy()
            moved[at] += step
            columns.append([(there - start) / step for there, start in zip(self.rows(moved), here, strict=True)])
        return Rows(*(np.stack(parts, axis=1) for parts in zip(*columns, strict=True)))
