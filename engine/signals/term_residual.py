"""Is the short VIX future rich or cheap against the longer one: the residual of a robust regression (D13e, S48)."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError, MissingQuote
from engine.market import Floats

WINDOW = 252
"""Sessions the regression sees, today's included."""

THRESHOLD = 2.0
"""Robust deviations from which the short future counts as mispriced."""

_HUBER = 1.345  # 95 % efficient on normal errors (Huber 1964)
_MAD = 0.6744897501960817  # median absolute deviation of a standard normal
_STEPS = 100


class ShortFuture(StrEnum):
    """What the residual says of the short future."""

    RICH = "rich"
    FAIR = "fair"
    CHEAP = "cheap"


@dataclass(frozen=True, slots=True)
class TermResidual:
    """
    Today's residual of ln(F1/F2) and its robust z.

    `coefficients` are those of 1, ln VIX and the distance of the two expiries in years.
    """

    residual: float
    z: float
    coefficients: tuple[float, float, float]

    @property
    def short_future(self) -> ShortFuture:
        """Rich at two deviations and above, cheap at minus two and below."""
        if self.z >= THRESHOLD:
            return ShortFuture.RICH
        return ShortFuture.CHEAP if self.z <= -THRESHOLD else ShortFuture.FAIR


def term_residual(first: ArrayLike, second: ArrayLike, vix: ArrayLike, gap_years: ArrayLike) -> TermResidual:
    """
    The residual of the last session in a Huber regression over the last 252.

    Parameters
    ----------
    first, second : settlements of the short and the longer future, points, one per session, oldest first
    vix : index closes, points; gap_years : time between the two expiries

    Raises `MissingQuote` for fewer than 252 sessions, `InputError` for prices that are not positive numbers.

    Source: P. Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 35 (1964); scale by the
    median absolute residual.
    """
    columns = [np.asarray(column, float)[-WINDOW:] for column in (first, second, vix, gap_years)]
    if min(map(len, columns)) < WINDOW or len({len(column) for column in columns}) > 1:
        raise MissingQuote(
            "term structure not judged",
            why=f"{min(map(len, columns))} of {WINDOW} sessions are there",
            todo="give a longer history of settlements",
        )
    if not all(np.isfinite(column).all() and (column > 0).all() for column in columns):
        raise InputError("term structure refused", why="a price is not positive", todo="drop sessions without a quote")
    f1, f2, level, gap = columns
    target = np.log(f1 / f2)
    design = np.column_stack([np.ones(WINDOW), np.log(level), gap])
    weights = _huber(design, target)
    residuals = target - design @ weights
    scale = _scale(residuals)
    z = float(residuals[-1] / scale) if scale > 0 else 0.0
    return TermResidual(float(residuals[-1]), z, (float(weights[0]), float(weights[1]), float(weights[2])))


def _huber(design: Floats, target: Floats) -> Floats:
    """Coefficients by reweighted least squares, until they stand still."""
    found = _least_squares(design, target)
    for _ in range(_STEPS):
        residuals = target - design @ found
        scale = _scale(residuals)
        if scale == 0.0:
            return found
        far = np.abs(residuals) / scale
        root = np.sqrt(np.where(far > _HUBER, _HUBER / np.maximum(far, _HUBER), 1.0))
        moved = _least_squares(design * root[:, None], target * root)
        if np.allclose(moved, found, rtol=1e-12, atol=1e-13):
            return moved
        found = moved
    return found


def _least_squares(design: Floats, target: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(design, target, rcond=None)[0], np.float64)


def _scale(residuals: Floats) -> float:
    return float(np.median(np.abs(residuals)) / _MAD)
