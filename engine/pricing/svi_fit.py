"""SVI curves through quotes: least squares that ends without arbitrage."""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.pricing.least_squares import cost, descend
from engine.pricing.surface_checks import worst_butterfly
from engine.pricing.svi import SviSum
from engine.pricing.svi_conditions import BoundFit, Conditions, FreeFit, Limits
from engine.pricing.svi_parameters import PER_CURVE, parameters_of, smile_of
from engine.pricing.svi_starts import Quotes, starting_points

Floats = NDArray[np.float64]

_TRIED = (2, 3)  # curves in a sum: one more where the first are not close
_CLOSE = 0.5  # half-spreads
_STARTS, _START_STEPS, _STEPS = 3, 5, 60
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
    conditions = Conditions.of(quotes, limits)
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

    problem: FreeFit
    best: Floats
    error: float
    others: list[Floats]


def _free_fit(quotes: Quotes, conditions: Conditions, curves: int) -> _Started:
    free = FreeFit.of(quotes, curves)
    starts = list(starting_points(quotes, curves, free.wings)[:_STARTS])
    starts += [p for p in conditions.borrowed(quotes) if p.size == free.lower.size]
    tried = [descend(free, free.inside(p), steps=_START_STEPS) for p in starts]
    best = descend(free, min(tried, key=partial(cost, free)), steps=_STEPS)
    return _Started(free, best, free.error(best), tried)


def _bound_fit(started: _Started, conditions: Conditions) -> SviFit:
    """Penalties grow, and are asked for where they still fail, until every condition holds."""
    free, best = started.problem, started.best
    neighbours = [parameters_of(side) for _, side in conditions.neighbours]
    starts = started.others + [free.inside(p) for p in neighbours if p.size == best.size]
    points: list[float] = []
    for escalation in range(1, _ESCALATIONS + 1):
        failed = conditions.failed(smile_of(best))
        if not failed:
            break
        points += failed
        bound = BoundFit.of(free, conditions, points, _PENALTY**escalation)
        best = descend(bound, min((best, *starts), key=partial(cost, bound)), steps=_PENALTY_STEPS)
    smile = smile_of(best)
    excess = max((gap.excess for gap in conditions.crossed(smile)), default=0.0)
    worst = worst_butterfly(smile, conditions.low, conditions.high).level
    return SviFit(smile, free.error(best), started.error, worst, excess)
