"""The attribution a mark keeps: every cent of the day, settlements at what they paid."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from engine.ledger import posting, settlement
from engine.ledger.attribution import Snapshot
from engine.ledger.balances import book as book_of
from engine.money import USD, Money, usd
from engine.positions import Book, Position, Sleeve
from engine.report.day_parts import day_parts, part_by_day, settled_at, summed
from tests.engine.ledger.events import cash, fill
from tests.engine.ledger.test_attribution import AT, START_BOOK, days_entries, nav, next_day
from tests.engine.risk import cross_domain as x

pytestmark = pytest.mark.requirement("D36")


def cents(parts):
    return sum(sum(row.values()) for row in parts.values())


def test_the_parts_of_a_day_add_up_to_its_result_to_the_cent():
    view, entries = next_day(spot=-0.02, vol=0.015, ether=0.05, peg=0.999, vix=0.2), days_entries()
    after = START_BOOK.plus(book_of(entries))
    result = Money.rounded(nav(after, view) - nav(START_BOOK, x.view()), USD) - usd(1000)

    parts = day_parts(Snapshot(x.view(), START_BOOK), Snapshot(view, after), entries, result=result)

    assert cents(parts) == result.units
    assert {"condor", "hedge", "defi", "financing", "gas"} <= parts.keys()
    assert parts["gas"] == {"gas": parts["gas"]["gas"]}
    assert parts["gas"]["gas"] < 0


def test_a_day_whose_entries_do_not_lead_to_its_book_is_unexplained_as_a_whole():
    view = next_day(spot=0.01)
    entries = days_entries()

    parts = day_parts(Snapshot(x.view(), START_BOOK), Snapshot(view, START_BOOK), entries, result=usd("-12.34"))

    assert parts == {"rounding": {"residual": -1234}}
    assert day_parts(Snapshot(x.view(), START_BOOK), Snapshot(view, START_BOOK), entries, result=usd(0)) == {}


def test_what_expired_is_worth_the_cash_it_settled_for():
    option = x.PUT
    held = Position(option, Money(-10, option.unit), Sleeve.CONDOR, "paper")
    paid = settlement.payout(option, held.held, Decimal(str(float(option.strike) - 12.5)))
    entry = posting.entry_for(
        fill("settle:1", Position(option, -held.held, Sleeve.CONDOR, "paper"), cash(paid), at=option.expiry)
    )
    after = replace(x.view(), asof=option.expiry + timedelta(hours=1))

    assert settled_at(Book((held,)), [entry], after) == {option: pytest.approx(12.5 * float(option.multiplier))}
    assert settled_at(Book((held,)), [], after) == {option: 0.0}
    assert settled_at(Book((held,)), [entry], x.view()) == {}


def test_days_add_up_by_engine_and_part():
    days = [{"condor": {"delta": 5, "theta": -1}}, {"condor": {"delta": -2}, "gas": {"gas": -7}}]

    assert summed(days) == {"condor": {"delta": 3, "theta": -1}, "gas": {"gas": -7}}
    dated = [(AT.date(), days[0]), (AT.date() + timedelta(days=1), days[1])]
    assert [usd.units for _, usd in part_by_day(dated, "blended", "delta")] == [5, -2]
    assert part_by_day(dated, "gas", "delta") == ()


def test_a_cent_between_engines_rounded_apart_and_the_whole_is_kept_in_sight():
    view, entries = next_day(spot=-0.01), days_entries()
    after = START_BOOK.plus(book_of(entries))
    exact = Money.rounded(nav(after, view) - nav(START_BOOK, x.view()), USD) - usd(1000)

    parts = day_parts(Snapshot(x.view(), START_BOOK), Snapshot(view, after), entries, result=exact + usd("0.07"))

    assert cents(parts) == exact.units + 7
    assert 1 <= abs(parts["rounding"]["residual"]) <= 12
