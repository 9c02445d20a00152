import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sql.journal import SqlJournal
from adapters.sql.storage import database_url
from adapters.sql.wire import canonical
from engine.entries import Account, Entry, Leg
from engine.errors import LedgerError
from engine.instruments import Cash
from engine.ledger import balances, posting
from engine.money import Currency, Money, usd
from tests.engine.ledger.events import PUT, START, cash, fill, held, journals, steady, wide

each = settings(steady, suppress_health_check=list(HealthCheck))
"""All examples of a property share one database; each writes under keys of its own."""


def opening(key="c1", amount=100):
    return posting.capital(cash(usd(amount)), key=key, at=START)


def test_an_intent_is_written_once_and_read_back(journal):
    assert journal.intend("plan:1", '{"step":"1"}', START) is True
    assert journal.intend("plan:1", '{"step":"1"}', START + timedelta(hours=1)) is False

    kept = journal.intent("plan:1")
    assert (kept.text, kept.at) == ('{"step":"1"}', START)
    assert journal.intent("plan:2") is None
    assert [i.key for i in journal.intents("plan:")] == ["plan:1"]
    assert journal.intents("plan_") == ()


def test_one_intent_key_never_means_two_effects(journal):
    journal.intend("k", "buy", START)

    with pytest.raises(LedgerError, match="its content differs"):
        journal.intend("k", "sell", START)


def test_posting_twice_changes_nothing(journal):
    assert journal.post([opening(), opening()]) == 1
    head = journal.head()

    assert journal.post([opening()]) == 0
    assert journal.head() == head


@pytest.mark.fault("F99")
def test_the_same_entry_seen_elsewhere_is_the_same_entry(journal):
    journal.post([opening()])
    again = replace(opening(), evidence={"block": "0xb", "log": "1"}, at=START + timedelta(seconds=12))

    assert journal.post([again]) == 0
    assert journal.entries() == [opening()]


def test_a_key_with_other_legs_is_refused_and_posts_nothing(journal):
    journal.post([opening()])

    with pytest.raises(LedgerError, match="legs or status differ"):
        journal.post([opening("c2"), opening("c1", 101)])
    with pytest.raises(LedgerError, match="legs or status differ"):
        journal.post([opening("c3"), opening("c3", 101)])
    assert [entry.key for entry in journal.entries()] == ["c1"]


def test_equal_instruments_are_stored_once_whatever_their_zone_or_zeros(journal):
    same = replace(
        PUT,
        expiry=PUT.expiry.astimezone(ZoneInfo("America/New_York")),
        strike=Decimal("3800.00"),
        multiplier=Decimal("1E+2"),
    )
    first = posting.entry_for(fill("a", held(PUT, 1), cash(usd(-5))))
    second = posting.entry_for(fill("b", held(same, 1), cash(usd(-5))))

    journal.post([first, second])

    assert journal.entries() == [first, second]
    assert balances.book(journal.entries()).held(PUT).units == 2
    with journal.reading() as connection:
        names = connection.exec_driver_sql("SELECT name FROM instruments").scalars().all()
    assert sorted(names) == sorted(["USD", PUT.id])


def test_more_entries_than_one_statement_can_name_are_posted_at_once(journal):
    many = [opening(f"c{i}", i) for i in range(1, 1201)]

    assert journal.post(many) == 1200
    assert journal.entries() == many
    assert journal.post(many) == 0
    assert journal.verify() is None


def test_entries_after_a_serial_are_the_rest(journal):
    journal.post([opening("c1")])
    serial, _ = journal.head()
    journal.post([opening("c2")])

    assert [entry.key for entry in journal.entries(after=serial)] == ["c2"]


def test_a_fill_and_its_entries_are_kept_in_one_transaction(journal):
    entry = posting.entry_for(fill("f1", held(PUT, 1), cash(usd(-5))))
    journal.intend("order:o-1", "{}", START)

    assert journal.record_fill("f1", "o-1", "{}", START, [entry]) is True
    assert journal.record_fill("f1", "o-1", "{}", START, [entry]) is False
    with pytest.raises(LedgerError, match="content differs"):
        journal.record_fill("f1", "o-2", "{}", START)
    with pytest.raises(LedgerError, match="legs or status"):
        journal.record_fill("f2", "o-1", "{}", START, [replace(entry, legs=())])

    assert [f.key for f in journal.fills("o-1")] == ["f1"]
    assert journal.fills("o-2") == ()
    assert len(journal.fills()) == 1


def test_a_fill_for_an_order_that_was_never_sent_is_refused_and_posts_nothing(journal):
    entry = posting.entry_for(fill("f1", held(PUT, 1), cash(usd(-5))))

    with pytest.raises(LedgerError, match="fill 'f1' refused: no order 'o-1' was ever sent"):
        journal.record_fill("f1", "o-1", "{}", START, [entry])

    assert journal.fills() == ()
    assert journal.entries() == []


def test_plans_and_notes_do_not_move_the_head_that_plans_are_made_from(journal):
    journal.post([opening()])
    head = journal.head()

    journal.save_plan("d" * 64, "{}", START)
    journal.note("halt", "by me", START)

    assert journal.head() == head
    assert journal.tip()[0] > head[0]
    assert [note.text for note in journal.notes("halt")] == ["by me"]


def test_an_empty_journal_has_a_head(journal):
    assert journal.head() == (0, "0" * 64)
    assert journal.entries() == []
    assert journal.post([]) == 0
    assert journal.verify() is None


@pytest.mark.requirement("D34")
@settings(each, max_examples=40)
@given(entries=journals(most=8))
def test_a_replay_gives_the_same_entries_and_the_same_book(journal, entries):
    prefix = f"{journal.tip()[0]}:"
    mine = [replace(entry, key=prefix + entry.key) for entry in entries]
    before, _ = journal.tip()

    journal.post(mine)
    journal.post(mine)

    read = journal.entries(after=before)
    assert read == mine
    assert set(balances.book(read)) == set(balances.book(mine))


@pytest.mark.requirement("D34")
@settings(each, max_examples=10)
@given(entries=journals(most=8))
def test_a_replay_into_an_empty_journal_gives_the_same_records_byte_for_byte(sqlite_template, tmp_path, entries):
    tips, states = [], []
    for _ in range(2):
        copied = shutil.copy(sqlite_template, tmp_path / "replay.db")
        with SqlJournal(database_url(copied)) as replayed:
            replayed.post(states[0][0] if states else entries)
            tips.append(replayed.tip())
            states.append((replayed.entries(), list(replayed.balances().items()), replayed.daily()))
        copied.unlink()

    assert tips[0] == tips[1]
    assert states[0] == states[1]
    assert canonical([repr(each) for each in states[0]]) == canonical([repr(each) for each in states[1]])


@pytest.mark.fault("F17")
@settings(each, max_examples=60)
@given(units=wide, places=st.integers(0, 18))
def test_any_amount_to_two_hundred_and_fifty_six_bits_comes_back_exactly(journal, units, places):
    token = Cash(Currency(f"T{places}", places))
    exact = Money(units, token.currency)
    legs = (Leg(Account("assets:defi:safe"), exact, token), Leg(Account("equity:trading"), -exact, token))
    before, _ = journal.tip()

    journal.post([Entry(f"x{before}", datetime.now(UTC), "exact", legs)])

    (read,) = journal.entries(after=before)
    assert read.legs == legs
    assert read.legs[0].amount.amount == exact.amount


@pytest.mark.fault("F17")
def test_eighteen_places_do_not_round(journal):
    token = Cash(Currency("X", 18))
    amount = Money.of("123456789.123456789123456789", token.currency)
    legs = (Leg(Account("assets:defi:safe"), amount, token), Leg(Account("equity:trading"), -amount, token))

    journal.post([Entry("x", START, "exact", legs)])

    assert str(journal.entries()[0].legs[0].amount.amount) == "123456789.123456789123456789"


def test_a_million_is_posted_like_one_block_by_block(journal, monkeypatch):
    monkeypatch.setattr("adapters.sql.books._AT_ONCE", 7)
    many = [opening(f"c{i}", i) for i in range(1, 51)]
    with_repeats = [*many[:20], *many]

    assert journal.post(iter(with_repeats)) == 50
    assert journal.entries() == many
    assert journal.post(iter(many)) == 0
    assert journal.verify() is None


def test_blocks_make_the_same_chain_as_single_postings(journal, monkeypatch):
    entries = [posting.entry_for(fill(f"f{n}", held(PUT, n), cash(usd(-n)))) for n in range(1, 9)]
    alone = [opening("c"), *entries]
    journal.post(alone)
    head = journal.head()

    monkeypatch.setattr("adapters.sql.books._AT_ONCE", 3)
    journal.post(alone)

    assert journal.head() == head


def test_an_import_that_fails_in_its_last_block_posts_nothing(journal, monkeypatch):
    monkeypatch.setattr("adapters.sql.books._AT_ONCE", 10)
    many = [opening(f"c{i}", i) for i in range(1, 31)]

    with pytest.raises(LedgerError, match="entry 'c1' refused"):
        journal.post([*many, opening("c1", 99)])

    assert journal.entries() == []
    assert journal.tip() == (0, "0" * 64)


def test_the_hash_of_a_known_journal_never_changes(journal):
    """Worked out with the standard library alone, so that no version of the program forgets the journals before it."""
    journal.note("halt", "by me", START)
    text = '["1","note","halt","2023-02-07T15:00:00.000000+00:00","by me","' + "0" * 64 + '"]'

    assert journal.tip() == (1, hashlib.sha256(text.encode()).hexdigest())
