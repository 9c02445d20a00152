"""A book taken apart: nothing is lost, and condors are found whole."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.instruments import Cash, IronCondor, Right, Settlement, VanillaOption
from engine.money import USD, Money, usd
from engine.policy.holdings import condors_held, holdings, one_lot, taken_apart
from engine.positions import Book, Position, Sleeve
from engine.risk.margin import max_payout
from tests.engine.policy.test_allocate import VIEW

SERIES = next(
    key
    for key, quotes in VIEW.quotes.items()
    if key[0] == "SPX" and key in VIEW.smiles and quotes.expiry.date() > date(2018, 6, 1)
)
QUOTES = VIEW.quotes[SERIES]


def option(strike, right):
    return VanillaOption("SPX", "SPX", SERIES[1], Decimal(strike), Right(right), Decimal(100), Settlement.AM)


def position(contract, lots):
    return Position(contract, Money.of(Decimal(lots), contract.unit), Sleeve.CONDOR, "paper")


STRUCTURES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3), st.integers(1, 5)),
    min_size=1,
    max_size=3,
)


@given(STRUCTURES, st.lists(st.tuples(st.integers(0, 8), st.integers(1, 3)), max_size=2))
def test_the_parts_add_up_to_the_whole_and_no_short_is_left(structures, tails):
    legs = {}
    for put, low, call, high, lots in structures:
        condor = (
            (option(2400 - 25 * (put + low), "P"), 1), (option(2400 - 25 * put, "P"), -1),
            (option(2800 + 25 * call, "C"), -1), (option(2800 + 25 * (call + high), "C"), 1),
        )  # fmt: skip
        for leg, sign in condor:
            legs[leg] = legs.get(leg, 0) + sign * lots
    for at, lots in tails:
        tail = option(2450 + 25 * at, "P")
        legs[tail] = legs.get(tail, 0) + lots
    before = dict(legs)

    found = taken_apart(legs)

    total = dict(legs)
    for condor, lots in found:
        assert isinstance(condor, IronCondor)
        for leg, sign in zip(condor.legs, condor.quantities, strict=True):
            total[leg] = total.get(leg, 0) + sign * lots
    assert {leg: q for leg, q in total.items() if q} == {leg: q for leg, q in before.items() if q}
    left = [(leg, quantity) for leg, quantity in legs.items() if quantity]
    assert not left or max_payout(left) < float("inf")


def test_condors_hedges_and_the_rest_are_told_apart():
    book = Book(
        (
            position(option(2270, "P"), 3), position(option(2370, "P"), -3),
            position(option(2925, "C"), -3), position(option(3025, "C"), 3),
            position(option(2550, "P"), 1), Position(Cash(USD), usd(1_000), Sleeve.CONDOR, "paper"),
        )
    )  # fmt: skip

    held = holdings(book, VIEW)

    ((condor, lots),) = held.condors
    assert (condor.id, lots) == ("SPX 2018-06-15 2270/2370/2925/3025", 3)
    ((hedge, one),) = held.hedges
    assert (hedge.option, one) == (option(2550, "P"), 1)
    assert [p.instrument for p in held.rest] == [Cash(USD)]
    assert 0 < condor.credit < condor.mid_credit


def test_a_condor_without_quotes_is_found_all_the_same():
    legs = (2270, "P", 3), (2370, "P", -3), (2925, "C", -3), (3025.5, "C", 3)
    book = Book(tuple(position(option(strike, right), lots) for strike, right, lots in legs))

    ((condor, lots),) = condors_held(book, VIEW.asof)

    assert not holdings(book, VIEW).condors
    assert lots == 3
    assert [(p.instrument, p.quantity) for p in one_lot(condor)] == [(p.instrument, p.quantity / 3) for p in book]


@pytest.mark.parametrize("change", [{"root": "GONE"}, {"strike": Decimal("2401.5")}])
def test_what_has_no_quote_stays_in_the_rest(change):
    contract = replace(option(2400, "P"), **change)

    held = holdings(Book((position(contract, 2),)), VIEW)

    assert not held.hedges
    assert [p.instrument for p in held.rest] == [contract]


def left(held):
    return sorted((p.instrument.strike, int(p.quantity)) for p in held.rest)


@pytest.mark.requirement("S01", "D32", "D33")
def test_a_credit_spread_stays_whole_its_wing_is_no_hedge():
    held = holdings(Book((position(option(2400, "P"), -2), position(option(2300, "P"), 2))), VIEW)

    assert not held.condors
    assert not held.hedges
    assert left(held) == [(2300, 2), (2400, -2)]


@pytest.mark.requirement("S01")
def test_only_the_longs_beyond_the_shorts_are_hedges_and_the_nearest_strike_is_the_wing():
    book = Book((position(option(2400, "P"), -2), position(option(2350, "P"), 3), position(option(2300, "P"), 4)))

    held = holdings(book, VIEW)

    assert left(held) == [(2350, 2), (2400, -2)]
    assert sorted((offer.option.strike, lots) for offer, lots in held.hedges) == [(2300, 4), (2350, 1)]


@pytest.mark.requirement("S01")
def test_a_put_never_bounds_a_call_and_a_bare_short_keeps_what_there_is():
    book = Book((position(option(2900, "C"), -3), position(option(2950, "C"), 1), position(option(2300, "P"), 1)))

    held = holdings(book, VIEW)

    assert left(held) == [(2900, -3), (2950, 1)]
    assert [(offer.option.strike, lots) for offer, lots in held.hedges] == [(2300, 1)]


@pytest.mark.requirement("S01")
def test_the_spread_beside_a_condor_keeps_its_wing():
    legs = (2270, "P", 2), (2370, "P", -2), (2925, "C", -1), (3025, "C", 1)
    held = holdings(Book(tuple(position(option(strike, right), lots) for strike, right, lots in legs)), VIEW)

    assert [lots for _, lots in held.condors] == [1]
    assert left(held) == [(2270, 1), (2370, -1)]
    assert not held.hedges


lots = st.dictionaries(
    st.tuples(st.integers(2300, 2900).map(lambda k: k // 25 * 25), st.sampled_from("PC")),
    st.integers(-3, 3).filter(bool),
    max_size=8,
)


@pytest.mark.requirement("S01", "D32")
@given(lots)
def test_whatever_is_sold_or_bought_back_no_right_is_left_shorter_than_before(legs):
    book = Book(tuple(position(option(*leg), count) for leg, count in legs.items()))

    held = holdings(book, VIEW)

    for right in Right:
        before = sum(int(p.quantity) for p in book if p.instrument.right is right)
        after = sum(int(p.quantity) for p in held.fixed if p.instrument.right is right)
        assert after >= min(before, 0)
