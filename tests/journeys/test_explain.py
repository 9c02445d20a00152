"""`hedge explain` as an operator runs it: what would be done, which layers open, and why."""

import json
from html import escape

import pytest

from engine.report.wording import typeset
from tests.journeys.conftest import SHARED, within

CHAIN = SHARED / "chains" / "spx-2023-02-07.csv"
BOOK = """quantity,instrument,sleeve,venue
1000000,USD,,
1,SPXW 2023-02-24 P 3885,,
-1,SPXW 2023-02-24 P 3935,,
-1,SPXW 2023-02-24 C 4400,,
1,SPXW 2023-02-24 C 4450,,
"""

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data beside the checkout"),
]


def explained(*arguments):
    return within("explain", *arguments, check=0).stdout


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    book = tmp_path_factory.mktemp("book") / "book.csv"
    book.write_text(BOOK, encoding="utf-8")
    return json.loads(explained("--chain", CHAIN, "--data", SHARED, "--book", book, "--json"))


@pytest.mark.requirement("X17", "S23", "S57")
def test_every_layer_says_whether_it_opens_and_why(document):
    layers = {layer["layer"]: layer for layer in document["layers"]}

    assert len(layers) == 9
    assert layers["vix-first"]["opens"]
    assert layers["vix-second"]["armed"] is None
    assert layers["outer-short"]["why"] == "no rule arms it"
    assert layers["tail"]["budget_usd_a_year"] == pytest.approx(4_000.0, rel=1e-3)  # 20 % of 2 % of a million
    assert sum(layer["budget_usd_a_year"] for layer in layers.values()) == pytest.approx(20_000.0, rel=1e-3)


@pytest.mark.requirement("S13", "S92", "D25")
def test_a_condor_of_seventeen_days_is_due_into_the_next_tenor(document):
    (due,) = document["rolls"]

    assert due["triggers"] == ["few days left"]
    assert "2023-03-17" in due["combo"]


@pytest.mark.requirement("D25", "D31", "D26", "S90", "S91")
def test_what_is_held_asks_for_its_roll_its_harvest_and_no_trade_of_its_delta(document):
    roll, harvest, delta, *break_evens = document["held"]

    assert roll.startswith("1 SPXW 2023-02-24 3885/3935/4400/4450 due to roll, few days left: roll 1 condors to ")
    assert harvest.startswith("harvest 1 SPXW 2023-02-24 3885/3935/4400/4450: 17 days are left")
    assert ": hold; loyalty trades 0, motion " in delta
    assert break_evens
    assert all(line.endswith("within 6% (S15)") for line in break_evens)


@pytest.mark.requirement("S77", "X07", "X10", "D24")
def test_text_document_and_page_of_a_strained_day_give_the_same_reasons(tmp_path):
    page, chain = tmp_path / "why.html", SHARED / "chains" / "spx-2022-06-10.csv"
    text = explained("--chain", chain, "--data", SHARED, "--html", page)
    document = json.loads(explained("--chain", chain, "--data", SHARED, "--json"))
    html = page.read_text(encoding="utf-8")

    assert (document["regime"]["zone"], document["leverage"]) == ("high volatility", 0.0)
    assert document["hedge_ratio"] > 1.0
    for line in (*document["withheld"], *document["flips"], *document["regime"]["reasons"]):
        assert line in text
        assert escape(typeset(line), quote=False) in html or escape(typeset(line)) in html
    for rule in document["rules"]:
        if rule["fires"]:
            assert rule["rule"] in text and rule["rule"] in html  # noqa: PT018
            assert rule["says"] in text and rule["source"] in html  # noqa: PT018
    ages = {reading["signal"]: reading["age_days"] for reading in document["readings"] if reading["value"] is not None}
    assert 0.0 <= ages["vix"] < 1.0
    assert ages["inflation_rising"] > 30
    unseen = {reading["signal"]: reading["why"] for reading in document["readings"] if reading["value"] is None}
    assert unseen["ad_divergence"] == "no source gives advances, declines"
    assert "policy meeting: next 2022-06-15, in 3 sessions" in document["regime"]["reasons"]
    assert "here from vix and vix3m, in place of vx_front and vx_second" in text
    assert "no source gives advances, declines" in html


@pytest.mark.requirement("S08", "S52")
def test_the_book_as_it_would_stand_is_read_as_a_ladder_and_by_domain(document):
    assert any(note.startswith("ladder: ") and "(S08)" in note for note in document["notes"])
    assert "protected first: spx, then defi (S52)" in document["notes"]


@pytest.mark.requirement("D33")
def test_expectations_rest_on_the_closes_of_the_folder(document):
    assert any("closes 1999-06-01 to 2023-02-07" in line for line in document["assumptions"])


def test_a_chain_alone_is_judged_at_its_own_volatility_index(capfd):
    document = json.loads(explained("--chain", CHAIN, "--json"))

    assert document["regime"]["vix"] == pytest.approx(18.66, abs=0.05)  # Cboe's close
    assert document["status"] == "no action"
    assert capfd.readouterr().out == ""


def test_nothing_but_the_answer_reaches_standard_output(capfd):
    explained("--chain", CHAIN, "--data", SHARED, "--json")

    assert capfd.readouterr().out == ""
