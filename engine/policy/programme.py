"""Linear programmes in fractions and in whole units, and the limits as their rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.market import Floats
from engine.policy.mean_cvar import MeanCvar

_FEASIBLE = 1e-10  # of the linear programmes; scenario cuts stall at the usual 1e-7
_BROKEN = 1e-9  # excess, relative to a row's largest coefficient, from which a row counts as broken
_TIGHT = 1e-7  # room, on the same scale, below which a row may carry the relaxed answer
_WHOLE_TOLERANCE = 1e-6  # by which a programme in whole units may break a row
_IMPOSSIBLE = 2


class LimitRows:
    """Every limit row over (increases, decreases), each divided by its largest coefficient."""

    def __init__(self, problem: MeanCvar) -> None:
        blocks, rooms = [np.empty((0, 2 * len(problem.ids)))], [np.empty(0)]
        self.names: list[str] = []
        for limit in problem.limits:
            none = np.zeros_like(limit.on_held)
            bought = none if limit.on_bought is None else limit.on_bought
            sold = none if limit.on_sold is None else limit.on_sold
            blocks.append(np.hstack([limit.on_held + bought, sold - limit.on_held]))
            rooms.append(limit.at_most - limit.on_held @ problem.held)
            self.names += [limit.name] * len(limit.at_most)
        matrix, room = np.vstack(blocks), np.concatenate(rooms)
        size = np.abs(matrix).max(axis=1, initial=0.0)
        size = np.where(size > 0, size, np.maximum(np.abs(room), 1.0))
        self.matrix, self.room = matrix / size[:, None], room / size
        self.narrowed = self.room.copy()  # for programmes in whole units, whose tolerance cannot be set
        self.groups = np.unique(np.array(self.names), return_inverse=True)[1] if self.names else np.empty(0, int)

    def broken(self, moves: Floats) -> list[int]:
        """The row of each limit that these moves break most."""
        if not len(self.room):
            return []
        excess = self.matrix @ moves - self.room
        found = []
        for group in range(int(self.groups.max()) + 1):
            mine = np.flatnonzero(self.groups == group)
            at = int(mine[np.argmax(excess[mine])])
            if excess[at] > _BROKEN:
                found.append(at)
        return found

    def narrow(self, moves: Floats) -> None:
        """Keep these whole moves, let through within the programme's tolerance, from coming back."""
        excess = self.matrix @ moves - self.room
        at = excess > _BROKEN
        self.narrowed[at] = self.room[at] - (_WHOLE_TOLERANCE - excess[at] / 2.0)

    def tight(self, rows: Sequence[int], moves: Floats) -> list[int]:
        """Those of `rows` that these moves leave no room in."""
        return [row for row in rows if self.matrix[row] @ moves >= self.room[row] - _TIGHT]


def linear_programme(weights: Floats, matrix: Floats, room: Floats, bounds: Floats) -> tuple[Floats, float] | None:
    """Least of weights @ y over matrix @ y <= room within the bounds; None if nothing is."""
    from scipy.optimize import linprog  # noqa: PLC0415

    found = linprog(
        weights,
        A_ub=matrix,
        b_ub=room,
        bounds=bounds.tolist(),
        method="highs-ds",
        options={
            "presolve": False,  # half of the time on programmes of a few hundred rows
            "primal_feasibility_tolerance": _FEASIBLE,
            "dual_feasibility_tolerance": _FEASIBLE,
        },
    )
    if found.status == _IMPOSSIBLE:
        return None
    if found.status != 0 or found.fun is None:
        raise _unsolved(str(found.message))
    return np.asarray(found.x), float(found.fun)


def whole_programme(
    weights: Floats, matrix: Floats, room: Floats, bounds: Floats, kinds: NDArray[np.int_]
) -> tuple[Floats, float] | None:
    """The same with some of y in whole units, and the bound it is proven by."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415

    rows = (LinearConstraint(matrix, -np.inf, room),) if len(room) else ()
    box = Bounds(bounds[:, 0], bounds[:, 1])
    # Presolved, the solver may write a line of its own to standard output; these programmes are small without it too.
    found = milp(
        weights,
        constraints=rows,
        bounds=box,
        integrality=kinds,
        options={"mip_rel_gap": 0.0, "presolve": False},
    )
    if found.status == _IMPOSSIBLE:
        return None
    if found.status != 0:
        raise _unsolved(str(found.message))
    bound: float | None = found.mip_dual_bound  # None where presolve left nothing whole to decide
    return np.asarray(found.x), float(found.fun if bound is None else bound)


def _unsolved(why: str) -> InputError:
    return InputError("allocation not solved", why=why, todo="state its amounts nearer to one another in size")
