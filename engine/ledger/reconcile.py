"""Where the books and a venue disagree, unit by unit, and what kind of disagreement it is."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.entries import Entry
from engine.errors import DoesNotReconcile
from engine.ledger.accounts import held_at
from engine.ledger.reversal import open_in_flight
from engine.positions import Book

CONFIRMED_BY = 8
"""Hexadecimal digits of a digest that a person reads back to confirm what was shown."""


class BreakKind(StrEnum):
    """How a position fails to agree."""

    NOT_AT_VENUE = "missing at the venue"
    NOT_IN_BOOKS = "missing in the ledger"
    QUANTITY = "amount differs"
    UNKNOWN = "unknown instrument"
    IN_FLIGHT = "timing: in flight"


@dataclass(frozen=True, slots=True)
class Break:
    """One disagreement, in smallest units of the instrument."""

    kind: BreakKind
    venue: str
    instrument: str
    books: int
    stated: int

    def __str__(self) -> str:
        return f"{self.venue} {self.instrument}: books {self.books}, venue {self.stated} ({self.kind})"

    @property
    def difference(self) -> int:
        """What the venue has more (+) or less (-) than the books."""
        return self.stated - self.books

    @property
    def stops(self) -> bool:
        """Whether it stops new risk: what is in flight is known and becomes final or void by itself."""
        return self.kind is not BreakKind.IN_FLIGHT


def breaks(
    book: Book,
    units: Mapping[str, int],
    *,
    venues: Collection[str],
    source: str = "",
    known: Collection[str] | None = None,
    in_flight: Iterable[Entry] = (),
) -> tuple[Break, ...]:
    """
    Every disagreement between the books and what one source states.

    Parameters
    ----------
    book : positions from final entries (`balances.book(entries, final_only=True)`)
    units : smallest units held per instrument id, cash included; a missing id states zero
    venues : the ledger's names of all venues this source speaks for: one for a broker; for chain
        balances of one owner every protocol and the vault itself
    source : name shown in a break; the venues' names unless given
    known : ids of every instrument whose terms are at hand; all of them unless given
    in_flight : the journal, or its entries in flight: a difference they make up to the unit is timing

    Returns
    -------
    Ordered by instrument id; empty = they agree to the unit (I3). There is no tolerance: post
    accruals first (`lending.accruals`).
    """
    booked: dict[str, int] = {}
    for position in book:
        if position.venue in venues:
            name = position.instrument.id
            booked[name] = booked.get(name, 0) + position.held.units
    moving = _moving(in_flight, venues)
    label = source or "+".join(sorted(venues))
    found = []
    for name in sorted(booked.keys() | units.keys()):
        ours, theirs = booked.get(name, 0), units.get(name, 0)
        if ours != theirs:
            timing = theirs - ours == moving.get(name, 0)
            unknown = known is not None and ours == 0 and name not in known
            found.append(Break(_kind(ours, theirs, timing=timing, unknown=unknown), label, name, ours, theirs))
    return tuple(found)


def require_agreement(found: Iterable[Break]) -> None:
    """Raises `DoesNotReconcile` that lists every break; silent if there is none."""
    named = tuple(found)
    if named:
        raise DoesNotReconcile(
            f"{len(named)} position(s) do not reconcile",
            why="; ".join(map(str, named)),
            todo="find the missing or foreign event at the venue and post it; trading stays halted until then",
        )


def digest(found: Iterable[Break]) -> str:
    """
    What names exactly these breaks, to be read back by who adopts them.

    >>> digest([Break(BreakKind.QUANTITY, "paper", "USD", 100, 90)]) == digest([])
    False
    """
    return hashlib.sha256("\n".join(map(str, found)).encode()).hexdigest()[:CONFIRMED_BY]


def _moving(entries: Iterable[Entry], venues: Collection[str]) -> dict[str, int]:
    total: dict[str, int] = {}
    for entry in open_in_flight(entries):
        for leg in entry.legs:
            if (place := held_at(leg.account)) is not None and place[1] in venues:
                total[leg.instrument.id] = total.get(leg.instrument.id, 0) + leg.amount.units
    return total


def _kind(ours: int, theirs: int, *, timing: bool, unknown: bool) -> BreakKind:
    if timing:
        return BreakKind.IN_FLIGHT
    if unknown:
        return BreakKind.UNKNOWN
    if theirs == 0:
        return BreakKind.NOT_AT_VENUE
    return BreakKind.NOT_IN_BOOKS if ours == 0 else BreakKind.QUANTITY
