"""Joint draws have the stated moments, and a path's worst drawdown is what a clerk would write down."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.instruments import Cash
from engine.money import Currency, Money
from engine.positions import Book, Position, Sleeve
from engine.risk.paths import JointModel, joint_paths, joint_scenarios, worst_on_paths
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from tests.engine.risk.golden import ASOF, S, condors, golden_view
from tests.engine.terms import spx

MODEL = JointModel(0.18, 0.7, 0.45, freedom=np.inf)
WETH = Currency("WETH", 18)


def draws(model=MODEL, seed=5, count=40_000, **how):
    return joint_scenarios(model, np.random.default_rng(seed), count, **({"sessions": 21} | how))


@pytest.mark.requirement("D11")
def test_draws_have_the_stated_volatilities_and_correlation():
    moves = draws()
    root = np.sqrt(21 / 252)

    assert moves.spot.std() == pytest.approx(0.18 * root, rel=0.02)
    assert moves.crypto.std() == pytest.approx(0.7 * root, rel=0.02)
    assert np.corrcoef(moves.spot, moves.crypto)[0, 1] == pytest.approx(0.45, abs=0.015)


@pytest.mark.requirement("D11")
def test_at_correlation_one_crypto_goes_with_the_index_in_every_draw():
    moves = draws(corr_one=True)

    assert moves.crypto == pytest.approx(moves.spot * 0.7 / 0.18)


def test_a_student_tail_has_the_same_variance_and_a_heavier_tail():
    thin, fat = draws(), draws(JointModel(0.18, 0.7, 0.45, freedom=4.0), count=200_000)
    root = 0.18 * np.sqrt(21 / 252)

    assert fat.spot.std() == pytest.approx(root, rel=0.05)
    assert np.mean(np.abs(fat.spot) > 4 * root) > 20 * np.mean(np.abs(thin.spot) > 4 * root)


def test_one_seed_gives_one_set_of_draws():
    assert draws(seed=9, count=50).spot.tobytes() == draws(seed=9, count=50).spot.tobytes()
    assert draws(seed=9, count=50).spot.tobytes() != draws(seed=10, count=50).spot.tobytes()


def test_stress_of_peg_gas_and_spread_is_that_of_the_rule_at_two_deviations():
    moves = draws()
    root = np.sqrt(21 / 252)
    near = np.argmin(np.abs(moves.crypto + 2 * 0.7 * root))
    down = np.argmin(np.abs(moves.spot + 2 * 0.18 * root))

    assert moves.peg[near] == pytest.approx(0.99, abs=1e-4)
    assert moves.gas[near] == pytest.approx(5.0, rel=1e-2)
    assert moves.liquidity[down] == pytest.approx(3.0, rel=1e-2)
    assert moves.peg.max() == 1.0
    assert (moves.gas >= 1.0).all()


def test_a_path_ends_with_the_variance_of_its_horizon():
    days = joint_paths(MODEL, np.random.default_rng(3), 20_000, sessions=10)

    assert len(days) == 10
    assert days[-1].spot.std() == pytest.approx(0.18 * np.sqrt(10 / 252), rel=0.03)
    assert days[4].days[0] == pytest.approx(5 * 365 / 252)


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=8))
def test_the_worst_drawdown_of_a_token_is_its_fall_from_the_highest_mark(moves):
    view = golden_view(token_usd={"WETH": 1000.0})
    book = Book((Position(Cash(WETH), Money.of(1, WETH), Sleeve.DEFI, "vault"),))
    marks = [1000.0, *(1000.0 * np.exp(move) for move in moves)]
    expected = max(max(marks[: i + 1]) - mark for i, mark in enumerate(marks))

    worst = worst_on_paths(book, view, [Scenarios.of(crypto=move, days=d + 1.0) for d, move in enumerate(moves)])

    assert worst[0] == pytest.approx(expected, abs=1e-9)


def test_what_has_settled_moves_no_more():
    """A put that expires on day two at 5,700 has paid 300 points; a later rise to 6,300 takes none of them back."""
    soon = ASOF + timedelta(days=2)
    view = golden_view()
    smile = Smile(soon, 2 / 365, S, 0.0, np.array([-1.0, 1.0]), np.array([0.01, 0.01]))
    there = golden_view()
    there = type(there)(ASOF, S, dict(view.smiles) | {("SPXW", soon): smile}, {}, {})
    put = spx(6000, "P", soon)
    book = Book((Position(put, Money(-1, put.unit), Sleeve.CONDOR, "broker"),))
    path = [Scenarios.of(np.log(level / S), days=day) for day, level in ((1.0, 5900), (2.0, 5700), (3.0, 6300))]

    worst = worst_on_paths(book, there, path)
    back_again = worst_on_paths(book, there, [*path, Scenarios.of(-0.5, days=4.0)])

    assert worst[0] == pytest.approx(30_000, rel=0.01)
    assert back_again[0] == worst[0]


def test_progress_is_told_for_every_day():
    told = []

    worst_on_paths(
        condors(), golden_view(), [Scenarios.of(0.0, days=d) for d in (1.0, 2.0)], progress=lambda *p: told.append(p)
    )

    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("terms", [(0.0, 0.7, 0.4), (0.18, -0.1, 0.4), (0.18, 0.7, 1.1), (0.18, 0.7, 0.4, 2.0)])
def test_a_model_without_meaning_is_refused(terms):
    with pytest.raises(InputError):
        JointModel(*terms)


def test_paths_of_unequal_length_and_no_sessions_are_refused():
    with pytest.raises(InputError):
        worst_on_paths(condors(), golden_view(), [Scenarios.of([0.0, 0.1]), Scenarios.of(0.0)])
    with pytest.raises(InputError):
        worst_on_paths(condors(), golden_view(), [])
    with pytest.raises(InputError):
        joint_paths(MODEL, np.random.default_rng(1), 5, sessions=0)
