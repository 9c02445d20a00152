"""Sizes by their laws: the bound, scale, brute force, and an independent solver."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.hedge_ratio import HedgeNeed, HedgeUnit, scaled
from engine.policy.hedge_sizing import HedgeRules, HedgeStatus, size_hedge, size_lots
from engine.risk.scenarios import Scenarios

GRID = Scenarios.of([-0.02, -0.06, -0.04, -0.01, 0.0, 0.03], [0.03, 0.10, 0.05, 0.0, 0.0, -0.02], 1.0)
gains = st.floats(1.0, 900.0)
costs = st.floats(0.5, 60.0)
MENU = [
    HedgeUnit("future", "vix", np.array([900.0, 3_400.0, 2_000.0, 350.0, 0.0, -1_000.0]), 45.0),
    HedgeUnit("call", "vix", np.array([160.0, 1_900.0, 700.0, 30.0, -10.0, -60.0]), 18.0),
    HedgeUnit("put", "puts", np.array([1_400.0, 9_000.0, 4_100.0, 500.0, -40.0, -700.0]), 110.0),
]
LOSSES = np.array([52_000.0, 260_000.0, 130_000.0, 9_000.0, -2_000.0, 4_000.0])


def need(losses=LOSSES, **terms):
    return HedgeNeed(GRID, np.asarray(losses, float), **terms)


def one_scenario(reference_gains, unit_costs, **terms):
    return [
        HedgeUnit(str(at), "x", np.array([g, 0, 0, 0, 0, 0.0]), c, **terms)
        for at, (g, c) in enumerate(zip(reference_gains, unit_costs, strict=True))
    ]


menus = st.lists(st.tuples(gains, costs, st.sampled_from([1.0, 0.5, 10.0])), min_size=1, max_size=5)


@pytest.mark.requirement("D10")
@given(menu=menus, loss=st.floats(10.0, 2e5), target=st.floats(0.7, 1.3))
def test_whole_lots_reach_the_target_and_exceed_it_by_less_than_any_one_lot(menu, loss, target):
    units = [HedgeUnit(str(at), "x", np.array([g, 0, 0, 0, 0, 0.0]), c, lot) for at, (g, c, lot) in enumerate(menu)]

    size = size_lots(need([loss, 0, 0, 0, 0, 0]), units, HedgeRules(target))

    assert size.status is HedgeStatus.SIZED
    lots = size.quantities / [unit.lot for unit in units]
    assert lots == pytest.approx(np.round(lots))
    held = [g * lot for (g, _, lot), n in zip(menu, lots, strict=True) if n > 0]
    excess = size.quantities @ [g for g, _, _ in menu] - target * loss
    assert -1e-9 * loss <= excess < min(held) * (1 + 1e-9)


def cheapest_by_hand(reference_gains, unit_costs, wanted):
    ranges = [range(int(np.ceil(wanted / g)) + 1) for g in reference_gains]
    return min(
        np.dot(lots, unit_costs) for lots in itertools.product(*ranges) if np.dot(lots, reference_gains) >= wanted
    )


@pytest.mark.requirement("D10")
@given(
    menu=st.lists(st.tuples(st.floats(50.0, 900.0), costs), min_size=1, max_size=3),
    loss=st.floats(10.0, 1_000.0),
    target=st.sampled_from([0.7, 1.0, 1.3]),
)
def test_no_other_lots_are_cheaper(menu, loss, target):
    values, prices = zip(*menu, strict=True)

    size = size_lots(need([loss, 0, 0, 0, 0, 0]), one_scenario(values, prices), HedgeRules(target))

    assert size.cost == pytest.approx(cheapest_by_hand(values, prices, target * loss), rel=1e-9)


@pytest.mark.requirement("D10")
@pytest.mark.parametrize("missing", [5e-7, 5e-9])
def test_a_lot_that_falls_short_by_a_hair_does_not_do(missing):
    menu = one_scenario([1_000.0 * (1 - missing), 1_000.0], [1.0, 1.5])

    assert size_lots(need([1_000.0, 0, 0, 0, 0, 0]), menu).quantities.tolist() == [0.0, 1.0]


@pytest.mark.requirement("D10")
@given(times=st.floats(1e-3, 1e4), target=st.floats(0.7, 1.3), charge=st.sampled_from([0.0, 0.01, 0.1, 1.0, 10.0]))
def test_fractional_quantities_grow_with_the_book(times, target, charge):
    rules = HedgeRules(target, charge)

    one, many = (size_hedge(what, MENU, rules) for what in (need(), scaled(need(), times)))

    assert many.quantities == pytest.approx(times * one.quantities, rel=1e-6, abs=1e-7 * times * one.quantities.max())
    assert many.ratio == pytest.approx(one.ratio, rel=1e-7)


def objective(cp, quantities, rules, weights):
    total = rules.target * LOSSES[0]
    columns = np.array([unit.gains for unit in MENU]).T
    missing = cp.pos(rules.target * np.maximum(LOSSES, 0.0) - columns @ quantities)
    paid = np.array([unit.cost for unit in MENU]) @ cp.abs(quantities)
    return paid + rules.shortfall_charge / total * cp.sum(cp.multiply(weights, cp.square(missing)))


@pytest.mark.requirement("D10")
@pytest.mark.parametrize("charge", [0.0, 0.02, 0.1, 2.0])
@pytest.mark.parametrize("shorts", [False, True])
def test_fractional_quantities_are_an_independent_solvers(charge, shorts):
    cp = pytest.importorskip("cvxpy")
    rules = HedgeRules(1.15, charge, shorts=shorts)
    weights = np.array([1, 1, 1, 1, 0, 0]) / 4  # lower spot, no lower volatility
    q = cp.Variable(len(MENU))
    covers = [np.array([unit.gains[0] for unit in MENU]) @ q >= 1.15 * LOSSES[0]]
    problem = cp.Problem(cp.Minimize(objective(cp, q, rules, weights)), covers if shorts else [*covers, q >= 0])
    problem.solve(solver=cp.CLARABEL)

    size = size_hedge(need(), MENU, rules)

    assert objective(cp, size.quantities, rules, weights).value <= problem.value * (1 + 1e-6)
    assert size.ratio >= 1.15 * (1 - 1e-9)
    assert shorts or (size.quantities >= 0).all()


@pytest.mark.requirement("D10")
def test_a_dearer_shortfall_buys_more_of_the_tail_and_never_less_than_the_ratio():
    tails, ratios = [], []
    for charge in (0.0, 0.05, 0.5, 5.0):
        size = size_hedge(need(), MENU, HedgeRules(1.0, charge))
        left = np.maximum(LOSSES - sum(q * u.gains for q, u in zip(size.quantities, MENU, strict=True)), 0.0)
        tails.append((left[:4] ** 2).sum())
        ratios.append(size.ratio)

    assert all(a >= b * (1 - 1e-9) for a, b in itertools.pairwise(tails))
    assert min(ratios) >= 1.0 - 1e-9


@pytest.mark.requirement("D10")
def test_only_the_down_half_is_hedged():
    other_side = LOSSES.copy()
    other_side[4:] = 1e6

    assert size_hedge(need(other_side), MENU).quantities == pytest.approx(size_hedge(need(), MENU).quantities)


@pytest.mark.requirement("D10")
@pytest.mark.parametrize("loss", [0.0, -500.0])
@pytest.mark.parametrize("size", [size_hedge, size_lots])
def test_a_book_that_loses_nothing_needs_no_hedge(size, loss):
    answer = size(need([loss, 9e5, 0, 0, 0, 0]), MENU)

    assert answer.status is HedgeStatus.NOTHING_TO_HEDGE
    assert (answer.quantities == 0).all()
    assert answer.ratio is None


@pytest.mark.requirement("D10")
@pytest.mark.parametrize("size", [size_hedge, size_lots])
@pytest.mark.parametrize("menu", [[], one_scenario([-5.0, 0.0], [1.0, 1.0]), one_scenario([100.0], [1.0], most=519.0)])
def test_a_menu_that_cannot_relieve_the_loss_is_said_to_be_infeasible(size, menu):
    answer = size(need(), menu)

    assert answer.status is HedgeStatus.INFEASIBLE
    assert "relieves at most" in answer.reason
    assert (answer.quantities == 0).all()


def test_lots_that_do_not_divide_what_may_be_held_do_not_count():
    menu = one_scenario([100.0], [1.0], most=520.0, lot=50.0)

    assert size_hedge(need(), menu).status is HedgeStatus.SIZED
    assert size_lots(need(), menu).status is HedgeStatus.INFEASIBLE


@given(most=st.integers(1, 40), loss=st.floats(100.0, 20_000.0))
def test_no_more_is_bought_than_there_is(most, loss):
    menu = one_scenario([500.0, 300.0], [1.0, 2.0], most=float(most))
    assume(loss <= 800.0 * most)

    for size in (size_hedge, size_lots):
        answer = size(need([loss, 0, 0, 0, 0, 0]), menu)
        assert answer.status is HedgeStatus.SIZED
        assert (answer.quantities <= most + 1e-6).all()
        assert answer.ratio >= 1 - 1e-9


@pytest.mark.requirement("D10")
def test_hedges_are_sold_only_where_the_policy_allows_it():
    menu = one_scenario([-400.0, 100.0], [1.0, 30.0])

    bought = size_lots(need([1_000.0, 0, 0, 0, 0, 0]), menu)
    sold = size_lots(need([1_000.0, 0, 0, 0, 0, 0]), menu, HedgeRules(shorts=True))

    assert bought.quantities.tolist() == [0.0, 10.0]
    assert sold.quantities.tolist() == [-3.0, 0.0]
    assert sold.cost == 3.0


def test_lots_finer_than_any_answer_needs_are_refused():
    with pytest.raises(InputError, match="coarser lots"):
        size_lots(need(), one_scenario([100.0], [1.0], lot=1e-18))


@pytest.mark.parametrize("rules", [(0.0,), (np.nan,), (1.0, -0.1), (1.0, np.inf)])
def test_a_target_of_nothing_is_refused(rules):
    with pytest.raises(InputError, match="hedge target"):
        HedgeRules(*rules)
