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
        gradients = problem.gradients(p)
        for _retry in range(_RETRIES):
            step = _step(problem, p, rows, gradients, damping)
            trial = np.minimum(np.maximum(p + step, problem.lower), problem.upper)
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


def _step(problem: Problem, p: Floats, rows: Rows, gradients: Rows, damping: float) -> Floats:
    """The damped Gauss-Newton step under the conditions that it would break itself."""
    base, pull = gradients.residuals.T @ gradients.residuals, gradients.residuals.T @ rows.residuals
    broken = rows.conditions > 0
    step = np.zeros_like(p)
    for _ in range(_REVISIONS):
        active = gradients.conditions[broken]
        step = _loose_step(problem, p, base + active.T @ active, pull + active.T @ rows.conditions[broken], damping)
        would_break = rows.conditions + gradients.conditions @ step > 0
        if (would_break == broken).all():
            break
        broken = would_break
    return step


def _loose_step(problem: Problem, p: Floats, normal: Floats, gradient: Floats, damping: float) -> Floats:
    """The step over the parameters that no bound holds."""
    held = ((p <= problem.lower) & (gradient > 0)) | ((p >= problem.upper) & (gradient < 0))
    loose = np.flatnonzero(~held)
    damped = normal[loose[:, None], loose]
    scale = damped.diagonal()
    damped.flat[:: loose.size + 1] += damping * np.maximum(scale, 1e-12 * scale.max(initial=1e-300))
    step = np.zeros(p.size)
    step[loose] = np.linalg.solve(damped, -gradient[loose])
    return step


def _cost(rows: Rows) -> float:
    failed = np.maximum(rows.conditions, 0.0)
    return float(rows.residuals @ rows.residuals + failed @ failed)
