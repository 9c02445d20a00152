"""The database connection: durable, one writer at a time, and every failure in our own words."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from sqlalchemy import URL, ColumnElement, Connection, Engine, Table, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from adapters.sql.postgres import Postgres
from adapters.sql.schema import HEAD
from adapters.sql.sqlite import Sqlite
from engine.errors import ConfigError, EngineError, SchemaMismatch, StorageError


class Database(Protocol):
    """What differs from one kind of database to the next."""

    def engine(self, url: URL, *, wait: float, migrating: bool) -> Engine:
        """Connections that are durable when they commit; `wait` is how many seconds one waits for a lock."""

    def require_found(self, url: URL) -> None:
        """Raises `SchemaMismatch` if there is no database to open."""

    def prepare(self, url: URL) -> None:
        """Makes what must be there before a database can be made."""

    def reader(self, plain: Connection) -> Connection:
        """A connection whose transaction is one consistent view."""

    def writer(self, plain: Connection) -> Connection:
        """A connection whose transaction sees the last commit once it holds the write lock."""

    def hold(self, connection: Connection, *, wait: float) -> None:
        """Take the write lock, for as long as the transaction lasts."""

    def insert(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows as they are to stand in the file, in the order of the table's columns, on the fastest path."""

    def among(self, searched: ColumnElement[str], wanted: Sequence[str]) -> ColumnElement[bool]:
        """Whether a column is one of any number of texts."""

    def damage(self, connection: Connection) -> str:
        """What is wrong with the file beside its tables' content, empty where nothing is; reads all of it."""

    def error(self, failure: BaseException) -> StorageError | None:
        """Our word for a failure of its driver; None if it is another's."""


_KINDS: dict[str, Database] = {"sqlite": Sqlite(), "postgresql": Postgres()}


def database_url(path: Path) -> str:
    """The URL of a database file; the path may contain anything a path may."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def parsed(url: str) -> URL:
    """
    The URL in its parts, which print without the password. Raises `ConfigError` that does not repeat it.

    >>> parsed("postgresql://desk:secret@db.example/ledger")
    postgresql+psycopg://desk:***@db.example/ledger
    """
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "database URL cannot be read",
            why="it is not SCHEME://USER:PASSWORD@HOST:PORT/NAME",
            todo="write special characters of the password as %XX",
        ) from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConfigError(
            f"database {found.drivername!r} unknown",
            why="it is none we keep a journal in",
            todo="use sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME",
        )
    return found


def database_of(connection: Connection) -> Database:
    """The kind of database at the other end."""
    return _KINDS[connection.dialect.name]


def open_engine(url: str, *, wait: float = 5.0, migrating: bool = False) -> Engine:
    """Connections to a database, made when they are first needed; `wait` is in seconds, then `Busy`."""
    found = parsed(url)
    return _KINDS[found.get_backend_name()].engine(found, wait=wait, migrating=migrating)


class Storage:
    """
    An open database at the schema this program is written for; a context manager that closes it.

    Raises `SchemaMismatch` if the database is ahead of or behind the program, `ConfigError` if its URL is none, and
    `StorageError` or a leaf of it if it cannot be opened.
    """

    def __init__(self, url: str, *, wait: float = 5.0) -> None:
        place = parsed(url)
        self._wait = wait
        self._database = _KINDS[place.get_backend_name()]
        self._database.require_found(place)
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
        with translated(), self._engine.connect() as plain:
            yield self._database.reader(plain)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start; durable when this returns."""
        with translated(), self._engine.connect() as plain:
            connection = self._database.writer(plain)
            with connection.begin():
                self._database.hold(connection, wait=self._wait)
                yield connection


@contextmanager
def changing_schema(url: str, *, wait: float) -> Iterator[Connection]:
    """One transaction that may change tables; it makes a database file that is not there."""
    place = parsed(url)
    database = _KINDS[place.get_backend_name()]
    with translated():
        database.prepare(place)
    engine = open_engine(url, wait=wait, migrating=True)
    try:
        with translated(), engine.connect() as plain:
            connection = database.writer(plain)
            with connection.begin():
                database.hold(connection, wait=wait)
                yield connection
    finally:
        engine.dispose()


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
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT max(version_num) FROM alembic_version")).scalar()


@contextmanager
def translated() -> Iterator[None]:
    """Raises our own errors for the database's, so that none of its types crosses the port."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as failure:
        raise _ours(failure) from failure
    except OSError as failure:
        raise StorageError(
            "database cannot be written", why=str(failure), todo="check the path and its permissions"
        ) from failure


def _ours(failure: Exception) -> StorageError:
    cause = failure.orig if isinstance(failure, DBAPIError) and failure.orig else failure
    for database in _KINDS.values():
        if told := database.error(cause):
            return told
    return StorageError(
        "database call failed",
        why=f"{type(failure).__name__}: {failure}",
        todo="report it with the command that was run",
    )
