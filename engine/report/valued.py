"""What each engine was worth at every marked close of a period, to the cent."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from engine.entries import Account, Entry, Leg
from engine.errors import MissingQuote
from engine.instruments import MARKET_ZONE, Cash, Instrument
from engine.ledger.accounts import assets, capital_sleeve, held_at
from engine.ledger.balances import VALUATION_TIME, valuation_day
from engine.money import USD, Money
from engine.positions import Book, Position, Sleeve
from engine.report.marks import Mark, Marks
from engine.report.performance import NavPoint

Balances = Mapping[tuple[Account, Instrument], Money]
Nav = Mapping[Sleeve, Money]

_DOLLARS = Cash(USD)
_HAS_CENTS = 1e13


@dataclass(slots=True)
class _Held:
    units: int
    instrument: Instrument
    name: str
    scale: int
    sleeve: Sleeve


class Holdings:
    """Signed units of every instrument by account, moved on entry by entry."""

    def __init__(self, opening: Balances) -> None:
        self._held: dict[tuple[Account, Instrument], _Held] = {}
        self._sleeves: dict[Account, Sleeve | None] = {}
        for (account, instrument), held in opening.items():
            self._add(account, instrument, held.units)

    def post(self, entry: Entry) -> None:
        """Count one entry in."""
        for leg in entry.legs:
            self._add(leg.account, leg.instrument, leg.amount.units)

    def worth(self, mark: Mark | None) -> Nav:
        """
        USD of each sleeve at a mark: each account's instruments to the cent, and their sum.

        Raises `MissingQuote` for a holding that was not marked.
        """
        totals = dict.fromkeys(Sleeve, 0)
        for held in self._held.values():
            if not held.units:
                continue
            if held.name == USD.code:
                totals[held.sleeve] += held.units
                continue
            price = mark.prices.get(held.name) if mark is not None else None
            if price is None:
                price = price_at(mark, held.instrument)
            totals[held.sleeve] += cents(held.units / held.scale * price)
        return {sleeve: Money(total, USD) for sleeve, total in totals.items()}

    def _add(self, account: Account, instrument: Instrument, units: int) -> None:
        if account not in self._sleeves:
            place = held_at(account)
            self._sleeves[account] = place[0] if place is not None else None
        sleeve = self._sleeves[account]
        if sleeve is None:
            return
        found = self._held.get((account, instrument))
        if found is None:
            scale = 10**instrument.unit.decimals
            self._held[account, instrument] = _Held(units, instrument, instrument.id, scale, sleeve)
        else:
            found.units += units


def worth_of(book: Book, mark: Mark) -> Nav:
    """USD of each sleeve of a book at a mark, rounded as every report rounds it."""
    held = {(assets(p.sleeve, p.venue), p.instrument): p.held for p in book}
    return Holdings(held).worth(mark)


def book_of(balances: Balances) -> Book:
    """The positions of a trial balance."""
    held = ((held_at(account), instrument, amount) for (account, instrument), amount in balances.items())
    return Book(tuple(Position(instrument, amount, *place) for place, instrument, amount in held if place))


def by_day(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """One entry per valuation day, its legs the day's sums by account and instrument (as `SqlJournal.daily`)."""
    sums: dict[date, dict[tuple[Account, Instrument], int]] = {}
    for entry in entries:
        day = sums.setdefault(valuation_day(entry.at), {})
        for leg in entry.legs:
            key = leg.account, leg.instrument
            day[key] = day.get(key, 0) + leg.amount.units
    return tuple(
        Entry(f"day:{day}", datetime.combine(day, VALUATION_TIME, MARKET_ZONE), f"all of {day}", _legs(sums[day]))
        for day in sorted(sums)
    )


def nav_points(
    opening: Balances, days: Sequence[Entry], marks: Marks, flows: Mapping[date, Money], *, opens: date, end: date
) -> tuple[NavPoint, ...]:
    """
    Value by engine at `opens`, at every marked day after it, and at `end`.

    Parameters
    ----------
    opening : balances of all accounts at the valuation point of `opens`
    days : entries after it up to `end`'s, in order of their valuation days
    marks : a day that is not marked is valued at the last mark before it
    flows : capital that crossed the portfolio's boundary by day (`blended`)

    Returns
    -------
    Without a point at `opens` where nothing was held yet. `external` is capital paid in since the point before.
    """
    holdings, at = Holdings(opening), 0
    dates = [opens, *(mark.day for mark in marks.between(opens, end))]
    dates += [end] if dates[-1] != end else []
    points: list[NavPoint] = []
    left = deque(sorted(flows.items()))
    for on in dates:
        while at < len(days) and valuation_day(days[at].at) <= on:
            holdings.post(days[at])
            at += 1
        external = Money.zero(USD)
        while left and left[0][0] <= on:
            external += left.popleft()[1]
        nav = holdings.worth(marks.at(on))
        if points or external or any(nav.values()):
            points.append(NavPoint(on, nav[Sleeve.CONDOR], nav[Sleeve.DEFI], nav[Sleeve.TRANSIT], external))
    return tuple(points)


def paid_in(days: Iterable[Entry], marks: Marks) -> dict[Sleeve, dict[date, Money]]:
    """
    Capital put in (+) or taken out (-) by engine and valuation day, each amount at its day's rate.

    `days` are entries of whole days (`SqlJournal.daily`). A move between two engines vanishes from the sum over
    all of them, whatever its price.
    """
    found: dict[Sleeve, dict[date, Money]] = {sleeve: {} for sleeve in Sleeve}
    for entry in days:
        day = valuation_day(entry.at)
        for leg in entry.legs:
            sleeve = capital_sleeve(leg.account)
            if sleeve is not None:
                usd = in_usd(-leg.amount, leg.instrument, marks.rate(leg.instrument, day))
                found[sleeve][day] = found[sleeve].get(day, Money.zero(USD)) + usd
    return found


def blended(by_sleeve: Mapping[Sleeve, Mapping[date, Money]]) -> dict[date, Money]:
    """What crossed the portfolio's own boundary, by day; days on which nothing did are left out."""
    found: dict[date, Money] = {}
    for flows in by_sleeve.values():
        for day, usd in flows.items():
            found[day] = found.get(day, Money.zero(USD)) + usd
    return {day: usd for day, usd in sorted(found.items()) if usd}


def _legs(sums: Mapping[tuple[Account, Instrument], int]) -> tuple[Leg, ...]:
    return tuple(
        Leg(account, Money(units, instrument.unit), instrument)
        for (account, instrument), units in sorted(sums.items(), key=lambda row: (row[0][0], row[0][1].id))
        if units
    )


def in_usd(amount: Money, instrument: Instrument, rate: float) -> Money:
    """An amount at USD per unit, to the cent; dollars as they are."""
    if instrument == _DOLLARS:
        return amount
    return Money(cents(amount.units / 10**amount.currency.decimals * rate), USD)


def cents(usd: float) -> int:
    """
    The nearest cent of a float, ties to even, as `Money.rounded` has it; quick where floats still have cents.

    >>> cents(0.125), cents(-2.675), cents(1e300) == Money.rounded(1e300, USD).units
    (12, -267, True)
    """
    return round(round(usd, 2) * 100.0) if abs(usd) < _HAS_CENTS else Money.rounded(usd, USD).units


def price_at(mark: Mark | None, instrument: Instrument) -> float:
    """USD per unit at a mark; raises `MissingQuote` where it was not marked."""
    if instrument.id == USD.code:
        return 1.0
    usd = mark.price(instrument) if mark is not None else None
    if usd is None:
        raise MissingQuote(
            f"no mark of {instrument.id}",
            why=f"the valuation of {mark.day} does not price it" if mark else "no day was marked yet",
            todo="run `hedge reconcile` at the close, which keeps the day's marks",
        )
    return usd


def total(nav: Nav, sleeve: Sleeve | None = None) -> Money:
    """One sleeve, or all of them."""
    return sum(nav.values(), Money.zero(USD)) if sleeve is None else nav[sleeve]
