import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapters.html.page import render
from engine.money import usd
from engine.report.blended import BookState, Headline
from engine.report.book_rows import PositionRow
from engine.report.performance import PeriodReturn
from tests.engine.report.sample_report import sample

VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr"}
HOSTILE = '"><script>alert(1)</script>\x1b[2J\u202e{{ 7 * 7 }}'


class Tree(HTMLParser):
    """Counts what opens and closes, and keeps every attribute."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.faults, self.text = [], [], [], [], []
        self.doctypes = []
        self.feed(page)
        self.close()

    def handle_decl(self, decl):
        self.doctypes.append(decl)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    def values(self, name):
        return [value for _, found, value in self.attributes if found == name]


def empty():
    return sample(
        nav=(), returns=(), attribution=(), wacc=(), limits=(), positions=(), greeks=(), payoff=None, heat=None,
        scenarios=(), lending=(), plan=(), fills=(), approvals=(), ledger=(), breaks=(), method=(), modelled=(),
    )  # fmt: skip


@pytest.mark.parametrize("report", [sample(), empty()], ids=["full", "empty"])
def test_the_page_is_one_balanced_document(report):
    page = render(report)
    tree = Tree(page)

    assert page.startswith("<!DOCTYPE html>")
    assert tree.doctypes == ["DOCTYPE html"]
    assert not tree.faults
    assert not tree.open
    assert [tree.tags.count(tag) for tag in ("html", "head", "body", "main", "h1")] == [1] * 5
    ids = tree.values("id")
    assert len(ids) == len(set(ids))
    assert set(" ".join(tree.values("aria-labelledby")).split()) <= set(ids)


def test_the_page_reaches_nothing_outside_itself():
    page = render(sample())
    tree = Tree(page)

    assert all(value.startswith("#") for value in tree.values("href"))
    assert {value[1:] for value in tree.values("href")} <= set(tree.values("id"))
    assert not tree.values("src")
    assert not {"script", "link", "iframe", "object", "img"} & set(tree.tags)
    assert not [name for _, name, _ in tree.attributes if name.startswith("on")]
    without_names = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|url\(|@import", without_names)


def test_every_chart_in_the_page_is_well_formed():
    charts = re.findall(r"<svg.*?</svg>", render(sample()), flags=re.DOTALL)

    assert len(charts) >= 5
    for chart in charts:
        ET.fromstring(chart)


def test_tables_have_captions_and_headers_with_scope():
    tree = Tree(render(sample()))

    assert tree.tags.count("table") == tree.tags.count("caption") == 17
    assert {value for tag, name, value in tree.attributes if tag == "th" and name == "scope"} == {"col", "row"}
    assert tree.tags.count("th") == sum(tag == "th" and name == "scope" for tag, name, _ in tree.attributes)


@pytest.mark.fault("F74")
def test_hostile_text_is_escaped_and_its_control_characters_are_visible():
    base = sample()
    row = PositionRow(HOSTILE, HOSTILE, HOSTILE, base.positions[0].quantity, HOSTILE, usd(1), 0.1)
    assert base.payoff
    page = render(
        sample(
            title=HOSTILE, status=HOSTILE, modelled=(HOSTILE,), method=(HOSTILE,), positions=(row,),
            payoff=replace(base.payoff, label=HOSTILE),
            attribution=(replace(base.attribution[0], label=HOSTILE),),
            wacc=(replace(base.wacc[0], source=HOSTILE),),
            provenance=replace(base.provenance, software=HOSTILE),
            limits=(replace(base.limits[0], limit=HOSTILE, source=HOSTILE),),
        )
    )  # fmt: skip
    tree = Tree(page)

    assert "script" not in tree.tags
    assert not tree.faults
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    for chart in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ET.fromstring(chart)


def test_equal_reports_give_equal_bytes():
    assert render(sample()) == render(sample())


def test_modelled_figures_are_announced_before_the_first_figure():
    page = render(sample())

    assert page.index("Modelled, not observed") < page.index("Net asset value")
    assert "Modelled, not observed" not in render(sample(modelled=()))


def test_figures_have_separators_sign_and_unit():
    page = render(sample())

    assert "1,016,101.00 USD" in page
    assert "\N{MINUS SIGN}61,227.87 USD" in page
    assert "not annualised" in page
    assert "refused: short by 38 bp" in page
    assert "BREACH" in page


def test_the_state_is_a_word_and_an_undefined_return_says_why():
    top = Headline(usd(0), (), PeriodReturn(None, 3, why="no root"), "", 0.0, 0.21, 0.20)
    page = render(sample(state=BookState.HALTED, headline=top, since=date(2026, 11, 17)))

    assert ">halted</span>" in page
    assert "undefined: no root" in page
    assert "ABOVE its cap" in page


def chromium():
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="no Chromium on PATH and $CHROMIUM is not set")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_opens_the_page_and_draws_it(tmp_path, scheme):
    page = tmp_path / "report.html"
    page.write_text(render(sample()), encoding="utf-8")
    picture = tmp_path / "report.png"

    shown = browse(page, tmp_path, "--dump-dom", scheme=scheme)
    browse(page, tmp_path, f"--screenshot={picture}", "--window-size=900,1200", scheme=scheme)

    assert "<title>Blended book report, 2026-11-20 21:15 UTC</title>" in shown
    header = picture.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:24])) == (900, 1200)
    assert picture.stat().st_size > 40_000  # a blank page is some 6 kB


def browse(page: Path, folder: Path, *flags: str, scheme: str) -> str:
    program = chromium()
    assert program
    with tempfile.TemporaryDirectory(dir=folder) as profile:
        done = subprocess.run(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
                f"--user-data-dir={profile}", f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
                *flags, page.as_uri(),
            ],
            check=True, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
    return done.stdout
