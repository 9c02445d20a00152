"""One allocation question's programme as it grows: tails and limits written down where an answer met them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.market import Floats
from engine.policy.mean_cvar import MeanCvar, tail_weights, worst
from engine.policy.programme import LimitRows, linear_programme, whole_programme

_TOWARDS_BEST = (0.5, 0.8)  # of the way from the programme's answer to the best point: where else to look
_PLAIN_ROUNDS = 6  # before scenarios at the tail's edge get variables of their own
_EDGE = 3  # scenarios an instrument at each side of the tail's edge
_MOST_ROUNDS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Units valued exactly: their objective, their scenarios from the worst on, and whether every limit holds."""

    x: Floats
    objective: float
    worst: NDArray[np.intp]
    allowed: bool


class Search:
    """
    One question's programme as it grows, over increases, decreases and the shortfall.

    `best` is the best allowed point met and `bound` the most that any allowed point can reach.
    """

    def __init__(self, problem: MeanCvar, known: Sequence[NDArray[np.intp]], gap: float) -> None:
        self.problem, self.rows, self.base = problem, LimitRows(problem), problem.base
        self.by_instrument = np.ascontiguousarray(problem.outcomes.T)
        self.best: Point | None = None
        self.bound = np.inf
        largest = (np.abs(column).max(initial=0.0) for column in (problem.outcomes, problem.expected, problem.costs))
        self.unit = max(*largest, 1e-12)
        self.tolerance = gap * self.unit
        self.weights = tail_weights(len(problem.outcomes), problem.tail)
        self.margin = min(_EDGE * len(problem.ids), len(self.weights) - 1, len(problem.outcomes) - len(self.weights))
        self.cuts = [-np.append(problem.outcomes.mean(axis=0), self.base.mean())]  # slopes, then height at none
        self.tails: dict[bytes, NDArray[np.intp]] = {}
        self.active: list[int] = []
        self.span = _span(problem, problem.lower, problem.upper)
        self.charged = problem.aversion > 0
        self.plain_rounds = _PLAIN_ROUNDS
        if self.charged:
            for tail in known:
                self._cut(tail)
        self.look(problem.held)
        if self.charged and not len(known):
            for at in np.flatnonzero(problem.upper > problem.lower):
                only = np.zeros(len(problem.ids))
                only[at] = problem.upper[at] if problem.upper[at] > 0 else problem.lower[at]
                self._cut(worst(self._losses(only), len(self.weights)))

    @property
    def needed(self) -> frozenset[str]:
        """Names of the limits that some answer broke before they were written down."""
        return frozenset(self.rows.names[row] for row in self.active)

    def resume(self, x: Floats) -> None:
        """Begin from a point that may already be good."""
        self.plain_rounds = 0
        self.look(x)

    def look(self, x: Floats) -> tuple[Point, bool]:
        """Value a point, write down its tail and the limits it breaks; True with it if anything was new."""
        known = len(self.cuts) + len(self.active)
        point = self._value(x)
        problem = self.problem
        within = np.all((x >= problem.lower) & (x <= problem.upper)) and np.all(x[problem.whole] % 1 == 0)
        if within and point.allowed and (self.best is None or point.objective > self.best.objective):
            self.best = point
        return point, len(self.cuts) + len(self.active) > known

    def relax(self) -> bool:
        """Solve with fractions allowed, to a certified bound; False if even that is impossible."""
        near = self.best
        for turn in range(_MOST_ROUNDS):
            edge = near.worst if near is not None and turn >= self.plain_rounds else None
            found = self._programme(edge=edge)
            if found is None:
                return False
            x, self.bound = found
            point, new = self.look(x)
            near = _better(near, point)
            if not new or (near is not None and near.objective >= self.bound - self.tolerance):
                self.active = self.rows.tight(self.active, _moves(x - self.problem.held))
                return True
            goal = None if near is point else near
            if goal is not None:
                for share in _TOWARDS_BEST:
                    near = _better(near, self.look(x + share * (goal.x - x))[0])
        return True

    def settle(self) -> bool:
        """Solve in whole units from the relaxed programme on; False if no whole units keep the limits."""
        for _ in range(_MOST_ROUNDS):
            if self.best is not None and self.bound - self.best.objective <= self.tolerance:
                return True
            found = self._programme(whole=True)
            if found is None:
                return self.best is not None
            x, bound = found
            self.bound = min(self.bound, bound)
            point, new = self.look(x)
            if new or self._polish(x):
                continue
            if point.allowed or not self.problem.whole.all():
                return True
            self.rows.narrow(_moves(x - self.problem.held))
        return True

    def _polish(self, x: Floats) -> bool:
        """Solve for the fractions that go best with the whole units of `x`; True if anything was new."""
        problem = self.problem
        if problem.whole.all():
            return False
        lower, upper = np.where(problem.whole, x, problem.lower), np.where(problem.whole, x, problem.upper)
        inner = Search(replace(problem, lower=lower, upper=upper), tuple(self.tails.values()), 0.0)
        inner.tolerance = self.tolerance
        return inner.relax() and inner.best is not None and self.look(inner.best.x)[1]

    def useful_tails(self) -> tuple[NDArray[np.intp], ...]:
        """The tails that hold the shortfall up near the best point."""
        if self.best is None or not self.tails:
            return tuple(self.tails.values())
        heights = np.array(self.cuts[1:]) @ np.append(self.best.x, 1.0)
        near = np.argsort(-heights, kind="stable")[: len(self.best.x) + 10]
        tails = list(self.tails.values())
        return tuple(tails[at] for at in near)

    def _value(self, x: Floats) -> Point:
        problem = self.problem
        losses = self._losses(x)
        at = worst(losses, len(self.weights) + self.margin)
        tail = at[: len(self.weights)]
        if self.charged:
            self._cut(tail)
        shortfall = float(self.weights @ losses[tail])
        cost = float(problem.costs @ np.abs(x - problem.held))
        broken = self.rows.broken(_moves(x - problem.held))
        self.active += [row for row in broken if row not in self.active]
        objective = float(problem.expected @ x) - problem.aversion * shortfall - cost
        return Point(x, objective, at, not broken)

    def _losses(self, x: Floats) -> Floats:
        """Loss in each scenario, one instrument after the other: most are not held, and no threads are woken."""
        losses = -self.base
        for at in np.flatnonzero(x):
            losses -= x[at] * self.by_instrument[at]
        return losses

    def _cut(self, tail: NDArray[np.intp]) -> None:
        partly = self.weights[-1] < self.weights[0]
        key = (np.append(np.sort(tail[:-1]), tail[-1]) if partly else np.sort(tail)).tobytes()
        if key not in self.tails:
            self.tails[key] = tail
            slope = (self.weights[:, None] * self.problem.outcomes[tail]).sum(axis=0)
            self.cuts.append(-np.append(slope, self.weights @ self.base[tail]))

    def _programme(self, *, whole: bool = False, edge: NDArray[np.intp] | None = None) -> tuple[Floats, float] | None:
        """
        The answer of the programme as it stands and its objective; None if it is impossible.

        `edge` are the scenarios from the worst on: those about the tail's end get a variable each, so that the
        programme knows what happens when they change places.
        """
        problem, count = self.problem, len(self.problem.ids)
        free = np.flatnonzero(self.span[:, 1] > self.span[:, 0])
        fixed = np.where(self.span[:, 1] > self.span[:, 0], 0.0, self.span[:, 0])
        start = problem.held + fixed[:count] - fixed[count:]
        price = np.concatenate([problem.costs - problem.expected, problem.costs + problem.expected])
        still = float(problem.expected @ problem.held - price @ fixed)
        slopes, heights = self._tail_rows(start)
        rows = self.rows.matrix[self.active]
        blocks = [
            np.hstack([rows[:, free], np.zeros((len(rows), 1))]),
            np.hstack([slopes[:, free], np.full((len(slopes), 1), -1.0)]),
        ]
        levels = self.rows.narrowed if whole else self.rows.room
        rooms = [levels[self.active] - rows @ fixed, -heights]
        weights = np.append(price[free] / self.unit, problem.aversion)
        bounds = np.vstack([self.span[free], [[-np.inf, np.inf] if self.charged else [0.0, 0.0]]])
        matrix, room = np.vstack(blocks), np.concatenate(rooms)
        if edge is not None and self.charged and self.margin:
            matrix, room, weights, bounds = self._with_edge(edge, start, free, matrix, room, weights, bounds)
        kinds = np.zeros(len(weights), int)
        kinds[: len(free)] = np.tile(problem.whole, 2)[free]
        found = (
            whole_programme(weights, matrix, room, bounds, kinds)
            if whole
            else linear_programme(weights, matrix, room, bounds)
        )
        if found is None:
            return None
        answer, value = found
        moves = fixed.copy()
        moves[free] = answer[: len(free)]
        if whole:
            whole_moves = np.tile(problem.whole, 2)
            moves[whole_moves] = np.round(moves[whole_moves])
        x = np.clip(problem.held + moves[:count] - moves[count:], problem.lower, problem.upper)
        return x, still - self.unit * value

    def _tail_rows(self, start: Floats) -> tuple[Floats, Floats]:
        """Each tail's slope over increases and decreases, and its height at `start`."""
        if not self.charged:
            return np.empty((0, 2 * len(start))), np.empty(0)
        cuts = np.array(self.cuts) / self.unit
        slopes = cuts[:, :-1]
        return np.hstack([slopes, -slopes]), slopes @ start + cuts[:, -1]

    def _with_edge(
        self,
        edge: NDArray[np.intp],
        start: Floats,
        free: NDArray[np.intp],
        matrix: Floats,
        room: Floats,
        weights: Floats,
        bounds: Floats,
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """The programme with a variable for the tail's threshold and one for each scenario at its edge."""
        outcomes, share = self.problem.outcomes / self.unit, self.weights[0]
        sure, doubtful = edge[: len(self.weights) - self.margin], edge[len(self.weights) - self.margin :]
        many = len(doubtful)
        inner = share * outcomes[sure].sum(axis=0)
        mean = np.concatenate([np.append(-inner, inner)[free], [-1.0, 1.0 - share * len(sure)], np.full(many, share)])
        each = np.hstack([
            np.hstack([-outcomes[doubtful], outcomes[doubtful]])[:, free],
            np.zeros((many, 1)),
            np.full((many, 1), -1.0),
            -np.eye(many),
        ])  # fmt: skip
        base = self.base / self.unit
        wider = np.hstack([matrix, np.zeros((len(matrix), 1 + many))])
        levels = [inner @ start + share * base[sure].sum()], outcomes[doubtful] @ start + base[doubtful]
        return (
            np.vstack([wider, mean, each]),
            np.concatenate([room, *levels]),
            np.concatenate([weights, np.zeros(1 + many)]),
            np.vstack([bounds, [[-np.inf, np.inf]], np.tile([0.0, np.inf], (many, 1))]),
        )


def _span(problem: MeanCvar, lower: Floats, upper: Floats) -> Floats:
    """Least and most that each instrument may be increased by, then decreased by."""
    held = problem.held
    up = np.column_stack([np.maximum(lower - held, 0.0), np.maximum(upper - held, 0.0)])
    down = np.column_stack([np.maximum(held - upper, 0.0), np.maximum(held - lower, 0.0)])
    return np.vstack([up, down])


def _moves(change: Floats) -> Floats:
    return np.concatenate([np.maximum(change, 0.0), np.maximum(-change, 0.0)])


def _better(near: Point | None, point: Point) -> Point | None:
    return point if point.allowed and (near is None or point.objective > near.objective) else near
