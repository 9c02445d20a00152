"""What a column says of feeds that end, begin anew, or were never there."""

import numpy as np
import pytest

from engine.signals.catalogue import names
from engine.signals.columns import read
from engine.signals.momentum import rsi
from engine.signals.observations import Observations, Series
from tests.engine.signals.stores import axis, daily, store, walk

SIGNALS = names()


def cut(series: Series, first: int, last: int) -> Series:
    """The series without its values from `first` to `last`."""
    keep = np.ones(len(series.values), bool)
    keep[first:last] = False
    return Series(
        series.name, series.unit, series.as_of[keep], series.released[keep], series.values[keep], series.source
    )


@pytest.mark.fault("F86")
def test_bars_on_two_sides_of_a_hole_are_not_neighbours():
    whole = daily("spx", walk(120, 3))
    gappy = cut(whole, 60, 90)

    seen = read(Observations.of([gappy]), axis(120), [SIGNALS["rsi_spx"]])["rsi_spx"]

    assert np.isnan(seen[90:104]).all()
    assert seen[104:] == pytest.approx(rsi(whole.values[90:])[14:])


@pytest.mark.fault("F86")
def test_the_longest_closure_of_the_exchange_is_no_hole():
    gappy = cut(daily("spx", walk(60, 3)), 31, 35)  # 10 to 17 September 2001 was seven days

    seen = read(Observations.of([gappy]), axis(60), [SIGNALS["rsi_spx"]])["rsi_spx"]

    assert np.isfinite(seen[36:]).all()


@pytest.mark.fault("F86")
def test_an_unseen_reading_says_what_ended_when():
    table = read(store(spx=walk(10, 1)), axis(60), [SIGNALS["rsi_spx"], SIGNALS["macd_eth"]])
    panel = table.panel()

    assert panel["rsi_spx"].why == "too few or too old: the last of 10 spx in a row is of 2015-01-16"
    assert panel["macd_eth"].why == "no source gives eth"


@pytest.mark.fault("F89")
def test_a_feed_is_dropped_only_if_it_was_seen_before():
    table = read(store(spx=walk(30, 1), vix=np.full(60, 18.0), eth=walk(5, 2)), axis(60), SIGNALS.values())

    assert table.dropped("rsi_spx")
    assert not table.dropped("vix")
    assert not table.dropped("macd_eth")
    assert not table.dropped("tvl_change")
    assert not table.dropped("rsi_spx", 20)


@pytest.mark.requirement("S73", "D23")
def test_a_monthly_number_is_fresh_until_the_next_is_due():
    months = np.arange("2013-01", "2016-01", dtype="datetime64[M]").astype("datetime64[m]")
    released = months + np.timedelta64(46 * 24 * 60, "m")
    index = Series("cpi", "index", months, released, 100.0 * 1.002 ** np.arange(36), "test")

    seen = read(Observations.of([index]), axis(180, "2015-01-05"), [SIGNALS["cpi_rising"]])["cpi_rising"]

    assert np.isfinite(seen).all()
