"""A period's page: whole, without scripts or outside references, the same bytes again."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from adapters.html.period_page import render_period
from engine.money import usd
from engine.report.book_rows import BreakRow
from engine.report.period_report import report
from tests.adapters.html.test_page import HOSTILE, Tree
from tests.engine.report.test_period_report import MARKS, MAY, source


def page(**changes):
    return render_period(report(source(**changes)))


@pytest.mark.fault("F94")
def test_it_is_one_self_contained_document_with_the_same_bytes_again():
    first, tree = page(), Tree(page())

    assert first == page()
    assert not tree.open
    assert not tree.faults
    assert not tree.values("src")
    assert not {"script", "link", "iframe", "object", "img"} & set(tree.tags)
    assert not re.search(r"https?:|url\(|@import", first.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    for chart in re.findall(r"<svg.*?</svg>", first, flags=re.DOTALL):
        ET.fromstring(chart)


def test_it_shows_results_where_they_come_from_and_what_to_doubt():
    made = page()

    for words in (
        "Net asset value",
        "Drawdown",
        "What changed net asset value",
        "Returns by engine",
        "Positions and cash",
    ):
        assert words in made
    assert "Where each figure comes from" in made
    assert "nav.closing.blended" in made
    assert "at the marks of 2023-04-28" in made
    assert f"Report of {MAY.name}" in made
    assert ">reconciled</span>" in made


def test_an_open_break_stands_at_the_top():
    row = BreakRow("assets:condor:paper", usd(10), usd(9), MAY.last, "amount differs")

    made = page(breaks=(row,))

    assert made.index("1 open break<") < made.index("Net asset value")
    assert "amount differs" in made


@pytest.mark.fault("F74")
def test_hostile_words_of_a_mark_are_escaped():
    made = page(marks=[replace(one, modelled=(HOSTILE,)) for one in MARKS])

    assert "script" not in Tree(made).tags
    assert "\x1b" not in made
