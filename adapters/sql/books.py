"""Entries in rows: writing them under their records, and building them again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice

from sqlalchemy import Connection, Row, select

from adapters.sql.chain import RECORDS, Draft, append, as_written, streamed
from adapters.sql.schema import Row as Stored
from adapters.sql.storage import database_of
from adapters.sql.wire import (
    Digests,
    Written,
    instrument_text,
    read_entry,
    read_instrument,
    read_leg,
    same_content,
    written,
)
from engine.entries import Entry
from engine.errors import EngineError, LedgerError
from engine.instruments import MARKET_ZONE, Instrument
from engine.ledger.balances import VALUATION_TIME, valuation_day

ENTRIES, LEGS, INSTRUMENTS = (Stored.metadata.tables[name] for name in ("entries", "legs", "instruments"))
_AT_ONCE = 2_000


def post(connection: Connection, entries: Iterable[Entry]) -> int:
    """
    Appends the entries whose key is new, a block of rows at a time; returns how many were.

    Raises `LedgerError` if a key is there, or given twice, with other legs or another status.
    """
    digests, days, left = Digests(), ValuationDays(), iter(entries)
    serials: dict[str, int] = {}
    count = 0
    while block := list(islice(left, _AT_ONCE)):
        new = _unposted(connection, [(entry, written(entry, digests)) for entry in block])
        if new:
            _name_instruments(connection, digests, serials, at=new[0][1].at)
            _append(connection, new, serials, days)
        count += len(new)
    return count


def entries_in(connection: Connection, *, after: int = 0) -> Iterator[tuple[int, Entry]]:
    """
    Every entry with its serial, in order of posting, after one serial; read as they are asked for.

    Raises `LedgerError` at an entry that was tampered with so that it cannot be read.
    """
    named = instruments_in(connection)
    heads = streamed(connection, as_written(ENTRIES).where(ENTRIES.c.serial > after))
    legs = groupby(streamed(connection, as_written(LEGS).where(LEGS.c.serial > after)), key=lambda row: row.serial)
    days = ValuationDays()
    serial, own = next(legs, _NO_MORE)
    for head in heads:
        while serial < head.serial:
            serial, own = next(legs, _NO_MORE)
        yield head.serial, _entry(head, tuple(own) if serial == head.serial else (), named, days)


def instruments_in(connection: Connection) -> dict[int, Instrument]:
    """Every instrument by the serial of its record."""
    with readable("an instrument"):
        return {row.serial: read_instrument(row.terms) for row in connection.execute(select(INSTRUMENTS))}


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Raises `LedgerError` where a row holds what was never written."""
    try:
        yield
    except (EngineError, ValueError, KeyError, TypeError) as broken:
        raise LedgerError(
            f"{what} cannot be read",
            why=f"{type(broken).__name__}: {broken}",
            todo="run `hedge ledger verify`, restore a backup, do not trade",
        ) from broken


def keys_in(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """The bodies of those entries that are posted, by key."""
    query = (
        select(ENTRIES.c.key, RECORDS.c.body)
        .join(RECORDS, RECORDS.c.serial == ENTRIES.c.serial)
        .where(database_of(connection).among(ENTRIES.c.key, list(keys)))
    )
    return {row.key: row.body for row in connection.execute(query)}


class ValuationDays:
    """Valuation days as text; instants between the same two valuation points are told without a calendar."""

    def __init__(self) -> None:
        self._after = self._until = datetime.min.replace(tzinfo=UTC)
        self._day = ""

    def of(self, at: datetime) -> str:
        """The valuation day of one instant."""
        if not self._after < at <= self._until:
            day = valuation_day(at)
            self._until = datetime.combine(day, VALUATION_TIME, MARKET_ZONE).astimezone(UTC)
            self._after = datetime.combine(day - timedelta(days=1), VALUATION_TIME, MARKET_ZONE).astimezone(UTC)
            self._day = day.isoformat()
        return self._day


_Legs = Iterator[Row[tuple[object, ...]]]
_NO_MORE: tuple[float, _Legs] = (float("inf"), iter(()))
_New = Sequence[tuple[Entry, Written]]


def _entry(
    head: Row[tuple[object, ...]],
    legs: Sequence[Row[tuple[object, ...]]],
    named: Mapping[int, Instrument],
    days: ValuationDays,
) -> Entry:
    with readable(f"entry {head.key!r}"):
        own = tuple(read_leg(leg.account, leg.units, named[leg.instrument]) for leg in legs)
        entry = read_entry(head.key, head.at, head.memo, head.status, head.evidence, own)
        if any(leg.day != days.of(entry.at) for leg in legs):
            raise ValueError("a leg stands under another valuation day")
        return entry


def _unposted(connection: Connection, block: _New) -> _New:
    known = keys_in(connection, (entry.key for entry, _ in block))
    new = []
    for entry, text in block:
        kept = known.get(entry.key)
        if kept is None:
            known[entry.key] = text.body
            new.append((entry, text))
        elif not same_content(kept, text.body):
            raise LedgerError(
                f"entry {entry.key!r} refused",
                why="another entry with that key is posted, and its legs or status differ",
                todo="post a correction as a reversing pair",
            )
    return new


def _name_instruments(connection: Connection, digests: Digests, serials: dict[str, int], *, at: str) -> None:
    """Records the instruments that are met for the first time; `serials` then has them all."""
    met = {name: instrument for instrument, name in digests.known.items() if name not in serials}
    if not met:
        return
    database = database_of(connection)
    query = select(INSTRUMENTS.c.digest, INSTRUMENTS.c.serial).where(database.among(INSTRUMENTS.c.digest, sorted(met)))
    serials.update({row.digest: row.serial for row in connection.execute(query)})
    names = sorted(met.keys() - serials.keys())
    texts = [instrument_text(met[name]) for name in names]
    numbers = append(connection, (Draft("instrument", name, at, text) for name, text in zip(names, texts, strict=True)))
    rows = [(*row[:2], met[row[1]].id, row[2]) for row in zip(numbers, names, texts, strict=True)]
    if rows:
        database.insert(connection, INSTRUMENTS, rows)
    serials.update(zip(names, numbers, strict=True))


def _append(connection: Connection, new: _New, instruments: Mapping[str, int], days: ValuationDays) -> None:
    serials = append(connection, (Draft("entry", text.key, text.at, text.body) for _, text in new))
    database = database_of(connection)
    database.insert(connection, ENTRIES, [(serial, *text[:5]) for serial, (_, text) in zip(serials, new, strict=True)])
    legs = [
        (serial, ordinal, day, account, instruments[name], units)
        for serial, (entry, text) in zip(serials, new, strict=True)
        for day in (days.of(entry.at),)
        for ordinal, (account, name, units) in enumerate(text.legs)
    ]
    if legs:
        database.insert(connection, LEGS, legs)
