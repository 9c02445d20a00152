"""Bring a database to the schema this program is written for."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from adapters.sql.schema import HEAD
from adapters.sql.storage import changing_schema, schema_of
from engine.errors import SchemaMismatch

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str, *, to: str = HEAD, wait: float = 5.0) -> str:
    """
    Runs every migration up to `to` in one transaction; returns the schema the database is at.

    Makes a database file and its folder if there are none; on a server the database must be there. Raises
    `SchemaMismatch` if the database was written by a newer program, else as `Storage`.
    """
    return _migrate(url, to, wait=wait, upwards=True)


def downgrade(url: str, *, to: str, wait: float = 5.0) -> str:
    """Takes migrations back down to `to`; `base` is an empty database."""
    return _migrate(url, to, wait=wait, upwards=False)


def config() -> Config:
    """Alembic's settings, without a file; the connection is added by whoever runs it."""
    made = Config()
    made.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def _migrate(url: str, to: str, *, wait: float, upwards: bool) -> str:
    with changing_schema(url, wait=wait) as connection:
        found = schema_of(connection)
        if found is not None and found > HEAD:
            raise SchemaMismatch(
                f"database is at schema {found}",
                why=f"this program knows no further than {HEAD}",
                todo="install the newer program that wrote it",
            )
        settings = config()
        settings.attributes["connection"] = connection
        try:
            (command.upgrade if upwards else command.downgrade)(settings, to)
        except CommandError as unknown:
            raise SchemaMismatch(
                f"database is at schema {found}", why=str(unknown), todo="restore a backup; nothing was changed"
            ) from None
        return schema_of(connection) or ""
