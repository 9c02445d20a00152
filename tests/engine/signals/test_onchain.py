import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.columns import Axis, read
from engine.signals.observations import Observations, Series
from engine.signals.onchain import SIGNALS, last_z
from tests.engine.signals.stores import daily

START = np.datetime64("2023-03-10T00:00")


def minutes(name: str, at, values) -> Series:
    moments = START + np.asarray(at) * np.timedelta64(1, "m")
    return Series(name, "x", moments, moments, np.asarray(values, float), "test")


def close(after: int) -> Axis:
    return Axis(np.array([START + np.timedelta64(after, "m")]))


@pytest.mark.requirement("D22", "S66")
@pytest.mark.parametrize(("before", "now"), [(100.0, 92.0), (1000.0, 920.0), (250_000_000.0, 230_000_000.0)])
def test_a_fall_of_exactly_eight_percent_is_eight_percent(before, now):
    told = read(Observations.of([minutes("tvl_usd", [0, 2880], [before, now])]), close(2880), SIGNALS)

    assert told["tvl_change"][0] == -0.08


@pytest.mark.requirement("D22")
@pytest.mark.parametrize(("minute", "seen"), [(2880, True), (2910, True), (2850, True), (2911, False), (2849, False)])
def test_the_comparison_is_48_hours_ago_give_or_take_half_an_hour(minute, seen):
    told = read(Observations.of([minutes("tvl_usd", [0, minute], [100.0, 90.0])]), close(minute), SIGNALS)

    assert np.isfinite(told["tvl_change"][0]) == seen


@pytest.mark.requirement("D22")
def test_a_fall_in_price_without_outflow_shows_in_dollars_and_not_in_units():
    store = Observations.of(
        [
            minutes("tvl_usd", [0, 2880], [100.0, 92.0]),
            minutes("tvl_units", [0, 2880], [50.0, 50.0]),
            minutes("tvl_price", [0, 2880], [2.0, 1.84]),
        ]
    )

    told = read(store, close(2880), SIGNALS)

    assert (told["tvl_change"][0], told["tvl_outflow"][0]) == (-0.08, 0.0)


@pytest.mark.requirement("D21", "S84")
def test_a_spike_of_one_reading_hardly_moves_the_peg():
    prices = np.ones(31)
    prices[-1] = 0.9

    told = read(Observations.of([minutes("usdc_peg", np.arange(31), prices)]), close(30), SIGNALS)

    assert told["peg"][0] == pytest.approx(-0.1 / 30)


@pytest.mark.requirement("S71")
def test_funding_is_a_yearly_rate_of_three_payments_a_day():
    told = read(Observations.of([daily("funding_8h", [-0.0005])]), close(-(10**6) * 5), SIGNALS)
    day = Axis(np.array(["2015-01-05T21:15"], "datetime64[m]"))

    assert np.isnan(told["funding_annual"][0])
    assert read(Observations.of([daily("funding_8h", [-0.0005])]), day, SIGNALS)["funding_annual"][0] == pytest.approx(
        0.5475
    )


@pytest.mark.requirement("S71")
@pytest.mark.parametrize(
    ("rates", "median"), [([-0.0005], -0.0005), ([-0.0005, 0.0001], -0.0002), ([-0.0005, 0.0001, 0.0002], 0.0001)]
)
def test_funding_is_the_median_of_the_venues_there_are(rates, median):
    names = ("funding_8h", "funding_8h_2", "funding_8h_3")
    store = Observations.of([daily(name, [rate]) for name, rate in zip(names, rates, strict=False)])
    day = Axis(np.array(["2015-01-05T21:15"], "datetime64[m]"))

    assert read(store, day, SIGNALS)["funding_annual"][0] == pytest.approx(abs(median) * 3 * 365)


@pytest.mark.requirement("S71")
@given(st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_a_z_knows_neither_scale_nor_level(scale, level):
    sample = np.random.default_rng(3).normal(size=30)

    assert last_z(scale * sample + level) == pytest.approx(last_z(sample), rel=1e-6)


@pytest.mark.requirement("S67")
def test_lending_stress_is_what_borrowing_costs_over_what_lending_pays():
    store = Observations.of([minutes("supply_rate", [0], [0.02]), minutes("borrow_rate", [0], [0.055])])

    assert read(store, close(1), SIGNALS)["lending_differential"][0] == pytest.approx(-0.035)


@pytest.mark.requirement("S72")
def test_a_treasury_that_lost_a_quarter_in_a_week_shows():
    store = Observations.of([minutes("treasury_quick_ratio", [0, 7 * 1440], [2.0, 1.5])])

    told = read(store, close(7 * 1440), SIGNALS)

    assert (told["treasury_change"][0], told["treasury_quick_ratio"][0]) == (-0.25, 1.5)


@pytest.mark.requirement("S83")
def test_a_dislocation_is_counted_in_pool_fees():
    store = Observations.of(
        [minutes("dex_mid", [0], [2018.0]), minutes("cex_mid", [0], [2000.0]), minutes("pool_fee", [0], [0.003])]
    )

    assert read(store, close(1), SIGNALS)["dislocation"][0] == pytest.approx(3.0)
