"""Every signal at a close rests on what was out by then, in whatever order values came out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.signals.catalogue import FIXED
from engine.signals.columns import Axis, read
from engine.signals.observations import Observations, Series
from tests.engine.signals.stores import CLOSE, axis, walk, weekdays

SESSIONS = 800
CLOSES = Axis(axis(SESSIONS).closes[-5:])
DAY = np.timedelta64(24 * 60, "m")
NAMES = sorted({name for signal in FIXED for name in signal.inputs})
MONTHLY = {"cpi", "ppi", "cpi_change", "cpi_consensus", "pe", "pcf_top50", "reer", "reer_12m"}
QUARTERLY = {"gdp_dispersion", "gdp_growth", "gdp_consensus", "sep_median"}


def prompt(name: str, seed: int) -> Series:
    """A series that comes out in order: daily at the close, monthly and quarterly with their usual lag."""
    if name in MONTHLY | QUARTERLY:
        step = 3 if name in QUARTERLY else 1
        as_of = np.arange("2004-01", "2018-01", step, dtype="datetime64[M]").astype("datetime64[m]")
        return Series(name, "x", as_of, as_of + 46 * DAY, walk(len(as_of), seed, 20.0, 0.05), "test")
    as_of = weekdays(SESSIONS).astype("datetime64[m]")
    return Series(name, "x", as_of, as_of + CLOSE, walk(SESSIONS, seed, 20.0, 0.05), "test")


def disordered(series: Series, g: np.random.Generator) -> Series:
    """The series with every tenth value days or months late, and some values revised later."""
    count = len(series.values)
    late = np.where(g.random(count) < 0.1, g.choice([1, 2, 4, 90, 200], count), 0) * DAY
    again = np.flatnonzero(g.random(count) < 0.03)
    as_of = np.append(series.as_of, series.as_of[again])
    released = np.append(series.released + late, (series.released + late)[again] + g.integers(1, 90, len(again)) * DAY)
    values = np.append(series.values, series.values[again] * 1.1)
    order = np.lexsort((released, as_of))
    return Series(series.name, "x", as_of[order], released[order], values[order], "test")


def altered(series: Series, after: np.datetime64, g: np.random.Generator) -> Series:
    """The series with other values wherever they came out after an instant."""
    values = np.where(series.released > after, series.values * g.uniform(0.5, 2.0, len(series.values)), series.values)
    return Series(series.name, "x", series.as_of, series.released, values, "test")


def seen(parts: list[Series]):
    return read(Observations.of(parts), CLOSES, FIXED)


def test_every_signal_is_seen_where_all_is_supplied_in_order():
    table = seen([prompt(name, seed) for seed, name in enumerate(NAMES)])

    undetermined = {"exhausted"}  # D18: no vote unless RSI, MACD and breadth agree
    assert {name for name in table.signals if np.isnan(table[name]).all()} <= undetermined


@settings(max_examples=4)
@given(st.integers(0, 2**31), st.integers(0, len(CLOSES) - 1))
@pytest.mark.requirement("D18", "D23")
@pytest.mark.fault("F86")
def test_what_comes_out_after_a_close_changes_nothing_at_it(seed, row):
    g = np.random.default_rng(seed)
    parts = [disordered(prompt(name, seed + n), g) for n, name in enumerate(NAMES)]

    told = seen(parts)
    other = seen([altered(part, CLOSES.closes[row], g) for part in parts])

    for name in told.signals:
        np.testing.assert_array_equal(other[name][: row + 1], told[name][: row + 1], err_msg=name)


@pytest.mark.fault("F86")
@pytest.mark.parametrize("name", ["complex_factor", "eth_beta_rising", "vx_residual", "ad_divergence", "ad_deviation"])
def test_one_late_bar_long_ago_leaves_a_signal_as_it_is(name):
    parts = [prompt(part, seed) for seed, part in enumerate(NAMES)]
    late = []
    for part in parts:
        released = part.released.copy()
        released[40] = released[41] + 60
        late.append(Series(part.name, "x", part.as_of, released, part.values, "test"))

    np.testing.assert_array_equal(seen(late)[name], seen(parts)[name])


@pytest.mark.fault("F86")
@pytest.mark.parametrize("signal", FIXED, ids=lambda signal: signal.name)
def test_inputs_without_a_common_day_are_unseen(signal):
    parts = []
    for number, name in enumerate(signal.inputs):
        as_of = weekdays(SESSIONS).astype("datetime64[m]")[number :: len(signal.inputs)]
        parts.append(Series(name, "x", as_of, as_of + CLOSE, walk(len(as_of), number, 20.0, 0.05), "test"))

    read(Observations.of(parts), CLOSES, [signal])  # each way answers, if only that it cannot say


@pytest.mark.fault("F86")
@pytest.mark.parametrize("signal", FIXED, ids=lambda signal: signal.name)
def test_a_series_without_a_value_is_unseen(signal):
    none = np.array([], "datetime64[m]")
    parts = [Series(name, "x", none, none, np.array([]), "test") for name in signal.inputs]

    assert np.isnan(read(Observations.of(parts), CLOSES, [signal])[signal.name]).all()
