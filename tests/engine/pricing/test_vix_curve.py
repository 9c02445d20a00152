"""The curve of mean-reverting variance: exact against its transition law, below its bound, on listed prices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.errors import InputError
from engine.pricing.vix_curve import RevertingVariance, fit_curve
from tests.engine.pricing.recorded_futures import settlements, settles

MODELS = st.builds(
    RevertingVariance, st.floats(0.005, 0.5), st.floats(0.01, 0.2), st.floats(0.3, 12.0), st.floats(0.0, 1.5)
)


@pytest.mark.requirement("D06")
@pytest.mark.parametrize(("level", "mean", "reversion", "spread"), [(0.02, 0.045, 4.0, 0.5), (0.16, 0.04, 6.0, 0.9)])
@pytest.mark.parametrize("years", [0.05, 0.5])
def test_a_future_is_the_expected_root_under_the_noncentral_chi_square(level, mean, reversion, spread, years):
    decay, tau = np.exp(-reversion * years), reversion * 30 / 365
    weight = (1 - np.exp(-tau)) / tau
    scale = spread**2 * (1 - decay) / (4 * reversion)
    law = stats.ncx2(df=4 * reversion * mean / spread**2, nc=level * decay / scale, scale=scale)
    expected = 100 * law.expect(lambda v: np.sqrt((1 - weight) * mean + weight * v), epsabs=1e-12, epsrel=1e-10)

    future = RevertingVariance(level, mean, reversion, spread).future(years)

    assert float(future) == pytest.approx(expected, rel=1e-8)


@pytest.mark.requirement("D06")
@given(MODELS, st.floats(0.01, 1.0))
def test_no_future_stands_above_the_root_of_forward_variance(model, years):
    bound = 100 * np.sqrt(model.expected(years))

    future = float(model.future(years))

    assert future <= bound * (1 + 1e-9)
    if model.vol_of_variance == 0.0:
        assert future == pytest.approx(bound, rel=1e-9)


@pytest.mark.requirement("D06")
@given(MODELS)
def test_far_futures_no_longer_ask_where_variance_stands_today(model):
    other = RevertingVariance(model.level * 1.5, model.mean, model.reversion, model.vol_of_variance)
    near, far = 5 / model.reversion, 40 / model.reversion

    gaps = np.log(other.future([near, far]) / model.future([near, far]))

    assert abs(gaps[1]) <= abs(gaps[0]) + 1e-12
    assert gaps[1] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.requirement("D06")
@pytest.mark.requirement("S18")
def test_planted_terms_are_recovered_from_the_futures_they_make():
    truth = RevertingVariance(0.03, 0.05, 3.5, 0.5)
    years = np.arange(1, 9) / 12

    found = fit_curve(years, truth.future(years), vol_of_variance=0.5).model

    assert (found.level, found.mean, found.reversion) == pytest.approx((0.03, 0.05, 3.5), rel=1e-4)


@pytest.mark.requirement("D06")
def test_a_fit_passes_through_every_listed_future_and_stays_between_neighbours():
    days, prices = settlements()
    errors = []
    for day in days[200::300]:
        live = sorted((settles(c), level) for c, level in prices[day].items() if settles(c) > day)
        years = np.array([(end - day).astype(int) for end, _ in live]) / 365
        levels = np.array([level for _, level in live])
        curve = fit_curve(years, levels)
        errors.append(curve.error)
        middles = curve.future(0.5 * (years[1:] + years[:-1]))

        assert curve.future(years) == pytest.approx(levels, rel=1e-9)
        low, high = np.minimum(levels[1:], levels[:-1]), np.maximum(levels[1:], levels[:-1])
        assert np.all(middles > 0.97 * low)
        assert np.all(middles < 1.03 * high)
    assert np.median(errors) < 0.02


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("years", "levels"),
    [([0.1, 0.2], [15.0, 16.0]), ([0.2, 0.1, 0.3], [15.0, 16.0, 17.0]), ([0.1, 0.2, 0.3], [15.0, np.nan, 17.0])],
)
def test_too_few_or_broken_futures_are_refused(years, levels):
    with pytest.raises(InputError):
        fit_curve(np.array(years), np.array(levels))
