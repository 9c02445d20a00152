"""`hedge ledger export`: the books in files that other programs read."""

import csv
import json

import pytest

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import upgrade
from adapters.sql.storage import database_url
from engine.ledger import posting
from engine.money import usd
from scripts.hedge import app, run
from scripts.workspace import LEDGER, SETTINGS, STANDING
from tests.engine.ledger.events import START, cash

STOOD = {"safe": "0x1", "ramp": "0x2", "pinned": {}, "addresses": {}, "market": {"day": "2023-02-07"}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / SETTINGS).write_text("", encoding="utf-8")
    (tmp_path / STANDING).write_text(json.dumps(STOOD), encoding="utf-8")
    url = database_url(tmp_path / LEDGER)
    upgrade(url)
    with SqlJournal(url) as journal:
        journal.post([posting.capital(cash(usd(n)), key=f"c{n}", at=START) for n in (1, 2)])
    return tmp_path


def export(folder, format, out, *more):
    return run(app, ["ledger", "export", "--format", format, "--out", str(out), "-C", str(folder), *more])


def test_the_journal_is_exported_as_one_table(folder, capsys):
    assert export(folder, "csv", folder / "j.csv", "--json") == 0

    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "hedge.ledger-export/1"
    assert (said["entries"], said["format"], said["file"]) == (2, "csv", str(folder / "j.csv"))
    with (folder / "j.csv").open(newline="", encoding="utf-8") as file:
        assert [row["key"] for row in csv.DictReader(file)] == ["c1", "c1", "c2", "c2"]


def test_the_journal_is_exported_for_beancount(folder, capsys):
    loader = pytest.importorskip("beancount.loader")

    assert export(folder, "beancount", folder / "j.beancount") == 0

    assert "2 entries written" in capsys.readouterr().out
    _, errors, _ = loader.load_file(str(folder / "j.beancount"))
    assert errors == []


def test_a_format_nobody_writes_is_refused_in_one_line(folder, capsys):
    assert export(folder, "xlsx", folder / "j.xlsx") == 2

    said = capsys.readouterr()
    assert "use beancount, csv, parquet" in said.err
    assert said.out == ""
    assert not (folder / "j.xlsx").exists()


def test_a_journal_that_was_edited_is_not_exported(folder, capsys):
    text = (folder / LEDGER).read_bytes()
    (folder / LEDGER).write_bytes(text.replace(b"1.00 USD to condor", b"9.00 USD to condor"))

    assert export(folder, "csv", folder / "j.csv") != 0

    assert "journal was changed" in capsys.readouterr().err
    assert not (folder / "j.csv").exists()
