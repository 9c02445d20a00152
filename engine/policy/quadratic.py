"""Small convex quadratic programmes, solved by a primal-dual interior point."""

import numpy as np

from engine.errors import InputError
from engine.market import Floats

_MOST_STEPS = 200
_RESIDUAL, _GAP = 1e-11, 1e-14


def quadratic_minimum(hessian: Floats, linear: Floats, rows: Floats, floors: Floats) -> Floats:
    """
    The x that makes 1/2 x'Hx + c'x least, subject to R x >= f.

    Parameters
    ----------
    hessian : H, symmetric and positive semidefinite, shape (n, n)
    linear : c, shape (n,)
    rows, floors : R and f, shapes (m, n) and (m,); state x >= 0 as rows too

    Returns
    -------
    The minimiser to about 1e-9 of the scale of the data, best when that is near one.

    Raises
    ------
    InputError where no minimum is reached: the rows contradict each other or the cost falls without end.

    Source
    ------
    S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2 (1992).

    >>> quadratic_minimum(np.eye(2), np.zeros(2), np.array([[1.0, 1.0]]), np.array([2.0])).round(6).tolist()
    [1.0, 1.0]
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        least = _descend(hessian, linear, rows, floors)
    if least is not None:
        return least
    raise InputError(
        "no least cost found",
        why="the conditions contradict each other or the cost falls without end",
        todo="check that every unit costs something and that the menu can relieve the loss",
    )


def _descend(hessian: Floats, linear: Floats, rows: Floats, floors: Floats) -> Floats | None:
    """Predictor and corrector steps from a point inside the bounds; None where they lead nowhere."""
    x, price = np.zeros(len(linear)), np.ones(len(floors))
    slack = np.maximum(np.abs(floors), 1.0)
    scale = 1.0 + max(np.abs(linear).max(initial=0.0), np.abs(floors).max(initial=0.0))
    for _ in range(_MOST_STEPS):
        dual = hessian @ x + linear - rows.T @ price
        primal = rows @ x - slack - floors
        gap = float(slack @ price) / len(floors)
        sizes = scale + np.abs(rows).max() * price.max()
        if max(np.abs(dual).max(), np.abs(primal).max()) <= _RESIDUAL * sizes and gap <= _GAP * scale:
            return x
        normal = hessian + rows.T @ (rows * (price / slack)[:, None])
        if not np.isfinite(normal).all():
            return None
        _, ds, dp = _step(normal, rows, slack, price, dual, primal, slack * price)
        length = _longest(slack, price, ds, dp)
        predicted = float((slack + length * ds) @ (price + length * dp)) / len(floors)
        target = slack * price + ds * dp - gap * (predicted / gap) ** 3
        dx, ds, dp = _step(normal, rows, slack, price, dual, primal, target)
        length = min(1.0, 0.995 * _longest(slack, price, ds, dp))
        x, slack, price = x + length * dx, slack + length * ds, price + length * dp
    return None


def _step(
    normal: Floats, rows: Floats, slack: Floats, price: Floats, dual: Floats, primal: Floats, target: Floats
) -> tuple[Floats, Floats, Floats]:
    """Newton's direction for the optimality conditions with complementarity driven to zero by `target`."""
    dx = np.asarray(np.linalg.solve(normal, -dual - rows.T @ ((target + price * primal) / slack)), float)
    ds = rows @ dx + primal
    return dx, ds, -(target + price * ds) / slack


def _longest(slack: Floats, price: Floats, ds: Floats, dp: Floats) -> float:
    """The longest step, at most one and a bit, that keeps slack and price positive."""
    held, moves = np.concatenate([slack, price]), np.concatenate([ds, dp])
    falling = moves < 0
    return min(1.0 / 0.995, float((-held[falling] / moves[falling]).min(initial=np.inf)))
