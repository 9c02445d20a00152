"""Triggers that refuse to update or delete, in the words of either database."""

from alembic import op

_REFUSAL = "the journal is append-only"


def guard(*tables: str) -> None:
    """Nothing in these tables is updated or deleted, whoever asks."""
    for table in tables:
        if _postgres():
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
            continue
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )


def unguard(*tables: str) -> None:
    """Takes the triggers of `guard` away."""
    for table in tables:
        if _postgres():
            op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
            continue
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{verb}")


def make_refusal() -> None:
    """The function that PostgreSQL's triggers call; SQLite's need none."""
    if _postgres():
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
        )


def drop_refusal() -> None:
    """Takes the function of `make_refusal` away."""
    if _postgres():
        op.execute("DROP FUNCTION refuse_change()")


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
