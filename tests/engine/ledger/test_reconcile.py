import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DoesNotReconcile
from engine.instruments import Cash
from engine.ledger import posting
from engine.ledger.balances import book, imbalance
from engine.ledger.reconcile import BreakKind, breaks, digest, require_agreement
from engine.ledger.reversal import reversed_entry, void
from engine.ledger.suspense import adopted, in_suspense
from engine.money import ETH, USD, Money, usd
from engine.positions import Book, Sleeve
from tests.engine.ledger.events import DEBT, PUT, START, USDC, cash, fill, held

BOOK = Book(
    (
        cash(usd(1000)),
        held(PUT, -2),
        held(DEBT, -7, Sleeve.DEFI, "aave-v3"),
        cash(Money(5, USDC), Sleeve.DEFI, "safe"),
        cash(Money(2, USDC), Sleeve.DEFI, "executor"),
    )
)


def test_a_broker_that_agrees_to_the_unit_leaves_no_break():
    found = breaks(BOOK, {"USD": 100_000, PUT.id: -2, "VIX 2023": 0}, venues=["paper"])

    assert found == ()
    require_agreement(found)


def test_chain_balances_of_one_owner_cover_every_venue_it_uses():
    assert breaks(BOOK, {DEBT.id: -7, "USDC": 7}, venues=["aave-v3", "safe", "executor"]) == ()


def test_every_break_is_named_with_both_sides():
    found = breaks(BOOK, {"USD": 99_999, "SPXW foreign": 1}, venues=["paper"], source="paper broker")

    assert [(b.instrument, b.kind, b.books, b.stated) for b in found] == [
        ("SPXW 2023-03-24 P 3800 PM", BreakKind.NOT_AT_VENUE, -2, 0),
        ("SPXW foreign", BreakKind.NOT_IN_BOOKS, 0, 1),
        ("USD", BreakKind.QUANTITY, 100_000, 99_999),
    ]
    with pytest.raises(DoesNotReconcile, match="paper broker USD: books 100000, venue 99999"):
        require_agreement(found)


def in_flight_fill(units, cents):
    seen = fill("f9", held(PUT, units), cash(usd(cents)), at=START, final=False, evidence={"block_hash": "0xa"})
    return posting.entry_for(seen)


def kinds(found):
    return [(b.instrument, b.kind) for b in found]


@pytest.mark.requirement("D34")
@pytest.mark.fault("F94")
def test_what_entries_in_flight_make_up_to_the_unit_is_timing_and_stops_nothing():
    moving = in_flight_fill(-3, 250)

    found = breaks(BOOK, {"USD": 125_000, PUT.id: -5}, venues=["paper"], in_flight=[moving])
    voided = breaks(
        BOOK,
        {"USD": 125_000, PUT.id: -5},
        venues=["paper"],
        in_flight=[moving, void(moving, at=START, reason="reorg")],
    )

    assert {b.kind for b in found} == {BreakKind.IN_FLIGHT}
    assert not any(b.stops for b in found)
    assert {b.kind for b in voided} == {BreakKind.QUANTITY}
    assert all(b.stops for b in voided)


def test_a_cent_beside_what_is_in_flight_is_a_difference():
    found = breaks(BOOK, {"USD": 125_001, PUT.id: -5}, venues=["paper"], in_flight=[in_flight_fill(-3, 250)])

    assert dict(kinds(found)) == {"USD": BreakKind.QUANTITY, PUT.id: BreakKind.IN_FLIGHT}


def test_an_instrument_whose_terms_nobody_knows_is_told_from_one_that_was_not_posted():
    stated = {"USD": 100_000, PUT.id: -2, "VIX 2023": 4, "SPXW foreign": 1}

    found = breaks(BOOK, stated, venues=["paper"], known={"USD", PUT.id, "VIX 2023"})

    assert kinds(found) == [("SPXW foreign", BreakKind.UNKNOWN), ("VIX 2023", BreakKind.NOT_IN_BOOKS)]


def test_the_digest_names_exactly_the_breaks_that_were_shown():
    one = breaks(BOOK, {"USD": 99_999, PUT.id: -2}, venues=["paper"])
    other = breaks(BOOK, {"USD": 99_998, PUT.id: -2}, venues=["paper"])

    assert digest(one) != digest(other)
    assert digest(one) == digest(list(one))
    assert len(digest(one)) == 8


@given(st.integers(-(10**24), 10**24).filter(bool), st.sampled_from([USD, USDC, ETH]))
def test_an_adopted_difference_reconciles_to_the_unit_and_is_open_until_taken_back(units, token):
    entries = [posting.capital(cash(Money(10**30, token)), key="c", at=START)]
    stated = {token.code: 10**30 + units}
    (found,) = breaks(book(entries), stated, venues=["paper"])

    taken = adopted(
        cash(Money(found.difference, token)), books=found.books, at=START, evidence={"why": "statement of the day"}
    )

    after = [*entries, taken]
    assert breaks(book(after), stated, venues=["paper"]) == ()
    assert in_suspense(after) == {(Sleeve.CONDOR, Cash(token)): Money(units, token)}
    assert imbalance(after) == {}
    assert in_suspense([*after, reversed_entry(taken, at=START, reason="explained", posted=after)]) == {}


def test_a_difference_that_comes_back_at_the_same_block_is_another_one():
    first = adopted(cash(usd(-10)), books=100_00, at=START, evidence={})
    again = adopted(cash(usd(-10)), books=90_00, at=START, evidence={})

    assert first.key != again.key
