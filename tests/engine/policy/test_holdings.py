"""A book taken apart: nothing is lost, and condors are found whole."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.instruments import Cash, IronCondor, Right, Settlement, VanillaOption
from engine.money import USD, Money, usd
from engine.policy.holdings import holdings, taken_apart
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


@pytest.mark.parametrize("change", [{"root": "GONE"}, {"strike": Decimal("2401.5")}])
def test_what_has_no_quote_stays_in_the_rest(change):
    contract = replace(option(2400, "P"), **change)

    held = holdings(Book((position(contract, 2),)), VIEW)

    assert not held.hedges
    assert [p.instrument for p in held.rest] == [contract]


def test_a_short_without_its_wings_is_not_touched():
    held = holdings(Book((position(option(2400, "P"), -2), position(option(2300, "P"), 2))), VIEW)

    assert not held.condors
    assert {float(p.quantity) for p in held.rest} == {-2.0}
    assert [offer.option for offer, _ in held.hedges] == [option(2300, "P")]
