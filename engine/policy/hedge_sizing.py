"""The cheapest hedges that bring the ratio to its target: in fractions, and in whole lots (D10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engine.errors import InputError
from engine.market import Floats
from engine.policy.hedge_ratio import HedgeNeed, HedgeUnit, hedge_ratio, reference_gains
from engine.policy.quadratic import quadratic_minimum

_SNAP = 1e-9  # of the need: quantities that relieve less are none
_FINE = 1e4  # scale of the cover, so that the integer solver leaves at most 1e-10 of it open
_SLACK = 2e-10
_EQUAL = 1e-12
_MOST_LOTS = 1e7


class HedgeStatus(StrEnum):
    """Whether a hedge was sized, none is needed, or none can be had."""

    SIZED = "sized"
    NOTHING_TO_HEDGE = "nothing_to_hedge"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, slots=True)
class HedgeRules:
    """
    `target` is h*, `shorts` whether hedges may be sold, and `shortfall_charge` rho.

    `shortfall_charge` is USD charged per USD of uncovered loss in the down half, where the uncovered loss is as
    large as the need itself; it does not change with the size of the book.
    """

    target: float = 1.0  # D10, X10
    shortfall_charge: float = 0.1  # D10 [reading]
    shorts: bool = False  # D10

    def __post_init__(self) -> None:
        if not (0 < self.target < np.inf and 0 <= self.shortfall_charge < np.inf):
            raise InputError(
                f"hedge target {self.target}, charge {self.shortfall_charge} refused",
                why="a target is positive and a charge not negative",
                todo="take the target from the score",
            )


@dataclass(frozen=True, slots=True, eq=False)
class HedgeSize:
    """
    How much of each unit to hold, in the order of the menu.

    `ratio` is h as reached, None where there is nothing to hedge; `cost` is USD; `reason` says why nothing was
    sized. An infeasible answer holds nothing: it is never a part of a hedge.
    """

    status: HedgeStatus
    quantities: Floats
    ratio: float | None
    cost: float
    reason: str = ""


def size_hedge(need: HedgeNeed, units: Sequence[HedgeUnit], rules: HedgeRules = HedgeRules()) -> HedgeSize:
    """
    Fractional quantities of least cost and shortfall that reach the target at z*.

    min cost'|q| + rho / N * sum_{z down} w_z (h* L+(z) - sum_j q_j G_j(z))+^2 subject to
    sum_j q_j G_j(z*) >= N = h* L(z*) and 0 <= q <= most, where dividing rho by N makes the answer grow with
    the book.

    Source
    ------
    D10, S53.
    """
    if (none := _nothing(need, units, rules, whole=False)) is not None:
        return none
    total = rules.target * need.reference_loss
    columns = np.array([unit.gains for unit in units]) / total
    moving = np.flatnonzero(np.abs(columns).max(axis=1) > 0)
    scale = 1.0 / np.abs(columns[moving]).max(axis=1)
    gains = (columns[moving] * scale[:, None]).T
    costs = np.array([units[int(at)].cost for at in moving]) * scale / total
    most = np.array([units[int(at)].most for at in moving]) / scale
    if rules.shorts:
        gains, costs, most = np.hstack([gains, -gains]), np.tile(costs, 2), np.tile(most, 2)
    held = _least(need, gains, costs, most, rules)
    net = held[: len(moving)] - held[len(moving) :] if rules.shorts else held
    quantities = np.zeros(len(units))
    quantities[moving] = np.where(np.abs(net) < _SNAP, 0.0, net * scale)
    return _sized(need, units, quantities)


def size_lots(need: HedgeNeed, units: Sequence[HedgeUnit], rules: HedgeRules = HedgeRules()) -> HedgeSize:
    """
    The cheapest whole lots that reach the target at z*.

    What they gain beyond the target is less than what any one held lot gains at z*: else that lot would be left
    out.

    Source
    ------
    D10, S53.
    """
    if (none := _nothing(need, units, rules, whole=True)) is not None:
        return none
    per_lot = np.array([unit.lot for unit in units])
    gains = reference_gains(need, units) * per_lot
    signs = np.where((gains < 0) & rules.shorts, -1.0, 1.0)
    gains = signs * gains
    costs = np.array([unit.cost for unit in units]) * per_lot
    most = np.floor(np.array([unit.most for unit in units]) / per_lot + _EQUAL)
    if (wanted := rules.target * need.reference_loss) > _MOST_LOTS * gains.max(initial=0.0, where=most > 0):
        raise InputError(
            f"hedge of {wanted:,.0f} USD not sized in lots",
            why=f"it takes more than {_MOST_LOTS:,.0f} of the largest",
            todo="give coarser lots",
        )
    lots = _cheapest_cover(gains, costs, most, wanted)
    return _sized(need, units, signs * lots * per_lot)


def _nothing(need: HedgeNeed, units: Sequence[HedgeUnit], rules: HedgeRules, *, whole: bool) -> HedgeSize | None:
    """The answer where none need be sized or none can be."""
    gains = reference_gains(need, units)
    zero = np.zeros(len(units))
    if need.reference_loss <= 0:
        reason = f"the book gains {-need.reference_loss:,.0f} USD in the reference scenario"
        return HedgeSize(HedgeStatus.NOTHING_TO_HEDGE, zero, None, 0.0, reason)
    useful = np.abs(gains) if rules.shorts else np.maximum(gains, 0.0)
    most = np.array([unit.most for unit in units])
    if whole:
        lots = np.array([unit.lot for unit in units])
        most = np.where(np.isfinite(most), np.floor(most / lots + _EQUAL) * lots, most)
    reachable = float(useful[useful > 0] @ most[useful > 0])
    wanted = rules.target * need.reference_loss
    if reachable < wanted * (1.0 - _EQUAL):
        reason = f"the menu relieves at most {reachable:,.0f} of {wanted:,.0f} USD in the reference scenario"
        return HedgeSize(HedgeStatus.INFEASIBLE, zero, 0.0, 0.0, reason)
    return None


def _least(need: HedgeNeed, gains: Floats, costs: Floats, most: Floats, rules: HedgeRules) -> Floats:
    """Minimiser over q >= 0 in units of the need; x = (q, shortfall in each weighted down scenario)."""
    total = rules.target * need.reference_loss
    weights = need.down_weights * (rules.shortfall_charge > 0)
    rows_down = np.flatnonzero(weights > 0)
    n, m = len(costs), len(rows_down)
    hessian = np.zeros((n + m, n + m))
    hessian[n:, n:] = np.diag(2.0 * rules.shortfall_charge * weights[rows_down])
    losses = rules.target * np.maximum(need.losses, 0.0) / total
    capped = np.flatnonzero(np.isfinite(most))
    rows = np.vstack(
        [
            np.hstack([gains[rows_down], np.eye(m)]),
            np.hstack([gains[[need.reference]], np.zeros((1, m))]),
            np.eye(n, n + m),
            -np.eye(n, n + m)[capped],
        ]
    )
    floors = np.concatenate([losses[rows_down], [1.0], np.zeros(n), -most[capped]])
    linear = np.concatenate([costs, np.zeros(m)])
    return quadratic_minimum(hessian, linear, rows, floors)[:n]


def _cheapest_cover(gains: Floats, costs: Floats, most: Floats, wanted: float) -> Floats:
    """Whole lots of least cost whose gains reach `wanted`: a covering knapsack, solved exactly."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 (heavy)

    useful = gains > 0
    enough = np.where(useful, np.ceil(wanted / np.where(useful, gains, 1.0)), 0.0)
    bounds = Bounds(np.zeros(len(gains)), np.minimum(enough, most))
    for slack in (0.0, _SLACK):
        cover = LinearConstraint(_FINE * gains[None, :] / wanted, _FINE * (1.0 + slack), np.inf)
        found = milp(
            costs / costs.min(),
            integrality=np.ones(len(gains), int),
            bounds=bounds,
            constraints=cover,
            options={"mip_rel_gap": 0.0},
        )
        lots = np.round(found.x) if found.x is not None else bounds.ub
        if lots @ gains >= wanted * (1.0 - _EQUAL):
            return np.asarray(lots)
    return np.asarray(bounds.ub)  # nothing short of all there is covers it


def _sized(need: HedgeNeed, units: Sequence[HedgeUnit], quantities: Floats) -> HedgeSize:
    cost = float(np.abs(quantities) @ np.array([unit.cost for unit in units]))
    return HedgeSize(HedgeStatus.SIZED, quantities, hedge_ratio(need, units, quantities), cost)
