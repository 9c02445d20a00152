"""A report's figure and what it is made of: the legs, the marks or the other figures that give it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from engine.entries import Entry
from engine.errors import InputError
from engine.instruments import Instrument
from engine.ledger.balances import valuation_day
from engine.money import USD, Money
from engine.report.marks import Marks
from engine.report.valued import in_usd


@dataclass(frozen=True, slots=True)
class Legs:
    """
    Which legs of the journal a figure adds up.

    `accounts` are patterns with `*` for any text; days are valuation days, `after` exclusive and none for all.
    `instrument` is an id, none for all; `sign` is what they are counted with.
    """

    accounts: tuple[str, ...]
    until: date
    after: date | None = None
    instrument: str | None = None
    sign: int = 1

    def take(self, account: str, instrument: Instrument, day: date) -> bool:
        """Whether a leg is one of them."""
        return (
            (self.after is None or self.after < day)
            and day <= self.until
            and self.instrument in (None, instrument.id)
            and any(fnmatchcase(account, pattern) for pattern in self.accounts)
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One figure.

    `value` is None where it is undefined. `formula` says in words how it follows from `legs`, at the prices of
    `priced` (the day's own mark where that is None), from `daily` amounts that marks keep, or from the figures `of`.
    """

    name: str
    value: Money | float | str | bool | None
    unit: str
    formula: str
    legs: tuple[Legs, ...] = ()
    priced: date | None = None
    daily: tuple[tuple[date, Money], ...] = ()
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Total:
    """
    What one account adds in one instrument: its amount, USD per unit, and its worth to the cent.

    `day` is that of a flow, None for a holding at one mark.
    """

    account: str
    instrument: str
    day: date | None
    amount: Money
    rate: float
    worth: Money


@dataclass(frozen=True, slots=True)
class Counted:
    """One leg that a figure counts: where it stands in the journal, and its amount with the figure's sign."""

    serial: int
    key: str
    day: date
    memo: str
    account: str
    instrument: Instrument
    amount: Money


@dataclass(frozen=True, slots=True)
class Why:
    """A figure taken apart: every leg it counts, and their sums as the figure rounds them."""

    figure: Figure
    counted: tuple[Counted, ...]
    totals: tuple["Total", ...]

    @property
    def worth(self) -> Money:
        """USD of all totals: the figure itself where it is a sum of legs."""
        return sum((total.worth for total in self.totals), Money.zero(USD))


def figure(figures: Iterable[Figure], name: str) -> Figure:
    """The figure of a name; raises `InputError` that lists those that begin like it."""
    known = {each.name: each for each in figures}
    if name in known:
        return known[name]
    near = [each for each in known if each.startswith(name.partition(".")[0])] or list(known)
    raise InputError(
        f"figure {name!r} unknown", why="the report has no such figure", todo=f"use {', '.join(near[:12])}"
    )


def why(found: Figure, entries: Iterable[tuple[int, Entry]], marks: Marks) -> Why:
    """
    Every leg that gives a figure, with the sums it is worked out from.

    Parameters
    ----------
    entries : the journal with its serials, whole

    Legs are added up by account and instrument, flows by day too, and each sum is rounded once at its rate: the
    totals add up to the figure to the cent.
    """
    counted = tuple(_counted(found, entries))
    return Why(found, counted, tuple(_totals(found, counted, marks)))


def _counted(found: Figure, entries: Iterable[tuple[int, Entry]]) -> Iterable[Counted]:
    for serial, entry in entries:
        day = valuation_day(entry.at)
        for leg in entry.legs:
            for legs in found.legs:
                if legs.take(leg.account, leg.instrument, day):
                    amount = leg.amount * legs.sign
                    yield Counted(serial, entry.key, day, entry.memo, leg.account, leg.instrument, amount)


def _totals(found: Figure, counted: Sequence[Counted], marks: Marks) -> Iterable[Total]:
    sums: dict[tuple[str, Instrument, date | None], Money] = {}
    for row in counted:
        key = row.account, row.instrument, None if found.priced else row.day
        sums[key] = sums.get(key, Money.zero(row.amount.currency)) + row.amount
    for (account, instrument, day), amount in sorted(sums.items(), key=lambda row: _order(row[0])):
        if amount:
            rate = marks.rate(instrument, day or found.priced or date.max)
            yield Total(account, instrument.id, day, amount, rate, in_usd(amount, instrument, rate))


def _order(key: tuple[str, Instrument, date | None]) -> tuple[date, str, str]:
    return key[2] or date.min, key[0], key[1].id
