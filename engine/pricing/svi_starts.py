"""Where a fit of SVI curves begins: exact linear fits on a grid of shapes."""

from itertools import combinations, product
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Shapes tried at first. Near ones are in at-the-money deviations, far ones in shares of the quoted put side.
_NEAR = tuple(product((-1.0, 0.0, 1.0), (0.4, 1.0, 2.5)))
_FAR = tuple(product((0.1, 0.25, 0.5, 0.8), (0.1, 0.25, 0.6)))


class Quotes(NamedTuple):
    """
    What a fit sees: log-moneyness, total variance and weight of each quote.

    Residuals are weight times total variance, so a weight of 1 / (half the quote's width in total
    variance), which is vega over spread, measures them in half-spreads.
    """

    k: Floats
    variance: Floats
    weight: Floats


def starting_points(quotes: Quotes, curves: int, wings: tuple[float, float]) -> Floats:
    """
    Parameters to descend from, one row for each shape of a grid, the closest to the quotes first.

    Given each curve's m and s the smile is linear in its level and wings, which weighted least squares
    then gives exactly, up to the bounds that `wings` sets on each.

    Source
    ------
    S. De Marco & C. Martini, "Quasi-explicit calibration of Gatheral's SVI model", Zeliade (2009).
    """
    shapes = _shapes(quotes, curves)
    m, s = shapes[:, 0::2, None], shapes[:, 1::2, None]
    x = quotes.k - m
    z = np.sqrt(x * x + s * s)
    level = np.ones((len(shapes), 1, quotes.k.size))
    basis = np.concatenate([level, 0.5 * (z + x), 0.5 * (z - x)], axis=1)
    found = _linear_fits(basis, quotes)
    found[:, 1:] = np.clip(found[:, 1:], *wings)
    missed = (np.matmul(found[:, None], basis)[:, 0] - quotes.variance) * quotes.weight
    order = np.argsort(np.square(missed).sum(axis=1), kind="stable")
    own = np.concatenate(
        [found[:, 1:].reshape(-1, 2, curves), m.transpose(0, 2, 1), np.log(s).transpose(0, 2, 1)], axis=1
    )
    return np.concatenate([found[:, :1], own.transpose(0, 2, 1).reshape(len(shapes), -1)], axis=1)[order]


def _shapes(quotes: Quotes, curves: int) -> Floats:
    """Every m and s to try, in log-moneyness, one shape a row."""
    sd = sqrt(float(np.interp(0.0, quotes.k, quotes.variance)))
    reach = max(-float(quotes.k[0]), sd)
    near, far = np.array(_NEAR) * sd, np.array(_FAR) * (-reach, reach)
    if curves == 1:
        return np.concatenate([near, far])
    if curves == 2:
        return np.array([(*a, *b) for a, b in product(near, far)])
    pairs = [(a, b) for a, b in combinations(far, 2) if a[0] != b[0] and a[1] == b[1]]
    return np.array([(*a, *b, *c) for a, (b, c) in product(near, pairs)])


def _linear_fits(basis: Floats, quotes: Quotes) -> Floats:
    """Weighted least squares of each shape's basis functions, columns scaled and slightly damped."""
    weighted = basis * quotes.weight
    normal = weighted @ weighted.transpose(0, 2, 1)
    unit = np.sqrt(np.einsum("nii->ni", normal))
    damped = normal / (unit[:, :, None] * unit[:, None, :]) + 1e-9 * np.eye(basis.shape[1])
    right_side = (weighted @ (quotes.variance * quotes.weight)) / unit
    return np.asarray(np.linalg.solve(damped, right_side[:, :, None])[:, :, 0] / unit)
