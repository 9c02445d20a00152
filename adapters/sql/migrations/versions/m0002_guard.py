"""Nothing is updated or deleted, whoever asks; and sums by account are read from an index."""

from alembic import op

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
    for table in _TABLES:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
    op.create_index("ix_legs_account", "legs", ["account", "instrument"])


def downgrade() -> None:
    op.drop_index("ix_legs_account", "legs")
    for table in _TABLES:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{verb}")
