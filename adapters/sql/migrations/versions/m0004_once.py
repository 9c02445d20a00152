"""What a record says stands once, in the table of its kind; the hash chain over it stays what it was."""

from collections.abc import Iterator
from itertools import islice

import sqlalchemy as sa
from alembic import op

from adapters.sql.chain import GENESIS
from adapters.sql.migrations.guard import guard, unguard
from adapters.sql.verify import contents

revision = "0004"
down_revision = "0003"

_SAID = ("key", "at", "body", "previous")
_AT_ONCE = 10_000


def upgrade() -> None:
    _add("instruments", "at")
    op.execute("UPDATE instruments SET at = (SELECT at FROM records WHERE records.serial = instruments.serial)")
    _close("instruments", "at")
    unguard("records")
    with op.batch_alter_table("records") as records:
        for name in _SAID:
            records.drop_column(name)
    guard("records")


def downgrade() -> None:
    _add("records", *_SAID)
    for rows in _texts():
        op.get_bind().execute(
            sa.text(
                "UPDATE records SET key = :key, at = :at, body = :body, previous = :previous WHERE serial = :serial"
            ),
            rows,
        )
    _close("records", *_SAID)
    unguard("instruments")
    with op.batch_alter_table("instruments") as instruments:
        instruments.drop_column("at")
    guard("instruments")


def _add(table: str, *columns: str) -> None:
    unguard(table)
    with op.batch_alter_table(table) as changed:
        for name in columns:
            changed.add_column(sa.Column(name, sa.Text if name == "at" else sa.String))


def _close(table: str, *columns: str) -> None:
    with op.batch_alter_table(table) as changed:
        for name in columns:
            changed.alter_column(name, nullable=False)
    guard(table)


def _texts() -> Iterator[list[dict[str, object]]]:
    """Every record's columns of before, from its content and the hash of the record before it."""
    hashes = op.get_bind().execute(sa.text("SELECT hash FROM records ORDER BY serial")).scalars().all()
    rows = (
        {"serial": each.serial, "key": each.key, "at": each.at, "body": each.body, "previous": previous}
        for each, previous in zip(contents(op.get_bind()), [GENESIS, *hashes], strict=False)
    )
    while some := list(islice(rows, _AT_ONCE)):
        yield some
