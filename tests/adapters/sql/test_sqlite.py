"""What only a database in a file can suffer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import upgrade
from adapters.sql.schema import HEAD
from adapters.sql.storage import database_url
from engine.errors import LedgerError, SchemaMismatch, StorageError
from engine.ledger import posting
from engine.money import usd
from tests.engine.ledger.events import START, cash


def test_every_connection_is_wal_and_fully_synchronous(sqlite_url):
    with SqlJournal(sqlite_url) as journal, journal.reading() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert found == ["wal", 2, 1]


@pytest.mark.fault("F14")
def test_a_full_disk_leaves_what_was_durable_and_says_so(sqlite_url):
    """RLIMIT_FSIZE gives SQLITE_IOERR_WRITE; run in a process of its own, since it binds all of it."""
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path.cwd())!r})
from datetime import UTC, datetime
from adapters.sql.journal import SqlJournal
from engine.errors import DiskFull
at = datetime(2026, 1, 2, tzinfo=UTC)
with SqlJournal({sqlite_url!r}) as journal:
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
    assert "make room, then run the same command again" in message


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


@pytest.mark.fault("F16")
def test_a_torn_page_is_found_before_anybody_trades_on_it(file, sqlite_url):
    with SqlJournal(sqlite_url) as journal:
        journal.post(posting.capital(cash(usd(n)), key=f"c{n}", at=START) for n in range(1, 500))
    torn = bytearray(file.read_bytes())
    middle = len(torn) // 2 // 4096 * 4096
    torn[middle : middle + 2048] = os.urandom(2048)
    file.write_bytes(torn)

    with pytest.raises((LedgerError, StorageError)), SqlJournal(sqlite_url) as journal:
        journal.require_intact()


@pytest.mark.fault("F16")
def test_one_flipped_letter_names_the_record_it_is_in(file, sqlite_url):
    with SqlJournal(sqlite_url) as journal:
        journal.post([posting.capital(cash(usd(1)), key=key, at=START, memo=f"memo of {key}") for key in ("c1", "c2")])
    file.write_bytes(file.read_bytes().replace(b"memo of c2", b"memo of c9"))

    with pytest.raises(LedgerError, match=r"record 3 \(c2\)"), SqlJournal(sqlite_url) as journal:
        journal.require_intact()


def test_a_database_is_made_with_its_folder(tmp_path):
    url = database_url(tmp_path / "new" / "100% new" / "j.db")

    assert upgrade(url) == HEAD
    with SqlJournal(url) as journal:
        assert journal.entries() == []
