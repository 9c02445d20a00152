"""The allocator's solver against every point of small grids, a whole linear programme, and its own laws."""

from dataclasses import replace
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.cutting_planes import costs_of_limits, smallest_conflict, solve
from engine.policy.mean_cvar import Infeasible, Limit, MeanCvar

SEEDS = st.integers(0, 2**32 - 1)


def question(seed, *, whole=True, instruments=3, scenarios=45, limits=3, most=3):
    """A random question: fat-tailed outcomes, some held already, limits that often bind."""
    g = np.random.default_rng(seed)
    outcomes = 100.0 * (g.standard_t(3, (scenarios, 1)) @ g.normal(size=(1, instruments)))
    outcomes = outcomes + 60.0 * g.standard_t(3, (scenarios, instruments)) + g.uniform(0, 80, instruments)
    held = g.integers(0, most + 1, instruments).astype(float)
    rows = []
    for number in range(limits):
        depth = int(g.integers(1, 4))
        charged = g.uniform(0, 1, (depth, instruments)) if g.random() < 0.5 else None
        level = g.uniform(-0.5, 3.0 if number else 6.0, depth)
        rows.append(Limit(f"limit-{number}", g.normal(size=(depth, instruments)), level, charged, charged))
    return MeanCvar(
        ids=tuple(f"i{at}" for at in range(instruments)),
        outcomes=outcomes,
        expected=outcomes.mean(axis=0),
        aversion=float(g.choice([0.0, 0.05, 0.3, 1.0])),
        costs=g.uniform(0, 15, instruments) * (g.random(instruments) < 0.7),
        held=held,
        lower=np.zeros(instruments),
        upper=np.full(instruments, float(most)),
        whole=np.full(instruments, whole),
        limits=tuple(rows),
        carried=g.normal(size=scenarios) * 50.0,
        tail=float(g.choice([0.025, 0.1, 0.25])),
    )


def worth(q, x):
    """The objective by the variational formula: the least over thresholds, which some loss attains."""
    losses = -(q.carried + q.outcomes @ x) if q.carried is not None else -(q.outcomes @ x)
    shortfall = min(t + np.mean(np.maximum(losses - t, 0.0)) / q.tail for t in losses)
    return q.expected @ x - q.aversion * shortfall - q.costs @ np.abs(x - q.held)


def keeps(q, x, names=None):
    change = x - q.held
    for limit in q.limits:
        if names is not None and limit.name not in names:
            continue
        total = limit.on_held @ x
        if limit.on_bought is not None:
            total = total + limit.on_bought @ np.maximum(change, 0) + limit.on_sold @ np.maximum(-change, 0)
        if (total > limit.at_most + 1e-9).any():
            return False
    return True


def grid(q):
    return [
        np.array(x) for x in product(*(np.arange(low, high + 1.0) for low, high in zip(q.lower, q.upper, strict=True)))
    ]


@pytest.mark.requirement("D33")
@settings(max_examples=60)
@given(SEEDS)
def test_no_point_of_a_small_grid_is_better_than_the_answer(seed):
    q = question(seed)
    allowed = [x for x in grid(q) if keeps(q, x)]

    if not allowed:
        with pytest.raises(Infeasible):
            solve(q)
        return
    answer = solve(q)

    best = max(worth(q, x) for x in allowed)
    assert answer.objective == pytest.approx(best, rel=1e-9, abs=1e-7)
    assert worth(q, answer.x) == pytest.approx(answer.objective, rel=1e-9, abs=1e-9)
    assert keeps(q, answer.x)
    assert answer.bound >= best - 1e-6
    assert answer.gap <= 2e-6 * np.abs(q.outcomes).max()


@pytest.mark.requirement("D33")
@settings(max_examples=15)
@given(SEEDS)
def test_with_fractions_it_equals_the_whole_programme_with_every_scenario_written_down(seed):
    from scipy.optimize import linprog

    q = replace(question(seed, whole=False, instruments=4, scenarios=80), aversion=0.4)
    n, s = len(q.ids), len(q.outcomes)
    rows = [np.hstack([-q.outcomes, np.zeros((s, n)), -np.ones((s, 1)), -np.eye(s)])]
    rooms = [q.carried]
    for limit in q.limits:
        traded = np.zeros_like(limit.on_held) if limit.on_bought is None else limit.on_bought
        rows.append(np.hstack([limit.on_held, traded, np.zeros((len(traded), 1 + s))]))
        rooms.append(limit.at_most)
    for sign in (1.0, -1.0):
        rows.append(np.hstack([sign * np.eye(n), -np.eye(n), np.zeros((n, 1 + s))]))
        rooms.append(sign * q.held)
    price = np.concatenate([-q.expected, q.costs, [q.aversion], np.full(s, q.aversion / (q.tail * s))])
    bounds = [*zip(q.lower, q.upper, strict=True), *[(0, None)] * n, (None, None), *[(0, None)] * s]
    whole = linprog(price, A_ub=np.vstack(rows), b_ub=np.concatenate(rooms), bounds=bounds, method="highs-ipm")

    if whole.status == 2:
        with pytest.raises(Infeasible):
            solve(q)
        return
    answer = solve(q)

    assert answer.objective == pytest.approx(-whole.fun, rel=1e-8, abs=1e-5)
    assert answer.gap <= 1e-5
    assert q.excess(answer.x) <= 1e-9


@settings(max_examples=20)
@given(SEEDS)
def test_whole_and_fractional_units_mix(seed):
    q = question(seed, instruments=3)
    mixed = replace(q, whole=np.array([True, True, False]))
    try:
        all_whole = solve(q)
    except Infeasible:
        return

    answer = solve(mixed)

    assert answer.objective >= all_whole.objective - 1e-6
    assert (answer.x[:2] % 1 == 0).all()
    assert keeps(mixed, answer.x)
    fractions = [np.array([*x[:2], z]) for x in grid(q) for z in np.linspace(0, 3, 31)]
    assert answer.objective >= max((worth(q, x) for x in fractions if keeps(q, x)), default=-np.inf) - 1e-6


@pytest.mark.requirement("D33")
@settings(max_examples=30)
@given(SEEDS)
def test_a_limit_costs_nothing_or_more_and_what_lifting_it_gains(seed):
    q = question(seed)
    try:
        answer = solve(q)
    except Infeasible:
        return

    costs = costs_of_limits(q, answer)

    for name, cost in costs.items():
        others = {limit.name for limit in q.limits} - {name}
        best = max(worth(q, x) for x in grid(q) if keeps(q, x, others))
        assert cost >= 0.0
        assert cost == pytest.approx(max(best - answer.objective, 0.0), rel=1e-9, abs=1e-6)
        if name not in answer.needed:
            assert cost == 0.0


@settings(max_examples=30)
@given(SEEDS)
def test_one_more_limit_never_raises_the_objective(seed):
    q = question(seed)
    free = solve(replace(q, limits=()))
    previous = free.objective
    for count in range(1, len(q.limits) + 1):
        try:
            now = solve(replace(q, limits=q.limits[:count])).objective
        except Infeasible:
            return
        assert now <= previous + 1e-6
        previous = now


def test_a_lot_that_breaks_a_limit_by_less_than_the_programme_sees_is_not_bought():
    q = replace(question(5, limits=0), aversion=0.0, expected=np.ones(3), costs=np.zeros(3), held=np.zeros(3))
    level = Limit("margin", np.array([[1.0, 1.0, 1.0]]), np.array([6.0 - 5e-7]))

    assert solve(replace(q, limits=(level,))).x.sum() == 5.0
    assert solve(replace(q, limits=(replace(level, at_most=np.array([6.0])),))).x.sum() == 6.0


@settings(max_examples=20)
@given(SEEDS, st.permutations(range(4)))
def test_reordering_the_instruments_reorders_the_answer(seed, order):
    q = question(seed, instruments=4, limits=2)
    twins = np.array([0, 0, 2, 2])  # ties abound
    q = _columns(q, twins, names=q.ids)
    at = np.array(order)
    other = _columns(q, at)
    try:
        answer = solve(q)
    except Infeasible:
        return

    assert solve(other).x.tolist() == answer.x[at].tolist()


def _columns(q, at, *, names=None):
    """The question with these instruments, in this order."""
    return replace(
        q,
        ids=names or tuple(q.ids[i] for i in at),
        outcomes=q.outcomes[:, at],
        **{name: getattr(q, name)[at] for name in ("expected", "costs", "held", "lower", "upper", "whole")},
        limits=tuple(
            replace(
                limit,
                on_held=limit.on_held[:, at],
                on_bought=None if limit.on_bought is None else limit.on_bought[:, at],
                on_sold=None if limit.on_sold is None else limit.on_sold[:, at],
            )
            for limit in q.limits
        ),
    )


@pytest.mark.requirement("D33")
@settings(max_examples=40)
@given(SEEDS)
def test_the_conflict_named_is_the_smallest_there_is(seed):
    q = question(seed, limits=4)
    q = replace(q, limits=tuple(replace(limit, at_most=limit.at_most - 4.0) for limit in q.limits))
    names = [limit.name for limit in q.limits]
    subsets = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
    smallest = next((some for some in subsets if not any(keeps(q, x, some) for x in grid(q))), ())

    assert smallest_conflict(q) == smallest
    if smallest:
        with pytest.raises(Infeasible) as refused:
            solve(q)
        assert refused.value.conflict == smallest
        assert all(name in str(refused.value) for name in smallest)


def test_what_an_earlier_solve_learnt_speeds_the_next_and_does_not_change_it():
    q = question(7, whole=False, instruments=6, scenarios=400)
    earlier = solve(q)
    dearer = replace(q, expected=q.expected * 1.1)

    cold, warm = solve(dearer), solve(dearer, known=earlier.tails, start=earlier.x)

    assert warm.objective == pytest.approx(cold.objective, abs=1e-6)
    assert earlier.tails


def test_what_is_held_stays_where_moving_it_costs_more_than_it_brings():
    q = question(3, limits=0, instruments=3)
    best = solve(replace(q, costs=np.zeros(3)))
    nearly = replace(q, held=np.array([1.0, 2.0, 0.0]), costs=np.full(3, 1e6))

    assert solve(nearly).x.tolist() == [1.0, 2.0, 0.0]
    assert best.objective >= solve(nearly).objective


def test_without_aversion_or_limits_everything_that_pays_is_bought_whole():
    q = replace(question(5, limits=0), aversion=0.0, expected=np.array([1.0, -1.0, 2.0]), costs=np.zeros(3))

    assert solve(q).x.tolist() == [3.0, 0.0, 3.0]


@pytest.mark.parametrize(
    "change",
    [
        {"expected": np.array([1.0, np.nan, 0.0])},
        {"costs": np.array([1.0, -1.0, 0.0])},
        {"held": np.array([0.5, 0.0, 0.0])},
        {"upper": np.array([np.inf, 1.0, 1.0])},
        {"ids": ("a", "a", "b")},
        {"tail": 0.0},
        {"lower": np.zeros(2)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_question_without_meaning_is_refused(change):
    with pytest.raises(InputError, match="allocation question refused"):
        replace(question(1), **change)
