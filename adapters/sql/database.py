"""Opening the database: durable writes, one writer at a time, and the schema this program expects."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from engine.errors import Busy, DiskFull, SchemaMismatch, StorageError

HEAD = "0001"
"""The migration this program was written for."""

_WAIT_SECONDS = 10.0
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str, *, wait_seconds: float = _WAIT_SECONDS) -> Engine:
    """
    An engine on an up-to-date schema; an empty database is made ready.

    SQLite runs in WAL mode with full synchronisation; every writer begins immediately, so that a read
    followed by a write never fails half way. Raises `SchemaMismatch`, `Busy` or `StorageError`.
    """
    engine = create_engine(url, connect_args={"timeout": wait_seconds} if url.startswith("sqlite") else {})
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", _immediate)
    with writing(engine) as connection:
        found = _revision(connection)
        if found is None:
            migrate(connection, "head")
        elif found != HEAD:
            raise SchemaMismatch(
                f"database is at schema {found}",
                why=f"this program needs schema {HEAD}",
                todo="use the program version that wrote it, or restore a backup",
            )
    return engine


def migrate(connection: Connection, revision: str) -> None:
    """Bring the schema up or down to `revision` on this connection."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    (command.downgrade if revision == "base" else command.upgrade)(config, revision)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is durable when it ends; the driver's errors leave as ours."""
    with translated(), engine.begin() as connection:
        yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into `Busy`, `DiskFull` or `StorageError`."""
    try:
        yield
    except SQLAlchemyError as failed:
        said = str(failed.orig if isinstance(failed, DBAPIError) else failed)
        if "locked" in said or "busy" in said:
            raise Busy(
                "database is busy", why="another process is writing", todo="wait for it to end, then run again"
            ) from failed
        if "full" in said or "disk I/O" in said:
            raise DiskFull("journal not written", why=said, todo="free disk space; nothing was recorded") from failed
        raise StorageError(
            "database refused", why=said, todo="see that the file can be written and is whole"
        ) from failed


def _revision(connection: Connection) -> str | None:
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found is not None else None


def _durable(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
