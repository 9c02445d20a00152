from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.columns import Axis, moment, read
from engine.signals.currency import SIGNALS as CURRENCY
from engine.signals.currency import forward_effective_rate
from engine.signals.macro import SIGNALS as MACRO
from engine.signals.macro import bond_implied_wacc, surprise, year_on_year
from engine.signals.observations import Observations, Series
from tests.engine.signals.stores import axis, daily, walk

SIGNALS = (*MACRO, *CURRENCY)

DAY = np.timedelta64(24 * 60, "m")


def monthly(name: str, values, first: str = "2018-01", lag: int = 46) -> Series:
    months = (np.datetime64(first, "M") + np.arange(len(values))).astype("datetime64[m]")
    return Series(name, "index", months, months + lag * DAY, np.asarray(values, float), "test")


def at(day: str) -> Axis:
    return Axis(np.array([f"{day}T21:15"], "datetime64[m]"))


@pytest.mark.requirement("S73", "D23")
def test_a_yearly_rate_compares_with_the_same_month_and_not_with_twelve_rows_before():
    whole = monthly("cpi", 100.0 * 1.01 ** np.arange(14))
    kept = np.arange(14) != 5
    gappy = Series("cpi", "index", whole.as_of[kept], whole.released[kept], whole.values[kept], "test")

    rates = year_on_year(gappy.known(datetime(2030, 1, 1, tzinfo=UTC)))

    assert rates[-1] == pytest.approx(1.01**12 - 1)
    assert np.isnan(rates[:11]).all()


@pytest.mark.requirement("S73", "D22", "D23")
def test_inflation_rises_when_its_last_month_out_is_above_the_month_before():
    up, down = 100.0 * np.exp(0.002 * np.arange(20) ** 1.2), 100.0 * np.exp(0.02 * np.sqrt(np.arange(20)))
    day = at("2019-09-20")

    both = read(Observations.of([monthly("cpi", up), monthly("ppi", down)]), day, SIGNALS)

    assert (both["cpi_rising"][0], both["ppi_rising"][0], both["inflation_rising"][0]) == (1.0, 0.0, 1.0)
    assert both["cpi_ppi_spread"][0] == pytest.approx(up[19] / up[7] - down[19] / down[7])


@pytest.mark.requirement("S73", "D22")
@pytest.mark.parametrize("name", ["cpi", "ppi"])
def test_one_index_that_rises_is_enough_and_one_that_falls_says_nothing(name):
    up, down = 100.0 * np.exp(0.002 * np.arange(20) ** 1.2), 100.0 * np.exp(0.02 * np.sqrt(np.arange(20)))
    day = at("2019-09-20")

    rising, falling = (read(Observations.of([monthly(name, values)]), day, SIGNALS).panel() for values in (up, down))

    assert (rising["inflation_rising"].value, rising["inflation_rising"].inputs) == (1.0, (name,))
    assert falling["inflation_rising"].value is None


@pytest.mark.requirement("D22")
@pytest.mark.fault("F89")
def test_one_index_that_no_longer_rises_is_no_feed_that_went():
    index = 100.0 * 1.001 ** np.append(np.arange(20.0) ** 1.3, 20.0)
    days = Axis(np.array(["2019-10-10T21:15", "2019-10-20T21:15"], "datetime64[m]"))

    table = read(Observations.of([monthly("cpi", index)]), days, SIGNALS)
    reading = table.panel()["inflation_rising"]

    np.testing.assert_array_equal(table["inflation_rising"], [1.0, np.nan])
    assert (reading.why, reading.lost, table.dropped("inflation_rising")) == ("no source gives ppi", False, False)


def one(name: str, day: str, value: float) -> Series:
    when = np.array([day], "datetime64[m]")
    return Series(name, "%", when, when, np.array([value]), "test")


@pytest.mark.requirement("S75", "D23")
@pytest.mark.parametrize(
    ("parts", "diverges"),
    [
        ([one("fomc_dissents", "2023-02-01", 1)], 1.0),
        ([one("fomc_dissents", "2023-02-01", 0)], np.nan),
        ([one("ois_12m", "2023-02-07", 0.0485), one("sep_median", "2022-12-14", 0.051)], 1.0),
        ([one("ois_12m", "2023-02-07", 0.0486), one("sep_median", "2022-12-14", 0.051)], np.nan),
        ([one("ois_12m", "2023-02-01", 0.04), one("sep_median", "2022-12-14", 0.051)], np.nan),  # seven days old
        (
            [
                one("fomc_dissents", "2023-02-01", 0),
                one("ois_12m", "2023-02-01", 0.0486),
                one("sep_median", "2022-12-14", 0.051),
            ],
            np.nan,
        ),
        (
            [
                one("fomc_dissents", "2023-02-01", 0),
                one("ois_12m", "2023-02-07", 0.0486),
                one("sep_median", "2022-12-14", 0.051),
            ],
            0.0,
        ),
    ],
)
def test_a_dissent_or_a_gap_of_a_quarter_point_is_a_divergence(parts, diverges):
    told = read(Observations.of(parts), at("2023-02-08"), SIGNALS)["policy_divergence"][0]

    np.testing.assert_equal(told, diverges)


@pytest.mark.requirement("S75", "D23")
@pytest.mark.parametrize(("day", "seen"), [("2022-09-20", True), ("2022-10-03", False)])
def test_a_projection_stands_until_the_next_quarters(day, seen):
    store = Observations.of(
        [one("fomc_dissents", "2022-09-01", 0), one("ois_12m", day, 0.034), one("sep_median", "2022-06-15", 0.034)]
    )

    assert np.isfinite(read(store, at(day), SIGNALS)["policy_divergence"][0]) == seen


@pytest.mark.requirement("D23")
@pytest.mark.fault("F86")
def test_a_print_counts_from_its_release_and_a_revision_from_its_own():
    base = monthly("cpi", 100.0 * np.exp(0.002 * np.arange(20) ** 1.2))
    as_of, released = np.append(base.as_of, base.as_of[19]), np.append(base.released, base.released[19] + 15 * DAY)
    revised = Series("cpi", "index", as_of, released, np.append(base.values, base.values[19] * 0.98), "test")
    store = Observations.of([revised])

    first = read(store, at("2019-09-20"), SIGNALS)["cpi_rising"][0]
    later = read(store, at("2019-10-05"), SIGNALS)["cpi_rising"][0]

    assert (first, later) == (1.0, 0.0)


@pytest.mark.requirement("D23", "S74")
def test_a_surprise_is_measured_in_the_surprises_before_it():
    gaps = np.tile([1.0, -1.0], 10)
    actual, consensus = monthly("cpi_change", np.append(gaps, 3.0)), monthly("cpi_consensus", np.zeros(21), lag=1)
    known = [part.known(datetime(2030, 1, 1, tzinfo=UTC)) for part in (actual, consensus)]

    assert surprise(*known) == pytest.approx(3.0 / gaps.std(ddof=1))
    assert np.isnan(surprise(known[1], monthly("x", np.zeros(5)).known(datetime(2030, 1, 1, tzinfo=UTC))))


@pytest.mark.requirement("D23", "S69")
@given(st.floats(0.0, 0.08), st.floats(0.001, 0.05), st.floats(0.1, 5.0))
def test_a_higher_dollar_rate_lowers_the_forward_dollar(rate, more, years):
    weights, foreign = np.array([0.6, 0.4]), np.array([0.01, 0.03])

    low = forward_effective_rate(100.0, weights, foreign, rate, years)
    high = forward_effective_rate(100.0, weights, foreign, rate + more, years)

    assert high < low


@pytest.mark.requirement("D23")
def test_the_real_rate_adds_the_inflation_differential():
    terms = (100.0, np.array([1.0]), np.array([0.02]), 0.05, 2.0)

    nominal = forward_effective_rate(*terms)
    real = forward_effective_rate(*terms, inflation=np.array([0.01]))

    assert nominal == pytest.approx(100 * np.exp(-0.06))
    assert real == pytest.approx(100 * np.exp(-0.04))


@pytest.mark.requirement("S24")
def test_a_jump_of_the_bond_implied_cost_of_capital_is_two_deviations_of_three_years():
    count = 800
    quiet = 0.05 + 0.0005 * np.sin(np.arange(count) / 9.0)
    jump = quiet.copy()
    jump[-5:] += 0.01

    calm, loud = (
        read(Observations.of([daily("bond_wacc", values)]), axis(count), SIGNALS)["bond_wacc_jump"][-1]
        for values in (quiet, jump)
    )

    assert abs(calm) < 2.0 <= loud


def test_the_bond_implied_cost_of_capital_weighs_yields():
    assert bond_implied_wacc(0.05, 0.06, equity_weight=1.0) == 0.05
    assert bond_implied_wacc(0.05, 0.06, equity_weight=0.5, tax=0.5) == pytest.approx(0.04)


@pytest.mark.requirement("S65", "D23", "S82")
def test_multiples_are_judged_against_their_own_ten_years():
    values = np.append(np.linspace(10, 20, 119), 11.0)
    table = read(
        Observations.of([monthly("pcf_top50", values, "2010-01"), monthly("pe", values, "2010-01")]),
        at("2020-02-10"),
        SIGNALS,
    )

    assert table["pcf_compressed"][0] == 1.0
    assert table["pe_rank"][0] == pytest.approx(13 / 120)


@pytest.mark.requirement("S65", "S82", "S69", "S74", "D23")
@pytest.mark.parametrize(
    ("signal", "name", "quarters"),
    [
        ("pe_rank", "pe", False),
        ("pcf_compressed", "pcf_top50", False),
        ("reer_level", "reer", False),
        ("gdp_uncertainty", "gdp_dispersion", True),
    ],
)
def test_ten_years_are_ten_years_however_often_a_value_comes_out(signal, name, quarters):
    """Daily values whose last of each month (quarter) are those of the series that has nothing else."""
    days = np.arange("2010-01-01", "2020-02-01", dtype="datetime64[D]")
    values = walk(len(days), 4, 20.0, 0.01)
    months = days.astype("datetime64[M]").astype(int) // (3 if quarters else 1)
    last = np.append(months[1:] != months[:-1], True)
    daily_one, sparse = (
        Series(name, "x", days[rows].astype("datetime64[m]"), days[rows].astype("datetime64[m]"), values[rows], "test")
        for rows in (np.ones(len(days), bool), last)
    )

    told, by_period, short = (
        read(Observations.of([part]), at("2020-01-31"), SIGNALS)[signal][0]
        for part in (daily_one, sparse, monthly(name, np.full(115, 20.0), "2010-07", lag=0))
    )

    assert np.isfinite(told)
    assert told == by_period
    assert np.isnan(short)


@pytest.mark.requirement("S81")
def test_money_that_flows_into_volatility_and_out_of_the_index_shows():
    count = 300
    steady = 1e6 + np.cumsum(np.tile([1e3, -1e3], count // 2))
    surge = steady.copy()
    surge[-1] += 5e4
    flat = np.full(count, 20.0)
    parts = {"vxx_shares": surge, "vxx_nav": flat, "spy_shares": steady, "spy_nav": flat}

    told = read(Observations.of(daily(n, v) for n, v in parts.items()), axis(count), SIGNALS)["flow_imbalance"]

    assert told[-1] > 5.0


@pytest.mark.requirement("S81")
@pytest.mark.fault("F86")
def test_shares_on_two_sides_of_a_hole_are_no_flow():
    count = 600
    kept = (np.arange(count) < 280) | (np.arange(count) >= 310)
    shares = np.where(np.arange(count) < 280, 1e6, 9e6) + np.tile([1e3, -1e3], count // 2)
    parts = {"vxx_shares": shares, "spy_shares": shares[::-1], "vxx_nav": shares, "spy_nav": shares}
    gappy = []
    for name, values in parts.items():
        whole = daily(name, values)
        gappy.append(Series(name, "x", whole.as_of[kept], whole.released[kept], whole.values[kept], "test"))

    told = read(Observations.of(gappy), axis(count), SIGNALS)["flow_imbalance"]

    assert np.isnan(told[310:562]).all()
    assert np.isfinite(told[562:]).all()


@pytest.mark.requirement("S70", "D23")
def test_a_basket_that_starts_to_move_is_shaken():
    quiet = walk(400, 1, 100.0, 0.002)
    shaken = quiet.copy()
    shaken[-3:] *= np.array([1.03, 0.99, 1.04])

    calm, wild = (
        read(Observations.of([daily("neer", v)]), axis(400), SIGNALS)["currency_shaken"][-1] for v in (quiet, shaken)
    )

    assert calm < 2.0 <= wild


@pytest.mark.requirement("S68")
def test_the_rate_differential_is_dollar_less_foreign_and_as_old_as_the_older():
    store = Observations.of([daily("usd_3m", [0.05, 0.052]), daily("foreign_3m", [0.02])])

    table = read(store, axis(2), SIGNALS)

    assert table["rate_differential"].tolist() == pytest.approx([0.03, 0.032])
    assert table.panel()["rate_differential"].as_of == moment(store["foreign_3m"].as_of[0])
