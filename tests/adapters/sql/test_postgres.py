"""What only a database that several operators share can suffer."""

import threading
import time

import pytest
from sqlalchemy import make_url

from adapters.sql.journal import SqlJournal
from engine.errors import ConfigError, SchemaMismatch, StorageError
from engine.ledger import posting
from engine.money import usd
from tests.adapters.sql.servers import administer, within
from tests.engine.ledger.events import START, cash


def opening(key="c1"):
    return posting.capital(cash(usd(1)), key=key, at=START)


@pytest.fixture
def url(postgres_url):
    return postgres_url


@pytest.fixture
def journal(postgres_url):
    with SqlJournal(postgres_url, wait=5) as opened:
        yield opened


def cut(url):
    """Ends every connection to a database, as a restart of its server would."""
    name = make_url(url).database
    administer(
        within(url, "postgres"), f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )


def test_a_connection_lost_half_way_is_told_and_leaves_nothing(journal, postgres_url):
    def half_way():
        with journal.writing() as connection:
            connection.exec_driver_sql("INSERT INTO records VALUES (1, 'note', 'h')")
            cut(postgres_url)

    with pytest.raises(StorageError, match="cannot be reached"):
        half_way()

    assert journal.tip() == (0, "0" * 64)
    assert journal.post([opening()]) == 1


def test_a_connection_lost_within_an_import_leaves_nothing(journal, postgres_url, monkeypatch):
    monkeypatch.setattr("adapters.sql.books._AT_ONCE", 10)

    def interrupted():
        yield from (opening(f"c{number}") for number in range(20))
        cut(postgres_url)
        yield opening("last")

    with pytest.raises(StorageError, match="cannot be reached"):
        journal.post(interrupted())

    assert journal.count() == 0


def test_a_server_that_was_restarted_is_found_again(journal, postgres_url):
    journal.post([opening()])
    cut(postgres_url)

    assert journal.count() == 1


def test_two_operators_that_post_the_same_fill_at_once_post_it_once(journal, postgres_url):
    gate, counted = threading.Barrier(4), []

    def operator():
        with SqlJournal(postgres_url, wait=20) as mine:
            gate.wait()
            counted.extend(mine.post([opening(f"fill:{number}")]) for number in range(25))

    threads = [threading.Thread(target=operator) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(counted), sum(counted)) == (100, 25)
    assert journal.count() == 25
    assert journal.verify() is None


def test_a_writer_waits_for_its_turn_and_then_follows_the_last_record(journal, postgres_url):
    done = []

    def later():
        with SqlJournal(postgres_url, wait=20) as mine:
            done.append(mine.post([opening("late")]))

    thread = threading.Thread(target=later)
    with SqlJournal(postgres_url) as first, first.writing() as connection:
        thread.start()
        time.sleep(0.2)
        assert done == []
        connection.exec_driver_sql("SELECT 1")
    thread.join()

    assert done == [1]
    assert journal.verify() is None


@pytest.mark.fault("F14")
def test_commits_wait_for_the_disk_even_where_the_server_would_not(journal, postgres_url):
    lax = postgres_url + "&options=-csynchronous_commit%3Doff"
    with SqlJournal(lax) as careless, careless.reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "off"
    with SqlJournal(lax) as careless, careless.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_nobody_empties_a_table(journal):
    journal.post([opening()])

    with pytest.raises(StorageError, match="append-only"), journal.writing() as connection:
        connection.exec_driver_sql("TRUNCATE legs")


def test_a_database_that_is_not_there_is_told_with_what_to_do(server):
    with pytest.raises(SchemaMismatch, match="create it, then run `hedge ledger migrate`"):
        SqlJournal(within(server, "no_such_database"))


def test_a_user_without_the_right_to_write_is_told_so(journal, postgres_url):
    administer(
        postgres_url,
        "DROP ROLE IF EXISTS hedge_reader",
        "CREATE ROLE hedge_reader LOGIN",
        "GRANT USAGE ON SCHEMA public TO hedge_reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO hedge_reader",
    )
    reader = make_url(postgres_url).set(username="hedge_reader").render_as_string(hide_password=False)

    with SqlJournal(reader) as mine:
        assert mine.count() == 0
        with pytest.raises(StorageError, match="ask its owner for the right to write"):
            mine.intend("k", "p", START)
    administer(postgres_url, "DROP OWNED BY hedge_reader", "DROP ROLE hedge_reader")


def test_postgres_without_its_driver_names_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)

    with pytest.raises(ConfigError, match="install the extra `postgres`"):
        SqlJournal("postgresql://desk@localhost/ledger")
