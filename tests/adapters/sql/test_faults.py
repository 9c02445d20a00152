"""What the operator is told when the database cannot be written or read."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import config, downgrade, upgrade
from adapters.sql.schema import HEAD, Row
from adapters.sql.storage import database_url, open_engine
from engine.errors import Busy, DiskFull, SchemaMismatch, StorageError
from engine.ledger import posting
from engine.money import usd
from tests.engine.ledger.events import START, cash


def opening(key="c1"):
    return posting.capital(cash(usd(1)), key=key, at=START)


@pytest.mark.fault("F13")
def test_a_lock_that_is_held_too_long_is_busy_and_nothing_is_written(journal, file):
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    started = time.monotonic()
    with pytest.raises(Busy, match="database is locked"):
        journal.intend("k", "p", START)

    assert time.monotonic() - started >= 0.15
    holder.execute("ROLLBACK")
    holder.close()
    assert journal.intent("k") is None
    assert journal.intend("k", "p", START) is True


@pytest.mark.fault("F13")
def test_readers_are_not_held_up_by_a_writer(journal, file):
    journal.post([opening()])
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    assert journal.entries() == [opening()]
    assert journal.verify() is None
    holder.close()


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


def test_every_connection_is_wal_and_fully_synchronous(journal):
    with journal.reading() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert found == ["wal", 2, 1]


@pytest.mark.fault("F14")
def test_a_full_disk_leaves_what_was_durable_and_says_so(url):
    """RLIMIT_FSIZE gives SQLITE_IOERR_WRITE; run in a process of its own, since it binds all of it."""
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path.cwd())!r})
from datetime import UTC, datetime
from adapters.sql.journal import SqlJournal
from engine.errors import DiskFull
at = datetime(2026, 1, 2, tzinfo=UTC)
with SqlJournal({url!r}) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    done = 0
    try:
        while done < 10_000:
            journal.intend(f"k{{done}}", "p" * 1000, at)
            done += 1
    except DiskFull as full:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        kept = len(journal.intents())
        again = journal.intend(f"k{{done}}", "p" * 1000, at)
        print(done, kept, again, journal.verify(), full)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    done, kept, again, verified, message = ran.stdout.strip().split(" ", 4)
    assert int(done) == int(kept) > 0
    assert (again, verified) == ("True", "None")
    assert "make room, then run `hedge resume`" in message


@pytest.mark.fault("F18")
@pytest.mark.parametrize(("stamped", "todo"), [("0001", "hedge ledger migrate"), ("9999", "newer program")])
def test_a_database_ahead_or_behind_is_refused_with_what_to_do(url, file, stamped, todo):
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (stamped,))
    connection.close()

    with pytest.raises(SchemaMismatch, match=todo):
        SqlJournal(url)


@pytest.mark.fault("F18")
def test_a_newer_database_is_not_migrated_back(url, file):
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(SchemaMismatch, match="newer program"):
        upgrade(url)


@pytest.mark.fault("F18")
def test_up_down_up_keeps_every_row(url):
    with SqlJournal(url) as journal:
        journal.post([opening("c1"), opening("c2")])
        head = journal.head()

    assert downgrade(url, to="0001") == "0001"
    with pytest.raises(SchemaMismatch, match="database is at schema 0001"):
        SqlJournal(url)
    assert upgrade(url) == HEAD

    with SqlJournal(url) as journal:
        assert journal.entries() == [opening("c1"), opening("c2")]
        assert journal.head() == head
        assert journal.verify() is None


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


def test_a_database_that_was_never_made_is_not_made_by_looking(tmp_path):
    missing = tmp_path / "none.db"

    with pytest.raises(SchemaMismatch, match="never made"):
        SqlJournal(database_url(missing))
    assert not missing.exists()


@pytest.mark.fault("F16")
def test_a_file_that_is_no_database_is_called_damaged(tmp_path):
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"not a database, but long enough to be looked at" * 100)

    with pytest.raises(StorageError, match="database is damaged"):
        SqlJournal(database_url(broken))


@pytest.mark.fault("F15")
@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_told_before_anything_is_sent(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)

    with pytest.raises(StorageError, match="cannot be written"):
        upgrade(database_url(folder / "j.db"))


@pytest.mark.fault("F15")
def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StorageError, match="cannot be written"):
        upgrade(database_url(tmp_path / "file" / "j.db"))


def test_no_exception_of_the_library_crosses_the_port(journal):
    with pytest.raises(SchemaMismatch), journal.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM absent")
    with pytest.raises(StorageError) as told, journal.writing() as connection:
        connection.exec_driver_sql("INSERT INTO legs VALUES (999, 0, 'a', 'b', '1')")
    assert not isinstance(told.value, SQLAlchemyError)
    assert not isinstance(told.value, DiskFull)
