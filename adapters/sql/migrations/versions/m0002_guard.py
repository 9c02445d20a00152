"""Nothing is updated or deleted, whoever asks; and sums by account are read from an index."""

from alembic import op

from adapters.sql.migrations.guard import drop_refusal, guard, make_refusal, unguard

revision = "0002"
down_revision = "0001"

_TABLES = (
    "records",
    "instruments",
    "entries",
    "legs",
    "intents",
    "fills",
    "plans",
    "approvals",
    "plan_states",
    "notes",
)


def upgrade() -> None:
    make_refusal()
    guard(*_TABLES)
    op.create_index("ix_legs_account", "legs", ["account", "instrument"])


def downgrade() -> None:
    op.drop_index("ix_legs_account", "legs")
    unguard(*_TABLES)
    drop_refusal()
