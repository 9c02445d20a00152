import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.columns import read
from engine.signals.momentum import macd
from engine.signals.observations import Observations, Series
from engine.signals.position import percentile_rank, range_rank
from engine.signals.volatility import SIGNALS, term_state, weekly
from tests.engine.signals.stores import axis, daily, store, walk


@pytest.mark.requirement("D09", "S64")
def test_backwardation_needs_two_closes_and_stays_until_contango_does_too():
    near = np.array([20.0, 21.0, 21.0, 20.0, 20.0, 20.0])
    far = np.array([20.0, 20.0, 20.0, 20.0, 21.0, 21.0])

    assert term_state(near, far).tolist() == [0, 0, 1, 1, 1, -1]


@given(st.lists(st.floats(-0.0024, 0.0024), min_size=1, max_size=30))
@pytest.mark.requirement("D09")
def test_nothing_flips_inside_the_margin(slopes):
    far = np.concatenate([[20.0, 20.0], np.full(len(slopes), 20.0)])
    near = far * np.concatenate([[1.1, 1.1], 1.0 + np.array(slopes)])

    assert set(term_state(near, far)[1:]) == {1.0}


def test_a_close_without_a_settlement_says_nothing():
    near, far = np.array([21.0, np.nan, 21.0]), np.array([20.0, 20.0, 20.0])

    assert term_state(near, far)[-1] == 1.0


def test_a_week_ends_with_its_fridays_bar():
    bars = daily("vx_30d", np.arange(1.0, 13.0))  # Monday to the Tuesday of the third week

    weeks = weekly(bars)

    assert weeks.values.tolist() == [5.0, 10.0]
    assert weeks.released.tolist() == bars.released[[4, 9]].tolist()


def test_a_week_without_a_friday_ends_when_the_next_begins():
    bars = daily("vx_30d", np.arange(1.0, 12.0))
    kept = np.arange(11) != 4
    short = Series("vx_30d", "points", bars.as_of[kept], bars.released[kept], bars.values[kept], "test")

    weeks = weekly(short)

    assert weeks.values.tolist() == [4.0, 10.0]
    assert weeks.released[0] == bars.released[5]


@pytest.mark.requirement("D18", "S63", "X16")
def test_percentile_and_range_rank_are_two_numbers():
    values = np.array([10.0] * 80 + [50.0] + [20.0] * 9)

    assert percentile_rank(values) == pytest.approx(89 / 90)
    assert range_rank(values) == pytest.approx(0.25)


@pytest.mark.requirement("S63")
def test_the_rank_needs_ninety_sessions():
    table = read(store(vix=np.linspace(12, 30, 120)), axis(120), SIGNALS)

    assert np.isnan(table["iv_percentile"][:89]).all()
    assert np.all(table["iv_percentile"][89:] == 1.0)


@pytest.mark.requirement("D09", "S64")
def test_futures_are_asked_before_the_indices_and_the_reading_says_which():
    futures = store(
        vx_front=np.full(10, 22.0), vx_second=np.full(10, 20.0), vix=np.full(10, 15.0), vix3m=np.full(10, 20.0)
    )
    indices = futures.without("vx_second")

    by_futures = read(futures, axis(10), SIGNALS).panel()["backwardation"]
    by_indices = read(indices, axis(10), SIGNALS).panel()["backwardation"]

    assert (by_futures.value, by_futures.inputs) == (1.0, ("vx_front", "vx_second"))
    assert (by_indices.value, by_indices.inputs) == (0.0, ("vix", "vix3m"))


def test_where_futures_end_the_indices_go_on():
    parts = [daily("vx_front", np.full(5, 22.0)), daily("vx_second", np.full(5, 20.0))]
    rest = [daily("vix", np.full(30, 15.0)), daily("vix3m", np.full(30, 20.0))]

    slope = read(Observations.of([*parts, *rest]), axis(30), SIGNALS)["term_slope"]

    assert slope[4] == pytest.approx(20 / 22 - 1)
    assert slope[-1] == pytest.approx(20 / 15 - 1)


@pytest.mark.requirement("D28", "S78")
def test_the_press_asks_for_a_dear_front_a_calm_index_and_a_high_market():
    count = 300
    dear = np.full(count, 0.9)
    dear[-1] = 1.1
    base = {"vix": np.full(count, 18.0), "spx": np.linspace(4000, 4400, count), "vix9d": 18.0 * dear}
    calm = read(store(**base), axis(count), SIGNALS)
    fallen = base | {"spx": np.append(np.linspace(4000, 4400, count - 1), 4200.0)}
    wild = base | {"vix": np.append(np.full(count - 1, 18.0), 24.0), "vix9d": np.append(18.0 * dear[:-1], 26.4)}

    assert calm["front_carry_press"][-1] == 1.0
    assert read(store(**fallen), axis(count), SIGNALS)["front_carry_press"][-1] == 0.0
    assert read(store(**wild), axis(count), SIGNALS)["front_carry_press"][-1] == 0.0


@pytest.mark.fault("F86")
def test_an_old_series_is_unseen_and_says_why():
    panel = read(store(vix=np.full(100, 18.0)), axis(120), SIGNALS).panel()

    assert panel.value("vix") is None
    assert "too old" in panel["vix"].why
    assert panel["hy_spread_change"].why == "no source gives hy_oas"


@given(st.integers(0, 2**31), st.integers(270, 330))
@pytest.mark.requirement("D18", "D28")
def test_no_volatility_signal_looks_ahead(seed, cut):
    count = 340
    names = ("vix", "vix3m", "vix9d", "vx_front", "vx_second", "vx_30d", "hyg", "ief", "spx")
    columns = {name: walk(count, seed + n, 20.0, 0.05) for n, name in enumerate(names)}

    whole = read(store(**columns), axis(count), SIGNALS)
    past = read(store(**{name: values[:cut] for name, values in columns.items()}), axis(cut), SIGNALS)

    for name in whole.signals:
        np.testing.assert_array_equal(past[name], whole[name][:cut], err_msg=name)


@pytest.mark.requirement("S60", "D18")
def test_weekly_momentum_of_vix_futures_is_read_on_completed_weeks():
    count = 400
    futures = walk(count, 3, 18.0, 0.04)
    table = read(store(vx_30d=futures), axis(count), SIGNALS)
    weeks = weekly(daily("vx_30d", futures)).values

    told = table["macd_vix_weekly"]

    assert told[-1] == pytest.approx(macd(weeks).histogram[-1])  # the last day is a Friday
    assert told[-2] == pytest.approx(macd(weeks[:-1]).histogram[-1])  # on Thursday that week is not over


@pytest.mark.requirement("S76")
def test_credit_widens_by_the_spread_itself_or_by_funds():
    spread = np.full(300, 0.04)
    spread[-3:] = 0.047
    hyg = 80.0 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.002, 300)))
    hyg[-3:] *= 0.94

    table = read(store(hy_oas=spread, hyg=hyg, ief=np.full(300, 100.0)), axis(300), SIGNALS)

    assert table["hy_spread_change"][-1] == pytest.approx(0.007)
    assert table["credit_widening"][-1] >= 2.0
    assert table["credit_widening"][-10] < 2.0


@pytest.mark.requirement("S76")
def test_the_spread_itself_is_asked_before_the_funds():
    """Forty points in five days are under the fifty of the rule, yet far from what the spread ever did."""
    spread = 0.04 + 0.0001 * np.sin(np.arange(300.0))
    spread[-5:] = 0.044
    alone = store(hy_oas=spread)
    funds = store(hyg=walk(300, 1), ief=walk(300, 2))

    told = read(alone, axis(300), SIGNALS).panel()["credit_widening"]
    by_funds = read(funds, axis(300), SIGNALS).panel()["credit_widening"]
    both = read(Observations.of([*alone.values(), *funds.values()]), axis(300), SIGNALS).panel()["credit_widening"]

    changes = spread[5:] - spread[:-5]
    assert told.value == pytest.approx((changes[-1] - changes[-252:].mean()) / changes[-252:].std(ddof=1))
    assert told.value >= 2.0
    assert (told.inputs, both.inputs, both.value) == (("hy_oas",), ("hy_oas",), told.value)
    assert by_funds.inputs == ("hyg", "ief")


@pytest.mark.fault("F86")
def test_a_week_without_a_friday_is_known_once_its_own_last_bar_is_out():
    bars = daily("vx_30d", np.arange(1.0, 12.0))
    kept = np.arange(11) != 4
    released = bars.released[kept]
    released[3] += np.timedelta64(10, "D")
    late = Series("vx_30d", "points", bars.as_of[kept], released, bars.values[kept], "test")

    assert weekly(late).released[0] == released[3]


@pytest.mark.fault("F86")
@pytest.mark.requirement("S48", "D13")
def test_the_curve_residual_begins_anew_after_a_hole():
    names = ("vx_front", "vx_second", "vix", "vx_gap")
    kept = (np.arange(700) < 300) | (np.arange(700) >= 330)
    parts = []
    for seed, name in enumerate(names):
        whole = daily(name, walk(700, seed, 20.0, 0.02))
        parts.append(Series(name, "x", whole.as_of[kept], whole.released[kept], whole.values[kept], "test"))

    told = read(Observations.of(parts), axis(700), SIGNALS)["vx_residual"]

    assert np.isfinite(told[[251, 299, 581]]).all()
    assert np.isnan(told[330:581]).all()
