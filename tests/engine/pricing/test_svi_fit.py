"""The fit: round trips, conditions that hold afterwards, and strips that cannot be fitted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from engine.errors import InputError
from engine.pricing.surface_checks import crossings, wings_hold, worst_butterfly
from engine.pricing.svi import RawSvi, SviSum, flat
from engine.pricing.svi_conditions import Limits
from engine.pricing.svi_fit import fewest_quotes, fit_svi
from engine.pricing.svi_parameters import Curves, parameters_of, smile_of
from engine.pricing.svi_starts import Quotes, starting_points

RANGE = Limits(-1.5, 1.0)
K = np.linspace(-0.5, 0.25, 61)
TRUE = RawSvi(a=0.004, b=0.06, rho=-0.7, m=0.03, s=0.08)


def _quotes(smile: RawSvi | SviSum, k: np.ndarray = K) -> Quotes:
    return Quotes(k, smile.total_variance(k), np.full(k.size, 1e4))


@pytest.mark.requirement("D04")
@settings(max_examples=25)
@given(
    rho=st.floats(-0.85, 0.4),
    b=st.floats(0.03, 0.3),
    m=st.floats(-0.1, 0.08),
    s=st.floats(0.04, 0.2),
    least=st.floats(0.002, 0.05),
)
def test_parameters_come_back_from_their_own_curve(rho: float, b: float, m: float, s: float, least: float) -> None:
    true = RawSvi(least - b * s * float(np.sqrt(1 - rho * rho)), b, rho, m, s)

    found = fit_svi(_quotes(true), Limits(-0.5, 0.25), curves=1)

    if worst_butterfly(true, -0.5, 0.25).level > 0.01:
        curve = found.smile.parts[0].lifted(found.smile.level)
        np.testing.assert_allclose(
            [curve.a, curve.b, curve.rho, curve.m, curve.s], [true.a, b, rho, m, s], rtol=1e-4, atol=1e-5
        )
        assert found.error < 1e-3
    assert found.worst_g >= 0


@pytest.mark.requirement("D04")
@pytest.mark.fault("F78")
def test_the_counter_example_of_the_paper_is_fitted_without_its_butterfly() -> None:
    vogt = RawSvi(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, s=0.4153)
    k = np.linspace(-1.5, 1.5, 61)

    found = fit_svi(_quotes(vogt, k), Limits(-1.5, 1.5), curves=1)

    assert found.unconstrained < 1e-3
    assert found.worst_g >= 0
    repaired = _repaired_by_the_paper(vogt)
    assert worst_butterfly(repaired, -1.5, 1.5).level >= 0
    assert found.error < 1e4 * np.sqrt(np.mean(np.square(repaired.total_variance(k) - vogt.total_variance(k))))


def _repaired_by_the_paper(curve: RawSvi) -> RawSvi:
    """Same level, skew and put wing at the money, other call wing and least variance: section 5.1, T = 1."""
    v, slope = float(curve.total_variance(0.0)), float(curve.slope(0.0))
    skew, put = slope / (2 * np.sqrt(v)), curve.left_wing / np.sqrt(v)
    call = put + 2 * skew
    least = v * 4 * put * call / (put + call) ** 2
    b = np.sqrt(v) / 2 * (call + put)
    rho = 1 - put * np.sqrt(v) / b
    beta = rho - 2 * skew * np.sqrt(v) / b
    if abs(beta) < 1e-9:
        s = (v - least) / (b * (1 - np.sqrt(1 - rho**2)))
        return RawSvi(least - b * s * np.sqrt(1 - rho**2), b, rho, 0.0, s)
    alpha = np.sign(beta) * np.sqrt(1 / beta**2 - 1)
    m = (v - least) / (b * (-rho + np.sign(alpha) * np.sqrt(1 + alpha**2) - alpha * np.sqrt(1 - rho**2)))
    return RawSvi(least - b * alpha * m * np.sqrt(1 - rho**2), b, rho, m, alpha * m)


def test_the_unconstrained_fit_is_as_good_as_an_independent_optimiser_finds() -> None:
    rng = np.random.default_rng(5)
    noisy = Quotes(K, TRUE.total_variance(K) * (1 + 0.02 * rng.standard_normal(K.size)), np.full(K.size, 1e4))

    def misses(p: np.ndarray) -> np.ndarray:
        a, b, rho, m, log_s = p
        x = K - m
        return (a + b * (rho * x + np.sqrt(x * x + np.exp(2 * log_s))) - noisy.variance) * noisy.weight

    other = least_squares(misses, [TRUE.a, TRUE.b, TRUE.rho, TRUE.m, np.log(TRUE.s)], xtol=1e-14, ftol=1e-14)
    found = fit_svi(noisy, RANGE, curves=1)

    assert found.unconstrained == pytest.approx(np.sqrt(2 * other.cost / K.size), rel=1e-4)


@pytest.mark.requirement("D04")
@settings(max_examples=12)
@given(seed=st.integers(0, 1_000_000))
def test_whatever_the_quotes_wings_and_variance_keep_to_their_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wild = Quotes(K, TRUE.total_variance(K) * np.exp(0.5 * rng.standard_normal(K.size)), np.full(K.size, 1e3))

    found = fit_svi(wild, RANGE)

    assert wings_hold(found.smile)
    assert found.smile.least >= -1e-15
    assert found.worst_g >= 0


@pytest.mark.requirement("D04")
@pytest.mark.fault("F78")
def test_a_fit_keeps_between_the_expiries_around_it() -> None:
    steep = RawSvi(a=0.004, b=0.12, rho=-0.7, m=0.03, s=0.08)
    floor, ceiling = SviSum(0.0, (TRUE.scaled(0.8),)), SviSum(0.0, (TRUE.scaled(1.2),))

    found = fit_svi(_quotes(steep), Limits(-1.5, 1.0, floor, ceiling))

    assert crossings(floor, found.smile, low=-1.5, high=1.0) == ()
    assert crossings(found.smile, ceiling, low=-1.5, high=1.0) == ()
    assert found.free
    assert found.error > found.unconstrained


def test_an_exact_smile_that_bends_twice_needs_two_curves() -> None:
    twice = SviSum(0.0, (TRUE, RawSvi(a=0.001, b=0.05, rho=-0.9, m=-0.3, s=0.05)))

    one, more = fit_svi(_quotes(twice), RANGE, curves=1), fit_svi(_quotes(twice), RANGE)

    assert more.error < 0.05
    assert one.error > 10 * more.error


def test_derivatives_by_parameter_are_those_of_differences() -> None:
    p = np.array([0.01, 0.05, 0.1, 0.03, np.log(0.1), 0.02, 0.15, -0.2, np.log(0.2)])
    k = np.linspace(-1.0, 0.6, 9)
    steps = 1e-6 * np.eye(p.size)

    def w(q: np.ndarray) -> np.ndarray:
        return Curves.at(q, k).variance

    def g(q: np.ndarray) -> np.ndarray:
        return Curves.at(q, k).butterfly(w(q))

    here = Curves.at(p, k)
    for value, gradient in (
        (w, here.variance_gradient),
        (g, here.butterfly_gradient(here.variance, here.variance_gradient)),
    ):
        differences = np.stack([(value(p + step) - value(p - step)) / 2e-6 for step in steps], axis=1)
        np.testing.assert_allclose(gradient, differences, atol=1e-6)
    np.testing.assert_allclose(parameters_of(smile_of(p)), p, atol=1e-12)


def test_starting_points_come_with_the_closest_first_and_within_their_wings() -> None:
    quotes = _quotes(TRUE)

    points = starting_points(quotes, 1, (0.0, 0.1))

    missed = [float(np.sum(((Curves.at(p, K).variance - quotes.variance) * quotes.weight) ** 2)) for p in points]
    assert missed == pytest.approx(sorted(missed))
    assert points[:, 1:3].min() >= 0.0
    assert points[:, 1:3].max() <= 0.1


@pytest.mark.fault("F77")
@pytest.mark.parametrize(
    ("k", "variance", "weight"),
    [
        (K[:5], np.full(5, 0.01), np.ones(5)),
        (np.zeros(10), np.full(10, 0.01), np.ones(10)),
        (K, np.where(K[3] == K, np.nan, 0.01), np.ones(K.size)),
        (K, np.where(K[3] == K, 0.0, 0.01), np.ones(K.size)),
        (K, np.full(K.size, 0.01), np.where(K[3] == K, 0.0, 1.0)),
        (K[::-1], np.full(K.size, 0.01), np.ones(K.size)),
    ],
)
def test_too_few_doubled_or_empty_quotes_are_refused(k: np.ndarray, variance: np.ndarray, weight: np.ndarray) -> None:
    with pytest.raises(InputError):
        fit_svi(Quotes(k, variance, weight), RANGE)


def test_a_flat_strip_of_the_fewest_quotes_is_fitted() -> None:
    k = np.linspace(-0.1, 0.1, fewest_quotes(1))

    found = fit_svi(_quotes(flat(0.01), k), RANGE)

    np.testing.assert_allclose(found.smile.total_variance(k), 0.01, rtol=1e-6)
