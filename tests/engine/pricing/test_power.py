"""Squeeth: its mark, the one gamma it has, and what funding eats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.power import (
    normalisation_after,
    power_gamma,
    power_mark,
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
def test_gamma_is_the_marks_own_second_difference(spot, norm, vol):
    h = 0.01 * spot
    low, mid, high = (float(power_mark(spot + step, norm, vol)) for step in (-h, 0, h))

    assert float(power_gamma(spot, norm, vol)) == pytest.approx((high - 2 * mid + low) / h**2, rel=1e-6)


@pytest.mark.requirement("S28")
@given(SPOTS, NORMS, VOLS, st.floats(0.0, 1.0))
def test_funding_in_the_normalisation_is_what_pays_for_gamma(spot, norm, vol, years):
    # under the martingale measure S^2 grows by exp(sigma^2 t): funding must take exactly that
    expected_square = spot**2 * np.exp(vol**2 * years)
    later = float(power_mark(1.0, float(normalisation_after(norm, vol, years)), vol)) * expected_square

    assert later == pytest.approx(float(power_mark(spot, norm, vol)), rel=1e-12)


@pytest.mark.fault("F76")
@pytest.mark.parametrize(("spot", "norm", "vol"), [(np.nan, 0.5, 0.8), (3000.0, 0.0, 0.8), (3000.0, 0.5, -0.1)])
def test_a_mark_without_spot_unit_or_volatility_is_refused(spot, norm, vol):
    with pytest.raises(InputError):
        power_mark(spot, norm, vol)
