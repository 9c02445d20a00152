import pytest

from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import upgrade
from adapters.sql.storage import database_url


@pytest.fixture
def url(tmp_path):
    """A migrated database in a folder whose name has spaces and a per cent sign."""
    made = database_url(tmp_path / "two words 100%" / "the journal.db")
    upgrade(made)
    return made


@pytest.fixture
def journal(url):
    with SqlJournal(url, wait=0.2) as opened:
        yield opened


@pytest.fixture
def file(tmp_path, url):
    """The path of the database behind `url`."""
    return tmp_path / "two words 100%" / "the journal.db"
