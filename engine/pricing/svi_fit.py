"""SVI curves through quotes: least squares that ends without arbitrage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.pricing.least_squares import Rows, cost, descend
from engine.pricing.surface_checks import Crossing, crossings, worst_butterfly
from engine.pricing.svi import LEE_BOUND, SviSum
from engine.pricing.svi_parameters import (
    PER_CURVE,
    butterfly,
    butterfly_gradient,
    parameters_of,
    smile_of,
    variance,
    variance_gradient,
)
from engine.pricing.svi_starts import Quotes, starting_points

Floats = NDArray[np.float64]

_TRIED = (2, 3)  # curves in a sum: one more where the first are not close
_CLOSE = 0.5  # half-spreads
_STEEPEST = LEE_BOUND * (1.0 - 1e-6)
_FLATTEST = 1e-9  # keeps |rho| < 1
_STARTS, _START_STEPS, _STEPS = 3, 5, 60
_PENALTY_POINTS = 49
_G_MARGIN = 2e-3  # penalties give way a little, so they aim above zero
_CALENDAR_MARGIN = 1e-4
_LEAST_SHARE = 0.5  # of the least quoted variance, which no unquoted k shall fall below
_PENALTY, _PENALTY_STEPS, _ESCALATIONS = 10.0, 25, 6


class SviFit(NamedTuple):
    """
    A smile and what it took.

    `error` is the root mean square of weighted residuals and `unconstrained` the same before any
    condition: their gap is the price of being free of arbitrage. `worst_g` is the least g on the
    checked range and `excess` the largest total variance by which a neighbour is crossed there.
    """

    smile: SviSum
    error: float
    unconstrained: float
    worst_g: float
    excess: float

    @property
    def free(self) -> bool:
        """Whether the smile holds no butterfly on its range and crosses no neighbour."""
        return self.worst_g >= 0.0 and self.excess <= 0.0


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


def fewest_quotes(curves: int) -> int:
    """
    One quote more than parameters.

    >>> [fewest_quotes(curves) for curves in (1, 2, 3)]
    [6, 10, 14]
    """
    return PER_CURVE * curves + 2


def fit_svi(quotes: Quotes, limits: Limits, *, curves: int | None = None) -> SviFit:
    """
    The sum of raw SVI curves of least weighted squared error that allows no arbitrage.

    Parameters
    ----------
    quotes : k rising, all finite, variances and weights > 0
    limits : where which arbitrage is looked for
    curves : 1 is plain SVI; where none is given two, and three where two are not within half a
        half-spread (one where quotes are few)

    Returns
    -------
    Wings keep to Lee's bound and total variance is never negative, always; butterflies and crossings
    are driven out by growing penalties, and what is left of them stands in the result. Raises
    `InputError` where quotes are fewer than `fewest_quotes(curves)`.

    Source
    ------
    D04.

    >>> from engine.pricing.svi import RawSvi
    >>> k = np.linspace(-0.3, 0.2, 21)
    >>> true = RawSvi(a=0.01, b=0.1, rho=-0.6, m=0.02, s=0.1)
    >>> found = fit_svi(Quotes(k, true.total_variance(k), np.ones(21)), Limits(-0.5, 0.5), curves=1)
    >>> round(found.smile.parts[0].rho, 6), found.free
    (-0.6, True)
    """
    _require_fittable(quotes, curves or 1)
    conditions = _conditions(quotes, limits)
    if curves is not None:
        return _bound_fit(_free_fit(quotes, conditions, curves), conditions)
    most = max(count for count in (1, *_TRIED) if quotes.k.size >= fewest_quotes(count))
    for count in range(min(most, _TRIED[0]), most):
        started = _free_fit(quotes, conditions, count)
        if started.error <= _CLOSE:
            fit = _bound_fit(started, conditions)
            if fit.free and fit.error <= _CLOSE:
                return fit
    return _bound_fit(_free_fit(quotes, conditions, most), conditions)


def _require_fittable(quotes: Quotes, curves: int) -> None:
    usable = all(np.isfinite(part).all() for part in quotes) and (np.diff(quotes.k) > 0).all()
    if not usable or (quotes.variance <= 0).any() or (quotes.weight <= 0).any():
        raise InputError(
            "smile refused",
            why="k must rise, and every quote needs a variance and a weight above zero",
            todo="drop quotes that are not usable before the fit",
        )
    if quotes.k.size < fewest_quotes(curves):
        raise InputError(
            f"smile of {quotes.k.size} quotes refused",
            why=f"{curves} SVI curve(s) need at least {fewest_quotes(curves)} strikes",
            todo="interpolate between neighbouring expiries instead",
        )


class _Started(NamedTuple):
    """A fit without conditions: its best parameters, their error, and others it came by."""

    problem: "_FreeFit"
    best: Floats
    error: float
    others: list[Floats]


def _free_fit(quotes: Quotes, conditions: "_Conditions", curves: int) -> _Started:
    free = _FreeFit(quotes, *_bounds(quotes, curves))
    points = np.clip(starting_points(quotes, curves), free.lower, free.upper)
    starts = sorted(points, key=free.error)[:_STARTS]
    starts += [p for p in conditions.borrowed(quotes) if p.size == free.lower.size]
    tried = [descend(free, np.clip(p, free.lower, free.upper), steps=_START_STEPS) for p in starts]
    best = descend(free, min(tried, key=partial(cost, free)), steps=_STEPS)
    return _Started(free, best, free.error(best), tried)


def _bound_fit(started: _Started, conditions: "_Conditions") -> SviFit:
    """Penalties grow, and are asked for where they still fail, until every condition holds."""
    free, best = started.problem, started.best
    neighbours = [parameters_of(side) for _, side in conditions.neighbours]
    starts = started.others + [np.clip(p, free.lower, free.upper) for p in neighbours if p.size == best.size]
    bound = _BoundFit(free.quotes, free.lower, free.upper, conditions, conditions.grid(free.quotes))
    for _ in range(_ESCALATIONS):
        failed = conditions.failed(smile_of(best))
        if not failed:
            break
        bound = bound.stricter(failed)
        best = descend(bound, min((best, *starts), key=partial(cost, bound)), steps=_PENALTY_STEPS)
    smile = smile_of(best)
    excess = max((gap.excess for gap in conditions.crossed(smile)), default=0.0)
    worst = worst_butterfly(smile, conditions.low, conditions.high).level
    return SviFit(smile, free.error(best), started.error, worst, excess)


def _bounds(quotes: Quotes, curves: int) -> tuple[Floats, Floats]:
    """Vertices within the quoted range; widths up to twice that range."""
    low, high = float(quotes.k[0]), float(quotes.k[-1])
    lower = [_FLATTEST, _FLATTEST, low, float(np.log(1e-4 * (high - low)))]
    upper = [_STEEPEST / curves, _STEEPEST / curves, high, float(np.log(2.0 * (high - low)))]
    return np.array([-np.inf, *lower * curves]), np.array([np.inf, *upper * curves])


class _Conditions(NamedTuple):
    """`Limits` made definite for one strip; `neighbours` carry +1 to stay above, -1 to stay below."""

    low: float
    high: float
    least: float
    neighbours: tuple[tuple[float, SviSum], ...]
    shared: tuple[float, float]

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
        pairs = [(side, smile) if sign > 0 else (smile, side) for sign, side in self.neighbours]
        low, high = self.shared
        return [gap for near, after in pairs for gap in crossings(near, after, low=low, high=high)]

    def failed(self, smile: SviSum) -> list[float]:
        """The worst k of each condition that fails."""
        worst = worst_butterfly(smile, self.low, self.high)
        ends = [k for k in (self.low, self.high) if smile.total_variance(k) < self.least]
        return [gap.worst for gap in self.crossed(smile)] + ([worst.k] if worst.level < 0 else []) + ends


def _conditions(quotes: Quotes, limits: Limits) -> _Conditions:
    low, high = min(limits.low, float(quotes.k[0])), max(limits.high, float(quotes.k[-1]))
    sides = ((1.0, limits.floor), (-1.0, limits.ceiling))
    neighbours = tuple((sign, side) for sign, side in sides if side is not None)
    return _Conditions(low, high, _LEAST_SHARE * float(quotes.variance.min()), neighbours, limits.shared or (low, high))


@dataclass(frozen=True, slots=True)
class _FreeFit:
    """Weighted residuals alone; the bounds keep wings to Lee's slope."""

    quotes: Quotes
    lower: Floats
    upper: Floats

    def error(self, p: Floats) -> float:
        return float(
            np.sqrt(np.mean(np.square((variance(p, self.quotes.k) - self.quotes.variance) * self.quotes.weight)))
        )

    def rows(self, p: Floats) -> Rows:
        return Rows((variance(p, self.quotes.k) - self.quotes.variance) * self.quotes.weight, np.empty(0))

    def gradients(self, p: Floats) -> Rows:
        return Rows(variance_gradient(p, self.quotes.k) * self.quotes.weight[:, None], np.empty((0, p.size)))


@dataclass(frozen=True, slots=True)
class _BoundFit(_FreeFit):
    """The same with butterflies, crossings and vanishing variance penalised."""

    conditions: _Conditions
    points: Floats
    strength: float = 1.0

    def stricter(self, failed: Sequence[float]) -> "_BoundFit":
        return replace(self, points=np.union1d(self.points, failed), strength=_PENALTY * self.strength)

    def rows(self, p: Floats) -> Rows:
        w, least, shared = variance(p, self.points), self.conditions.least, self._shared
        failing = [_G_MARGIN - butterfly(p, self.points, np.maximum(w, least)), 1.0 - w / least]
        failing += [sign * (1.0 - w[shared] / level) + _CALENDAR_MARGIN for sign, level in self._levels()]
        return Rows(_FreeFit.rows(self, p).residuals, self._unit * np.concatenate(failing))

    def gradients(self, p: Floats) -> Rows:
        w, least, shared = variance(p, self.points), self.conditions.least, self._shared
        slope = variance_gradient(p, self.points)
        failing = [-butterfly_gradient(p, self.points, np.maximum(w, least)), -slope / least]
        failing += [-sign * slope[shared] / level[:, None] for sign, level in self._levels()]
        return Rows(_FreeFit.gradients(self, p).residuals, self._unit * np.concatenate(failing))

    @property
    def _unit(self) -> float:
        return self.strength * sqrt(self.quotes.k.size)

    @property
    def _shared(self) -> NDArray[np.bool_]:
        low, high = self.conditions.shared
        return np.asarray((self.points >= low) & (self.points <= high))

    def _levels(self) -> list[tuple[float, Floats]]:
        points = self.points[self._shared]
        return [(sign, side.total_variance(points)) for sign, side in self.conditions.neighbours]
