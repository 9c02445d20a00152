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


def peg(at, prices, until: int = 0) -> float:
    return float(read(Observations.of([minutes("usdc_peg", at, prices)]), close(until), SIGNALS)["peg"][0])


@pytest.mark.requirement("D21", "S84")
def test_a_spike_of_one_reading_hardly_moves_the_peg():
    prices = np.ones(31)
    prices[-1] = 0.9

    assert peg(np.arange(31), prices, 30) == 0.0  # it has not stood yet
    assert peg(np.arange(31), prices, 31) == pytest.approx(-0.1 / 30)


@pytest.mark.requirement("D21", "S84")
def test_a_price_weighs_by_the_time_it_stood():
    # of 29 minutes 27 at 1 and 2 at 0.96
    assert peg([-29, -2, -1, 0], [1.0, 0.96, 0.96, 0.96]) == pytest.approx(-0.04 * 2 / 29)
    assert peg([-60, 0], [1.0, 0.9]) == 0.0
    assert peg([-60, -15], [1.0, 0.9]) == pytest.approx(-0.05)


@pytest.mark.requirement("D21", "S84")
@pytest.mark.parametrize(("minute", "seen"), [(-15, True), (-14, False)])
def test_half_of_the_half_hour_must_have_a_price(minute, seen):
    four_days = 4 * 1440  # a price stands for two days at most

    assert np.isfinite(peg([-four_days, minute], [1.0, 0.9])) == seen


@pytest.mark.requirement("D21", "S84")
def test_a_sole_price_counts_as_it_is_and_the_boundary_is_exact():
    assert peg([0], [0.98]) == -0.02
    assert peg([-1440], [0.98]) == -0.02
    assert peg([-600, -300], [0.98, 0.98]) == -0.02


DAY = Axis(np.array(["2015-01-05T21:15"], "datetime64[m]"))
VENUES = ("funding_8h", "funding_8h_2", "funding_8h_3")


@pytest.mark.requirement("S71")
def test_funding_is_a_yearly_rate_of_three_payments_a_day():
    store = Observations.of([daily(name, [-0.0005]) for name in VENUES[:2]])

    assert np.isnan(read(store, close(-(10**6) * 5), SIGNALS)["funding_annual"][0])
    assert read(store, DAY, SIGNALS)["funding_annual"][0] == pytest.approx(0.5475)


@pytest.mark.requirement("S71")
@pytest.mark.parametrize(
    ("rates", "median"),
    [
        ({"funding_8h": -0.0005, "funding_8h_2": 0.0001}, -0.0002),
        ({"funding_8h_2": -0.0005, "funding_8h_3": 0.0001}, -0.0002),
        ({"funding_8h": -0.0005, "funding_8h_2": 0.0001, "funding_8h_3": 0.0002}, 0.0001),
    ],
)
def test_funding_is_the_median_of_the_venues_there_are(rates, median):
    store = Observations.of([daily(name, [rate]) for name, rate in rates.items()])

    assert read(store, DAY, SIGNALS)["funding_annual"][0] == pytest.approx(abs(median) * 3 * 365)


@pytest.mark.requirement("S71")
@pytest.mark.parametrize("venue", VENUES)
def test_one_venue_is_no_market(venue):
    panel = read(Observations.of([daily(venue, np.full(60, 0.0005))]), DAY, SIGNALS).panel()

    assert (panel.value("funding_z"), panel.value("funding_annual")) == (None, None)
    assert "no source gives funding_8h" in panel["funding_z"].why


@pytest.mark.requirement("S71", "S79", "S67")
@pytest.mark.parametrize(
    ("signal", "days", "names"),
    [
        ("funding_z", 30, VENUES),
        ("gas_z", 30, ("gas_price",)),
        ("lending_differential_z", 60, ("supply_rate", "borrow_rate")),
    ],
)
def test_three_readings_a_day_are_as_many_days_as_one(signal, days, names):
    """The last `days` days are calm and those before wild: a window of rows would end within the calm ones."""
    at = np.arange(3 * (days + 40)) * 480
    g = np.random.default_rng(7)
    values = 0.0005 + np.where(at < 40 * 1440, 0.0002, 0.00001) * g.normal(size=len(at))
    values[-3 * (days // 3) : -1] = 0.0005  # the last third stands still
    values[-1] = 0.00053
    parts = [minutes(name, at, values if name != "borrow_rate" else np.zeros(len(at))) for name in names]

    told = read(Observations.of(parts), close(int(at[-1])), SIGNALS)[signal][0]

    assert told == pytest.approx(last_z(np.append(values[2::3][-days:-1], values[-1])))
    assert np.isnan(
        read(Observations.of([minutes(p.name, at[: 3 * days - 3], p.values[: 3 * days - 3]) for p in parts]),
             close(int(at[3 * days - 4])), SIGNALS)[signal][0]
    )  # fmt: skip


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


def dislocation(dex, last: int | None = None) -> float:
    at = range(len(dex))
    store = Observations.of(
        [minutes("dex_mid", at, dex), minutes("cex_mid", at, [2000.0] * len(dex)), minutes("pool_fee", [0], [0.003])]
    )
    return float(read(store, close(len(dex) - 1 if last is None else last), SIGNALS)["dislocation"][0])


@pytest.mark.requirement("S83")
def test_a_dislocation_is_counted_in_pool_fees():
    assert dislocation([2018.0, 1982.0, 2018.0]) == pytest.approx(3.0)


@pytest.mark.requirement("S83")
@pytest.mark.parametrize(
    ("dex", "fees"), [([2000.0, 2030.0, 2030.0], 0.0), ([2030.0, 2000.0, 2030.0], 0.0), ([2024.0, 2030.0, 2030.0], 4.0)]
)
def test_a_dislocation_lasts_three_readings_in_a_row(dex, fees):
    assert dislocation(dex) == pytest.approx(fees)
    assert np.isnan(dislocation(dex, 1))
