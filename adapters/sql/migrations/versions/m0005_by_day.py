"""Legs in the order of their days: a sum over any span reads that span alone, and sorts nothing."""

from alembic import op

revision = "0005"
down_revision = "0004"

_NAME = "ix_legs_by_day"


def upgrade() -> None:
    op.create_index(_NAME, "legs", ["day", "account", "instrument", "units"])


def downgrade() -> None:
    op.drop_index(_NAME, "legs")
