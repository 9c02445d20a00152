"""The database connection: durable, one writer at a time, and every failure in our own words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from adapters.sql.schema import HEAD
from engine.errors import Busy, DiskFull, EngineError, SchemaMismatch, StorageError

_WRITES = "writes"


def database_url(path: Path) -> str:
    """The URL of a database file; the path may contain anything a path may."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def open_engine(url: str, *, wait: float = 5.0) -> Engine:
    """
    An engine whose connections are in WAL mode and synchronous FULL, with foreign keys on.

    Transactions begin when we say so: `BEGIN IMMEDIATE` for writers, so that none fails half-way for
    having read first (faults, "What matters most" 6), and `BEGIN` for readers. `wait` is how many
    seconds a connection waits for a lock before `Busy`.
    """
    engine = create_engine(url, connect_args={"timeout": wait})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class Storage:
    """
    An open database at the schema this program is written for; a context manager that closes it.

    Raises `SchemaMismatch` if the database is ahead of or behind the program, and `StorageError` or a
    leaf of it if it cannot be opened.
    """

    def __init__(self, url: str, *, wait: float = 5.0) -> None:
        file = make_url(url).database
        if file and not Path(file).exists():
            raise SchemaMismatch(f"no database at {file}", why="it was never made", todo="run `hedge ledger migrate`")
        self._engine = open_engine(url, wait=wait)
        try:
            with self.reading() as connection:
                require_schema(connection)
        except EngineError:
            self.close()
            raise

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the database."""
        with translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start; durable when this returns."""
        with translated(), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection


def require_schema(connection: Connection) -> None:
    """Raises `SchemaMismatch` unless the database is at this program's migration."""
    found = schema_of(connection)
    if found != HEAD:
        behind = found is None or found < HEAD
        raise SchemaMismatch(
            f"database is at schema {found or 'none'}",
            why=f"this program needs {HEAD}",
            todo="run `hedge ledger migrate`" if behind else "install the newer program that wrote it",
        )


def schema_of(connection: Connection) -> str | None:
    """The migration a database is at; None if it has none."""
    known = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")).scalar()
    if known is None:
        return None
    return connection.execute(text("SELECT max(version_num) FROM alembic_version")).scalar()


@contextmanager
def translated() -> Iterator[None]:
    """Raises our own errors for the database's, so that none of its types crosses the port."""
    try:
        yield
    except SQLAlchemyError as failure:
        raise _ours(failure) from failure
    except sqlite3.Error as failure:
        raise _named(failure) from failure
    except OSError as failure:
        raise StorageError(
            "database cannot be written", why=str(failure), todo="check the path and its permissions"
        ) from failure


def _ours(failure: SQLAlchemyError) -> StorageError:
    if isinstance(failure, DBAPIError) and isinstance(failure.orig, sqlite3.Error):
        return _named(failure.orig)
    return StorageError(
        "database call failed",
        why=f"{type(failure).__name__}: {failure}",
        todo="report it with the command that was run",
    )


def _named(failure: sqlite3.Error) -> StorageError:
    code: Any = getattr(failure, "sqlite_errorcode", None) or 0
    primary, why = code & 0xFF, str(failure)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy("database is locked", why=why, todo="wait for the other process, then run it again")
    if primary == sqlite3.SQLITE_FULL or code in (
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    ):
        return DiskFull("nothing was recorded", why=why, todo="make room, then run `hedge resume`")
    if primary == sqlite3.SQLITE_ERROR and "no such" in why:
        return SchemaMismatch("database lacks what we read", why=why, todo="run `hedge ledger migrate`")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StorageError("database is damaged", why=why, todo="restore a backup, then run `hedge reconcile`")
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StorageError("database cannot be written", why=why, todo="check the path and its permissions")
    return StorageError("database refused", why=f"{type(failure).__name__}: {why}", todo="run `hedge ledger verify`")
