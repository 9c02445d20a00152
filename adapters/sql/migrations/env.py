"""Runs the migrations on the connection that the program hands over."""

from alembic import context
from sqlmodel import SQLModel

from adapters.sql import tables

assert tables.EntryRow.metadata is SQLModel.metadata
context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
