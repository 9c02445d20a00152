import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.ledger.balances import book, imbalance
from scripts.desk import open_journal
from tests.journeys.conftest import SHARED, hedge

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]
KEYS = {"plan_digest", "irr", "wacc", "nav_usd", "sleeve_share", "report"}


def test_the_demo_says_what_a_reader_looks_for_first(demo):
    document, _ = demo

    assert set(document) >= KEYS
    assert re.fullmatch("[0-9a-f]{64}", document["plan_digest"])
    assert 0 < document["sleeve_share"] < 0.20
    assert document["irr_annualised"]
    assert document["irr_days"] >= 30
    assert document["modelled"]


def test_the_same_inputs_give_the_same_plan(demo, tmp_path):
    again = json.loads(hedge("demo", "--json", "--out", tmp_path, check=0).stdout)

    assert {key: again[key] for key in KEYS - {"report"}} == {key: demo[0][key] for key in KEYS - {"report"}}


def test_the_settled_journal_is_whole_balanced_and_flat_in_options(demo):
    _, out = demo
    journal = open_journal(out / "ledger.sqlite")
    journal.require_intact()
    entries = journal.entries()
    journal.close()

    assert imbalance(entries) == {}
    assert not [p for p in book(entries) if p.instrument.kind == "option"]
    assert any(entry.key.startswith("accrual:") for entry in entries)


def test_the_report_is_one_self_contained_document(demo):
    document, _ = demo
    text = Path(document["report"]).read_text(encoding="utf-8")

    class Looker(HTMLParser):
        def __init__(self):
            super().__init__()
            self.tags = []

        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)
            for name, value in attrs:
                assert name not in ("src", "srcset"), f"{tag} loads {value}"
                assert not (name in ("href", "xlink:href") and not value.startswith("#")), value

    looker = Looker()
    looker.feed(text)
    assert looker.tags.count("html") == 1
    assert looker.tags.count("svg") >= 2
    assert "modelled" in text.lower()


def test_the_real_chain_of_a_day_with_vix_near_eighteen_runs_to_the_open_book(tmp_path):
    chain = SHARED / "chains" / "spx-2023-02-07.csv"
    if not chain.exists():
        pytest.skip("recorded market data is not beside this checkout")

    document = json.loads(hedge("demo", "--json", "--chain", chain, "--out", tmp_path, check=0).stdout)

    assert set(document) >= KEYS
    assert not document["irr_annualised"]
