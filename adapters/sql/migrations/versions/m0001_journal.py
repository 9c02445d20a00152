"""Records, and what they say in columns."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.schema import SERIAL

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column("serial", SERIAL, primary_key=True, autoincrement=False),
        *_texts("kind", "key", "at", "body", "previous", "hash"),
        sa.UniqueConstraint("hash"),
    )
    _under_serial("instruments", "digest", "name", "terms", unique=("digest",))
    op.create_index("ix_instruments_name", "instruments", ["name"])
    _under_serial("entries", "key", "at", "memo", "status", "evidence", unique=("key",))
    op.create_table(
        "legs",
        sa.Column("serial", SERIAL, sa.ForeignKey("entries.serial"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("instrument", sa.String, sa.ForeignKey("instruments.digest"), nullable=False),
        sa.Column("units", sa.Text, nullable=False),
    )
    _under_serial("intents", "key", "payload", "at", unique=("key",))
    _under_serial("fills", "key", "order_id", "document", "at", unique=("key",))
    op.create_index("ix_fills_order_id", "fills", ["order_id"])
    _under_serial("plans", "digest", "document", "at", unique=("digest",))
    _under_plan("approvals", "owner", "document", "at", unique="owner")
    _under_plan("plan_states", "state", "at", unique="state")
    _under_serial("notes", "topic", "document", "at")
    op.create_index("ix_notes_topic", "notes", ["topic"])


def downgrade() -> None:
    for table in ("notes", "plan_states", "approvals", "plans", "fills", "intents", "legs", "entries"):
        op.drop_table(table)
    op.drop_table("instruments")
    op.drop_table("records")


def _texts(*names: str) -> list[sa.Column[str]]:
    exact = {"at": sa.Text()}
    return [sa.Column(name, exact.get(name, sa.String()), nullable=False) for name in names]


def _under_serial(table: str, *columns: str, unique: tuple[str, ...] = ()) -> None:
    op.create_table(
        table,
        sa.Column("serial", SERIAL, sa.ForeignKey("records.serial"), primary_key=True),
        *_texts(*columns),
        *([sa.UniqueConstraint(*unique)] if unique else []),
    )


def _under_plan(table: str, *columns: str, unique: str) -> None:
    op.create_table(
        table,
        sa.Column("serial", SERIAL, sa.ForeignKey("records.serial"), primary_key=True),
        sa.Column("digest", sa.String, sa.ForeignKey("plans.digest"), nullable=False),
        *_texts(*columns),
        sa.UniqueConstraint("digest", unique),
    )
