"""What the operator is told when the database cannot be written or read."""

import threading
import time

import pytest
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import config, downgrade, upgrade
from adapters.sql.schema import HEAD, Row
from adapters.sql.storage import open_engine
from adapters.sql.totals import count_in
from engine.errors import Busy, DiskFull, SchemaMismatch, StorageError
from engine.ledger import posting
from engine.money import usd
from tests.engine.ledger.events import PUT, START, cash, fill, held


def opening(key="c1"):
    return posting.capital(cash(usd(1)), key=key, at=START)


@pytest.mark.fault("F13")
def test_a_lock_that_is_held_too_long_is_busy_and_nothing_is_written(journal, url):
    with SqlJournal(url) as other, other.writing():
        started = time.monotonic()
        with pytest.raises(Busy, match="database is locked"):
            journal.intend("k", "p", START)

        assert 0.15 <= time.monotonic() - started < 5
    assert journal.intent("k") is None
    assert journal.intend("k", "p", START) is True


@pytest.mark.fault("F13")
def test_readers_are_not_held_up_by_a_writer(journal, url):
    journal.post([opening()])

    with SqlJournal(url) as other, other.writing():
        assert journal.entries() == [opening()]
        assert journal.verify() is None


@pytest.mark.fault("F13")
def test_a_reader_sees_one_state_of_the_books_however_long_it_looks(journal, url):
    with SqlJournal(url) as other, journal.reading() as connection:
        before = count_in(connection)
        other.post([opening()])

        assert count_in(connection) == before == 0
    assert journal.count() == 1


@pytest.mark.fault("F13")
def test_writers_that_meet_take_turns_and_keep_one_chain(url):
    def write(name):
        with SqlJournal(url, wait=20) as mine:
            for number in range(25):
                mine.intend(f"{name}-{number}", "p", START)
                mine.post([opening(f"{name}-{number}")])

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with SqlJournal(url) as journal:
        assert len(journal.entries()) == len(journal.intents()) == 75
        assert journal.verify() is None


@pytest.mark.fault("F18")
@pytest.mark.parametrize(("stamped", "todo"), [("0001", "hedge ledger migrate"), ("9999", "newer program")])
def test_a_database_ahead_or_behind_is_refused_with_what_to_do(url, tamper, stamped, todo):
    tamper(f"UPDATE alembic_version SET version_num = '{stamped}'")

    with pytest.raises(SchemaMismatch, match=todo):
        SqlJournal(url)


@pytest.mark.fault("F18")
def test_a_newer_database_is_not_migrated_back(url, tamper):
    tamper("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaMismatch, match="newer program"):
        upgrade(url)


@pytest.mark.fault("F18")
@pytest.mark.parametrize("down", ["0003", "0002", "0001"])
def test_up_down_up_keeps_every_row(url, down):
    option = posting.entry_for(fill("f", held(PUT, 1), cash(usd(-5))))
    with SqlJournal(url) as journal:
        journal.post([opening("c1"), option, opening("c2")])
        head, balances = journal.head(), journal.balances()

    assert downgrade(url, to=down) == down
    with pytest.raises(SchemaMismatch, match=f"database is at schema {down}"):
        SqlJournal(url)
    assert upgrade(url) == HEAD

    with SqlJournal(url) as journal:
        assert journal.entries() == [opening("c1"), option, opening("c2")]
        assert (journal.head(), journal.balances()) == (head, balances)
        assert journal.verify() is None
        assert journal.post([opening("c3")]) == 1
        with pytest.raises(StorageError, match="append-only"), journal.writing() as connection:
            connection.exec_driver_sql("DELETE FROM legs")


def test_a_journal_taken_all_the_way_down_is_an_empty_database(url):
    downgrade(url, to="base")

    with pytest.raises(SchemaMismatch, match="schema none"):
        SqlJournal(url)
    assert upgrade(url) == HEAD


def test_the_program_is_written_for_the_last_migration():
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


def test_the_migrated_tables_are_the_declared_ones(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Row.metadata)
    engine.dispose()

    assert found == []


def test_no_exception_of_the_library_crosses_the_port(journal):
    with pytest.raises(SchemaMismatch), journal.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM absent")
    with pytest.raises(StorageError) as told, journal.writing() as connection:
        connection.exec_driver_sql("INSERT INTO legs VALUES (999, 0, '2026-01-01', 'a', 7, '1')")
    assert not isinstance(told.value, SQLAlchemyError)
    assert not isinstance(told.value, DiskFull)
