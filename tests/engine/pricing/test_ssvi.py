"""SSVI: its own slices, its conditions, and a fit that meets them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.ssvi import Ssvi, Strip, fit_ssvi

K = np.linspace(-0.5, 0.3, 41)
THETAS = (0.001, 0.01, 0.04, 0.12)


def _strip(theta: float, variance: np.ndarray) -> Strip:
    return Strip(theta, K, variance, np.full(K.size, 1e3))


@pytest.mark.requirement("D04")
@given(rho=st.floats(-0.95, 0.95), eta=st.floats(0.1, 2.0), gamma=st.floats(0.0, 1.0), theta=st.floats(1e-4, 0.5))
def test_a_slice_is_the_formula_of_the_paper(rho: float, eta: float, gamma: float, theta: float) -> None:
    phi = eta / (theta**gamma * (1 + theta) ** (1 - gamma))

    found = Ssvi(rho, eta, gamma).slice(theta).total_variance(K)

    expected = 0.5 * theta * (1 + rho * phi * K + np.sqrt((phi * K + rho) ** 2 + 1 - rho**2))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.requirement("D04")
@settings(max_examples=15)
@given(rho=st.floats(-0.9, 0.5), eta=st.floats(0.3, 1.0), gamma=st.floats(0.1, 0.5))
def test_three_numbers_come_back_from_their_own_surface(rho: float, eta: float, gamma: float) -> None:
    true = Ssvi(rho, eta, gamma)

    found = fit_ssvi([_strip(theta, true.slice(theta).total_variance(K)) for theta in THETAS])

    assert (found.rho, found.eta, found.gamma) == pytest.approx((rho, eta, gamma), abs=1e-5)


@pytest.mark.requirement("D04")
def test_a_surface_too_steep_for_the_conditions_is_fitted_at_their_edge() -> None:
    steep = Ssvi(rho=-0.8, eta=3.0, gamma=0.5)
    assert not steep.holds(0.04)

    found = fit_ssvi([_strip(theta, steep.slice(theta).total_variance(K)) for theta in THETAS])

    assert all(found.holds(theta) for theta in THETAS)


@pytest.mark.parametrize("wrong", [(1.0, 1.0, 0.5), (0.0, 0.0, 0.5), (0.0, 1.0, 1.1), (float("nan"), 1.0, 0.5)])
def test_numbers_outside_their_range_are_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(InputError):
        Ssvi(*wrong)


def test_no_variance_or_no_quotes_are_refused() -> None:
    shape = Ssvi(-0.5, 1.0, 0.5)

    with pytest.raises(InputError):
        shape.slice(0.0)
    with pytest.raises(InputError):
        fit_ssvi([])
    with pytest.raises(InputError):
        fit_ssvi([_strip(0.0, np.full(K.size, 0.01))])
