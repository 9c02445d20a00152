import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidStructure
from engine.risk.margin import max_payout
from tests.engine.risk.contracts import listed


@pytest.mark.requirement("D32")
@pytest.mark.parametrize(
    ("put_width", "call_width", "expected"), [(95, 95, 19_000), (50, 160, 32_000), (145, 95, 29_000)]
)
def test_peer_issue_lean_9775_two_lots_owe_the_wider_side(put_width, call_width, expected):
    legs = [
        (listed(4000 - put_width, "P"), 2), (listed(4000, "P"), -2),
        (listed(4500, "C"), -2), (listed(4500 + call_width, "C"), 2),
    ]  # fmt: skip

    assert max_payout(legs) * 100 == expected


def test_a_short_call_without_a_wing_owes_without_bound():
    assert max_payout([(listed(100, "C"), -1)]) == np.inf


@pytest.mark.fault("F76")
@pytest.mark.parametrize("quantity", [np.nan, np.inf, 0.0])
def test_what_is_no_contract_never_reads_as_nothing_owed(quantity):
    with pytest.raises(InvalidStructure):
        max_payout([(listed(100, "C"), quantity), (listed(110, "C"), 1)])


QUANTITIES = st.integers(-3, 3).filter(bool)
BOOKS = st.lists(st.tuples(st.integers(50, 150), st.sampled_from("PC"), QUANTITIES), min_size=1, max_size=6)


def _owed(book):
    return max_payout([(listed(strike, right), quantity) for strike, right, quantity in book])


@given(BOOKS, st.randoms())
def test_the_order_of_legs_does_not_matter(book, random):
    shuffled = list(book)
    random.shuffle(shuffled)

    assert _owed(book) == _owed(shuffled)


@given(BOOKS)
def test_no_settlement_level_owes_more_and_some_level_owes_as_much(book):
    levels = np.arange(0, 401, dtype=float)
    sign = {"C": 1, "P": -1}

    paid = sum(quantity * np.maximum(sign[right] * (levels - strike), 0) for strike, right, quantity in book)

    slope = sum(quantity for _, right, quantity in book if right == "C")
    assert _owed(book) == (np.inf if slope < 0 else max(0.0, -paid.min()))
