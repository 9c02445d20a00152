"""What the journal adds up to: positions, account balances, and flows of capital."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from engine.entries import Account, Entry, EntryStatus
from engine.instruments import MARKET_ZONE, Instrument
from engine.ledger.accounts import capital_sleeve, held_at
from engine.money import Currency, Money
from engine.positions import Book, Position, Sleeve

VALUATION_TIME = time(16, 15)
"""One valuation point for both engines, market zone (D15)."""


@dataclass(frozen=True, slots=True)
class CapitalFlow:
    """
    Capital of one commodity that crossed a sleeve's boundary within one valuation day.

    `paid` is positive when the sleeve paid it out and negative when it was put in: the owner's sign.
    """

    day: date
    sleeve: Sleeve
    instrument: Instrument
    paid: Money


def book(entries: Iterable[Entry], *, final_only: bool = False) -> Book:
    """
    Positions and cash after `entries`, in order of first posting.

    With `final_only`, entries in flight and their voids are left out: that is what must agree with a
    venue at its last final block (I3). Without it they count, as they must for limits (I4).
    """
    held: dict[tuple[Sleeve, str, Instrument], int] = {}
    places: dict[Account, tuple[Sleeve, str] | None] = {}
    for entry in entries:
        if final_only and entry.status is not EntryStatus.FINAL:
            continue
        for leg in entry.legs:
            if leg.account not in places:
                places[leg.account] = held_at(leg.account)
            if place := places[leg.account]:
                key = (*place, leg.instrument)
                held[key] = held.get(key, 0) + leg.amount.units
    return Book(
        tuple(
            Position(instrument, Money(units, instrument.unit), sleeve, venue)
            for (sleeve, venue, instrument), units in held.items()
            if units
        )
    )


def trial_balance(entries: Iterable[Entry]) -> Mapping[tuple[Account, Instrument], Money]:
    """Balance of every account per commodity; accounts that are even are left out."""
    totals: defaultdict[tuple[Account, Instrument], int] = defaultdict(int)
    for entry in entries:
        for leg in entry.legs:
            totals[leg.account, leg.instrument] += leg.amount.units
    return {key: Money(units, key[1].unit) for key, units in totals.items() if units}


def imbalance(entries: Iterable[Entry]) -> Mapping[Currency, int]:
    """Smallest units by which the whole book fails to be zero, per commodity: empty, or the books lie."""
    totals: defaultdict[Currency, int] = defaultdict(int)
    for balance in trial_balance(entries).values():
        totals[balance.currency] += balance.units
    return {currency: units for currency, units in totals.items() if units}


def valuation_day(at: datetime, closes: time = VALUATION_TIME) -> date:
    """
    The day whose valuation first contains `at`: what comes after the close belongs to the next day.

    >>> from datetime import UTC
    >>> valuation_day(datetime(2026, 1, 5, 21, 15, tzinfo=UTC)).isoformat()
    '2026-01-05'
    >>> valuation_day(datetime(2026, 1, 5, 21, 16, tzinfo=UTC)).isoformat()
    '2026-01-06'
    """
    local = at.astimezone(MARKET_ZONE)
    return local.date() + timedelta(days=int(local.time() > closes))


def capital_flows(entries: Iterable[Entry]) -> tuple[CapitalFlow, ...]:
    """
    External flows per sleeve, per valuation day, per commodity, exact.

    A flow is external to a sleeve when it crosses that sleeve's boundary; moves between sleeves appear
    once on each side with opposite signs, so that they vanish from `blended` (D15).
    """
    totals: defaultdict[tuple[date, Sleeve, Instrument], int] = defaultdict(int)
    for entry in entries:
        for leg in entry.legs:
            if (sleeve := capital_sleeve(leg.account)) is not None:
                totals[valuation_day(entry.at), sleeve, leg.instrument] += leg.amount.units
    return tuple(
        CapitalFlow(day, sleeve, instrument, Money(units, instrument.unit))
        for (day, sleeve, instrument), units in sorted(
            totals.items(), key=lambda row: (row[0][0], row[0][1], row[0][2].id)
        )
        if units
    )


def blended(flows: Iterable[CapitalFlow]) -> Mapping[tuple[date, Instrument], Money]:
    """Flows that cross the portfolio's boundary: the sum over sleeves, per day and commodity."""
    totals: dict[tuple[date, Instrument], Money] = {}
    for flow in flows:
        key = flow.day, flow.instrument
        totals[key] = totals.get(key, Money.zero(flow.paid.currency)) + flow.paid
    return {key: paid for key, paid in totals.items() if paid}
