"""W6: mean-CVaR of 20 instruments over 10,000 scenarios, with caps, margin and turnover, against a conic solver."""

from dataclasses import replace
from functools import cache

import numpy as np

from engine.policy.cutting_planes import solve
from engine.policy.mean_cvar import Limit, MeanCvar, Solved
from tests.benchmarks.timing import Candidate, Goal, Row, duel

INSTRUMENTS, SCENARIOS, AVERSION = 20, 10_000, 0.1
_CONIC = "cvxpy + Clarabel"
_GOAL = 0.12


def question(*, seed: int = 6, aversion: float = AVERSION) -> MeanCvar:
    """Fat-tailed returns with four common factors; at most a fifth in one, margin, budget and turnover limited."""
    g = np.random.default_rng(seed)
    factors = 0.02 * g.standard_t(4, (SCENARIOS, 4)) @ g.normal(size=(4, INSTRUMENTS))
    returns = factors + 0.01 * g.standard_t(4, (SCENARIOS, INSTRUMENTS))
    returns += g.uniform(0.0, 0.006, INSTRUMENTS) - returns.mean(axis=0)
    each = np.ones((1, INSTRUMENTS))
    return MeanCvar(
        ids=tuple(f"i{at:02d}" for at in range(INSTRUMENTS)),
        outcomes=returns,
        expected=returns.mean(axis=0),
        aversion=aversion,
        costs=np.full(INSTRUMENTS, 0.0005),
        held=0.6 * g.dirichlet(np.ones(INSTRUMENTS)).clip(max=0.3),
        lower=np.zeros(INSTRUMENTS),
        upper=np.full(INSTRUMENTS, 0.2),
        whole=np.zeros(INSTRUMENTS, bool),
        limits=(
            Limit("margin", g.uniform(0.1, 0.5, (1, INSTRUMENTS)), np.array([0.25])),
            Limit("budget", each, np.array([1.0])),
            Limit("turnover", np.zeros_like(each), np.array([0.8]), each, each),
        ),
    )


def lots(*, seed: int = 60) -> MeanCvar:
    """Forty condors and twenty puts in whole lots on one index: margin, drawdown cells, hedge ratio and cash bind."""
    g = np.random.default_rng(seed)
    spot, cells = 5000.0, 5000.0 * np.exp(np.linspace(-0.12, 0.08, 48))
    ends = spot * np.exp(0.035 * g.standard_t(4, SCENARIOS) - 0.002)
    outcomes, losses, margins, costs = [], [], [], []
    for _ in range(40):
        put, call, width = spot * (1 - g.uniform(0.06, 0.10)), spot * (1 + g.uniform(0.05, 0.09)), g.choice([50, 100])
        owed = np.clip(put - ends, 0, width) + np.clip(ends - call, 0, width)
        credit = owed.mean() * g.uniform(1.0, 1.6) + 0.3
        outcomes.append(100 * (credit - owed))
        losses.append(60 * (np.clip(put - cells, 0, width) + np.clip(cells - call, 0, width)) - 10 * credit)
        margins.append(100.0 * width)
        costs.append(g.uniform(20, 60))
    for strike in spot * g.uniform(0.80, 0.95, 20):
        paid = np.clip(strike - ends, 0, None)
        premium = paid.mean() * g.uniform(1.1, 1.8) + 0.2
        outcomes.append(100 * (paid - premium))
        losses.append(10 * premium - 100 * np.clip(strike - cells, 0, None))
        margins.append(0.0)
        costs.append(g.uniform(5, 20))
    columns, cell_rows, margin = np.array(outcomes).T, np.array(losses).T, np.array([margins])
    return MeanCvar(
        ids=tuple(f"i{at:02d}" for at in range(60)),
        outcomes=columns,
        expected=columns.mean(axis=0),
        aversion=0.02,
        costs=np.array(costs),
        held=np.zeros(60),
        lower=np.zeros(60),
        upper=np.where(margin[0] > 0, 300_000.0 // np.maximum(margin[0], 1.0), 300.0),
        whole=np.ones(60, bool),
        limits=(
            Limit("margin", margin, np.array([300_000.0])),
            Limit("drawdown_2sd", cell_rows, np.full(len(cells), 60_000.0)),
            Limit("hedge_ratio", cell_rows[[10]], np.zeros(1)),
        ),
    )


def next_day(earlier: MeanCvar, answer: Solved) -> MeanCvar:
    """The same question with the answer held and every expectation a little different."""
    shifted = earlier.expected * np.linspace(0.95, 1.08, INSTRUMENTS)
    return replace(earlier, held=answer.x, expected=shifted)


def conic(problem: MeanCvar) -> tuple[np.ndarray, float]:
    """Weights and objective by the epigraph form with a variable for each scenario."""
    import cvxpy

    x, threshold = cvxpy.Variable(len(problem.ids)), cvxpy.Variable()
    beyond = cvxpy.Variable(len(problem.outcomes))
    kept = [beyond >= 0, beyond >= -problem.outcomes @ x - threshold, x >= problem.lower, x <= problem.upper]
    for limit in problem.limits:
        total = limit.on_held @ x
        if limit.on_bought is not None:
            total += limit.on_bought @ cvxpy.pos(x - problem.held)
        if limit.on_sold is not None:
            total += limit.on_sold @ cvxpy.pos(problem.held - x)
        kept.append(total <= limit.at_most)
    shortfall = threshold + cvxpy.sum(beyond) / (problem.tail * len(problem.outcomes))
    cost = problem.costs @ cvxpy.abs(x - problem.held)
    asked = cvxpy.Problem(cvxpy.Maximize(problem.expected @ x - problem.aversion * shortfall - cost), kept)
    asked.solve(solver=cvxpy.CLARABEL)
    return np.asarray(x.value), float(asked.value)


@cache
def _questions() -> tuple[MeanCvar, Solved, MeanCvar]:
    today = question()
    answer = solve(today)
    return today, answer, next_day(today, answer)


def run() -> list[Row]:
    """Cold, and again the next day with the tails and weights of the day before."""
    today, answer, tomorrow = _questions()
    candidates = {
        "cutting planes, cold": Candidate(lambda: solve(today)),
        "cutting planes, warm": Candidate(lambda: solve(tomorrow, known=answer.tails, start=answer.x)),
        _CONIC: Candidate(lambda: conic(today)),
    }
    goals = [Goal(name, _CONIC, _GOAL) for name in candidates if name != _CONIC]
    book = lots()
    candidates["60 instruments in whole lots"] = Candidate(lambda: solve(book))
    return duel("W6 mean-CVaR", candidates, goals, items=1, rounds=5, yardstick=_CONIC)
