"""Legs that import and sum fast: their instrument by serial, their valuation day, one index; hashes need none."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from adapters.sql.migrations.guard import guard, unguard
from adapters.sql.schema import SERIAL
from engine.ledger.balances import valuation_day

revision = "0003"
down_revision = "0002"

_RECORDS = "serial, kind, key, at, body, previous, hash"
_AT_ONCE = 10_000


def upgrade() -> None:
    op.create_table(
        "days", sa.Column("serial", SERIAL, primary_key=True, autoincrement=False), sa.Column("day", sa.Text)
    )
    for rows in _days():
        op.get_bind().execute(sa.text("INSERT INTO days VALUES (:serial, :day)"), rows)
    op.create_table(
        "new_legs",
        sa.Column("serial", SERIAL, sa.ForeignKey("entries.serial"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("instrument", SERIAL, sa.ForeignKey("instruments.serial"), nullable=False),
        sa.Column("units", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    _replace_legs(
        "SELECT legs.serial, ordinal, day, account, instruments.serial, units FROM legs "
        "JOIN days ON days.serial = legs.serial JOIN instruments ON instruments.digest = legs.instrument"
    )
    op.drop_table("days")
    _unique_hash(wanted=False)


def downgrade() -> None:
    op.create_table(
        "new_legs",
        sa.Column("serial", SERIAL, sa.ForeignKey("entries.serial"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("instrument", sa.String, sa.ForeignKey("instruments.digest"), nullable=False),
        sa.Column("units", sa.Text, nullable=False),
    )
    _replace_legs(
        "SELECT legs.serial, ordinal, account, digest, units FROM legs "
        "JOIN instruments ON instruments.serial = legs.instrument"
    )
    op.create_index("ix_legs_account", "legs", ["account", "instrument"])
    _unique_hash(wanted=True)


def _days() -> Iterable[list[dict[str, object]]]:
    entries = op.get_bind().execute(sa.text("SELECT serial, at FROM entries ORDER BY serial"))
    for rows in entries.partitions(_AT_ONCE):
        yield [{"serial": serial, "day": valuation_day(datetime.fromisoformat(at)).isoformat()} for serial, at in rows]


def _replace_legs(rows: str) -> None:
    op.execute(f"INSERT INTO new_legs {rows}")
    unguard("legs")
    op.drop_table("legs")
    op.rename_table("new_legs", "legs")
    guard("legs")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX new_legs_pkey RENAME TO legs_pkey")


def _unique_hash(*, wanted: bool) -> None:
    """SQLite changes a constraint by writing the table again; `changing_schema` leaves foreign keys off for it."""
    if op.get_bind().dialect.name == "postgresql":
        if wanted:
            op.create_unique_constraint("records_hash_key", "records", ["hash"])
        else:
            op.drop_constraint("records_hash_key", "records")
        return
    op.create_table(
        "new_records",
        sa.Column("serial", SERIAL, primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.Text() if name == "at" else sa.String(), nullable=False)
            for name in _RECORDS.split(", ")[1:]
        ),
        *([sa.UniqueConstraint("hash")] if wanted else []),
    )
    op.execute(f"INSERT INTO new_records SELECT {_RECORDS} FROM records")  # noqa: S608
    unguard("records")
    op.drop_table("records")
    op.rename_table("new_records", "records")
    guard("records")
