"""Charts of a stress test: well formed, named, with every sign written."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from engine.errors import InputError
from engine.report.stress_chart import loss_bars, stress_map
from engine.risk.scenarios import Scenarios
from engine.risk.stress import StressResult
from engine.risk.stress_rows import StressRow

SVG = "{http://www.w3.org/2000/svg}"


def row(name, loss):
    return StressRow(name, loss, loss / 1e6, {"condor": loss}, 0.0, 2.0, 3.0, loss, 1e9)


def words(svg):
    return [node.text for node in ET.fromstring(svg).iter(SVG + "text")]


def test_bars_name_their_scenarios_and_write_every_sign():
    svg = loss_bars([row("October <1987>", 42_000.0), row("calm", -1_500.0)], limit=0.06)
    root = ET.fromstring(svg)

    assert {"October <1987>", "calm", "limit 6.0 %"} <= set(words(svg))
    assert any(text.startswith("\N{MINUS SIGN}42,000 USD") for text in words(svg))
    assert any(text.startswith("+1,500 USD") for text in words(svg))
    assert [bar.get("class") for bar in root.iter(SVG + "rect")] == ["loss", "gain"]
    assert "October <1987>" in root.find(SVG + "desc").text


def test_every_bar_stays_inside_the_plot():
    svg = loss_bars([row("a", 500_000.0), row("b", -500_000.0), row("c", 0.0)], limit=0.06)

    for bar in ET.fromstring(svg).iter(SVG + "rect"):
        assert 0 <= float(bar.get("x")) <= float(bar.get("x")) + float(bar.get("width")) <= 640


def test_the_map_shows_the_worst_cell_of_each_pair():
    shocks = Scenarios.grid(spot=[float(np.log1p(-0.1)), 0.0], vol=[0.0, 0.1], crypto=[-0.5, 0.0])
    gains = np.array([[-9e3, -1e3, -8e3, -2e3, -7e3, 0.0, -6e3, 500.0]])

    shown = words(stress_map(StressResult(shocks, (), gains, 0.0)))

    assert {"\N{MINUS SIGN}9.0k", "\N{MINUS SIGN}8.0k", "\N{MINUS SIGN}7.0k", "\N{MINUS SIGN}6.0k"} <= set(shown)
    assert "\N{MINUS SIGN}10 %" in shown


def test_equal_figures_give_equal_bytes():
    assert loss_bars([row("a", 1.0)], limit=0.06) == loss_bars([row("a", 1.0)], limit=0.06)


def test_nothing_to_draw_is_refused():
    with pytest.raises(InputError):
        loss_bars([], limit=0.06)
    with pytest.raises(InputError):
        stress_map(StressResult(Scenarios.of([0.0, 0.1]), (), np.zeros((1, 2)), 0.0))
