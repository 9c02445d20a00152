"""The database adds up what Python adds up, to the unit, whatever the size."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from adapters.sql.books import ValuationDays
from adapters.sql.schema import written_instant
from engine.entries import Account, Entry, EntryStatus, Leg
from engine.instruments import Cash
from engine.ledger import balances, posting, statements
from engine.money import ETH, USD, Currency, Money, usd
from engine.positions import Sleeve
from tests.engine.ledger.events import PUT, START, cash, fill, held, journals, steady, wide

TOKEN = Cash(Currency("WIDE", 18))
each = settings(steady, suppress_health_check=list(HealthCheck), max_examples=25)


def moved(units, key, at=START, account="assets:defi:safe"):
    amount = Money(units, TOKEN.currency)
    return Entry(key, at, key, (Leg(Account(account), amount, TOKEN), Leg(Account("equity:trading"), -amount, TOKEN)))


@pytest.mark.fault("F17")
@pytest.mark.parametrize(
    "units",
    [
        [2**63 - 1, 1],
        [2**63 - 1, 2**63 - 1, 2],
        [-(2**63), -(2**63), -1],
        [10**30, 1, -(10**30)],
        [2**256 - 1, 2**256 - 1, 1 - 2**256],
        [10**18] * 1_000,
    ],
)
def test_a_sum_beyond_what_an_integer_column_holds_is_exact(journal, units):
    journal.post(moved(each, f"{number}") for number, each in enumerate(units))

    found = journal.balances()

    assert found[Account("assets:defi:safe"), TOKEN].units == sum(units)
    assert found[Account("equity:trading"), TOKEN].units == -sum(units)


def test_an_account_that_is_even_has_no_balance(journal):
    journal.post([moved(10**30, "in"), moved(-(10**30), "out")])

    assert journal.balances() == {}
    assert [entry.legs for entry in journal.daily()] == [()]


@pytest.mark.requirement("D34")
@each
@given(entries=journals(most=8))
def test_balances_are_the_trial_balance_of_the_entries(journal, entries):
    before = defaultdict(int, {key: balance.units for key, balance in journal.balances().items()})
    prefix = f"{journal.tip()[0]}:"

    journal.post(replace(entry, key=prefix + entry.key) for entry in entries)

    after = {key: balance.units - before[key] for key, balance in journal.balances().items()}
    grown = {key: balance.units for key, balance in balances.trial_balance(entries).items()}
    assert {key: units for key, units in after.items() if units} == {
        key: units for key, units in grown.items() if units and key in after
    }
    assert all(before[key] + units == 0 for key, units in grown.items() if key not in after)
    assert balances.imbalance(journal.daily()) == {}


@pytest.fixture
def year(journal):
    """Flows, costs and trades over a year, one seen in a block that is not final."""
    seen = fill("seen", cash(Money(5, ETH), Sleeve.DEFI, "safe"), cash(usd(-9)), at=START, final=False)
    entries = [posting.entry_for(seen)]
    for week in range(52):
        at = START + timedelta(days=7 * week, hours=week % 24)
        entries += [
            posting.capital(cash(usd(1000 + week)), key=f"capital:{week}", at=at),
            posting.entry_for(
                fill(f"fill:{week}", held(PUT, 1), cash(usd(-5)), fees={"commission": usd(1)}, slippage=usd(-1), at=at)
            ),
            posting.gas(10**15 + week, chain_id=1, transaction_hash=f"{week}", at=at),
        ]
    journal.post(entries)
    return entries


def rate(instrument, day):
    return {"USD": 1.0, "ETH": 2000.0 + day.day}.get(instrument.id, 0.0)


@pytest.mark.requirement("D15")
def test_days_give_the_books_and_flows_that_postings_give(journal, year):
    days = journal.daily()

    assert len(days) < len(year) / 2
    assert set(balances.book(days)) == set(balances.book(year))
    assert balances.trial_balance(days) == balances.trial_balance(year)
    assert balances.capital_flows(days) == balances.capital_flows(year)
    assert [balances.valuation_day(day.at).isoformat() for day in days] == [
        day.key.removeprefix("day:") for day in days
    ]


@pytest.mark.requirement("D15")
def test_a_statement_from_days_is_the_statement_from_postings(journal, year):
    span = {
        "start": date(2023, 3, 1),
        "end": date(2023, 12, 29),
        "opening": {Sleeve.CONDOR: 4000.0},
        "closing": {Sleeve.CONDOR: 50_000.0},
        "rate": rate,
        "finance_rate": 0.05,
        "reinvestment_rate": 0.03,
    }

    from_days = statements.statement(journal.daily(after=span["start"], until=span["end"]), **span)

    from_postings = statements.statement(year, **span)
    for sleeve in (*Sleeve, None):
        mine, theirs = (s.blended if sleeve is None else s.sleeves[sleeve] for s in (from_days, from_postings))
        assert mine.gain == pytest.approx(theirs.gain, rel=1e-12)
        assert dict(mine.costs) == pytest.approx(dict(theirs.costs), rel=1e-12)
        assert mine.net.basis is theirs.net.basis
        assert mine.net.rate == (None if theirs.net.rate is None else pytest.approx(theirs.net.rate, rel=1e-9))
    assert from_days.blended.net.rate is not None


def test_a_span_of_days_is_open_at_its_start_and_closed_at_its_end(journal, year):
    day = balances.valuation_day(year[3].at)

    assert {entry.key for entry in journal.daily(after=day - timedelta(days=1), until=day)} == {f"day:{day}"}
    assert journal.daily(after=day, until=day) == []
    until = balances.trial_balance(entry for entry in year if balances.valuation_day(entry.at) <= day)
    assert journal.balances(until=day) == until


def test_the_span_and_the_days_after_a_serial_are_those_of_the_entries(journal, year):
    serial, _ = journal.head()
    days = [balances.valuation_day(entry.at) for entry in year]
    assert journal.span() == (min(days), max(days))
    assert journal.days_after(serial) == ()

    late = [moved(1, "late", at=START), moved(1, "later", at=START + timedelta(days=400))]
    journal.post(late)

    assert journal.days_after(serial) == tuple(balances.valuation_day(entry.at) for entry in late)
    assert journal.span() == (min(days), balances.valuation_day(late[1].at))


def test_an_empty_journal_has_no_span(journal):
    assert journal.span() is None
    assert journal.days_after(0) == ()


@pytest.mark.fault("F24")
def test_final_balances_leave_out_what_is_in_flight(journal, year):
    final = [entry for entry in year if entry.status is EntryStatus.FINAL]

    assert journal.balances(final_only=True) == balances.trial_balance(final)
    assert journal.balances() == balances.trial_balance(year) != balances.trial_balance(final)
    assert set(balances.book(journal.daily(final_only=True))) == set(balances.book(year, final_only=True))


@pytest.mark.requirement("D15")
def test_a_day_ends_at_its_valuation_point_also_when_the_clocks_change():
    days = ValuationDays()
    instants = [
        datetime(2026, month, day, hour, minute, second, tzinfo=UTC)
        for month, day in ((3, 6), (3, 7), (3, 8), (3, 9), (10, 31), (11, 1), (11, 2))
        for hour, minute, second in ((0, 0, 0), (20, 15, 0), (20, 15, 1), (21, 15, 0), (21, 15, 1), (23, 59, 59))
    ]

    for at in [*instants, *reversed(instants)]:
        assert days.of(written_instant(at)) == balances.valuation_day(at).isoformat()


def test_the_count_is_of_entries(journal):
    journal.post([moved(1, "a"), moved(2, "b")])
    journal.note("halt", "x", START)

    assert journal.count() == 2


@each
@given(units=wide)
def test_one_number_is_its_own_sum(journal, units):
    before = journal.balances().get((Account("assets:defi:one"), TOKEN), Money.zero(TOKEN.currency)).units

    journal.post([moved(units, f"{journal.tip()[0]}", account="assets:defi:one")])

    now = journal.balances().get((Account("assets:defi:one"), TOKEN), Money.zero(TOKEN.currency)).units
    assert now - before == units
    assert USD not in {balance.currency for balance in journal.balances().values()}
