"""Squeeth: its mark, the one gamma it has, what funding eats, and what a strip of options leaves open."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.power import (
    normalisation_after,
    power_delta,
    power_gamma,
    power_mark,
    power_vega,
    strip_error,
    strip_for_square,
    strip_payoff,
)

SPOTS, NORMS, VOLS = st.floats(100, 10_000), st.floats(0.05, 1.0), st.floats(0.1, 2.0)


@pytest.mark.requirement("S28")
@given(SPOTS, NORMS, VOLS)
def test_mark_and_gamma_are_the_stated_formulas(spot, norm, vol):
    growth = np.exp(vol**2 * 17.5 / 365)

    assert float(power_mark(spot, norm, vol)) == pytest.approx(spot**2 / 1e4 * norm * growth, rel=1e-14)
    assert float(power_gamma(spot, norm, vol)) == pytest.approx(2 * norm / 1e4 * growth, rel=1e-14)


@pytest.mark.requirement("S28")
@given(SPOTS, NORMS, VOLS)
def test_sensitivities_are_the_marks_own_differences(spot, norm, vol):
    h = 0.01 * spot
    low, mid, high = (float(power_mark(spot + step, norm, vol)) for step in (-h, 0, h))

    assert float(power_delta(spot, norm, vol)) == pytest.approx((high - low) / (2 * h), rel=1e-9)
    assert float(power_gamma(spot, norm, vol)) == pytest.approx((high - 2 * mid + low) / h**2, rel=1e-6)
    bumped = [float(power_mark(spot, norm, vol + step)) for step in (-1e-5, 1e-5)]
    assert float(power_vega(spot, norm, vol)) == pytest.approx((bumped[1] - bumped[0]) / 2e-5, rel=1e-6)


@pytest.mark.requirement("S28")
@given(SPOTS, NORMS, VOLS, st.floats(0.0, 1.0))
def test_funding_in_the_normalisation_is_what_pays_for_gamma(spot, norm, vol, years):
    # under the martingale measure S^2 grows by exp(sigma^2 t): funding must take exactly that
    expected_square = spot**2 * np.exp(vol**2 * years)
    later = float(power_mark(1.0, float(normalisation_after(norm, vol, years)), vol)) * expected_square

    assert later == pytest.approx(float(power_mark(spot, norm, vol)), rel=1e-12)


@pytest.mark.requirement("S28")
def test_a_static_strip_is_exact_at_its_strikes_and_off_by_a_quarter_step_squared_between_them():
    strikes, step = np.arange(1000.0, 3001.0, 100.0), 100.0
    levels = np.linspace(1000.0, 3000.0, 401)

    error = strip_error(strikes, levels, 2050.0)

    assert strip_error(strikes, strikes, 2050.0) == pytest.approx(np.zeros(21), abs=1e-9)
    assert error.min() == pytest.approx(0.0, abs=1e-9)
    assert error.max() == pytest.approx(step**2 / 4 / 1e4)


@pytest.mark.requirement("S28")
def test_beyond_its_last_strikes_a_strip_falls_ever_further_behind():
    strikes = np.arange(1000.0, 3001.0, 100.0)

    above = strip_error(strikes, [3000.0, 4000.0, 6000.0], 2000.0)

    # the chord of the last interval against the parabola: -(S - 2900)(S - 3000) / 10^4
    assert above == pytest.approx([0.0, -1100 * 1000 / 1e4, -3100 * 3000 / 1e4])


@pytest.mark.requirement("S28")
def test_the_strip_is_long_options_at_twice_the_step_over_scale():
    strikes = np.arange(1000.0, 3001.0, 100.0)

    quantities, units, cash = strip_for_square(strikes, 2050.0)

    assert quantities[1:-1] == pytest.approx(np.full(19, 2 * 100 / 1e4))
    assert cash + units * 2000.0 == pytest.approx(2000.0**2 / 1e4)
    assert float(strip_payoff(strikes, 1500.0, 2050.0)) == pytest.approx(1500.0**2 / 1e4)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("strikes", [[1000.0, 2000.0], [2000.0, 1000.0, 3000.0], [2100.0, 2200.0, 2300.0]])
def test_a_strip_that_does_not_stand_around_spot_is_refused(strikes):
    with pytest.raises(InputError, match="strip"):
        strip_for_square(np.array(strikes), 2000.0)


@pytest.mark.fault("F76")
@pytest.mark.parametrize(("spot", "norm", "vol"), [(np.nan, 0.5, 0.8), (3000.0, 0.0, 0.8), (3000.0, 0.5, -0.1)])
def test_a_mark_without_spot_unit_or_volatility_is_refused(spot, norm, vol):
    with pytest.raises(InputError):
        power_mark(spot, norm, vol)
