import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.signals.momentum import crossed, ema, macd, rsi
from tests.engine.signals.stores import walk

WILDER_CLOSES = np.array(
    [44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
     45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521, 45.7137, 46.4515,
     45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314]
)  # fmt: skip
WILDER_RSI = [70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46,
              41.87, 45.46, 37.30, 33.08, 37.77]  # fmt: skip
"""The worked sheet of StockCharts' ChartSchool for RSI(14), a published rendering of Wilder's."""

paths = st.integers(0, 2**32 - 1).map(lambda seed: walk(400, seed))


@pytest.mark.requirement("D18", "S61")
def test_the_published_sheet_of_wilders_index():
    assert rsi(WILDER_CLOSES)[14:] == pytest.approx(WILDER_RSI, abs=0.006)


@given(paths)
@pytest.mark.requirement("D18", "S61")
def test_strength_equals_talibs(closes):
    assert rsi(closes)[14:] == pytest.approx(talib.RSI(closes)[14:], abs=1e-9)


@given(paths)
@pytest.mark.requirement("D18", "S59")
def test_averages_and_convergence_equal_talibs(closes):
    ours, theirs = macd(closes), talib.MACD(closes)

    assert ema(closes, 26)[25:] == pytest.approx(talib.EMA(closes, 26)[25:], rel=1e-12)
    for mine, other in zip(ours, theirs, strict=True):  # TA-Lib starts the fast average later: seeds fade by 300 bars
        assert mine[300:] == pytest.approx(other[300:], abs=1e-9 * closes.max())


@given(paths, st.integers(60, 399), st.floats(0.5, 2.0))
@pytest.mark.requirement("D18")
def test_a_later_bar_never_changes_an_earlier_reading(closes, cut, factor):
    longer = np.append(closes[:cut], closes[cut - 1] * factor)

    for indicator in (rsi, lambda c: macd(c).histogram):
        np.testing.assert_array_equal(indicator(longer)[:cut], indicator(closes[:cut]))


@given(paths, st.floats(0.01, 100.0))
def test_strength_does_not_know_the_price_level(closes, scale):
    assert rsi(closes * scale)[14:] == pytest.approx(rsi(closes)[14:], abs=1e-6)


def test_a_crossing_is_told_once_and_zero_keeps_the_side():
    assert crossed(np.array([1.0, 0.0, 1.0, -1.0, 0.0, -1.0, 2.0])).tolist() == [0, 0, 0, -1, 0, 0, 1]


@pytest.mark.fault("F86")
def test_too_short_a_series_has_no_reading():
    assert np.isnan(rsi(np.arange(1.0, 15.0))).all()
    assert np.isfinite(rsi(np.arange(1.0, 16.0))[-1])


def test_a_price_that_never_moved_has_no_strength():
    assert np.isnan(rsi(np.full(30, 100.0))).all()


@pytest.mark.parametrize("wrong", [lambda: ema(np.ones(3), 0), lambda: macd(np.ones(60), 26, 12)])
def test_spans_without_meaning_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()
