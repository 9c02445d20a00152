"""Journal, intents and plans."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the first release."""
    op.create_table(
        "entry",
        sa.Column("serial", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("memo", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    op.create_index("ix_entry_key", "entry", ["key"], unique=True)
    op.create_table(
        "instrument",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("terms", sa.String(), nullable=False),
    )
    op.create_table(
        "leg",
        sa.Column("serial", sa.Integer(), sa.ForeignKey("entry.serial"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("instrument", sa.String(), sa.ForeignKey("instrument.id"), nullable=False),
        sa.Column("units", sa.String(), nullable=False),
    )
    op.create_index("ix_leg_account", "leg", ["account"])
    op.create_index("ix_leg_instrument", "leg", ["instrument"])
    op.create_table(
        "intent",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
    )
    op.create_table(
        "plan",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables of the first release."""
    for table in ("plan", "intent", "leg", "instrument", "entry"):
        op.drop_table(table)
