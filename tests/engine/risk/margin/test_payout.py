import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidStructure
from engine.risk.margin import max_payout


@pytest.mark.requirement("D32")
@pytest.mark.parametrize(
    ("put_width", "call_width", "expected"), [(95, 95, 19_000), (50, 160, 32_000), (145, 95, 29_000)]
)
def test_peer_issue_lean_9775_two_lots_owe_the_wider_side(put_width, call_width, expected):
    strikes = [4000 - put_width, 4000, 4500, 4500 + call_width]

    owed = max_payout(strikes, [-1, -1, 1, 1], [2, -2, -2, 2]) * 100

    assert owed == expected


def test_a_short_call_without_a_wing_owes_without_bound():
    assert max_payout([100.0], [1], [-1]) == np.inf


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("strike", "sign", "quantity"), [(np.nan, 1, -1), (0.0, -1, -1), (100.0, 1, np.nan), (100.0, 0, 1)]
)
def test_what_is_no_contract_never_reads_as_nothing_owed(strike, sign, quantity):
    with pytest.raises(InvalidStructure):
        max_payout([strike, 110.0], [sign, 1], [quantity, 1])


legs = st.lists(st.tuples(st.integers(50, 150), st.sampled_from([-1, 1]), st.integers(-3, 3)), min_size=1, max_size=6)


@given(legs, st.randoms())
def test_the_order_of_legs_does_not_matter(book, random):
    shuffled = list(book)
    random.shuffle(shuffled)

    assert max_payout(*map(list, zip(*book, strict=True))) == max_payout(*map(list, zip(*shuffled, strict=True)))


@given(legs)
def test_no_settlement_level_owes_more(book):
    strikes, signs, quantities = (np.array(column, float) for column in zip(*book, strict=True))
    owed = max_payout(list(strikes), list(signs), list(quantities))

    levels = np.linspace(0, 400, 801)
    payoff = (quantities * np.maximum(signs * (levels[:, None] - strikes), 0)).sum(axis=1)
    assert owed >= -payoff.min() - 1e-9
