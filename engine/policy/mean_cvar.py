"""The best mix of instruments by expected result less a charge on its tail, exactly, with a certified gap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError, InputError, LimitBreached
from engine.market import Floats

TAIL = 0.025
"""Share of the scenarios, worst first, whose mean loss the charge is on: CVaR at 97.5 % (D33)."""


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """
    Linear bounds that share a name: on_held @ x + on_bought @ increases + on_sold @ decreases <= at_most.

    `on_held` is (rows, instruments) and of any sign; `on_bought` and `on_sold` are None or of the same shape
    and not negative; `at_most` has one level per row, in the rows' own units.
    """

    name: str
    on_held: Floats
    at_most: Floats
    on_bought: Floats | None = None
    on_sold: Floats | None = None

    def excess(self, x: Floats, held: Floats) -> Floats:
        """By how much each row is broken at `x`, negative where there is room."""
        change = x - held
        total = self.on_held @ x - self.at_most
        if self.on_bought is not None:
            total = total + self.on_bought @ np.maximum(change, 0.0)
        if self.on_sold is not None:
            total = total + self.on_sold @ np.maximum(-change, 0.0)
        return np.asarray(total)


@dataclass(frozen=True, slots=True, eq=False)
class MeanCvar:
    """
    Maximise expected @ x - aversion * CVaR(-(carried + outcomes @ x)) - costs @ |x - held|.

    Parameters
    ----------
    ids : names of the instruments; of equally good answers the same is given however they are ordered
    outcomes : (scenarios, instruments), result of one unit in equally likely scenarios, e.g. USD per lot
    expected : result of one unit expected, same unit
    aversion : charge per unit of expected shortfall, >= 0
    costs : of changing by one unit, either way, >= 0
    held : units held before
    lower, upper : finite bounds on units held after
    whole : which instruments come in whole units; what is held of those is whole too
    limits : linear bounds besides the box
    carried : result of what cannot be changed, per scenario; None = 0

    Raises `InputError` for shapes that disagree, values that are not finite, or a negative cost.
    """

    ids: tuple[str, ...]
    outcomes: Floats
    expected: Floats
    aversion: float
    costs: Floats
    held: Floats
    lower: Floats
    upper: Floats
    whole: NDArray[np.bool_]
    limits: tuple[Limit, ...] = ()
    carried: Floats | None = None
    tail: float = TAIL

    def __post_init__(self) -> None:
        count = len(self.ids)
        columns = (self.expected, self.costs, self.held, self.lower, self.upper, self.whole)
        rows = [matrix for limit in self.limits for matrix in (limit.on_held, limit.on_bought, limit.on_sold)]
        if (
            self.outcomes.ndim != 2
            or self.outcomes.shape[1] != count
            or any(len(column) != count for column in columns)
            or any(matrix is not None and matrix.shape[1:] != (count,) for matrix in rows)
            or any(len(limit.on_held) != len(limit.at_most) for limit in self.limits)
            or (self.carried is not None and len(self.carried) != len(self.outcomes))
        ):
            raise _refused("the shapes of its parts disagree")
        parts = [self.outcomes, *columns, *(m for m in rows if m is not None), *(i.at_most for i in self.limits)]
        if not all(np.isfinite(part).all() for part in parts) or not np.isfinite(self.base).all():
            raise _refused("a number in it is not finite")
        charges = [m for i in self.limits for m in (i.on_bought, i.on_sold) if m is not None]
        if self.aversion < 0 or (self.costs < 0).any() or any((m < 0).any() for m in charges):
            raise _refused("a cost or the aversion is negative")
        if not 0 < self.tail <= 1:
            raise _refused(f"the tail {self.tail} is no share")
        if (self.held[self.whole] % 1 != 0).any() or len(set(self.ids)) != count:
            raise _refused("a holding in whole units is a fraction, or two instruments share a name")

    @property
    def base(self) -> Floats:
        """What is carried, per scenario."""
        return np.zeros(len(self.outcomes)) if self.carried is None else self.carried

    def losses(self, x: Floats) -> Floats:
        """Loss of the whole in each scenario, positive = loss."""
        return np.asarray(-(self.base + self.outcomes @ x))

    def shortfall(self, x: Floats) -> float:
        """Expected shortfall: mean loss of the worst `tail` of the scenarios, exact for any number of them."""
        losses = self.losses(x)
        weights = tail_weights(len(losses), self.tail)
        return float(weights @ losses[worst(losses, len(weights))])

    def objective(self, x: Floats) -> float:
        """Expected result less the charge on shortfall less the cost of getting there."""
        cost = self.costs @ np.abs(x - self.held)
        return float(self.expected @ x - self.aversion * self.shortfall(x) - cost)

    def excess(self, x: Floats) -> float:
        """The most that a bound or limit is broken by at `x`; at most 0 where all hold."""
        rows = [limit.excess(x, self.held) for limit in self.limits]
        return float(np.max(np.concatenate([self.lower - x, x - self.upper, *rows])))

    def without(self, name: str) -> "MeanCvar":
        """The same question with one limit lifted."""
        return replace(self, limits=tuple(limit for limit in self.limits if limit.name != name))


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """
    The best units to hold, with proof.

    `bound` is the most any answer can reach, so `bound - objective` is the certified gap; `needed` are the
    limits that had to be looked at: lifting any other changes nothing. `tails` are the worst scenarios met on
    the way; give them to the next solve as `known`.
    """

    x: Floats
    objective: float
    bound: float
    shortfall: float
    needed: frozenset[str]
    tails: tuple[NDArray[np.intp], ...]

    @property
    def gap(self) -> float:
        """Certified distance to the optimum, same unit as the objective, never negative."""
        return max(self.bound - self.objective, 0.0)


class Infeasible(LimitBreached):
    """No units at all keep every limit; `conflict` is the smallest set of limits that exclude each other."""

    def __init__(self, conflict: Sequence[str]) -> None:
        self.conflict: tuple[str, ...] = tuple(conflict)
        self.breaches = self.conflict
        named = ", ".join(self.conflict) or "the bounds on single instruments"
        EngineError.__init__(
            self,
            "no allocation keeps every limit",
            why=f"smallest conflicting set: {named}",
            todo="loosen one of them, close positions, or add cash",
        )


def worst(losses: Floats, count: int) -> NDArray[np.intp]:
    """
    Positions of the `count` largest losses, the largest first; of equal ones at the end any.

    >>> worst(np.array([3.0, 1.0, 2.0, 0.0]), 2).tolist()
    [0, 2]
    """
    at = np.argpartition(losses, len(losses) - count)[len(losses) - count :]
    return np.asarray(at[np.lexsort((at, -losses[at]))])


def tail_weights(scenarios: int, tail: float) -> Floats:
    """
    Weights of the worst scenarios in the mean of the worst `tail`, worst first; they add up to one.

    >>> tail_weights(6, 0.25).round(4).tolist()
    [0.6667, 0.3333]
    """
    share = 1.0 / (tail * scenarios)
    full = int(np.floor(tail * scenarios * (1.0 + 1e-12)))
    rest = 1.0 - full * share
    weights = np.full(full, share)
    return weights if rest <= 1e-12 else np.append(weights, rest)


def _refused(why: str) -> InputError:
    return InputError("allocation question refused", why=why, todo="correct the columns or limits")
