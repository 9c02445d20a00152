"""One solver over condors, hedges and borrowed margin: the best whole lots that keep every hard limit (D33)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.market import Floats
from engine.policy.allocation import Allocation, LimitCost, Line
from engine.policy.candidates import Candidate, Kind, LoanOffer
from engine.policy.cutting_planes import costs_of_limits, solve
from engine.policy.mean_cvar import Infeasible, Limit, MeanCvar, Solved
from engine.policy.pools import unfit
from engine.policy.settings import Policy

_CARRY = "carry_budget"

LIMITS = (
    "margin",
    "cash",
    "drawdown_2sd",
    "hedge_ratio",
    "hedge_excess",
    "consensus",
    _CARRY,
    "sleeve_cap",
    "quick_ratio",
    "session_new_outer",
    "health_factor",
    "leverage",
    "borrow_rate",
    "recourse",
)
"""Every limit by the name it can be lifted with."""

Mask = NDArray[np.bool_]
_STRICT = 1e-4  # of one lot, above what the solver tolerates: a need that is met exactly takes no further lot
_HOUSE_MULTIPLE = 1.3  # of the stressed loss, that the broker may call (D13)


@dataclass(frozen=True, slots=True, eq=False)
class Capacity:
    """
    What bounds the holdings, in USD, whatever they are.

    `margin` is the budget less what the fixed part of the book needs; `losses` are those of the fixed part in each
    of `cells`, `stress` that of its options in the cell that sizes hedges; `calls` are the positions of the cells
    that size margin calls (D13). `sleeve_share` is the sleeve's share of net asset value. `leverage` is the share
    of the permitted loan that VIX allows (X07). `may_add` is the committee's leave to hold more condors or debt
    (D29). `high_vol` is the regime in which the session cap binds, `session_bought` USD of maximum loss of outer
    layers that earlier orders of the session opened or have working (D12). `carried` is what the options that stay
    bring in each scenario of the measure, None where none does: the tail is the whole book's (D33).
    """

    capital: float
    margin: float
    cash: float
    defined_risk: float
    cells: tuple[str, ...]
    losses: Floats
    stress: float = 0.0
    calls: Sequence[int] = ()
    sleeve_share: float = 0.0
    leverage: float = 1.0
    may_add: bool = True
    high_vol: bool = False
    measure: str = ""
    session_bought: float = 0.0
    carried: Floats | None = None


def allocate(
    candidates: Sequence[Candidate],
    capacity: Capacity,
    policy: Policy,
    *,
    without: Collection[str] = (),
    priced: bool = True,
) -> Allocation:
    """
    The holdings worth most that keep every limit, what they bring and risk, and what each limit costs.

    The budgets of margin and carry bound what is added; what is held already they do not force out. A carry budget
    that no holdings keep is waived and said so: a limit that only a layer can meet is met (S57).

    Parameters
    ----------
    without : limits to lift, by name
    priced : whether to re-solve without each limit for its cost; a limit's cost is 0 otherwise

    Raises `Infeasible`, naming the smallest conflicting set.

    Source
    ------
    D33; limits S39-S42, S46, S57, X05, X07, D10-D13, D16, D29, D32.
    """
    problem = _question(candidates, capacity, policy, without)
    waived: tuple[str, ...] = ()
    try:
        solved = solve(problem)
    except Infeasible as stuck:
        if _CARRY not in stuck.conflict:
            raise
        problem, waived = problem.without(_CARRY), (_CARRY,)
        solved = solve(problem)
    costs = costs_of_limits(problem, solved) if priced else {}
    return _answer(candidates, capacity, problem, solved, costs, waived)


def _question(
    candidates: Sequence[Candidate], capacity: Capacity, policy: Policy, without: Collection[str]
) -> MeanCvar:
    """The candidates as columns, the policy's limits as rows."""

    def column(name: str) -> Floats:
        return np.array([getattr(candidate, name) for candidate in candidates], float)

    outcomes = np.array([candidate.outcomes for candidate in candidates]).T
    limits = [*_book_limits(candidates, capacity, policy), *_loan_limits(candidates, capacity, policy)]
    return MeanCvar(
        ids=tuple(candidate.id for candidate in candidates),
        outcomes=outcomes,
        expected=outcomes.mean(axis=0),
        aversion=policy.core.risk_aversion,
        costs=column("cost"),
        held=column("held"),
        lower=np.zeros(len(candidates)),
        upper=column("most"),
        whole=np.array([candidate.kind is not Kind.LOAN for candidate in candidates]),
        limits=tuple(limit for limit in limits if limit.name not in without),
        carried=capacity.carried,
    )


def _book_limits(candidates: Sequence[Candidate], capacity: Capacity, policy: Policy) -> list[Limit]:
    losses = np.array([candidate.losses for candidate in candidates]).T
    stress = np.array([candidate.stress for candidate in candidates])
    margin, paid, carry = (_row(candidates, name) for name in ("margin", "paid", "carry"))
    held = np.array([candidate.held for candidate in candidates])
    hedges = np.array([candidate.kind is Kind.HEDGE for candidate in candidates])
    ratio = policy.hedge.ratio
    none = np.zeros_like(margin)
    limits = [
        Limit("margin", margin, np.maximum(capacity.margin, margin @ held)),
        Limit("cash", none, np.array([capacity.cash]), paid, _row(candidates, "paid_back")),
        Limit("drawdown_2sd", losses, float(policy.limits.drawdown_2sd) * capacity.capital - capacity.losses),
        Limit(
            "hedge_ratio",
            np.where(hedges, stress, ratio * stress)[None, :],
            np.array([-ratio * max(capacity.stress, 0.0)]),
        ),
        *_no_more_than_needed(stress, held, hedges, ratio, capacity),
        Limit(_CARRY, carry, np.maximum(float(policy.hedge.carry_budget) * capacity.capital, carry @ held)),
        _sleeve_cap(candidates, capacity, policy),
    ]
    if len(capacity.calls):
        call = policy.limits.quick_ratio_min * _HOUSE_MULTIPLE
        at = list(capacity.calls)
        limits.append(
            Limit(
                "quick_ratio",
                np.maximum(margin, 0.0) + call * losses[at],
                capacity.cash - call * np.maximum(capacity.losses[at], 0.0),
                np.repeat(paid, len(at), axis=0),
            )
        )
    if not capacity.may_add:
        limits.append(_nothing_more("consensus", candidates))
    if capacity.high_vol:
        room = float(policy.limits.session_new_outer) * capacity.defined_risk - capacity.session_bought
        limits.append(Limit("session_new_outer", none, np.array([max(room, 0.0)]), paid))
    return limits


def _nothing_more(name: str, candidates: Sequence[Candidate]) -> Limit:
    """No more condors and no more debt than are held; a row that always holds where neither is on offer."""
    added = np.array([candidate.kind is not Kind.HEDGE for candidate in candidates])
    if not added.any():
        return Limit(name, np.zeros((1, len(candidates))), np.zeros(1))
    held = np.array([candidate.held for candidate in candidates])
    return Limit(name, np.diag(added.astype(float))[added], held[added])


def _sleeve_cap(candidates: Sequence[Candidate], capacity: Capacity, policy: Policy) -> Limit:
    """Nothing here moves the sleeve's share: what is left of its cap, and no new risk once that is broken (X05)."""
    room = float(policy.limits.sleeve_cap) - capacity.sleeve_share
    if room < 0:
        return _nothing_more("sleeve_cap", candidates)
    return Limit("sleeve_cap", np.zeros((1, len(candidates))), np.array([room]))


def _no_more_than_needed(stress: Floats, held: Floats, hedges: Mask, ratio: float, capacity: Capacity) -> list[Limit]:
    """
    No lot of a hedge beyond the one that reaches the need, but what is held may stay (D10).

    Row by row, one hedge's gain is less than the need plus its own gain; together they exceed it by less than
    the largest gain of one lot on the menu.
    """
    gains = np.where(hedges, -stress, 0.0)
    helpful = np.flatnonzero(gains > 0)
    if not len(helpful):
        return []
    need = np.where(hedges, 0.0, -ratio * stress)
    rows = np.tile(need, (len(helpful) + 1, 1))
    rows[np.arange(len(helpful)), helpful] += gains[helpful]
    rows[-1] += gains
    one_more = np.append(gains[helpful], gains.max()) * (1.0 - _STRICT)
    stays = np.append((gains * held)[helpful], float(gains @ held))
    return [Limit("hedge_excess", rows, ratio * max(capacity.stress, 0.0) + np.maximum(one_more, stays))]


def _loan_limits(candidates: Sequence[Candidate], capacity: Capacity, policy: Policy) -> list[Limit]:
    """For each loan: health floor, the share VIX allows, the pool's liquidity, rate and recourse (D16, X07, S45)."""
    limits = []
    for at, candidate in enumerate(candidates):
        if isinstance(candidate.terms, LoanOffer):
            offer, one = candidate.terms, np.zeros((1, len(candidates)))
            one[0, at] = 1.0
            permitted = min(offer.health_cap, offer.most)
            limits += [
                Limit("health_factor", one, np.array([offer.health_cap])),
                Limit("leverage", one, np.array([capacity.leverage * permitted])),
            ]
            if offer.market.borrow_rate > float(policy.limits.borrow_rate_max):
                limits.append(Limit("borrow_rate", one, np.zeros(1)))
            if unfit(offer.market, policy):
                limits.append(Limit("recourse", one, np.zeros(1)))
    return limits


def _row(candidates: Sequence[Candidate], name: str) -> Floats:
    return np.array([[getattr(candidate, name) for candidate in candidates]], float)


def _answer(
    candidates: Sequence[Candidate],
    capacity: Capacity,
    problem: MeanCvar,
    solved: Solved,
    costs: dict[str, float],
    waived: tuple[str, ...],
) -> Allocation:
    x = solved.x
    lines = tuple(
        Line(candidate.terms, candidate.kind, candidate.held, float(wanted))
        for candidate, wanted in zip(candidates, x, strict=True)
        if wanted or candidate.held
    )
    losses = capacity.losses + sum(
        (wanted * candidate.losses for candidate, wanted in zip(candidates, x, strict=True) if wanted),
        np.zeros(len(capacity.cells)),
    )
    worst = int(np.argmax(losses))
    rooms: dict[str, float] = {}
    for limit in problem.limits:
        room = -float(limit.excess(x, problem.held).max())
        rooms[limit.name] = min(room, rooms.get(limit.name, np.inf))
    return Allocation(
        lines=lines,
        expected=float(problem.expected @ x),
        shortfall=solved.shortfall,
        cost=float(problem.costs @ np.abs(x - problem.held)),
        objective=solved.objective,
        gap=solved.gap,
        capital=capacity.capital,
        hedge_ratio=_hedge_ratio(candidates, x, capacity.stress),
        drawdown=float(losses[worst]) / capacity.capital,
        cell=capacity.cells[worst],
        margin=sum(c.margin * n for c, n in zip(candidates, x, strict=True) if c.kind is Kind.CONDOR),
        carry=sum(c.carry * n for c, n in zip(candidates, x, strict=True)),
        limits=tuple(
            LimitCost(name, costs.get(name, 0.0) / capacity.capital * 1e4, room) for name, room in rooms.items()
        ),
        measure=capacity.measure,
        waived=waived,
        quick_ratio=_quick_ratio(candidates, x, capacity),
    )


def _quick_ratio(candidates: Sequence[Candidate], x: Floats, capacity: Capacity) -> float:
    """Cash left beyond margin over the house multiple of the loss in the worst cell of a margin call (D13)."""
    at = list(capacity.calls)
    pairs = [(candidate, float(wanted)) for candidate, wanted in zip(candidates, x, strict=True)]
    lost = np.maximum(capacity.losses[at], 0.0) + sum(wanted * candidate.losses[at] for candidate, wanted in pairs)
    called = _HOUSE_MULTIPLE * float(np.max(lost, initial=0.0))
    spent = sum(max(c.margin, 0.0) * n + c.paid * max(n - c.held, 0.0) for c, n in pairs)
    return (capacity.cash - spent) / called if called > 0 else float("inf")


def _hedge_ratio(candidates: Sequence[Candidate], x: Floats, carried: float) -> float | None:
    """What the hedges gain over what the rest loses in the cell that sizes them; None where nothing is lost."""
    gained = -sum(c.stress * n for c, n in zip(candidates, x, strict=True) if c.kind is Kind.HEDGE)
    lost = carried + sum(c.stress * n for c, n in zip(candidates, x, strict=True) if c.kind is Kind.CONDOR)
    return gained / lost if lost > 0 else None
