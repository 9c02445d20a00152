"""Every root of a net present value in its rate, found by exclusion rather than by luck."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOWEST, HIGHEST = -0.9999, 100.0
"""The rates scanned, per unit of time: (-0.9999, 100] (D15)."""

_NARROW = 1e-9
_TOUCHES = 1e-13
_ONE = 1e-6  # roots closer than a hundredth of a basis point are one: rounding cannot tell them apart


def rate_roots(times: Floats, flows: Floats) -> tuple[float, ...]:
    """
    Every rate R in (-0.9999, 100] at which sum(flows * (1 + R) ** -times) is zero, rising.

    Parameters
    ----------
    times : time of each flow, years or any other unit, >= 0, same shape as `flows`
    flows : one currency, positive = received, finite

    Returns
    -------
    Rates per unit of time, accurate to about 1e-13 relative to 1 + R where the root is simple. A rate
    at which the sum touches zero without crossing it is a root too.

    Notes
    -----
    With u = ln(1 + R) every term is monotone in u, so its range over an interval is known from both
    ends. An interval is dropped if the sum cannot be zero in it, solved if the sum is monotone
    in it, and halved otherwise: no root is missed between two points of a grid.

    >>> [round(rate, 12) for rate in rate_roots(np.array([0.0, 1.0, 2.0]), np.array([-100.0, 230.0, -132.0]))]
    [0.1, 0.2]
    """
    centred = times - _centre(times, flows)
    work = [(math.log1p(LOWEST), math.log1p(HIGHEST))]
    found: list[float] = []
    while work:
        low, high = work.pop()
        at_low, at_high = flows * np.exp(-centred * low), flows * np.exp(-centred * high)
        if _excludes_zero(at_low, at_high):
            continue
        if _excludes_zero(-centred * at_low, -centred * at_high):
            found += _crossing(centred, flows, low, high)
        elif high - low > _NARROW:
            middle = 0.5 * (low + high)
            work += [(low, middle), (middle, high)]
        elif abs(at_low.sum()) <= _TOUCHES * np.abs(at_low).sum():
            found.append(low)
    return tuple(math.expm1(u) for u in _distinct(sorted(found)))


def _centre(times: Floats, flows: Floats) -> float:
    """Scaling by exp(centre * u) moves no root; between payments and receipts it makes the sum monotone."""
    changes = np.flatnonzero(np.diff(np.sign(flows)))
    return float(np.mean([0.5 * (times[i] + times[i + 1]) for i in changes])) if len(changes) else 0.0


def _excludes_zero(at_low: Floats, at_high: Floats) -> bool:
    return bool(np.minimum(at_low, at_high).sum() > 0.0 or np.maximum(at_low, at_high).sum() < 0.0)


def _crossing(times: Floats, flows: Floats, low: float, high: float) -> list[float]:
    """The root in (low, high] of a sum that is monotone there, by Newton kept inside a bracket."""
    left, right = _sum(times, flows, low), _sum(times, flows, high)
    if right == 0.0:
        return [high]
    if left == 0.0 or (left > 0.0) == (right > 0.0):
        return []
    u = 0.5 * (low + high)
    for _ in range(200):
        terms = flows * np.exp(-times * u)
        here, slope = float(terms.sum()), float((-times * terms).sum())
        if here == 0.0:
            break
        low, high = (u, high) if (here > 0.0) == (left > 0.0) else (low, u)
        step = u - here / slope if slope else low
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - u) <= 1e-15 * max(1.0, abs(u)):
            return [following]
        u = following
    return [u]


def _sum(times: Floats, flows: Floats, u: float) -> float:
    return float((flows * np.exp(-times * u)).sum())


def _distinct(found: list[float]) -> list[float]:
    clusters: list[list[float]] = []
    for u in found:
        if clusters and u - clusters[-1][-1] <= _ONE:
            clusters[-1].append(u)
        else:
            clusters.append([u])
    return [math.fsum(cluster) / len(cluster) for cluster in clusters]
