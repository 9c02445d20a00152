import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.money import usd
from engine.report import charts
from engine.report.performance import NavPoint
from engine.report.risk_rows import HeatMap
from engine.report.tables import dollars
from tests.engine.report.sample_report import heat, nav, payoff

SVG = "{http://www.w3.org/2000/svg}"
STEPS = [("Theta", 120.0), ("Gas <script>", -30.0)]


def drawn():
    return {
        "payoff": charts.payoff(payoff()),
        "nav": charts.nav(nav()),
        "heat": charts.heat_map(heat()),
        "waterfall": charts.waterfall("w", "What changed", STEPS, "Result", words=dollars),
    }


def words(svg):
    return [node.text for node in ET.fromstring(svg).iter(SVG + "text")]


@pytest.mark.parametrize("name", ["payoff", "nav", "heat", "waterfall"])
def test_a_chart_is_well_formed_named_described_and_inert(name):
    svg = drawn()[name]
    root = ET.fromstring(svg)

    assert root.get("role") == "img"
    ids = root.get("aria-labelledby").split()
    assert [root.find(SVG + tag).get("id") for tag in ("title", "desc")] == ids
    assert all(root.find(SVG + tag).text for tag in ("title", "desc"))
    assert "url(" not in svg
    assert "nan" not in svg
    assert not any(node.tag.endswith(("script", "image", "style")) for node in root.iter())


def test_equal_figures_give_equal_bytes():
    assert drawn() == drawn()


def test_the_heat_map_writes_the_sign_of_every_cell():
    svg = charts.heat_map(HeatMap((-0.1, 0.0), (0.0, 0.1), ((-50_000.0, 0.0), (250.0, 1_200_000.0))))

    assert {"\N{MINUS SIGN}50.0k", "0", "+250", "+1.20m"} <= set(words(svg))
    assert svg.count('class="now"') == 1


def test_the_pay_off_marks_break_evens_today_and_both_bands():
    shown = words(charts.payoff(payoff()))

    assert {"5,489", "6,211", "now 5,868", "1 SD", "2 SD", "at expiry", "today"} <= set(shown)


def test_marks_outside_the_plot_stay_on_its_edge():
    curve = replace(payoff(), spot=9_000.0, two_sd=(1_000.0, 9_000.0))

    xs = [float(x) for x in re.findall(r' x="(-?[\d.]+)"', charts.payoff(curve))]
    assert min(xs) >= 0
    assert max(xs) <= 640


def test_the_outline_of_gains_meets_zero_where_the_pay_off_does():
    points = charts._with_crossings((100.0, 200.0), (-10.0, 30.0))

    assert points == [(100.0, -10.0), (125.0, 0.0), (200.0, 30.0)]


def test_one_day_alone_is_a_dot_and_an_idle_transit_has_no_panel():
    svg = charts.nav((NavPoint(date(2026, 11, 20), usd(100), usd(50), usd(0), usd(150)),))

    ET.fromstring(svg)
    assert svg.count("<circle") == 3
    assert "In transit" not in words(svg)
    assert "+150" in words(svg)


def test_a_waterfall_ends_at_the_sum_and_escapes_its_labels():
    svg = drawn()["waterfall"]

    assert words(svg)[-2:] == ["Result", "+90 USD"]
    assert "<script" not in svg


def test_a_meter_never_overflows_and_is_skipped_by_screen_readers():
    for used in (0.0, 0.4, 7.0, float("inf"), float("nan")):
        root = ET.fromstring(charts.meter(used))
        assert root.get("aria-hidden") == "true"
        assert all(0 <= float(node.get("width")) <= 96 for node in root.iter(SVG + "rect"))


@example(0.0, 1.342943631343571e-220)  # once gave five equal ticks
@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_ticks_span_the_figures_and_rise(low, span):
    ticks = charts.nice_ticks(low, low + span)

    slack = 1e-6 * max(abs(low), span, 1.0)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack
    assert all(a < b for a, b in pairwise(ticks))
    assert 2 <= len(ticks) <= 12
