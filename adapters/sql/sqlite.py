"""SQLite: one file, one writer at a time."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Engine, Table, column, create_engine, event, func, select

from engine.errors import Busy, DiskFull, SchemaMismatch, StorageError

_CACHE_KIB = {True: 65_536, False: 2_000}
"""Of writers, whose keys fall anywhere in an index, and of readers, who sort faster in what a processor holds."""

_WRITE_FAILED = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)


class Sqlite:
    """
    Connections in WAL mode and synchronous FULL, with foreign keys on unless the schema is being changed.

    Transactions begin when we say so: `BEGIN IMMEDIATE` for writers, so that none fails half-way for having read first
    (faults, "What matters most" 6), and `BEGIN` for readers.
    """

    def engine(self, url: URL, *, wait: float, migrating: bool) -> Engine:
        engine = create_engine(url, connect_args={"timeout": wait})
        pragmas = (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"foreign_keys={'OFF' if migrating else 'ON'}",
        )

        @event.listens_for(engine, "connect")
        def _configure(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get("writes", False)
            connection.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KIB[writes]}")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def require_found(self, url: URL) -> None:
        if url.database and not Path(url.database).exists():
            raise SchemaMismatch(
                f"no database at {url.database}", why="it was never made", todo="run `hedge ledger migrate`"
            )

    def prepare(self, url: URL) -> None:
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)

    def reader(self, plain: Connection) -> Connection:
        return plain

    def writer(self, plain: Connection) -> Connection:
        return plain.execution_options(writes=True)

    def hold(self, connection: Connection, *, wait: float) -> None:
        """Nothing: `BEGIN IMMEDIATE` holds the write lock."""

    def insert(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        names = ", ".join(column.name for column in table.c)
        marks = ", ".join("?" * len(table.c))
        driver: Any = connection.connection.driver_connection
        driver.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608

    def among(self, searched: ColumnElement[str], wanted: Sequence[str]) -> ColumnElement[bool]:
        given = func.json_each(json.dumps(wanted)).table_valued(column("value"))
        return searched.in_(select(given.c.value))

    def damage(self, connection: Connection) -> str:
        """The first fault `integrity_check` finds, an index that differs from its table among them."""
        said: str = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        return "" if said == "ok" else " ".join(said.split())

    def error(self, failure: BaseException) -> StorageError | None:
        if not isinstance(failure, sqlite3.Error):
            return None
        code: Any = getattr(failure, "sqlite_errorcode", None) or 0
        primary, why = code & 0xFF, str(failure)
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Busy("database is locked", why=why, todo="wait for the other process, then run it again")
        if primary == sqlite3.SQLITE_FULL or code in _WRITE_FAILED:
            return DiskFull("nothing was recorded", why=why, todo="make room, then run the same command again")
        if primary == sqlite3.SQLITE_ERROR and "no such" in why:
            return SchemaMismatch("database lacks what we read", why=why, todo="run `hedge ledger migrate`")
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StorageError("database is damaged", why=why, todo="restore a backup, then run `hedge reconcile`")
        if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return StorageError("database cannot be written", why=why, todo="check the path and its permissions")
        return StorageError(
            "database refused", why=f"{type(failure).__name__}: {why}", todo="run `hedge ledger verify`"
        )
