import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.signals.divergence import deviation, swing_divergence, swings, trend, trends_part
from tests.engine.signals.stores import walk


def tent(*heights: float) -> np.ndarray:
    """Peaks of these heights ten bars apart, zero between them."""
    bars = np.arange(10 * len(heights))
    return np.array([heights[n // 10] * (5 - abs(n % 10 - 5)) / 5 for n in bars])


@pytest.mark.requirement("D18", "S59")
def test_a_higher_price_on_a_lower_indicator_is_bearish_from_its_confirmation():
    price, indicator = tent(1.0, 1.2, 0.0), tent(1.0, 0.8, 0.0)

    told = swing_divergence(price, indicator, confirm=3)

    assert told[17] == 0.0
    assert told[18] == -1.0  # the second peak stands at 15 and is confirmed three bars later


@pytest.mark.requirement("D18")
def test_a_lower_price_on_a_higher_indicator_is_bullish():
    told = swing_divergence(-tent(1.0, 1.2, 0.0), -tent(1.0, 0.8, 0.0), confirm=3)

    assert told[18] == 1.0


def test_two_series_that_agree_do_not_diverge():
    assert not swing_divergence(tent(1.0, 1.2, 1.4), tent(1.0, 1.2, 1.4)).any()


@given(st.integers(0, 2**32 - 1), st.integers(40, 199))
@pytest.mark.requirement("D18")
@pytest.mark.fault("F86")
def test_a_divergence_once_told_is_never_taken_back(seed, cut):
    price, indicator = walk(200, seed), walk(200, seed + 1)

    np.testing.assert_array_equal(
        swing_divergence(price[:cut], indicator[:cut]), swing_divergence(price, indicator)[:cut]
    )


@given(st.integers(0, 2**32 - 1))
def test_a_swing_lies_beyond_every_bar_around_it(seed):
    price = walk(120, seed)

    for at in swings(price, highs=True, confirm=3):
        assert price[at] > np.delete(price[at - 3 : at + 4], 3).max()


def test_the_trend_of_ordinary_errors_is_that_of_least_squares():
    x = np.arange(20.0)
    y = 0.3 * x + np.tile([1.0, -1.0], 10)

    slope, _ = np.polyfit(x, y, 1)

    assert trend(y).slope * y.std() == pytest.approx(slope)


def test_the_t_statistic_is_that_of_the_textbook_formula():
    y = np.random.default_rng(3).normal(size=50).cumsum()
    x = np.column_stack([np.ones(50), np.arange(50) - 24.5])
    z = (y - y.mean()) / y.std()
    beta = np.linalg.solve(x.T @ x, x.T @ z)
    score = x * (z - x @ beta)[:, None]
    lags = int(4 * (50 / 100) ** (2 / 9))
    middle = score.T @ score
    for lag in range(1, lags + 1):
        cross = score[lag:].T @ score[:-lag]
        middle += (1 - lag / (lags + 1)) * (cross + cross.T)
    bread = np.linalg.inv(x.T @ x)
    covariance = bread @ middle @ bread

    assert trend(y).t == pytest.approx(beta[1] / np.sqrt(covariance[1, 1]))


@pytest.mark.requirement("D18", "S62")
def test_breadth_that_falls_while_the_index_rises_parts_from_it():
    noise = np.random.default_rng(0).normal(0, 0.2, 20)

    assert trends_part(np.arange(20.0) + noise, -np.arange(20.0) - noise)
    assert not trends_part(np.arange(20.0) + noise, np.arange(20.0) - noise)
    assert not trends_part(np.arange(20.0) + noise, np.tile([1.0, -1.0], 10))


def test_a_deviation_is_counted_in_standard_deviations_of_the_residuals():
    x = np.linspace(8.0, 8.4, 252)
    residual = np.random.default_rng(1).normal(0.0, 1.0, 252)
    residual[-1] = 5.0
    line = 100.0 * x + residual
    fit = np.polyfit(x, line, 1)
    left = line - np.polyval(fit, x)

    assert deviation(line, x) == pytest.approx(left[-1] / left.std(ddof=2))


def test_a_line_that_follows_the_price_exactly_has_no_deviation():
    x = np.linspace(8.0, 8.4, 60)

    assert np.isnan(deviation(3.0 * x + 1.0, x))


def test_series_of_different_length_are_refused():
    with pytest.raises(InputError):
        swing_divergence(np.ones(5), np.ones(6))
