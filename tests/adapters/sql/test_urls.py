"""A database URL may carry a password; nothing we say may."""

import logging
import traceback

import pytest

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import upgrade
from adapters.sql.storage import open_engine, parsed
from engine.errors import ConfigError, EngineError

CANARY = "c4n4ry"
UNREACHABLE = "127.0.0.1:1"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://desk:{CANARY}@{UNREACHABLE}/ledger",
        f"postgresql://{UNREACHABLE}/ledger?user=desk&password={CANARY}",
        f"postgres://desk:{CANARY}@{UNREACHABLE}/ledger",
        f"postgresql://desk:{CANARY}@no.such.host.invalid/ledger",
        f"postgresql://desk:{CANARY}/x@{UNREACHABLE}/ledger",
        f"postgresql://desk:{CANARY}@127.0.0.1:{CANARY}/ledger",
        f"postgresql://desk:{CANARY}@{UNREACHABLE}/ledger?sslmode=nonsense",
        f"postgresql://desk:{CANARY}@{UNREACHABLE}/ledger?nonsense=1",
        f"postgresql://desk:{CANARY}@{UNREACHABLE}/ledger?connect_timeout=soon",
        f"mysql://desk:{CANARY}@{UNREACHABLE}/ledger",
        f"desk:{CANARY}@{UNREACHABLE}/ledger",
        f"{CANARY}",
    ],
)
@pytest.mark.parametrize("opened", [SqlJournal, upgrade])
def test_no_error_and_no_log_has_the_password(url, opened, caplog, capfd):
    caplog.set_level(logging.DEBUG)

    with pytest.raises(EngineError) as told:
        opened(url)

    said = "".join(traceback.format_exception(told.value)) + caplog.text + "".join(capfd.readouterr())
    assert CANARY not in said


def test_an_open_journal_does_not_print_its_password():
    url = f"postgresql://desk:{CANARY}@{UNREACHABLE}/ledger"
    engine = open_engine(url)

    assert CANARY not in f"{engine!r} {engine.url} {parsed(url)!r}"
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://desk@localhost/x", "postgresql+psycopg2://desk@localhost/x", "duckdb:///x"])
def test_a_kind_of_database_we_do_not_keep_a_journal_in_is_refused(url):
    with pytest.raises(ConfigError, match="use sqlite:///FILE or postgresql://"):
        SqlJournal(url)
