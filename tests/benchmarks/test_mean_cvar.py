"""The allocator's relaxed answer beside a conic solver's on the benchmark's own question."""

import numpy as np
import pytest

from engine.policy.cutting_planes import solve
from tests.benchmarks.mean_cvar import conic, lots, next_day, question


@pytest.mark.requirement("D33")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_agrees_with_a_conic_solver_to_a_hundred_millionth_and_breaks_nothing():
    pytest.importorskip("cvxpy")
    today = question()

    answer = solve(today)
    weights, objective = conic(today)

    assert answer.gap <= 1e-8
    assert today.excess(answer.x) <= 1e-9
    assert answer.objective == pytest.approx(objective, abs=1e-8)
    assert answer.objective >= today.objective(np.clip(weights, today.lower, today.upper)) - 1e-8


def test_the_next_day_is_answered_from_the_day_before_as_from_nothing():
    today = question()
    answer = solve(today)
    tomorrow = next_day(today, answer)

    warm, cold = solve(tomorrow, known=answer.tails, start=answer.x), solve(tomorrow)

    assert warm.objective == pytest.approx(cold.objective, abs=1e-8)
    assert warm.gap <= 1e-8


@pytest.mark.requirement("D33")
def test_sixty_instruments_in_whole_lots_are_answered_with_a_certified_gap():
    book = lots()

    answer = solve(book)

    assert book.excess(answer.x) <= 1e-6
    assert answer.gap <= 1e-6 * np.abs(book.outcomes).max()
    assert answer.x.sum() > 0
    assert (answer.x % 1 == 0).all()
