from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from engine.errors import InputError, MissingQuote
from engine.instruments import Future
from engine.money import Money
from engine.positions import Book, Position, Sleeve
from engine.risk.margin import InitialMargin, future_requirements

MARCH, APRIL = (
    Future("VX", "VIX", datetime(2026, month, day, 13, tzinfo=UTC), Decimal(1000)) for month, day in ((3, 18), (4, 15))
)
RATES = [
    InitialMargin("VX", date(2025, 6, 1), 9_000.0, "notice of May"),
    InitialMargin("VX", date(2026, 2, 1), 11_500.0, "notice of January"),
    InitialMargin("VX", date(2026, 9, 1), 8_000.0, "notice of August"),
]


def book(*rows):
    return Book(tuple(Position(f, Money.of(q, f.unit), Sleeve.CONDOR, where) for f, q, where in rows))


@pytest.mark.requirement("D32")
def test_futures_are_held_against_the_rate_in_force_on_the_day_long_or_short():
    held = book((MARCH, -3, "broker"), (APRIL, 2, "broker"))

    rows = future_requirements(held, RATES, date(2026, 2, 27))

    assert [(row.future, row.quantity, row.usd) for row in rows] == [(MARCH, -3, 34_500.0), (APRIL, 2, 23_000.0)]
    assert rows[0].rate.source == "notice of January"


def test_contracts_of_one_expiry_net_at_one_broker_and_not_across_two():
    netted = Book().plus(book((MARCH, -3, "broker"), (MARCH, 3, "broker")))
    apart = book((MARCH, -3, "broker"), (MARCH, 3, "second"))

    assert future_requirements(netted, RATES, date(2026, 2, 27)) == ()
    assert [row.usd for row in future_requirements(apart, RATES, date(2026, 2, 27))] == [34_500.0, 34_500.0]


def test_a_day_before_any_rate_is_refused():
    with pytest.raises(MissingQuote, match="2025-01-02"):
        future_requirements(book((MARCH, 1, "broker")), RATES, date(2025, 1, 2))


@pytest.mark.parametrize("usd", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_sum_of_dollars_is_refused(usd):
    with pytest.raises(InputError, match="VX"):
        InitialMargin("VX", date(2026, 1, 1), usd, "a slip")
