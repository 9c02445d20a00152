"""Hedged paths against identities that hold whatever the hedge does."""

import numpy as np
import pytest

from engine.errors import InputError
from engine.policy.band import loyalty, motion
from engine.simulation.hedging_paths import HedgedOptions, forward_paths, hedged_results

F, VOL, YEARS = 100.0, 0.2, 0.25
CALL = HedgedOptions(np.array([100.0]), np.array([1.0]), np.array([1.0]), np.array([VOL]), YEARS)


def paths(marks=64, count=4_000, seed=5, vol=VOL):
    return forward_paths(np.random.default_rng(seed), forward=F, vol=vol, years=YEARS, marks=marks, paths=count)


def test_forwards_are_a_martingale_of_the_asked_volatility():
    drawn = paths(count=20_000)

    assert drawn.shape == (65, 20_000)
    assert abs(drawn[-1].mean() - F) < 3 * drawn[-1].std() / np.sqrt(20_000)
    steps = np.diff(np.log(drawn), axis=0)
    assert steps.std() == pytest.approx(VOL * np.sqrt(YEARS / 64), rel=5e-3)


def test_the_same_generator_draws_the_same_paths():
    assert np.array_equal(paths(), paths())


def test_hedging_more_often_shrinks_the_error_by_the_square_root():
    coarse, fine = (hedged_results(CALL, paths(marks=marks), motion).gain.std() for marks in (16, 64))

    assert coarse / fine == pytest.approx(2.0, rel=0.1)


def test_never_adjusting_earns_the_payoff_against_its_first_delta():
    drawn = paths(marks=8, count=100)
    delta, _ = CALL.sensitivities(drawn[0], YEARS)

    result = hedged_results(CALL, drawn, loyalty, cost=0.001)

    payoff = np.maximum(drawn[-1] - 100.0, 0.0) - CALL.value(drawn[0], YEARS)
    costs = 0.001 * delta * (drawn[0] + drawn[-1])
    assert result.gain == pytest.approx(payoff - delta * (drawn[-1] - drawn[0]) - costs)
    assert result.costs == pytest.approx(costs)
    assert np.all(result.trades == 2)


def test_a_synthetic_forward_hedges_itself_exactly_under_every_rule():
    forward = HedgedOptions(
        np.array([90.0, 90.0]), np.array([1.0, -1.0]), np.array([1.0, -1.0]), np.full(2, VOL), YEARS
    )

    for rule in (loyalty, motion):
        assert np.abs(hedged_results(forward, paths(count=200), rule).gain).max() < 1e-9


@pytest.mark.parametrize("broken", [{"forward": 0.0}, {"vol": -0.1}, {"years": 0.0}, {"marks": 0}, {"paths": 0}])
def test_paths_of_nothing_are_refused(broken):
    terms = {"forward": F, "vol": VOL, "years": YEARS, "marks": 4, "paths": 4} | broken

    with pytest.raises(InputError, match="paths refused"):
        forward_paths(np.random.default_rng(0), **terms)
