"""Migrations of the journal's database, run in process by `adapters.sql.migrate`."""
