"""`hedge ledger export`: the books in files that other programs read."""

import csv
import json
import sqlite3
from pathlib import Path

import pytest

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import upgrade
from adapters.sql.storage import database_url
from engine.errors import InputError, LedgerError
from engine.ledger import posting
from engine.money import usd
from scripts.anchored import ANCHOR, require_whole
from scripts.hedge import app, run
from scripts.output import write_page
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


@pytest.mark.fault("F16")
def test_neither_the_journal_nor_a_device_is_ever_written_over(folder, capsys):
    kept = (folder / LEDGER).read_bytes()
    (folder / "a folder").mkdir()

    assert export(folder, "csv", folder / LEDGER) == 2
    assert "it is a database" in capsys.readouterr().err
    assert export(folder, "csv", folder / "a folder") == 2
    assert export(folder, "csv", "/dev/null") == 2
    assert (folder / LEDGER).read_bytes() == kept
    assert Path("/dev/null").is_char_device()


def test_a_page_is_not_written_over_a_database(folder):
    with pytest.raises(InputError, match="it is a database"):
        write_page(folder / LEDGER, "<html>")
    write_page(folder / "page.html", "<html>")

    assert sorted(path.name for path in folder.iterdir() if "page" in path.name) == ["page.html"]


def test_the_books_a_demo_leaves_are_verified_shown_and_exported_without_settings(folder, capsys):
    (folder / SETTINGS).unlink()

    assert run(app, ["ledger", "verify", "-C", str(folder)]) == 0
    assert "2 entries, every link holds" in capsys.readouterr().out
    assert run(app, ["ledger", "show", "-C", str(folder)]) == 0
    assert run(app, ["ledger", "migrate", "-C", str(folder)]) == 0
    assert export(folder, "csv", folder / "j.csv") == 0


def test_a_schema_that_no_program_knows_is_named(folder, capsys):
    with sqlite3.connect(folder / LEDGER) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '0000abc'")
    plain.close()

    assert run(app, ["ledger", "migrate", "-C", str(folder)]) == 74
    assert "database is at schema 0000abc" in capsys.readouterr().err


@pytest.mark.fault("F16")
def test_a_desk_opens_only_on_books_that_are_what_was_written(folder):
    url = database_url(folder / LEDGER)
    with SqlJournal(url) as journal:
        require_whole(folder, journal)
        journal.post([posting.capital(cash(usd(3)), key="c3", at=START)])
        require_whole(folder, journal)
        anchor = (folder / ANCHOR).read_text(encoding="utf-8")
        assert anchor.split()[0] == str(journal.tip()[0])
    text = (folder / LEDGER).read_bytes()
    (folder / LEDGER).write_bytes(text.replace(b"1.00 USD to condor", b"9.00 USD to condor"))

    with SqlJournal(url) as journal, pytest.raises(LedgerError, match="journal was changed"):
        require_whole(folder, journal, all_of_it=True)
    (folder / ANCHOR).write_text("99 " + "f" * 64, encoding="utf-8")
    with SqlJournal(url) as journal, pytest.raises(LedgerError, match=r"remembered elsewhere.*remove `ledger.anchor`"):
        require_whole(folder, journal)
