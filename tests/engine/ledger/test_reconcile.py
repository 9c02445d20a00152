import pytest

from engine.errors import DoesNotReconcile
from engine.ledger.reconcile import BreakKind, breaks, require_agreement
from engine.money import Money, usd
from engine.positions import Book, Sleeve
from tests.engine.ledger.events import DEBT, PUT, USDC, cash, held

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
