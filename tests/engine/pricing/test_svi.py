"""Raw SVI and sums of it: an independent library, the derivatives, and what is refused."""

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.svi import RawSvi, SviSum, flat

K = np.linspace(-1.5, 1.0, 101)
SMILE = RawSvi(a=0.01, b=0.1, rho=-0.6, m=0.02, s=0.15)

curves = st.builds(
    lambda least, b, rho, m, s: RawSvi(least - b * s * float(np.sqrt(1 - rho * rho)), b, rho, m, s),
    st.floats(1e-4, 0.1),
    st.floats(1e-3, 0.5),
    st.floats(-0.95, 0.95),
    st.floats(-0.3, 0.3),
    st.floats(0.01, 0.5),
)


@pytest.mark.requirement("D04")
def test_volatilities_are_those_of_an_independent_library() -> None:
    other = QuantLib.SviSmileSection(0.5, 100.0, [SMILE.a, SMILE.b, SMILE.s, SMILE.rho, SMILE.m])

    expected = [other.volatility(float(strike)) for strike in 100.0 * np.exp(K)]

    np.testing.assert_allclose(np.sqrt(SMILE.total_variance(K) / 0.5), expected, rtol=1e-12)


@given(curve=curves, k=st.floats(-2.0, 2.0))
def test_slope_and_curvature_are_the_derivatives(curve: RawSvi, k: float) -> None:
    step = 1e-4 * curve.s
    before, here, after = curve.total_variance([k - step, k, k + step])

    assert float(curve.slope(k)) == pytest.approx((after - before) / (2 * step), abs=1e-6)
    assert float(curve.curvature(k)) == pytest.approx(
        (curve.slope(k + step) - curve.slope(k - step)) / (2 * step), rel=1e-4, abs=1e-6
    )
    assert here >= curve.least - 1e-12


@given(curve=curves)
def test_wings_are_the_slopes_far_away(curve: RawSvi) -> None:
    assert float(-curve.slope(-1e6)) == pytest.approx(curve.left_wing, abs=1e-6)
    assert float(curve.slope(1e6)) == pytest.approx(curve.right_wing, abs=1e-6)


@given(first=curves, second=curves)
def test_a_sum_adds_total_variance_and_finds_its_own_least(first: RawSvi, second: RawSvi) -> None:
    both = SviSum(0.01, (first, second))
    grid = np.linspace(-3.0, 3.0, 20_001)

    np.testing.assert_allclose(both.total_variance(K), 0.01 + first.total_variance(K) + second.total_variance(K))
    assert both.left_wing == pytest.approx(first.left_wing + second.left_wing)
    assert both.least <= both.total_variance(grid).min() + 1e-12
    np.testing.assert_allclose(both.scaled(0.5).total_variance(K), 0.5 * both.total_variance(K))
    np.testing.assert_allclose(both.lifted(0.02).total_variance(K), both.total_variance(K) + 0.02)


@pytest.mark.requirement("D04")
@pytest.mark.parametrize(
    "wrong",
    [
        {"b": -0.1},
        {"rho": 1.0},
        {"rho": -1.0},
        {"s": 0.0},
        {"a": -0.1},
        {"m": float("nan")},
        {"a": float("inf")},
    ],
)
def test_parameters_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    good = {"a": 0.01, "b": 0.1, "rho": -0.6, "m": 0.02, "s": 0.15}

    with pytest.raises(InputError):
        RawSvi(**good | wrong)


def test_a_sum_below_zero_is_refused() -> None:
    with pytest.raises(InputError):
        SviSum(-0.02, (flat(0.01),))
