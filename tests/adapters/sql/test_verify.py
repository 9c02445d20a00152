"""The journal finds out when its file was edited behind its back."""

import pytest

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
