"""Small nonlinear least squares with bounds, and with conditions that cost only where they fail."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SETTLED = 1e-5  # relative gain of a step; a perfect fit keeps gaining until rounding
_RETRIES = 10
_REVISIONS = 8


class Rows(NamedTuple):
    """`residuals` always count, `conditions` only where above zero; or the derivatives of both, a column each."""

    residuals: Floats
    conditions: Floats


class Problem(Protocol):
    """What to make small, and the bounds of the parameters that may do it."""

    @property
    def lower(self) -> Floats:
        """Least value of each parameter."""

    @property
    def upper(self) -> Floats:
        """Greatest value of each parameter."""

    def rows(self, p: Floats) -> Rows:
        """Residuals and conditions at `p`."""

    def gradients(self, p: Floats) -> Rows:
        """Their derivatives at `p`."""


def cost(problem: Problem, p: Floats) -> float:
    """Sum of squared residuals and of squared conditions above zero."""
    return _cost(problem.rows(p))


def descend(problem: Problem, p: Floats, *, steps: int) -> Floats:
    """
    Parameters after at most `steps` of Levenberg-Marquardt from `p`, at no step worse than before.

    A parameter that its bound holds stays out of the step. Conditions count by where the step would take
    them, so that a fit slides along a condition instead of stopping at it.

    Source
    ------
    K. Levenberg (1944), D. Marquardt (1963), with diagonal scaling.
    """
    rows = problem.rows(p)
    level, damping = _cost(rows), 1e-3
    for _ in range(steps):
        here = _Slope.of(rows, problem.gradients(p))
        for _retry in range(_RETRIES):
            trial = np.minimum(np.maximum(p + _step(problem, p, here, damping), problem.lower), problem.upper)
            tried = problem.rows(trial)
            trial_level = _cost(tried)
            if trial_level < level:
                break
            damping = max(5.0 * damping, 1e-9)
        else:
            return p
        gain, level = level - trial_level, trial_level
        p, rows, damping = trial, tried, 0.1 * damping
        if gain <= _SETTLED * level:
            break
    return p


class _Slope(NamedTuple):
    """The normal equations of the residuals at one point, and the conditions there with their derivatives."""

    normal: Floats
    pull: Floats
    conditions: Floats
    gradients: Floats

    @classmethod
    def of(cls, rows: Rows, gradients: Rows) -> "_Slope":
        slopes = gradients.residuals.T
        return cls(slopes @ slopes.T, slopes @ rows.residuals, rows.conditions, gradients.conditions)


def _step(problem: Problem, p: Floats, here: _Slope, damping: float) -> Floats:
    """The damped Gauss-Newton step under the conditions that it would break itself."""
    broken = here.conditions > 0
    for _ in range(_REVISIONS):
        active, failed = here.gradients[broken], here.conditions[broken]
        normal, pull = here.normal + active.T @ active, here.pull + active.T @ failed
        step = _loose_step(problem, p, normal, pull, damping)
        would_break = here.conditions + here.gradients @ step > 0
        if np.array_equal(would_break, broken):
            break
        broken = would_break
    return step


def _loose_step(problem: Problem, p: Floats, normal: Floats, pull: Floats, damping: float) -> Floats:
    """The step over the parameters that no bound holds."""
    held = ((p <= problem.lower) & (pull > 0)) | ((p >= problem.upper) & (pull < 0))
    loose = np.flatnonzero(~held)
    damped = normal[loose[:, None], loose]
    scale = damped.diagonal()
    damped.flat[:: loose.size + 1] += damping * np.maximum(scale, 1e-12 * scale.max(initial=1e-300))
    step = np.zeros(p.size)
    step[loose] = np.linalg.solve(damped, -pull[loose])
    return step


def _cost(rows: Rows) -> float:
    failed = np.maximum(rows.conditions, 0.0)
    return float(rows.residuals @ rows.residuals + failed @ failed)
