"""What we hold: signed quantities of instruments, by sleeve."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.instruments import Instrument
from engine.money import Money


class Sleeve(StrEnum):
    """The part of the portfolio that bears a position's result."""

    CONDOR = "condor"
    DEFI = "defi"
    TRANSIT = "transit"


@dataclass(frozen=True, slots=True)
class Position:
    """A signed quantity of one instrument at one venue; negative = short or owed."""

    instrument: Instrument
    held: Money
    sleeve: Sleeve
    venue: str

    @property
    def quantity(self) -> Decimal:
        """Signed, in contracts or tokens."""
        return self.held.amount


@dataclass(frozen=True, slots=True)
class Book:
    """All positions and cash. At most one position per (sleeve, venue, instrument)."""

    positions: tuple[Position, ...] = ()

    def __iter__(self) -> Iterator[Position]:
        return iter(self.positions)

    def of(self, sleeve: Sleeve) -> "Book":
        """The part of the book in one sleeve."""
        return Book(tuple(p for p in self.positions if p.sleeve is sleeve))

    def held(self, instrument: Instrument, *, sleeve: Sleeve | None = None) -> Money:
        """How much of one instrument we hold, over all venues; zero if none."""
        total = Money.zero(instrument.unit)
        for position in self.positions:
            if position.instrument.unit == instrument.unit and sleeve in (None, position.sleeve):
                total = total + position.held
        return total

    def plus(self, changes: Iterable[Position]) -> "Book":
        """This book after `changes`; positions that become zero disappear."""
        merged = {(p.sleeve, p.venue, p.instrument): p.held for p in self.positions}
        for change in changes:
            key = (change.sleeve, change.venue, change.instrument)
            merged[key] = merged.get(key, Money.zero(change.held.currency)) + change.held
        return Book(tuple(Position(i, held, sleeve, venue) for (sleeve, venue, i), held in merged.items() if held))
