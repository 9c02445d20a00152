"""What a smile shall not do, and the least squares that ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.pricing.least_squares import Rows
from engine.pricing.surface_checks import Crossing, crossings, worst_butterfly
from engine.pricing.svi import LEE_BOUND, SviSum
from engine.pricing.svi_parameters import PER_CURVE, Curves, parameters_of
from engine.pricing.svi_starts import Quotes

Floats = NDArray[np.float64]

_STEEPEST = LEE_BOUND * (1.0 - 1e-6)
_FLATTEST = 1e-9  # keeps |rho| < 1
_PENALTY_POINTS = 49
_G_MARGIN = 2e-3  # penalties give way a little, so they aim above zero
_CALENDAR_MARGIN = 1e-4
_LEAST_SHARE = 0.5  # of the least quoted variance, which no unquoted k shall fall below


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a smile shall not do.

    No butterfly and no vanishing variance from `low` to `high`, widened to the quoted range; no
    crossing of `floor` or `ceiling`, the smiles of the expiry before and after, on `shared` (the same
    range where none is given). All in log-moneyness.
    """

    low: float
    high: float
    floor: SviSum | None = None
    ceiling: SviSum | None = None
    shared: tuple[float, float] | None = None


class Conditions(NamedTuple):
    """`Limits` made definite for one strip; `neighbours` carry +1 to stay above, -1 to stay below."""

    low: float
    high: float
    least: float
    neighbours: tuple[tuple[float, SviSum], ...]
    shared: tuple[float, float]

    @classmethod
    def of(cls, quotes: Quotes, limits: Limits) -> "Conditions":
        """The conditions of `limits` on a smile through `quotes`."""
        low, high = min(limits.low, float(quotes.k[0])), max(limits.high, float(quotes.k[-1]))
        sides = ((1.0, limits.floor), (-1.0, limits.ceiling))
        neighbours = tuple((sign, side) for sign, side in sides if side is not None)
        least = _LEAST_SHARE * float(quotes.variance.min())
        return cls(low, high, least, neighbours, limits.shared or (low, high))

    def grid(self, quotes: Quotes) -> Floats:
        """Where conditions are asked for: over the whole range, and as finely over the quoted one."""
        quoted = np.linspace(quotes.k[0], quotes.k[-1], _PENALTY_POINTS)
        return np.unique(np.concatenate([quoted, np.linspace(self.low, self.high, _PENALTY_POINTS), self.shared]))

    def borrowed(self, quotes: Quotes) -> list[Floats]:
        """The neighbours' shapes at this strip's own at-the-money variance."""
        own = float(np.interp(0.0, quotes.k, quotes.variance))
        shapes = []
        for _, side in self.neighbours:
            p, ratio = parameters_of(side), own / float(side.total_variance(0.0))
            p[0] *= ratio
            for column in (1, 2, 3):
                p[column::PER_CURVE] *= sqrt(ratio)
            p[PER_CURVE::PER_CURVE] += 0.5 * np.log(ratio)
            shapes.append(p)
        return shapes

    def crossed(self, smile: SviSum) -> list[Crossing]:
        """Where `smile` crosses a neighbour."""
        pairs = [(side, smile) if sign > 0 else (smile, side) for sign, side in self.neighbours]
        low, high = self.shared
        return [gap for near, after in pairs for gap in crossings(near, after, low=low, high=high)]

    def failed(self, smile: SviSum) -> list[float]:
        """The worst k of each condition that fails."""
        worst = worst_butterfly(smile, self.low, self.high)
        ends = [k for k in (self.low, self.high) if smile.total_variance(k) < self.least]
        return [gap.worst for gap in self.crossed(smile)] + ([worst.k] if worst.level < 0 else []) + ends


@dataclass(frozen=True, slots=True)
class FreeFit:
    """Weighted residuals alone; the bounds keep wings to Lee's slope."""

    quotes: Quotes
    lower: Floats
    upper: Floats

    @classmethod
    def of(cls, quotes: Quotes, curves: int) -> "FreeFit":
        """Vertices within the quoted range; widths up to twice that range."""
        low, high = float(quotes.k[0]), float(quotes.k[-1])
        steepest = _STEEPEST / curves
        lower = [_FLATTEST, _FLATTEST, low, float(np.log(1e-4 * (high - low)))]
        upper = [steepest, steepest, high, float(np.log(2.0 * (high - low)))]
        return cls(quotes, np.array([-np.inf, *lower * curves]), np.array([np.inf, *upper * curves]))

    @property
    def wings(self) -> tuple[float, float]:
        """Least and greatest slope of a curve's wing."""
        return float(self.lower[1]), float(self.upper[1])

    def inside(self, p: Floats) -> Floats:
        """The nearest parameters within the bounds."""
        return np.minimum(np.maximum(p, self.lower), self.upper)

    def error(self, p: Floats) -> float:
        """Root mean square of the weighted residuals at `p`."""
        return float(np.sqrt(np.mean(np.square(self.rows(p).residuals))))

    def rows(self, p: Floats) -> Rows:
        missed = Curves.at(p, self.quotes.k).variance - self.quotes.variance
        return Rows(missed * self.quotes.weight, np.empty(0))

    def gradients(self, p: Floats) -> Rows:
        slope = Curves.at(p, self.quotes.k).variance_gradient
        return Rows(slope * self.quotes.weight[:, None], np.empty((0, p.size)))


@dataclass(frozen=True, slots=True)
class BoundFit:
    """The same with butterflies, crossings and vanishing variance penalised at `points`, each times `unit`."""

    free: FreeFit
    least: float
    points: Floats
    shared: NDArray[np.bool_]
    levels: tuple[tuple[float, Floats], ...]
    unit: float

    @classmethod
    def of(cls, free: FreeFit, conditions: Conditions, extra: Sequence[float], strength: float) -> "BoundFit":
        """The fit that asks for `conditions` on their grid and at `extra`, `strength` times a residual each."""
        points = np.union1d(conditions.grid(free.quotes), extra)
        shared = (points >= conditions.shared[0]) & (points <= conditions.shared[1])
        levels = tuple((sign, side.total_variance(points[shared])) for sign, side in conditions.neighbours)
        return cls(free, conditions.least, points, shared, levels, strength * sqrt(free.quotes.k.size))

    @property
    def lower(self) -> Floats:
        return self.free.lower

    @property
    def upper(self) -> Floats:
        return self.free.upper

    def rows(self, p: Floats) -> Rows:
        curves = Curves.at(p, self.points)
        w = curves.variance
        failing = [_G_MARGIN - curves.butterfly(np.maximum(w, self.least)), 1.0 - w / self.least]
        failing += [sign * (1.0 - w[self.shared] / level) + _CALENDAR_MARGIN for sign, level in self.levels]
        return Rows(self.free.rows(p).residuals, self.unit * np.concatenate(failing))

    def gradients(self, p: Floats) -> Rows:
        curves = Curves.at(p, self.points)
        slope = curves.variance_gradient
        failing = [-curves.butterfly_gradient(np.maximum(curves.variance, self.least), slope), -slope / self.least]
        failing += [-sign * slope[self.shared] / level[:, None] for sign, level in self.levels]
        return Rows(self.free.gradients(p).residuals, self.unit * np.concatenate(failing))
