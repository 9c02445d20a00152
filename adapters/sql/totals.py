"""Sums over the legs, by the database; each is exact, whatever its size."""

from collections.abc import Iterator
from datetime import date, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, func, select, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from adapters.sql.books import ENTRIES, LEGS, instruments_in, readable
from engine.entries import Account, Entry, EntryStatus, Leg
from engine.instruments import MARKET_ZONE, Instrument
from engine.ledger.balances import VALUATION_TIME
from engine.money import Currency, Money


class addends(FunctionElement[str]):  # noqa: N801 - an SQL function
    """
    Integers kept as text, as a text of numbers with commas between whose sum is theirs (`_added_up`).

    PostgreSQL adds them itself, in its numeric type. SQLite adds in 64 bits or in floats and would overflow or round,
    so it gathers the numbers of a group and they are added on the way out.
    """

    type = Text()
    inherit_cache = True


@compiles(addends, "sqlite")
def _gathered(element: addends, compiler: Any, **options: Any) -> str:
    return f"group_concat({compiler.process(element.clauses, **options)}, ',')"


@compiles(addends, "postgresql")
def _summed(element: addends, compiler: Any, **options: Any) -> str:
    return f"CAST(sum(CAST({compiler.process(element.clauses, **options)} AS numeric)) AS text)"


def balances_in(
    connection: Connection, *, until: date | None = None, final_only: bool = False
) -> dict[tuple[Account, Instrument], Money]:
    """
    Balance of every account per instrument that is not even, by account and first use of the instrument.

    Raises `LedgerError` if a leg was tampered with so that it is no number.
    """
    named = _counted(connection)
    query = _totals(LEGS.c.account, LEGS.c.instrument, after=None, until=until, final_only=final_only)
    with readable("a leg"):
        return {
            (Account(account), instrument): Money(units, unit)
            for account, serial, numbers in connection.execute(query)
            for (instrument, unit), units in ((named[serial], _added_up(numbers)),)
            if units
        }


def days_in(
    connection: Connection, *, after: date | None = None, until: date | None = None, final_only: bool = False
) -> Iterator[Entry]:
    """One entry per valuation day, its legs the day's sums; see `SqlJournal.daily`."""
    named = _counted(connection)
    query = _totals(
        type_coerce(LEGS.c.day, Text),
        LEGS.c.account,
        LEGS.c.instrument,
        after=after,
        until=until,
        final_only=final_only,
    )
    with readable("a day"):
        for day, rows in groupby(connection.execute(query), key=lambda row: row[0]):
            legs = tuple(
                Leg(Account(account), Money(units, unit), instrument)
                for _, account, serial, numbers in rows
                for (instrument, unit), units in ((named[serial], _added_up(numbers)),)
                if units
            )
            closes = datetime.combine(date.fromisoformat(day), VALUATION_TIME, MARKET_ZONE)
            yield Entry(f"day:{day}", closes, f"all of {day}", legs)


def span_in(connection: Connection) -> tuple[date, date] | None:
    """The first and the last valuation day that was posted to; None if nothing was."""
    first, last = connection.execute(select(func.min(LEGS.c.day), func.max(LEGS.c.day))).one()
    return (first, last) if first else None


def days_after_in(connection: Connection, serial: int) -> tuple[date, ...]:
    """Valuation days that were posted to after a serial, in order."""
    days = select(LEGS.c.day).where(LEGS.c.serial > serial).distinct().order_by(LEGS.c.day)
    return tuple(connection.execute(days).scalars())


def count_in(connection: Connection) -> int:
    """How many entries are posted."""
    return connection.execute(select(func.count()).select_from(ENTRIES)).scalar_one()


def _added_up(numbers: str) -> int:
    return sum(map(int, numbers.split(",")))


def _totals(
    *by: ColumnElement[Any], after: date | None, until: date | None, final_only: bool
) -> Select[tuple[Any, ...]]:
    bounds = []
    if after is not None:
        bounds.append(LEGS.c.day > after)
    if until is not None:
        bounds.append(LEGS.c.day <= until)
    if final_only:
        bounds.append(LEGS.c.serial.not_in(select(ENTRIES.c.serial).where(ENTRIES.c.status != EntryStatus.FINAL.value)))
    units = addends(type_coerce(LEGS.c.units, Text))
    return select(*by, units).where(and_(True, *bounds)).group_by(*by).order_by(*by)


def _counted(connection: Connection) -> dict[int, tuple[Instrument, Currency]]:
    """Instruments with their unit, which is worked out anew whenever it is asked for."""
    return {serial: (instrument, instrument.unit) for serial, instrument in instruments_in(connection).items()}
