"""What the journal keeps beside its entries for reports: each close's mark, and what each reconciliation found."""

import json
from collections.abc import Mapping
from datetime import date

from adapters.sql.books import entries_in
from adapters.sql.journal import SqlJournal
from engine.entries import Entry
from engine.ledger.balances import valuation_day
from engine.ledger.reconcile import BreakKind
from engine.money import Currency, Money
from engine.report.book_rows import BreakRow
from engine.report.kept_view import read_view
from engine.report.marks import Mark, Marks
from engine.risk.pricing_view import PricingView

MARK = "mark"
MARKET = "market"
RECONCILIATION = "reconciliation"


def kept_marks(journal: SqlJournal) -> Marks:
    """Every mark the journal keeps."""
    return Marks.of(note.text for note in journal.notes(MARK))


def kept_market(journal: SqlJournal, day: date) -> PricingView | None:
    """The market of a day's mark; None where the day has none."""
    read = (read_view(note.text) for note in reversed(journal.notes(MARKET)))
    return next((view for kept, view in read if kept == day), None)


def posted_since(journal: SqlJournal, mark: Mark | None) -> list[tuple[int, Entry]]:
    """Entries that a mark did not count, with their serials: later ones, and those it left to a later day."""
    with journal.reading() as connection:
        rows = list(entries_in(connection, after=mark.counted if mark else 0))
    if mark is None:
        return rows
    return [(serial, each) for serial, each in rows if serial > mark.serial or valuation_day(each.at) > mark.day]


def open_breaks(journal: SqlJournal, until: date) -> tuple[BreakRow, ...]:
    """Breaks of the last reconciliation up to a day's close, each since when it has been open without a pause."""
    since: dict[tuple[str, str], date] = {}
    rows: tuple[BreakRow, ...] = ()
    for note in journal.notes(RECONCILIATION):
        day = valuation_day(note.at)
        if day > until:
            continue
        found = json.loads(note.text)["breaks"]
        keys = {(each["account"], each["instrument"]) for each in found}
        since = {key: since.get(key, day) for key in keys}
        rows = tuple(_row(each, since[each["account"], each["instrument"]]) for each in found)
    return rows


def _row(found: Mapping[str, str], since: date) -> BreakRow:
    unit = Currency(found["instrument"], int(found["decimals"]))
    ledger, venue = Money(int(found["books"]), unit), Money(int(found["stated"]), unit)
    return BreakRow(found["account"], ledger, venue, since, BreakKind(found["kind"]).value)
