"""The cheapest way to cover every short leg once: an exact integer programme, never greedy (D32)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError, InvalidStructure
from engine.instruments import Right
from engine.market import Floats
from engine.risk.margin.legs import MarginLeg
from engine.risk.margin.strategies import Candidate

_INFEASIBLE = 2


@dataclass(frozen=True, slots=True)
class Pairing:
    """
    Units of each candidate strategy, and the contracts of each leg inside a universal spread, with its points.

    `inside` holds for each pool the pairs of leg position and signed contracts.
    """

    units: tuple[int, ...]
    inside: tuple[tuple[tuple[int, int], ...], ...] = ()
    points: tuple[float, ...] = ()


def cheapest_pairing(
    legs: Sequence[MarginLeg], menu: Sequence[Candidate], pools: Sequence[Sequence[int]] = ()
) -> Pairing:
    """
    The strategies that cover all shorts of one account at the least total of points.

    Every short contract is used exactly once, a long one at most once. With pairs alone this is the
    assignment problem, whose relaxation is integral; with groups of three or four legs it need not be, hence
    branch and bound to a gap of zero. The total does not depend on the order of legs or candidates.

    Parameters
    ----------
    menu : what one unit of each strategy uses and requires
    pools : positions of legs that settle together and may form one universal spread: as many calls bought
        as sold, and puts alike, held against the largest loss of intrinsic value at any strike. One such
        spread is never dearer than several, since the worst of a sum is at most the sum of the worst.

    Errors: `InvalidStructure`, naming the shorts, when nothing on the menu covers them.

    Source: D32; a greedy match by number of legs can charge a covered book as if naked (LEAN #9638).
    """
    if all(leg.quantity > 0 for leg in legs):
        return Pairing((0,) * len(menu), ((),) * len(pools), (0.0,) * len(pools))
    inside = [leg for pool in pools for leg in pool]
    if not menu and not pools:
        raise InvalidStructure(f"{_shorts(legs)}: the strategies of this rule set do not cover these shorts")
    solution = _solved(legs, menu, pools, inside)
    units = tuple(int(n) for n in solution[: len(menu)])
    taken = dict(zip(inside, solution[len(menu) : len(menu) + len(inside)], strict=True))
    spreads = tuple(
        tuple((i, int(np.sign(legs[i].quantity) * taken[i])) for i in pool if taken[i] > 0) for pool in pools
    )
    worst = tuple(
        max(float((_losses(legs, pool) @ np.array([taken[i] for i in pool])).max(initial=0.0)), 0.0) for pool in pools
    )
    return Pairing(units, spreads, worst)


def _solved(
    legs: Sequence[MarginLeg], menu: Sequence[Candidate], pools: Sequence[Sequence[int]], inside: Sequence[int]
) -> Floats:
    from scipy.optimize import LinearConstraint, milp  # noqa: PLC0415
    from scipy.sparse import csc_array  # noqa: PLC0415

    held = np.array([abs(leg.quantity) for leg in legs], float)
    needed = np.where([leg.quantity < 0 for leg in legs], held, 0.0)
    rows, low, high = [_usage(len(legs), menu, inside, len(pools))], [needed], [held]
    for at, pool in enumerate(pools):
        bound = _pool_rows(
            legs, pool, len(menu) + inside.index(pool[0]), len(menu) + len(inside) + at, rows[0].shape[1]
        )
        rows.append(bound)
        low.append(np.append(np.full(len(bound) - 2, -np.inf), [0.0, 0.0]))
        high.append(np.zeros(len(bound)))
    cost = np.concatenate([[c.points for c in menu], np.zeros(len(inside)), np.ones(len(pools))])
    found = milp(
        cost,
        integrality=np.concatenate([np.ones(len(menu) + len(inside)), np.zeros(len(pools))]),
        constraints=LinearConstraint(csc_array(np.vstack(rows)), np.concatenate(low), np.concatenate(high)),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is not None:
        return np.asarray(np.rint(found.x[: len(menu) + len(inside)]))
    if found.status == _INFEASIBLE:
        raise InvalidStructure(f"{_shorts(legs)}: the strategies of this rule set do not cover these shorts")
    raise InputError(f"no margin for {_shorts(legs)}", why=found.message, todo="margin the book expiry by expiry")


def _shorts(legs: Sequence[MarginLeg]) -> str:
    return ", ".join(leg.option.id for leg in legs if leg.quantity < 0)


def _usage(legs: int, menu: Sequence[Candidate], inside: Sequence[int], pools: int) -> Floats:
    used = np.zeros((legs, len(menu) + len(inside) + pools))
    for column, candidate in enumerate(menu):
        for leg, count in candidate.legs:
            used[leg, column] = abs(count)
    used[list(inside), len(menu) + np.arange(len(inside))] = 1.0
    return used


def _pool_rows(legs: Sequence[MarginLeg], pool: Sequence[int], first: int, worst: int, columns: int) -> Floats:
    """One row per strike (its loss is at most the spread's requirement), then one balance per right."""
    losses = _losses(legs, pool)
    rows = np.zeros((len(losses) + 2, columns))
    rows[:-2, first : first + len(pool)] = losses
    rows[:-2, worst] = -1.0
    for row, right in zip((-2, -1), Right, strict=True):
        rows[row, first : first + len(pool)] = [
            float(np.sign(legs[i].quantity)) * (legs[i].option.right is right) for i in pool
        ]
    return rows


def _losses(legs: Sequence[MarginLeg], pool: Sequence[int]) -> Floats:
    """Loss per contract of each leg, in the direction held, with the index at each strike of the pool."""
    strikes, signs = np.array([legs[i].strike for i in pool]), np.array([legs[i].sign for i in pool])
    direction = np.sign([legs[i].quantity for i in pool])
    return np.asarray(-direction * np.maximum(signs * (np.unique(strikes)[:, None] - strikes), 0.0))
