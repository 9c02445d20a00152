"""
The steps of `xirr_many` as compiled loops over columns of series; importing this imports numba.

A block of series is worked on flow by flow, so that the compiler treats as many series at once as a
register holds.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.ledger.roots import HIGHEST, LOWEST
from engine.pricing.fast.kernels import exponential, logarithm

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BLOCK = 64
_PASSES = 8
_MARGIN = 1e-9
_LOW, _HIGH = math.log1p(LOWEST), math.log1p(HIGHEST)


def solve(cash: Floats, years: Floats) -> tuple[Floats, Flags]:
    """
    ln(1 + R) of a root of each series, and whether it is certain that there is no other.

    Parameters
    ----------
    cash : (series, flows), finite
    years : of each flow since the first, (1, flows) or (series, flows), not falling

    >>> u, only = solve(np.array([[-100.0, 110.0]]), np.array([[0.0, 1.0]]))
    >>> round(float(np.expm1(u[0])), 12), bool(only[0])
    (0.1, True)
    """
    guess, only = np.zeros(len(cash)), np.zeros(len(cash), np.bool_)
    _solve(np.ascontiguousarray(cash), np.ascontiguousarray(years), guess, only)
    return guess, only


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _solve(cash: Floats, years: Floats, guess: Floats, only: Flags) -> None:  # noqa: PLR0912
    rows, flows = cash.shape
    shared = years.shape[0] == 1
    c, t = np.zeros((flows, _BLOCK)), np.zeros((flows, _BLOCK))
    u, step, slope = np.zeros(_BLOCK), np.zeros(_BLOCK), np.zeros(_BLOCK)
    total, plus, late, moment = np.zeros(_BLOCK), np.zeros(_BLOCK), np.zeros(_BLOCK), np.zeros(_BLOCK)
    most, least, largest = np.zeros(_BLOCK), np.zeros(_BLOCK), np.zeros(_BLOCK)
    for start in range(0, rows, _BLOCK):
        width = min(_BLOCK, rows - start)
        for j in range(flows):
            for i in range(width):
                c[j, i] = cash[start + i, j]
                t[j, i] = years[0, j] if shared else years[start + i, j]
        u[:] = 0.0
        done = 0
        for turn in range(_PASSES + 1):
            total[:], plus[:], late[:], moment[:] = 0.0, 0.0, 0.0, 0.0
            most[:], least[:] = -np.inf, np.inf
            for j in range(flows):
                if j > 0:
                    for i in range(_BLOCK):
                        most[i] = max(most[i], total[i])
                        least[i] = min(least[i], total[i])
                for i in range(_BLOCK):
                    worth = c[j, i] * (exponential(-t[j, i] * u[i]) if turn > 0 else 1.0)
                    received = max(worth, 0.0)
                    total[i] += worth
                    plus[i] += received
                    moment[i] += t[j, i] * worth
                    late[i] += t[j, i] * received
            worst = 0.0
            for i in range(width):
                minus = plus[i] - total[i]
                slope[i] = late[i] / plus[i] - (late[i] - moment[i]) / minus
                step[i] = min(max(logarithm(plus[i] / minus) / slope[i], -2.0), 2.0)
                largest[i] = max(most[i], -least[i], abs(total[i]))
            for i in range(width):
                if plus[i] > 0.0 and plus[i] > total[i] and math.isfinite(step[i]):
                    u[i] = min(max(u[i] + step[i], _LOW - 1.0), _HIGH + 1.0)
                    curvature = max(t[flows - 1, i] ** 2 / (8.0 * abs(slope[i])), 1e-4)
                    worst = max(worst, curvature * step[i] * step[i])
            done = turn
            if worst <= 1e-16:
                break
        for i in range(width):
            guess[start + i] = u[i]
            curvature = max(t[flows - 1, i] ** 2 / (8.0 * abs(slope[i])), 1e-4)
            slack = (_MARGIN + 2.0 * flows * abs(step[i]) * t[flows - 1, i]) * largest[i]
            settled = done > 0 and curvature * step[i] * step[i] <= 1e-16
            pure = c[0, i] != 0.0 and c[flows - 1, i] != 0.0 and (least[i] > slack or most[i] < -slack)
            only[start + i] = settled and pure and _LOW < u[i] <= _HIGH
