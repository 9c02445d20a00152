from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CurrencyMismatch, InputError
from engine.money import ETH, USD, Currency, Money, usd

units = st.integers(min_value=-(2**256) + 1, max_value=2**256 - 1)
places = st.integers(min_value=0, max_value=18)


@given(units, places)
def test_an_amount_of_any_size_survives_the_trip_through_decimal(count, decimals):
    money = Money(count, Currency("X", decimals))

    assert Money.of(money.amount, money.currency) == money
    assert Money.of(str(money.amount), money.currency) == money


@given(units, units)
def test_addition_is_exact_and_commutes(left, right):
    assert Money(left, ETH) + Money(right, ETH) == Money(left + right, ETH) == Money(right, ETH) + Money(left, ETH)


def test_two_currencies_never_add():
    with pytest.raises(CurrencyMismatch, match="cannot combine USD with ETH"):
        usd(1) + Money.of(1, ETH)


@pytest.mark.parametrize("amount", ["0.001", "NaN", "Infinity"])
def test_an_amount_without_a_smallest_unit_is_refused(amount):
    with pytest.raises(InputError):
        Money.of(amount, USD)


def test_a_float_enters_only_rounded():
    assert Money.rounded(0.1 + 0.2, USD) == usd("0.30")
    assert Money.rounded(Decimal("2.675"), USD) == usd("2.68")


def test_a_float_that_is_not_a_number_stays_out():
    with pytest.raises(InputError, match="finite"):
        Money.rounded(float("nan"), USD)
