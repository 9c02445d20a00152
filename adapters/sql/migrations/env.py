"""Run by alembic; the connection is handed in by `adapters.sql.migrate`, never opened here."""

from alembic import context

from adapters.sql.schema import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
