"""SVI sums as a vector of parameters, with the derivatives that a fit needs."""

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
    return curves.lifted(max(level, -curves.least))


def parameters_of(smile: SviSum) -> Floats:
    """The parameters of `smile`, whose curves have two wings that rise."""
    rows = [(part.right_wing, part.left_wing, part.m, log(part.s)) for part in smile.parts]
    return np.array([smile.level + sum(part.a for part in smile.parts), *(part for row in rows for part in row)])


def variance(p: Floats, k: Floats) -> Floats:
    """Total variance at k, negative where the parameters say so."""
    right, left, x, z, _ = _hyperbolas(p, k)
    return np.asarray(p[0] + 0.5 * ((right + left) @ z + (right - left) @ x))


def variance_gradient(p: Floats, k: Floats) -> Floats:
    """Derivatives of total variance by parameter, one column each."""
    right, left, x, z, square = _hyperbolas(p, k)
    b, tilt = 0.5 * (right + left)[:, None], 0.5 * (right - left)[:, None]
    rows = np.stack([0.5 * (z + x), 0.5 * (z - x), -b * x / z - tilt, b * square / z], axis=1)
    return np.concatenate([np.ones((1, k.size)), rows.reshape(-1, k.size)]).T


def butterfly(p: Floats, k: Floats, w: Floats) -> Floats:
    """Gatheral's g at total variances `w` > 0."""
    slope, bend = _slopes(p, k)
    return np.asarray((1.0 - 0.5 * k * slope / w) ** 2 - 0.25 * slope**2 * (1.0 / w + 0.25) + 0.5 * bend)


def butterfly_gradient(p: Floats, k: Floats, w: Floats) -> Floats:
    """Derivatives of g by parameter, one column each."""
    slope, _ = _slopes(p, k)
    lean = 1.0 - 0.5 * k * slope / w
    by_w = (lean * k * slope + 0.25 * slope**2) / w**2
    by_slope = -lean * k / w - 0.5 * slope * (1.0 / w + 0.25)
    slopes, bends = _slope_gradients(p, k)
    return np.asarray(by_w[:, None] * variance_gradient(p, k) + by_slope[:, None] * slopes + 0.5 * bends)


def _slopes(p: Floats, k: Floats) -> tuple[Floats, Floats]:
    """First and second derivative of total variance by k."""
    right, left, x, z, square = _hyperbolas(p, k)
    b = 0.5 * (right + left)
    return b @ (x / z) + 0.5 * float(np.sum(right - left)), b @ (square / z**3)


def _slope_gradients(p: Floats, k: Floats) -> tuple[Floats, Floats]:
    """Derivatives of those two by parameter."""
    right, left, x, z, square = _hyperbolas(p, k)
    b, lean, unit = 0.5 * (right + left)[:, None], x / z, square / z**3
    slopes = np.stack([0.5 * (1.0 + lean), 0.5 * (lean - 1.0), -b * unit, -b * x * unit], axis=1)
    by_m, by_s = 3.0 * b * x * unit / z**2, b * unit * (2.0 - 3.0 * square / z**2)
    bends = np.stack([0.5 * unit, 0.5 * unit, by_m, by_s], axis=1)
    level = np.zeros((1, k.size))
    by_slope, by_bend = (np.concatenate([level, rows.reshape(-1, k.size)]).T for rows in (slopes, bends))
    return by_slope, by_bend


def _hyperbolas(p: Floats, k: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Both wings of each curve, and k - m, its hyperbola and s^2 with one row a curve."""
    right, left, m, log_s = p[1:].reshape(-1, PER_CURVE).T
    x, square = k - m[:, None], np.exp(2.0 * log_s)[:, None]
    return right, left, x, np.sqrt(x * x + square), square
