"""Bring a database to the schema this program is written for."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

from adapters.sql.schema import HEAD
from adapters.sql.storage import open_engine, schema_of, translated
from engine.errors import SchemaMismatch

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str, *, to: str = HEAD, wait: float = 5.0) -> str:
    """
    Runs every migration up to `to` in one transaction; returns the schema the database is at.

    Makes the database and its folder if there are none. Raises `SchemaMismatch` if the database was
    written by a newer program, else as `Storage`.
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
    with translated():
        if file := make_url(url).database:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = open_engine(url, wait=wait)
    try:
        with translated(), engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                found = schema_of(connection)
                if found is not None and found > HEAD:
                    raise SchemaMismatch(
                        f"database is at schema {found}",
                        why=f"this program knows no further than {HEAD}",
                        todo="install the newer program that wrote it",
                    )
                settings = config()
                settings.attributes["connection"] = connection
                (command.upgrade if upwards else command.downgrade)(settings, to)
                return schema_of(connection) or ""
    finally:
        engine.dispose()
