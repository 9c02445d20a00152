"""PostgreSQL: several operators, one chain; writers take turns on one lock."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, URL, ColumnElement, Connection, Engine, Table, Text, any_, bindparam, create_engine, text

from engine.errors import Busy, ConfigError, DiskFull, SchemaMismatch, StorageError

_CONNECT_SECONDS = 10
_TURN = text("SELECT pg_advisory_xact_lock(hashtext('journal'), hashtext(current_schema()))")
_SETTINGS = text(
    "SELECT set_config('lock_timeout', :wait, true), set_config('synchronous_commit', "
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, "
    "true)"
)


class Postgres:
    """
    Connections through psycopg 3; a writer holds an advisory lock of the journal's schema from its start.

    The head of the chain is read after the lock is held, in READ COMMITTED, so that it is the last one there is.
    Commits wait for the disk even where the server's default would not. Readers see one REPEATABLE READ snapshot.
    """

    def engine(self, url: URL, *, wait: float, migrating: bool) -> Engine:  # noqa: ARG002
        try:
            return create_engine(
                url.update_query_dict({"connect_timeout": str(_CONNECT_SECONDS), **url.query}), pool_pre_ping=True
            )
        except ModuleNotFoundError as missing:
            raise ConfigError(
                "PostgreSQL cannot be reached",
                why=f"{missing.name} is not installed",
                todo="install the extra `postgres`",
            ) from None

    def require_found(self, url: URL) -> None:
        """Nothing: the server says so itself."""

    def prepare(self, url: URL) -> None:
        """Nothing: a database is made by its administrator."""

    def reader(self, plain: Connection) -> Connection:
        return plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def writer(self, plain: Connection) -> Connection:
        return plain.execution_options(isolation_level="READ COMMITTED")

    def hold(self, connection: Connection, *, wait: float) -> None:
        connection.execute(_SETTINGS, {"wait": f"{max(1, round(wait * 1000))}ms"})
        connection.execute(_TURN)

    def insert(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        import psycopg

        names = ", ".join(f'"{column.name}"' for column in table.c)
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as failure:
            raise _named(failure) from failure

    def among(self, searched: ColumnElement[str], wanted: Sequence[str]) -> ColumnElement[bool]:
        return searched == any_(bindparam(None, list(wanted), type_=ARRAY(Text)))

    def damage(self, connection: Connection) -> str:  # noqa: ARG002
        """Nothing: the server keeps checksums of its own pages."""
        return ""

    def error(self, failure: BaseException) -> StorageError | None:
        return _named(failure) if hasattr(failure, "sqlstate") else None


def _named(failure: BaseException) -> StorageError:
    why = " ".join(str(failure).split())
    state: str = getattr(failure, "sqlstate", None) or _state_told(why)
    if state in ("55P03", "40P01", "40001", "57014", "53300"):
        return Busy("database is locked", why=why, todo="wait for the other operator, then run it again")
    if state == "53100":
        return DiskFull(
            "nothing was recorded", why=why, todo="make room on the server, then run the same command again"
        )
    if state in ("42P01", "42703", "3F000"):
        return SchemaMismatch("database lacks what we read", why=why, todo="run `hedge ledger migrate`")
    if state == "3D000":
        return SchemaMismatch("no such database", why=why, todo="create it, then run `hedge ledger migrate`")
    if state.startswith("XX"):
        return StorageError("database is damaged", why=why, todo="restore a backup, then run `hedge reconcile`")
    if state.startswith("28"):
        return StorageError("database refuses the log-in", why=why, todo="check user and password in its URL")
    if state in ("25006", "42501"):
        return StorageError("database cannot be written", why=why, todo="ask its owner for the right to write")
    if not state or state.startswith(("08", "57")):
        return StorageError(
            "database cannot be reached",
            why=why or "the connection is lost",
            todo="check its URL and the server, then run it again: what was recorded is not recorded twice",
        )
    return StorageError("database refused", why=f"{type(failure).__name__}: {why}", todo="run `hedge ledger verify`")


def _state_told(why: str) -> str:
    """The state of a connection that was refused, which comes as words alone."""
    if "authentication failed" in why or "no password" in why or ("role" in why and "does not exist" in why):
        return "28000"
    return "3D000" if "database" in why and "does not exist" in why else ""
