"""The journal finds out when its file was edited behind its back."""

import sqlite3

import pytest

from adapters.sql.journal import SqlJournal
from adapters.sql.plans import PlanState
from adapters.sql.schema import APPEND_ONLY
from engine.errors import EngineError, LedgerError, StorageError
from engine.ledger import posting
from engine.money import usd
from tests.engine.ledger.events import PUT, START, cash, fill, held

DIGEST = "d" * 64


@pytest.fixture
def filled(journal):
    journal.intend("order:o-1", "payload", START)
    journal.record_fill("f1", "o-1", "{}", START, [posting.entry_for(fill("f1", held(PUT, 1), cash(usd(-5))))])
    journal.save_plan(DIGEST, "{}", START)
    journal.save_approval(DIGEST, "0xA", "{}", START)
    journal.advance(DIGEST, PlanState.APPROVED, START)
    journal.note("halt", "by me", START)
    journal.post([posting.capital(cash(usd(1)), key="last", at=START)])
    assert journal.verify() is None
    return journal


@pytest.mark.fault("F16")
@pytest.mark.parametrize(
    ("statement", "serial"),
    [
        ("UPDATE records SET kind = 'note' WHERE serial = 1", 1),
        ("UPDATE fills SET at = '2020-01-01T00:00:00.000000+00:00'", 2),
        ("UPDATE fills SET at = 'garbage'", 2),
        ("UPDATE records SET hash = 'x' WHERE serial = 3", 3),
        ("DELETE FROM records WHERE serial = 4", 4),
        ("DELETE FROM records WHERE serial = (SELECT max(serial) FROM records)", 11),
        ("UPDATE instruments SET name = 'other' WHERE serial = 4", 4),
        ("UPDATE instruments SET at = '2020-01-01T00:00:00.000000+00:00' WHERE serial = 4", 4),
        ("UPDATE intents SET payload = 'other'", 1),
        ("DELETE FROM intents", 1),
        ("UPDATE fills SET order_id = 'o-2'", 2),
        ("UPDATE instruments SET terms = replace(terms, '3800', '3900')", 4),
        ("UPDATE legs SET units = '2' WHERE units = '1'", 5),
        ("UPDATE legs SET account = 'assets:defi:safe' WHERE units = '1'", 5),
        ("UPDATE legs SET units = 'x' WHERE units = '1'", 5),
        ("UPDATE legs SET day = '2020-01-01' WHERE units = '1'", 5),
        ("UPDATE legs SET instrument = 3 WHERE units = '1'", 5),
        ("DELETE FROM legs WHERE serial = 5 AND ordinal = 0", 5),
        ("UPDATE entries SET memo = 'other' WHERE serial = 5", 5),
        ("UPDATE plans SET document = '[]'", 6),
        ("UPDATE approvals SET owner = '0xB'", 8),
        ("UPDATE plan_states SET state = 'applied' WHERE state = 'approved'", 9),
        ("UPDATE notes SET document = 'by you'", 10),
        ("UPDATE notes SET at = '2020-01-01T00:00:00.000000+00:00'", 10),
        ("INSERT INTO notes VALUES (999, 'halt', 'forged', '2020-01-01T00:00:00.000000+00:00')", 999),
        ("INSERT INTO legs SELECT 999, 0, day, account, instrument, units FROM legs LIMIT 1", 999),
    ],
)
def test_the_first_bad_link_is_named(filled, tamper, statement, serial):
    tamper(statement)

    bad = filled.verify()

    assert bad is not None
    assert bad.serial == serial
    with pytest.raises(LedgerError, match=f"record {serial} "):
        filled.require_intact()


def test_a_remembered_head_finds_records_cut_off_the_end(filled, tamper):
    anchor = filled.head()
    tamper(
        *(f"DELETE FROM {table} WHERE serial = {anchor[0]}" for table in ("legs", "entries", "records")),
    )

    assert filled.verify() is None
    assert filled.verify(anchor).serial == anchor[0]


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_no_program_updates_or_deletes_a_row(filled, table):
    for statement in (f"UPDATE {table} SET serial = 99", f"DELETE FROM {table}"):
        with pytest.raises(StorageError, match="append-only"), filled.writing() as connection:
            connection.exec_driver_sql(statement)
    assert filled.verify() is None


def test_changing_a_row_through_the_journal_is_impossible_even_in_its_first_record(filled, tamper):
    tamper("UPDATE intents SET payload = payload || ' '")

    assert filled.verify().serial == 1


@pytest.mark.fault("F16")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE legs SET units = 'x' WHERE units = '1'",
        "UPDATE legs SET units = '2' WHERE units = '1'",
        "UPDATE legs SET instrument = 99 WHERE units = '1'",
        "UPDATE entries SET evidence = '{' WHERE serial = 5",
        "UPDATE entries SET at = 'noon' WHERE serial = 5",
        "UPDATE instruments SET terms = '{}'",
    ],
)
def test_what_cannot_be_read_is_told_in_our_own_words(filled, tamper, statement):
    tamper(statement)

    with pytest.raises(LedgerError, match="cannot be read"):
        filled.entries()


@pytest.mark.fault("F16")
@pytest.mark.parametrize("read", ["balances", "daily"])
def test_a_sum_over_what_is_no_number_is_told_in_our_own_words(filled, tamper, read):
    tamper("UPDATE legs SET units = 'x' WHERE units = '1'")

    with pytest.raises(EngineError):
        getattr(filled, read)()


@pytest.mark.fault("F16")
def test_what_was_written_since_a_whole_record_is_read_alone(filled, tamper):
    anchor = filled.tip()
    filled.post([posting.capital(cash(usd(7)), key="later", at=START)])
    filled.require_intact_since(anchor)

    tamper("UPDATE entries SET memo = 'other' WHERE key = 'last'")
    filled.require_intact_since(anchor)
    tamper("UPDATE entries SET memo = 'other' WHERE key = 'later'")

    with pytest.raises(LedgerError, match=r"later.*do not trade"):
        filled.require_intact_since(anchor)


@pytest.mark.fault("F16")
def test_records_cut_off_behind_an_anchor_are_missed(filled):
    serial, _ = filled.tip()

    with pytest.raises(LedgerError, match="remembered elsewhere is not in this journal"):
        filled.require_intact_since((serial + 1, "f" * 64))


@pytest.mark.fault("F16")
@pytest.mark.parametrize("index", ["ix_legs_by_day", "sqlite_autoindex_entries_1"])
def test_an_index_that_differs_from_its_table_is_damage(file, sqlite_url, index):
    """Sums and keys are answered from indexes, so that a byte changed there changes books and identities."""
    with SqlJournal(sqlite_url) as journal:
        journal.post([posting.capital(cash(usd(1234567)), key="k-7654321", at=START)])
    with sqlite3.connect(file) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        (size,) = plain.execute("PRAGMA page_size").fetchone()
    plain.close()
    torn = bytearray(file.read_bytes())
    digit = torn.index(b"123456700" if index == "ix_legs_by_day" else b"k-7654321", (page - 1) * size, page * size)
    torn[digit + 2] = ord("9")
    file.write_bytes(torn)

    with SqlJournal(sqlite_url) as journal:
        bad = journal.verify()
        assert bad is not None
        assert (bad.serial, bad.key) == (0, "database")
        with pytest.raises(LedgerError, match="do not trade"):
            journal.require_intact()
