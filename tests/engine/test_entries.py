from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.entries import Account, Entry, Leg
from engine.errors import InputError, UnbalancedEntry
from engine.instruments import Cash
from engine.money import USD, Money, usd
from tests.engine.terms import spx

NOW = datetime(2023, 2, 7, 21, 15, tzinfo=UTC)


def leg(account, money):
    return Leg(Account(account), money, Cash(USD))


@given(st.integers(), st.integers())
def test_an_entry_that_does_not_balance_cannot_exist(paid, received):
    legs = (leg("assets:condor:paper", Money(received, USD)), leg("equity:trading", Money(paid, USD)))

    if paid + received == 0:
        Entry("k", NOW, "trade", legs)
    else:
        with pytest.raises(UnbalancedEntry, match="does not balance"):
            Entry("k", NOW, "trade", legs)


def test_dollars_do_not_balance_contracts():
    option = spx(4000, "P")
    legs = (leg("assets:condor:paper", usd(1)), Leg(Account("equity:trading"), Money(-1, option.unit), option))

    with pytest.raises(UnbalancedEntry):
        Entry("k", NOW, "trade", legs)


@pytest.mark.parametrize(
    "account",
    [
        "savings:condor", "assets",
        "assets:nowhere:paper", "assets:condor:", "assets:condor:a:b", "income", "expenses:gas",
        "expenses:gas:nowhere", "expenses:a:b:condor", "equity:nonsense", "equity:capital",
        "equity:capital:nowhere", "",
    ],
)  # fmt: skip
def test_an_account_that_no_report_could_read_is_refused(account):
    with pytest.raises(InputError, match="unknown: it is none of assets:SLEEVE:VENUE"):
        leg(account, usd(1))


def test_a_leg_is_counted_in_its_instruments_unit():
    with pytest.raises(InputError, match="instrument is USD"):
        Leg(Account("assets:defi:vault"), Money(1, spx(4000, "P").unit), Cash(USD))
