"""Indices and balances of the pinned pool, read from it on a local chain, and what our integers make of them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.ledger import ray
from tests.engine.ledger.events import steady

LAST, SUPPLY_INDEX, BORROW_INDEX = 1741014045, 1000000017539060292152885193, 1000000038971511310118990128
SUPPLY_RATE, BORROW_RATE = 19784964590112822187537832, 43925375733976247065456253
SCALED_SUPPLY, SCALED_DEBT = 1234567869, 9999999652
READ = [  # block time, normalised income, normalised debt, balance supplied, balance owed
    (1741014133, 1000000072748247077629191415, 1000000161543601918844388317, 1234567959, 10000001267),
    (1741100447, 1000054224177203914014364879, 1000120392498837147719812568, 1234634812, 10001203577),
    (1747321247, 1003957011781239039079674001, 1008823789674057047937833110, 1239453069, 10088237546),
    (1772550047, 1019784983730937046288983213, 1044900593037101674020142825, 1258993774, 10449005567),
    (1870614047, 1081308093877879642804620049, 1197533763130687327916452495, 1334948229, 11975337215),
]


@pytest.mark.requirement("D17")
@pytest.mark.parametrize(("at", "income", "debt", "supplied", "owed"), READ)
def test_interest_equals_the_pools_own_to_the_last_digit(at, income, debt, supplied, owed):
    earning = ray.supply_index(SUPPLY_INDEX, SUPPLY_RATE, at - LAST)
    owing = ray.borrow_index(BORROW_INDEX, BORROW_RATE, at - LAST)

    assert (earning, owing) == (income, debt)
    assert ray.balance(SCALED_SUPPLY, earning) == supplied
    assert ray.balance(SCALED_DEBT, owing) == owed


def test_a_supply_is_scaled_as_the_pool_scaled_it():
    assert ray.scaled_balance(1234567891, SUPPLY_INDEX) == SCALED_SUPPLY


def test_no_time_earns_nothing():
    assert ray.borrow_index(BORROW_INDEX, BORROW_RATE, 0) == BORROW_INDEX
    assert ray.supply_index(SUPPLY_INDEX, SUPPLY_RATE, 0) == SUPPLY_INDEX


@steady
@given(st.integers(0, 2**160), st.integers(1, 2**160))
def test_products_and_quotients_are_rounded_half_up(a, b):
    half = Fraction(1, 2)

    assert ray.ray_mul(a, b) == (Fraction(a * b, ray.RAY) + half).__floor__()
    assert abs(ray.ray_div(a, b) - Fraction(a * ray.RAY, b)) <= half


def test_negative_numbers_are_no_pools():
    for wrong in (lambda: ray.ray_mul(-1, 1), lambda: ray.ray_div(1, 0), lambda: ray.borrow_index(1, 1, -1)):
        with pytest.raises(InputError, match="unsigned"):
            wrong()
