"""Health of a loan: the worked table, what each level allows, and where looping ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.health import (
    HealthBand,
    deviations_to_liquidation,
    health_at_ltv,
    health_band,
    health_factor,
    loop,
    move_to_liquidation,
)

MONEY, LT = st.floats(1.0, 1e7), st.floats(0.1, 0.95)


@pytest.mark.requirement("D16")
@pytest.mark.requirement("D17")
@pytest.mark.requirement("S30")
@pytest.mark.parametrize(
    ("ltv", "health", "fall"), [(0.50, 1.56, -0.36), (0.60, 1.30, -0.23), (0.70, 1.11, -0.10), (0.75, 1.04, -0.04)]
)
def test_health_by_ltv_at_the_worked_threshold(ltv, health, fall):
    found = health_at_ltv(ltv, 0.78)

    assert round(float(found), 2) == health
    assert round(float(move_to_liquidation(found)), 2) == fall


@pytest.mark.requirement("D17")
@given(st.lists(st.tuples(MONEY, LT), min_size=1, max_size=5), MONEY)
def test_health_is_thresholded_collateral_over_debt(assets, debt):
    collateral, thresholds = np.array(assets).T

    assert float(health_factor(collateral, thresholds, debt)) == pytest.approx(sum(c * lt for c, lt in assets) / debt)


@pytest.mark.requirement("D17")
@given(MONEY, LT, MONEY, st.floats(0.2, 2.0), st.floats(0.01, 1.0))
def test_a_fall_to_liquidation_leaves_a_factor_of_one(collateral, threshold, debt, vol, years):
    health = float(health_factor([collateral], [threshold], debt))
    after = collateral * (1 + float(move_to_liquidation(health)))
    deviations = float(deviations_to_liquidation(health, vol, years))

    assert float(health_factor([after], [threshold], debt)) == pytest.approx(1.0)
    assert collateral * np.exp(-deviations * vol * years**0.5) == pytest.approx(after)


@pytest.mark.requirement("D17")
def test_without_debt_health_and_distance_are_infinite():
    health = health_factor([100.0], [0.8], 0.0)

    assert np.isposinf(health)
    assert np.isposinf(deviations_to_liquidation(health, 0.8, 0.1))
    assert health_band(float(health)) is HealthBand.OPEN


@pytest.mark.requirement("D17")
@given(st.floats(0.01, 5.0))
def test_bands_begin_at_the_stated_levels(health):
    band = health_band(health)

    assert (band is HealthBand.OPEN) == (health >= 1.5)
    assert (band in {HealthBand.DELEVERAGE, HealthBand.EMERGENCY, HealthBand.LIQUIDATABLE}) == (health < 1.25)
    assert (band in {HealthBand.EMERGENCY, HealthBand.LIQUIDATABLE}) == (health < 1.1)
    assert (band is HealthBand.LIQUIDATABLE) == (health < 1.0)


@pytest.mark.requirement("D16")
@pytest.mark.parametrize(("returned", "gross"), [(0.0, 1.6000), (0.1, 1.6383), (0.5, 1.8571), (1.0, 2.5000)])
def test_looping_at_sixty_percent_ends_at_the_worked_leverage(returned, gross):
    assert round(float(loop(0.6, returned).gross), 4) == gross


@pytest.mark.requirement("D16")
@given(st.floats(0.0, 0.9), st.floats(0.0, 1.0))
def test_looping_round_by_round_arrives_at_the_closed_form(ltv, returned):
    collateral = debt = margin = 0.0
    fresh = 1.0
    for _ in range(2000):
        collateral, drawn = collateral + fresh, ltv * fresh
        debt, margin, fresh = debt + drawn, margin + (1 - returned) * drawn, returned * drawn

    assert tuple(map(float, loop(ltv, returned))) == pytest.approx((collateral, debt, margin, collateral + margin))


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    "broken",
    [
        lambda: health_factor([np.nan], [0.8], 1.0),
        lambda: health_factor([1.0], [80.0], 1.0),
        lambda: health_factor([-1.0], [0.8], 1.0),
        lambda: health_band(float("nan")),
        lambda: health_at_ltv(0.0, 0.78),
        lambda: loop(1.0, 0.5),
        lambda: loop(0.5, 1.01),
        lambda: deviations_to_liquidation(1.5, 0.0, 1.0),
    ],
)
def test_what_has_no_meaning_is_refused(broken):
    with pytest.raises(InputError):
        broken()


@pytest.mark.requirement("D17")
def test_a_debt_that_nothing_secures_can_be_liquidated_already():
    bare = float(health_factor([0.0], [0.8], 10.0))

    assert health_band(bare) is HealthBand.LIQUIDATABLE
    assert float(deviations_to_liquidation(bare, 0.8, 0.25)) == -np.inf
    assert float(move_to_liquidation(bare)) == np.inf
