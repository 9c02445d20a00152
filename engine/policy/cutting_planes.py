"""The allocation question answered: programmes over the tails and limits that matter, until the bound is met."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.market import Floats
from engine.policy.mean_cvar import Infeasible, MeanCvar, Solved
from engine.policy.tail_search import Search

GAP = 1e-9
"""
Certified distance to the optimum that ends a solve, relative to the largest result of one unit.

In whole units the programme's own tolerance may leave up to a millionth of it.
"""


def solve(
    problem: MeanCvar,
    *,
    known: Sequence[NDArray[np.intp]] = (),
    gap: float = GAP,
    start: Floats | None = None,
) -> Solved:
    """
    The best units to hold, by cutting planes: only the tails and limits that matter are ever written down.

    Parameters
    ----------
    known : worst scenarios of an earlier solve over as many scenarios; they speed this one up, nothing else
    gap : certified distance to the optimum to stop at, see `GAP`
    start : units that may already be good, e.g. the answer to a tighter question; the answer is no worse

    Returns
    -------
    Units that keep every limit, whole ones exact. Expected shortfall is linear where its worst scenarios do
    not change, so each tail visited bounds it from below everywhere; the programme over all visited tails
    bounds the optimum, its answer is valued exactly, and the two meet.

    Raises `Infeasible`, naming the smallest conflicting set of limits.

    Source
    ------
    D33; Rockafellar and Uryasev, "Optimization of conditional value-at-risk", J. Risk 2 (2000);
    Künzi-Bay and Mayer, "Computational aspects of minimizing conditional value-at-risk", CMS 3 (2006).
    """
    order = np.argsort(np.array(problem.ids), kind="stable")
    search = Search(_reordered(problem, order), known, gap)
    if start is not None:
        search.resume(start[order])
    possible = search.relax() and (not problem.whole.any() or search.settle())
    if not possible or search.best is None:
        raise Infeasible(smallest_conflict(problem))
    x = np.empty(len(order))
    x[order] = search.best.x
    return Solved(
        x=x,
        objective=problem.objective(x),
        bound=search.bound,
        shortfall=problem.shortfall(x),
        needed=search.needed,
        tails=search.useful_tails(),
    )


def costs_of_limits(problem: MeanCvar, solved: Solved) -> dict[str, float]:
    """
    What each limit costs: the objective re-solved without it less the objective, never negative.

    A limit that no answer on the way broke is proven to cost nothing; whole units have no duals, so the others
    are solved for.
    """
    names = dict.fromkeys(limit.name for limit in problem.limits)
    return {
        name: solve(problem.without(name), known=solved.tails, start=solved.x).objective - solved.objective
        if name in solved.needed
        else 0.0
        for name in names
    }


def smallest_conflict(problem: MeanCvar) -> tuple[str, ...]:
    """
    The fewest limits that exclude each other, by name; empty if the bounds alone do or if all can be kept.

    Of sets of one size the first in the limits' order. A deletion filter finds one irreducible set; only sets
    that are no larger are tried after it.
    """
    names = list(dict.fromkeys(limit.name for limit in problem.limits))
    if _possible(problem, names) or not _possible(problem, ()):
        return ()
    kept = list(names)
    for name in names:
        fewer = [other for other in kept if other != name]
        if not _possible(problem, fewer):
            kept = fewer
    for size in range(1, len(kept) + 1):
        for some in combinations(names, size):
            if not _possible(problem, some):
                return some
    return tuple(kept)


def _possible(problem: MeanCvar, names: Sequence[str]) -> bool:
    """Whether any units keep these limits."""
    kept = tuple(limit for limit in problem.limits if limit.name in names)
    plain = replace(
        problem,
        aversion=0.0,
        expected=np.zeros(len(problem.ids)),
        costs=np.zeros(len(problem.ids)),
        limits=kept,
    )
    search = Search(plain, (), GAP)
    return search.relax() and (not problem.whole.any() or search.settle())


def _reordered(problem: MeanCvar, order: NDArray[np.intp]) -> MeanCvar:
    """The same question with its instruments in another order."""

    def columns(matrix: Floats | None) -> Floats | None:
        return None if matrix is None else matrix[:, order]

    return replace(
        problem,
        ids=tuple(problem.ids[at] for at in order),
        outcomes=np.ascontiguousarray(problem.outcomes[:, order]),
        **{name: getattr(problem, name)[order] for name in ("expected", "costs", "held", "lower", "upper", "whole")},
        limits=tuple(
            replace(
                limit,
                on_held=limit.on_held[:, order],
                on_bought=columns(limit.on_bought),
                on_sold=columns(limit.on_sold),
            )
            for limit in problem.limits
        ),
    )
