"""Every root of a net present value in its rate, found by exclusion rather than by luck."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

LOWEST, HIGHEST = -0.9999, 100.0
"""The rates scanned, per unit of time: (-0.9999, 100] (D15)."""

_NARROW = 1e-9
_TOUCHES = 1e-13
_ONE = 1e-6  # roots closer than a hundredth of a basis point are one: rounding cannot tell them apart
_STEPS = 200


def rate_roots(times: Floats, flows: Floats) -> tuple[float, ...]:
    """
    Every rate R in (-0.9999, 100] at which sum(flows * (1 + R) ** -times) is zero, rising.

    Parameters
    ----------
    times : time of each flow, years or any other unit, >= 0, rising, same shape as `flows`
    flows : one currency, positive = received, finite

    Returns
    -------
    Rates per unit of time, accurate to about 1e-13 relative to 1 + R where the root is simple. A rate
    at which the sum touches zero without crossing it is a root too.

    >>> [round(rate, 12) for rate in rate_roots(np.array([0.0, 1.0, 2.0]), np.array([-100.0, 230.0, -132.0]))]
    [0.1, 0.2]
    """
    return rate_roots_of_rows(times[None, :], flows[None, :])[0]


def rate_roots_of_rows(times: Floats, flows: Floats) -> tuple[tuple[float, ...], ...]:
    """
    `rate_roots` of every row of two arrays of one shape (series, flows).

    Notes
    -----
    With u = ln(1 + R) every term is monotone in u, so its range over an interval is known from both
    ends. An interval is dropped if the sum cannot be zero in it, solved if the sum is monotone in it,
    and halved otherwise: no root is missed between two points of a grid. It is dropped too if the
    running sums at its lower end, or those from the back at its upper end, keep one sign: the sum then
    has no zero above the one or below the other (E. Laguerre, 1883).

    >>> rate_roots_of_rows(np.array([[0.0, 1.0]]), np.array([[-100.0, -5.0]]))
    ((),)
    """
    flows = _netted(times, flows)
    centred = times - _centres(times, flows)[:, None]
    rows = np.flatnonzero((flows > 0.0).any(1) & (flows < 0.0).any(1))
    low, high = np.full(rows.size, math.log1p(LOWEST)), np.full(rows.size, math.log1p(HIGHEST))
    found: list[list[float]] = [[] for _ in range(len(flows))]
    while rows.size:
        t, c = centred[rows], flows[rows]
        at_low, at_high = c * np.exp(-t * low[:, None]), c * np.exp(-t * high[:, None])
        empty = _excludes_zero(at_low, at_high) | _one_sign(at_low.cumsum(1)) | _one_sign(at_high[:, ::-1].cumsum(1))
        monotone = _excludes_zero(-t * at_low, -t * at_high) & ~empty
        _collect(found, rows[monotone], *_crossings(t[monotone], c[monotone], low[monotone], high[monotone]))
        narrow = (high - low <= _NARROW) & ~empty & ~monotone
        touches = narrow & (np.abs(at_low.sum(1)) <= _TOUCHES * np.abs(at_low).sum(1))
        _collect(found, rows[touches], low[touches], np.ones(int(touches.sum()), bool))
        rows, low, high = _halved(rows, low, high, ~(empty | monotone | narrow))
    return tuple(tuple(math.expm1(u) for u in _distinct(sorted(roots))) for roots in found)


def _netted(times: Floats, flows: Floats) -> Floats:
    """Flows of one instant as one, the first of them: sums that cancel there have no rate."""
    if not (times[:, 1:] == times[:, :-1]).any():
        return flows
    netted = flows.copy()
    for at in range(flows.shape[1] - 1, 0, -1):
        same = times[:, at] == times[:, at - 1]
        netted[:, at - 1] += np.where(same, netted[:, at], 0.0)
        netted[same, at] = 0.0
    return netted


def _centres(times: Floats, flows: Floats) -> Floats:
    """Scaling by exp(centre * u) moves no root; between payments and receipts it makes the sum monotone."""
    changes = np.diff(np.sign(flows), axis=1) != 0
    middles = 0.5 * (times[:, 1:] + times[:, :-1])
    return np.asarray((middles * changes).sum(1) / np.maximum(changes.sum(1), 1))


def _halved(rows: Rows, low: Floats, high: Floats, again: NDArray[np.bool_]) -> tuple[Rows, Floats, Floats]:
    rows, low, high = rows[again], low[again], high[again]
    middle = 0.5 * (low + high)
    return np.concatenate([rows, rows]), np.concatenate([low, middle]), np.concatenate([middle, high])


def _excludes_zero(at_low: Floats, at_high: Floats) -> NDArray[np.bool_]:
    above = np.minimum(at_low, at_high).sum(1) > 0.0
    return np.asarray(above | (np.maximum(at_low, at_high).sum(1) < 0.0))


def _one_sign(sums: Floats) -> NDArray[np.bool_]:
    """Whether running sums keep one sign beyond rounding, the last of them strictly."""
    noise = 1e-12 * np.abs(sums).max(axis=1, keepdims=True, initial=0.0)
    signs = np.sign(sums) * (np.abs(sums) > noise)
    settled = (signs == signs[:, -1:]) | (sums == 0.0)
    return np.asarray(settled.all(1) & (signs[:, -1] != 0.0))


def _crossings(times: Floats, flows: Floats, low: Floats, high: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The root in (low, high] of sums that are monotone there, by Newton kept inside a bracket; False: none."""
    low, high = low.copy(), high.copy()
    left, right = _sums(times, flows, low), _sums(times, flows, high)
    at_end = right == 0.0
    crosses = at_end | ((left != 0.0) & ((left > 0.0) != (right > 0.0)))
    u = np.where(at_end, high, 0.5 * (low + high))
    moving = np.flatnonzero(crosses & ~at_end)
    for _ in range(_STEPS):
        if not moving.size:
            break
        t, at = times[moving], u[moving]
        terms = flows[moving] * np.exp(-t * at[:, None])
        here, slope = terms.sum(1), (-t * terms).sum(1)
        before = (here > 0.0) == (left[moving] > 0.0)
        low[moving], high[moving] = np.where(before, at, low[moving]), np.where(before, high[moving], at)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = at - here / slope
        inside = (step > low[moving]) & (step < high[moving])
        following = np.where(here == 0.0, at, np.where(inside, step, 0.5 * (low[moving] + high[moving])))
        u[moving] = following
        moving = moving[np.abs(following - at) > 1e-15 * np.maximum(1.0, np.abs(at))]
    return u, crosses


def _sums(times: Floats, flows: Floats, u: Floats) -> Floats:
    return np.asarray((flows * np.exp(-times * u[:, None])).sum(1))


def _collect(found: list[list[float]], rows: Rows, roots: Floats, valid: NDArray[np.bool_]) -> None:
    for row, root in zip(rows[valid].tolist(), roots[valid].tolist(), strict=True):
        found[row].append(root)


def _distinct(found: list[float]) -> list[float]:
    clusters: list[list[float]] = []
    for u in found:
        if clusters and u - clusters[-1][-1] <= _ONE:
            clusters[-1].append(u)
        else:
            clusters.append([u])
    return [math.fsum(cluster) / len(cluster) for cluster in clusters]
