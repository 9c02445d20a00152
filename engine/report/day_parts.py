"""Where the result between two marks came from, to the cent: the attribution that a mark keeps (D36)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from engine.entries import Entry
from engine.errors import DoesNotReconcile, MissingQuote
from engine.instruments import Cash, Instrument, VanillaOption
from engine.ledger.accounts import held_at
from engine.ledger.attribution import FLAGGED_FROM, Snapshot, attribute
from engine.ledger.explained import unit_worth
from engine.money import USD, Money
from engine.positions import Book
from engine.report.marks import Parts
from engine.risk.pricing_view import PricingView

ROUNDING = "rounding"
"""Engine that bears the cents between engines rounded one by one and NAV rounded by sleeve."""

UNEXPLAINED = "residual"


def day_parts(before: Snapshot, after: Snapshot, entries: Sequence[Entry], *, result: Money) -> Parts:
    """
    Cents by engine and part; their sum is `result`, the change of NAV less capital put in, exactly.

    Where either market cannot price what was held, or the entries do not lead from one book to the other, the
    whole result is unexplained, which is what the flag on a residual is for.
    """
    expired = settled_at(before.book, entries, after.view)
    try:
        engines, _ = attribute(before, after, entries, settled=expired)
    except (MissingQuote, DoesNotReconcile):
        return {ROUNDING: {UNEXPLAINED: result.units}} if result else {}
    parts = {
        engine: {name: usd.units for name, usd in row.parts.items() if usd} for engine, row in sorted(engines.items())
    }
    missed = result.units - sum(cents for row in parts.values() for cents in row.values())
    found = {engine: row for engine, row in parts.items() if row}
    return found | ({ROUNDING: {UNEXPLAINED: missed}} if missed else {})


def settled_at(book: Book, entries: Iterable[Entry], view: PricingView) -> dict[Instrument, float]:
    """
    USD per unit of every option that expired by the new market's instant: its settlement's cash over its units.

    Zero for one that brought no cash.
    """
    posted = tuple(entries)
    held = [p.instrument for p in book] + [leg.instrument for entry in posted for leg in entry.legs]
    expired: dict[Instrument, float] = {
        each: 0.0 for each in held if isinstance(each, VanillaOption) and each.expiry <= view.asof
    }
    for entry in posted:
        for option in expired.keys() & {leg.instrument for leg in entry.legs}:
            if isinstance(option, VanillaOption) and entry.at >= option.expiry:
                expired[option] = _cash_per_unit(entry, option, view)
    return expired


def summed(days: Iterable[Parts]) -> dict[str, dict[str, int]]:
    """Cents of several days, by engine and part."""
    total: dict[str, dict[str, int]] = {}
    for parts in days:
        for engine, row in parts.items():
            into = total.setdefault(engine, {})
            for name, cents in row.items():
                into[name] = into.get(name, 0) + cents
    return {engine: dict(sorted(row.items())) for engine, row in sorted(total.items())}


@dataclass(frozen=True, slots=True)
class Flagged:
    """One engine's day whose residual its model does not explain, USD."""

    day: date
    engine: str
    residual: Money
    gross: Money


def residuals_flagged(marks: Iterable[tuple[date, Parts]]) -> Iterator[Flagged]:
    """Every engine's day with a residual beyond 2 % of its gross, the sum of its other parts without their signs."""
    for day, parts in marks:
        for engine, row in parts.items():
            gross = sum(abs(cents) for name, cents in row.items() if name != UNEXPLAINED)
            residual = row.get(UNEXPLAINED, 0)
            if abs(residual) > FLAGGED_FROM * gross:
                yield Flagged(day, engine, Money(residual, USD), Money(gross, USD))


def _cash_per_unit(entry: Entry, option: VanillaOption, view: PricingView) -> float:
    held = [leg for leg in entry.legs if held_at(leg.account) is not None]
    units = sum(leg.amount.units for leg in held if leg.instrument == option)
    cash = [leg for leg in held if isinstance(leg.instrument, Cash)]
    usd = sum(float(leg.amount.amount) * unit_worth(leg.instrument, view) for leg in cash)
    return -usd / (units / 10**option.unit.decimals) if units else 0.0


def part_by_day(marks: Iterable[tuple[date, Parts]], engine: str, name: str) -> tuple[tuple[date, Money], ...]:
    """One part of one engine, day by day; all engines where `engine` is `blended`."""
    found = []
    for day, parts in marks:
        rows: Iterable[Mapping[str, int]] = parts.values() if engine == "blended" else [parts.get(engine, {})]
        if cents := sum(row.get(name, 0) for row in rows):
            found.append((day, Money(cents, USD)))
    return tuple(found)
