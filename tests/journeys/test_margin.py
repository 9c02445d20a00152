"""`hedge margin` on a recorded market: every rule set, its pairing, and what it refuses."""

import json
from html.parser import HTMLParser

import pytest
import typer

from scripts.hedge import run
from scripts.margin import margin
from tests.journeys.conftest import SHARED

CHAIN = SHARED / "chains" / "spx-2023-02-07.csv"
BOOK = """quantity,instrument,sleeve,venue
2,SPXW 2023-03-24 P 3700,,
-2,SPXW 2023-03-24 P 3750,,
-2,SPXW 2023-03-24 C 4400,,
2,SPXW 2023-03-24 C 4560,,
1,SPXW 2023-03-24 P 3000,,
"""


@pytest.fixture
def ask(tmp_path, capsys):
    if not CHAIN.exists():
        pytest.skip("recorded chains are not beside the project")
    application = typer.Typer()
    application.command()(margin)

    def ask(*arguments, book=BOOK, code=0):
        written = tmp_path / "book.csv"
        written.write_text(book, encoding="utf-8")
        ended = run(application, ["--chain", str(CHAIN), "--book", str(written), *map(str, arguments)])
        said = capsys.readouterr()
        assert ended == code, said.err
        return said

    return ask


@pytest.mark.requirement("D32")
def test_every_rule_set_answers_with_its_pairing(ask):
    answer = json.loads(ask("--json").out)

    usd = {row["rule"]: row["usd"] for row in answer["rules"]}
    assert usd["max_payout"] == usd["cboe_universal"] == 32_000.0
    assert usd["ib"] == usd["cboe"] == 42_000.0
    assert 0 < usd["portfolio"] < usd["max_payout"]
    assert usd["max_loss"] < 32_000.0
    broker = next(row for row in answer["rules"] if row["rule"] == "ib")
    assert [group["strategy"] for group in broker["groups"]] == ["spread", "spread"]
    assert sum(group["usd"] for group in broker["groups"]) == 42_000.0
    assert broker["unused"] == {"SPXW 2023-03-24 P 3000 PM": 1}


def test_the_tables_name_the_legs_of_each_strategy(ask):
    said = ask("--rules", "ib").out

    assert "42,000.00" in said
    assert "-2 SPXW 2023-03-24 C 4400 PM, +2 SPXW 2023-03-24 C 4560 PM" in said


def test_a_book_without_its_wing_is_unbounded_at_expiry_and_still_margined(ask):
    book = "quantity,instrument,sleeve,venue\n-1,SPXW 2023-03-24 C 4400,,\n"

    answer = {row["rule"]: row for row in json.loads(ask("--json", book=book).out)["rules"]}

    assert (answer["max_payout"]["status"], answer["max_payout"]["usd"]) == ("unbounded", None)
    assert answer["cboe"]["usd"] > 0.10 * 4164 * 100
    assert "unbounded" in ask(book=book).out


def test_a_future_is_held_against_the_rate_the_operator_gives(ask):
    book = BOOK + "-3,VX 2023-03-22,,\n"

    answer = json.loads(ask("--json", "--initial", "VX 2023-01-01 9000", book=book).out)
    refused = ask(book=book, code=30)

    assert [(row["future"], row["usd"]) for row in answer["futures"]] == [("VX 2023-03-22", 27_000.0)]
    assert "no initial margin for VX 2023-03-22" in refused.err


def test_the_page_stands_alone(ask, tmp_path):
    page = tmp_path / "margin.html"

    ask("--html", page)

    text = page.read_text(encoding="utf-8")
    HTMLParser().feed(text)
    assert "42,000.00" in text
    assert "<svg" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rules", "greedy"), "no such rule set"),
        (("--initial", "VX tomorrow 9000"), "VX 2026-02-01 11500"),
        (("-C", "desk"), "exclude each other"),
    ],
)
def test_wrong_options_are_one_line_with_what_to_do(ask, arguments, words):
    said = ask(*arguments, code=2)

    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_book_of_cash_has_nothing_to_margin(ask):
    said = ask(book="quantity,instrument,sleeve,venue\n1000,USD,,\n", code=2)

    assert "nothing to margin" in said.err
