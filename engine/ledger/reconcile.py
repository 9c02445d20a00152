"""Where the books and a venue disagree, unit by unit."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import DoesNotReconcile
from engine.positions import Book


class BreakKind(StrEnum):
    """How a position fails to agree."""

    NOT_AT_VENUE = "in the books, not at the venue"
    NOT_IN_BOOKS = "at the venue, not in the books"
    QUANTITY = "different quantity"


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


def breaks(book: Book, units: Mapping[str, int], *, venues: Collection[str], source: str = "") -> tuple[Break, ...]:
    """
    Every disagreement between the books and what one source states.

    Parameters
    ----------
    book : positions from final entries (`balances.book(entries, final_only=True)`)
    units : smallest units held per instrument id, cash included; a missing id states zero
    venues : the ledger's names of all venues this source speaks for: one for a broker; for chain
        balances of one owner every protocol and the vault itself
    source : name shown in a break; the venues' names unless given

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
    label = source or "+".join(sorted(venues))
    return tuple(
        Break(_kind(ours, theirs), label, name, ours, theirs)
        for name in sorted(booked.keys() | units.keys())
        if (ours := booked.get(name, 0)) != (theirs := units.get(name, 0))
    )


def require_agreement(found: Iterable[Break]) -> None:
    """Raises `DoesNotReconcile` that lists every break; silent if there is none."""
    named = tuple(found)
    if named:
        raise DoesNotReconcile(
            f"{len(named)} position(s) do not reconcile",
            why="; ".join(map(str, named)),
            todo="find the missing or foreign event at the venue and post it; trading stays halted until then",
        )


def _kind(ours: int, theirs: int) -> BreakKind:
    if theirs == 0:
        return BreakKind.NOT_AT_VENUE
    return BreakKind.NOT_IN_BOOKS if ours == 0 else BreakKind.QUANTITY
