"""SVI sums as a vector of parameters, with the derivatives that a fit needs."""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from engine.pricing.svi import RawSvi, SviSum

Floats = NDArray[np.float64]

PER_CURVE = 4
"""Right wing, left wing, m and ln s of each curve; before them stands one level a for all.

w = a + sum of (right (z + x) + left (z - x)) / 2 with x = k - m, z = sqrt(x^2 + s^2), so that Lee's bound
on the wings is a box and, given m and s, the smile is linear in the rest.
"""


def smile_of(p: Floats) -> SviSum:
    """The smile of parameters `p`, lifted to zero where they would take it below."""
    parts = []
    for right, left, m, log_s in p[1:].reshape(-1, PER_CURVE).tolist():
        b, s = 0.5 * (right + left), exp(log_s)
        parts.append(RawSvi(-s * sqrt(right * left), b, (right - left) / (right + left), m, s))
    curves = SviSum(0.0, tuple(parts))
    level = float(p[0]) - sum(part.a for part in parts)
    return curves.lifted(level if level >= 0.0 else max(level, -curves.least))


def parameters_of(smile: SviSum) -> Floats:
    """The parameters of `smile`, whose curves have two wings that rise."""
    rows = [(part.right_wing, part.left_wing, part.m, log(part.s)) for part in smile.parts]
    return np.array([smile.level + sum(part.a for part in smile.parts), *(part for row in rows for part in row)])


@dataclass(frozen=True, slots=True)
class Curves:
    """
    The curves of parameters at many k: both wings of each, and k - m, its hyperbola and s^2, one row a curve.

    Derivatives by parameter have one column each.
    """

    level: float
    k: Floats
    right: Floats
    left: Floats
    x: Floats
    z: Floats
    square: Floats

    @classmethod
    def at(cls, p: Floats, k: Floats) -> "Curves":
        """The curves of parameters `p` at log-moneyness `k`."""
        right, left, m, log_s = p[1:].reshape(-1, PER_CURVE).T
        x, square = k - m[:, None], np.exp(2.0 * log_s)[:, None]
        return cls(float(p[0]), k, right, left, x, np.sqrt(x * x + square), square)

    @property
    def variance(self) -> Floats:
        """Total variance, negative where the parameters say so."""
        return np.asarray(self.level + 0.5 * ((self.right + self.left) @ self.z + (self.right - self.left) @ self.x))

    @property
    def variance_gradient(self) -> Floats:
        """Derivatives of total variance by parameter."""
        x, z = self.x, self.z
        b, tilt = 0.5 * (self.right + self.left)[:, None], 0.5 * (self.right - self.left)[:, None]
        return _columns(1.0, 0.5 * (z + x), 0.5 * (z - x), -b * x / z - tilt, b * self.square / z)

    def butterfly(self, w: Floats) -> Floats:
        """Gatheral's g at total variances `w` > 0."""
        b, tilt = 0.5 * (self.right + self.left), 0.5 * float(np.sum(self.right - self.left))
        slope, bend = b @ (self.x / self.z) + tilt, b @ (self.square / (self.z * self.z * self.z))
        lean = 1.0 - 0.5 * self.k * slope / w
        return np.asarray(lean * lean - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend)

    def butterfly_gradient(self, w: Floats, w_gradient: Floats) -> Floats:
        """Derivatives of g by parameter at `w`, whose own are `w_gradient`."""
        b, x, z = 0.5 * (self.right + self.left)[:, None], self.x, self.z
        lean, unit = x / z, self.square / (z * z * z)
        slope = b[:, 0] @ lean + 0.5 * float(np.sum(self.right - self.left))
        ratio = 1.0 - 0.5 * self.k * slope / w
        by_w = (ratio * self.k * slope + 0.25 * slope * slope) / (w * w)
        by_slope = -ratio * self.k / w - 0.5 * slope * (1.0 / w + 0.25)
        slopes = _columns(0.0, 0.5 * (1.0 + lean), 0.5 * (lean - 1.0), -b * unit, -b * x * unit)
        by_m, by_s = 3.0 * b * lean * unit / z, b * unit * (2.0 - 3.0 * self.square / (z * z))
        bends = _columns(0.0, 0.5 * unit, 0.5 * unit, by_m, by_s)
        return np.asarray(by_w[:, None] * w_gradient + by_slope[:, None] * slopes + 0.5 * bends)


def _columns(by_level: float, *by_curve: Floats) -> Floats:
    """Derivatives by the level and by the parameters of each curve, one column each."""
    curves, points = by_curve[0].shape
    found = np.empty((points, 1 + PER_CURVE * curves))
    found[:, 0] = by_level
    for place, rows in enumerate(by_curve, start=1):
        found[:, place::PER_CURVE] = rows.T
    return found
