"""Beancount reads what we write, and reads the same books from it."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.entries import Account, Entry, Leg
from engine.errors import InputError, LedgerError
from engine.instruments import Cash
from engine.ledger import posting, reversal
from engine.ledger.balances import trial_balance
from engine.ledger.beancount import account_name, account_of, beancount, commodity_name, instrument_id
from engine.money import ETH, Currency, Money, usd
from engine.positions import Sleeve
from tests.engine.ledger.events import DEBT, PUT, START, USDC, cash, fill, held, journals, steady

loader = pytest.importorskip("beancount.loader", reason="beancount is not installed")
data = pytest.importorskip("beancount.core.data")

hostile = st.text(st.characters(codec="utf-8"), max_size=12)
texts = hostile | st.text("aAzZ09 .-_'X", max_size=12)


def loaded(entries):
    found, errors, _ = loader.load_string("\n".join(beancount(entries)))
    return found, [error.message for error in errors]


def entry(*legs, **more):
    return Entry(**{"key": "k", "at": START, "memo": "m", "legs": legs} | more)


def moved(amount, account="assets:defi:safe", instrument=None):
    token = instrument or Cash(amount.currency)
    return Leg(Account(account), amount, token), Leg(Account("equity:trading"), -amount, token)


@pytest.mark.requirement("D34")
@settings(steady, max_examples=25)
@given(entries=journals(most=8))
def test_bean_check_accepts_any_journal_and_reads_the_same_balances(entries):
    small = [each for each in entries if all(abs(leg.amount.units) < 10**28 for leg in each.legs)]

    found, errors = loaded(small)

    read = defaultdict(Decimal)
    for transaction in found:
        for leg in getattr(transaction, "postings", None) or ():
            read[account_of(leg.account), instrument_id(leg.units.currency)] += leg.units.number
    assert errors == []
    assert {at: units for at, units in read.items() if units} == {
        (account, instrument.id): balance.amount for (account, instrument), balance in trial_balance(small).items()
    }


@settings(steady, max_examples=60)
@given(id=texts.filter(bool))
@example(id="TRUE")
@example(id="X_A_X")
@example(id="'")
@example(id="ſ")  # upper-cases to an ASCII letter
def test_every_instrument_has_a_commodity_of_its_own_that_beancount_reads(id):
    token = Cash(Currency(id, 2))

    found, errors = loaded([entry(*moved(Money(1, token.currency)))])

    (transaction,) = (each for each in found if isinstance(each, data.Transaction))
    assert errors == []
    assert instrument_id(transaction.postings[0].units.currency) == id


@settings(steady, max_examples=60)
@given(venue=texts.filter(lambda venue: venue and ":" not in venue))
@example(venue="Aa")
@example(venue="X--a")
@example(venue="ß")
def test_every_account_has_a_name_of_its_own_that_beancount_reads(venue):
    account = f"assets:defi:{venue}"

    found, errors = loaded([entry(*moved(usd(1), account))])

    (transaction,) = (each for each in found if isinstance(each, data.Transaction))
    assert errors == []
    assert account_of(transaction.postings[0].account) == account


@pytest.mark.fault("F74")
@settings(steady, max_examples=60)
@given(text=hostile)
@example(text='" \\ \n 2026-01-01 open Assets:Mine ; \x1b[2J')
def test_no_memo_key_or_evidence_breaks_out_of_its_string(text):
    lines = list(beancount([entry(*moved(usd(1)), memo=text, key=text, evidence={text: text})]))

    found, errors = loaded([entry(*moved(usd(1)), memo=text, key=text, evidence={text: text})])

    assert errors == []
    assert sum(isinstance(each, data.Open) for each in found) == 2
    assert all(line.isprintable() for line in lines)


def test_a_commodity_we_did_not_name_is_refused():
    for stranger in ("usd", "X_USD_X", "A''ZZ'B", "X_X"):
        with pytest.raises(InputError, match="unknown"):
            instrument_id(stranger)


def test_an_entry_carries_its_key_instant_status_and_evidence():
    seen = fill("f1", held(DEBT, -5, Sleeve.DEFI, "aave-v3"), cash(Money(5, USDC), Sleeve.DEFI, "safe"), final=False)
    first = posting.entry_for(replace(seen, evidence={"block_hash": "0xa"}))

    found, errors = loaded([first, reversal.void(first, at=START, reason="reorg")])

    sighting, taken_back = (each for each in found if isinstance(each, data.Transaction))
    assert errors == []
    assert (sighting.flag, taken_back.flag) == ("!", "*")
    assert sighting.meta["key"] == "f1@0xa"
    assert sighting.meta["at"] == "2023-02-07T15:00:00+00:00"
    assert (sighting.meta["status"], taken_back.meta["status"]) == ("in_flight", "void")
    assert sighting.meta["evidence"] == '{"block_hash": "0xa", "order": "o-1"}'


def test_an_exchange_for_cash_gives_its_price_and_a_combination_gives_none():
    bought = posting.entry_for(fill("f1", held(PUT, 3), cash(usd("-15.00"))))
    both = posting.entry_for(fill("f2", held(PUT, 1), held(DEBT, 1), cash(usd(-5))))
    swapped = posting.entry_for(fill("f3", cash(usd(-3000)), cash(Money.of(1, ETH))))

    found, errors = loaded([bought, both, swapped])

    prices = [each for each in found if isinstance(each, data.Price)]
    assert errors == []
    assert {(instrument_id(each.currency), each.amount.number, each.amount.currency) for each in prices} == {
        ("ETH", 3000, "USD"),
        (PUT.id, 5, "USD"),
    }
    assert len(prices) == 2


def test_accounts_and_commodities_open_on_the_first_day_they_are_used_whatever_the_order_of_posting():
    early, late = (
        posting.capital(cash(usd(1)), key="a", at=START),
        posting.capital(cash(usd(1)), key="b", at=START.replace(year=2022)),
    )

    found, errors = loaded([early, late])

    assert errors == []
    assert {each.date.year for each in found if isinstance(each, data.Open | data.Commodity)} == {2022}


@pytest.mark.fault("F17")
def test_an_amount_that_beancount_would_round_is_refused():
    most = Money(10**28 - 1, ETH)
    found, errors = loaded([entry(*moved(most))])
    (transaction,) = (each for each in found if isinstance(each, data.Transaction))

    assert errors == []
    assert [leg.units.number for leg in transaction.postings] == [most.amount, -most.amount]
    with pytest.raises(LedgerError, match="more than 28 digits"):
        list(beancount([entry(*moved(Money(-(10**28), ETH)))]))


@pytest.mark.fault("F94")
def test_the_same_entries_give_the_same_lines():
    entries = [posting.capital(cash(usd(n)), key=f"c{n}", at=START, evidence={"b": "1", "a": "2"}) for n in range(1, 9)]
    again = [replace(each, evidence=dict(reversed(each.evidence.items()))) for each in entries]

    assert list(beancount(entries)) == list(beancount(again))
    assert account_name(Account("assets:defi:aave-v3")) == "Assets:Defi:Aave-v3"
    assert commodity_name(PUT.id).startswith("SPX")
