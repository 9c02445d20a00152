"""Every test that asks for `url` or `journal` runs on SQLite and on PostgreSQL."""

import shutil
import sqlite3
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import upgrade
from adapters.sql.schema import APPEND_ONLY, HEAD
from adapters.sql.storage import database_url
from tests.adapters.sql.servers import administer, postgres_server, within

_UNGUARDED = "SET session_replication_role = replica"


@pytest.fixture(scope="session")
def server():
    """URL of a PostgreSQL server that may make databases."""
    with postgres_server(durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_database(server):
    """URL of a database of our own on it."""
    name = f"hedge_{uuid4().hex}"
    administer(server, f"CREATE DATABASE {name}")
    yield within(server, name)
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A migrated database file that others are copied from."""
    path = tmp_path_factory.mktemp("template") / "j.db"
    upgrade(database_url(path))
    return path


@pytest.fixture
def file(tmp_path, sqlite_template):
    """A migrated database in a folder whose name has spaces and a per cent sign."""
    path = tmp_path / "two words 100%" / "the journal.db"
    path.parent.mkdir()
    shutil.copy(sqlite_template, path)
    return path


@pytest.fixture
def sqlite_url(file):
    return database_url(file)


@pytest.fixture
def postgres_url(postgres_database):
    """A migrated database, emptied; written anew where the last test left another schema."""
    try:
        administer(
            postgres_database,
            _UNGUARDED,
            f"SELECT 1 / (version_num = '{HEAD}')::int FROM alembic_version",
            *(f"DELETE FROM {table}" for table in APPEND_ONLY),
        )
    except psycopg.Error:
        administer(postgres_database, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        upgrade(postgres_database)
    return postgres_database


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    """A migrated, empty database of each kind."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def journal(url):
    with SqlJournal(url, wait=0.2) as opened:
        yield opened


@pytest.fixture
def tamper(url):
    """Runs statements behind the journal's back, past its guards."""

    def run(*statements):
        if not url.startswith("sqlite"):
            administer(url, _UNGUARDED, *statements)
            return
        connection = sqlite3.connect(make_url(url).database, isolation_level=None)
        for table in APPEND_ONLY:
            for verb in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return run
