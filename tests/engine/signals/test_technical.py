import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.columns import read
from engine.signals.observations import Observations, Series
from engine.signals.technical import SIGNALS, advance_decline
from tests.engine.signals.stores import axis, daily, store, walk


@pytest.mark.requirement("S62", "D18")
def test_breadth_is_the_running_sum_of_advances_less_declines():
    breadth = advance_decline(store(spx=[4000.0, 4010.0, 4020.0], advances=[900, 800, 1000], declines=[600, 900, 500]))

    assert breadth is not None
    assert breadth.line.values.tolist() == [300, 200, 700]


def test_breadth_uses_the_days_that_have_a_price():
    short = Observations.of([daily("spx", [1.0, 2.0]), daily("advances", [5.0] * 3), daily("declines", [1.0] * 3)])

    breadth = advance_decline(short)

    assert breadth is not None
    assert breadth.line.values.tolist() == [4, 8]


@pytest.mark.requirement("S62")
def test_breadth_that_falls_under_a_rising_index_diverges():
    count = 60
    noise = np.random.default_rng(5).normal(0, 5, count)
    spx = 4000 + 10 * np.arange(count) + noise
    table = read(
        store(spx=spx, advances=np.full(count, 700.0) + noise, declines=np.full(count, 1100.0)), axis(count), SIGNALS
    )

    assert table["ad_divergence"][-1] == 1.0
    assert np.isnan(table["ad_divergence"][:19]).all()


@pytest.mark.requirement("X14", "D18")
def test_a_move_inside_the_band_is_driven_and_an_extreme_one_without_proof_is_undetermined():
    calm = read(store(spx=walk(80, 1), advances=np.full(80, 900.0), declines=np.full(80, 880.0)), axis(80), SIGNALS)
    count = 80
    spike = np.append(walk(count - 8, 1), walk(count - 8, 1)[-1] * np.exp(0.03 * np.arange(1, 9)))
    wild = read(store(spx=spike, advances=np.full(count, 700.0), declines=np.full(count, 1100.0)), axis(count), SIGNALS)

    assert 30 < calm["rsi_spx"][-1] < 70
    assert calm["exhausted"][-1] == 0.0
    assert wild["rsi_spx"][-1] > 70
    assert np.isnan(wild["exhausted"][-1])  # no swing divergence: neither driven nor spent


@given(st.integers(0, 2**31), st.integers(40, 119))
@pytest.mark.requirement("D18", "S59")
@pytest.mark.fault("F86")
def test_no_technical_signal_looks_ahead(seed, cut):
    count = 120
    g = np.random.default_rng(seed)
    columns = {
        "spx": walk(count, seed),
        "eth": walk(count, seed + 1, 2000.0, 0.04),
        "advances": g.uniform(200, 2500, count),
        "declines": g.uniform(200, 2500, count),
    }

    whole = read(store(**columns), axis(count), SIGNALS)
    past = read(store(**{name: values[:cut] for name, values in columns.items()}), axis(cut), SIGNALS)

    for name in whole.signals:
        np.testing.assert_array_equal(past[name], whole[name][:cut], err_msg=name)


def test_a_revised_bar_counts_from_its_revision_on():
    base = daily("spx", walk(40, 2))
    as_of = np.append(base.as_of, base.as_of[20])
    released = np.append(base.released, base.released[30])
    values = np.append(base.values, base.values[20] * 1.02)
    order = np.lexsort((released, as_of))
    revised = Series("spx", "points", as_of[order], released[order], values[order], "test")

    before = read(Observations.of([base]), axis(40), SIGNALS)["rsi_spx"]
    after = read(Observations.of([revised]), axis(40), SIGNALS)["rsi_spx"]

    np.testing.assert_allclose(after[:30], before[:30])
    assert after[30] != pytest.approx(before[30])


@pytest.mark.requirement("S62", "D18")
@pytest.mark.fault("F86")
def test_breadth_on_two_sides_of_a_hole_is_two_lines():
    kept = (np.arange(900) < 300) | (np.arange(900) >= 560)  # a year without breadth
    g = np.random.default_rng(3)
    parts = [daily("spx", walk(900, 1))]
    for name in ("advances", "declines"):
        whole = daily(name, g.uniform(900, 2100, 900))
        parts.append(Series(name, "issues", whole.as_of[kept], whole.released[kept], whole.values[kept], "test"))

    table = read(Observations.of(parts), axis(900), SIGNALS)

    for name, bars in (("ad_divergence", 20), ("ad_deviation", 252)):
        assert np.isnan(table[name][560 : 560 + bars - 1]).all()
        assert np.isfinite(table[name][560 + bars - 1 :]).all()


@pytest.mark.fault("F86")
def test_revised_bars_begin_anew_after_a_hole_too():
    base = daily("spx", walk(120, 2))
    kept = (np.arange(120) < 60) | (np.arange(120) >= 90)
    as_of, released, values = (np.append(part[kept], part[5]) for part in (base.as_of, base.released, base.values))
    released[-1] += np.timedelta64(3, "D")
    order = np.lexsort((released, as_of))
    revised = Series("spx", "points", as_of[order], released[order], values[order], "test")

    told = read(Observations.of([revised]), axis(120), SIGNALS)["rsi_spx"]

    assert np.isnan(told[90:104]).all()
    assert np.isfinite(told[104:]).all()
