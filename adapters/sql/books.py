"""Entries in rows: writing them under their records, and building them again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import groupby, islice

from sqlalchemy import Connection, Row, Text, select, type_coerce

from adapters.sql.chain import append_all, as_written, streamed
from adapters.sql.schema import Row as Stored
from adapters.sql.schema import written_instant
from adapters.sql.storage import database_of
from adapters.sql.wire import (
    Said,
    Side,
    Sides,
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
    sides, days, left = Sides(), ValuationDays(), iter(entries)
    serials: dict[str, int] = {}
    count = 0
    while block := [written(entry, sides) for entry in islice(left, _AT_ONCE)]:
        new = _unposted(connection, block)
        if new:
            _name_instruments(connection, sides, serials, at=new[0].at)
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


def kept_in(connection: Connection, keys: Iterable[str]) -> dict[str, Said]:
    """What those entries that are posted say, by key; legs are asked for only where there are such entries."""
    database = database_of(connection)
    posted = select(ENTRIES.c.key).where(database.among(ENTRIES.c.key, list(keys)))
    known = connection.execute(posted).scalars().all()
    if not known:
        return {}
    units = type_coerce(LEGS.c.units, Text)
    query = (
        select(ENTRIES.c.key, ENTRIES.c.status, LEGS.c.account, INSTRUMENTS.c.digest, units)
        .outerjoin(LEGS, LEGS.c.serial == ENTRIES.c.serial)
        .outerjoin(INSTRUMENTS, INSTRUMENTS.c.serial == LEGS.c.instrument)
        .where(database.among(ENTRIES.c.key, known))
    )
    legs: defaultdict[tuple[str, str], list[Side]] = defaultdict(list)
    for key, status, account, name, number in connection.execute(query):
        legs[key, status] += [] if account is None else [(account, name, number)]
    return {key: Said(status, own) for (key, status), own in legs.items()}


class ValuationDays:
    """
    Valuation days of instants, both as they stand in the file.

    Instants between the same two valuation points are told without a calendar, by their order as text.
    """

    def __init__(self) -> None:
        self._after = self._until = self._day = ""

    def of(self, at: str) -> str:
        """The valuation day of one instant; raises `ValueError` where it cannot be read."""
        if not self._after < at <= self._until:
            day = valuation_day(datetime.fromisoformat(at))
            self._after, self._until, self._day = _closes(day - timedelta(days=1)), _closes(day), day.isoformat()
        return self._day


def _closes(day: date) -> str:
    return written_instant(datetime.combine(day, VALUATION_TIME, MARKET_ZONE))


_Legs = Iterator[Row[tuple[object, ...]]]
_NO_MORE: tuple[float, _Legs] = (float("inf"), iter(()))


def _entry(
    head: Row[tuple[object, ...]],
    legs: Sequence[Row[tuple[object, ...]]],
    named: Mapping[int, Instrument],
    days: ValuationDays,
) -> Entry:
    with readable(f"entry {head.key!r}"):
        own = tuple(read_leg(leg.account, leg.units, named[leg.instrument]) for leg in legs)
        entry = read_entry(head.key, head.at, head.memo, head.status, head.evidence, own)
        if any(leg.day != days.of(head.at) for leg in legs):
            raise ValueError("a leg stands under another valuation day")
        return entry


def _unposted(connection: Connection, block: Sequence[Written]) -> Sequence[Written]:
    known: dict[str, Said | Written] = {**kept_in(connection, [text.key for text in block])}
    new = []
    for text in block:
        kept = known.setdefault(text.key, text)
        if kept is text:
            new.append(text)
        elif not same_content(kept, text):
            raise LedgerError(
                f"entry {text.key!r} refused",
                why="another entry with that key is posted, and its legs or status differ",
                todo="post a correction as a reversing pair",
            )
    return new


def _name_instruments(connection: Connection, sides: Sides, serials: dict[str, int], *, at: str) -> None:
    """Records the instruments that are met for the first time; `serials` then has them all."""
    met = {name: instrument for instrument, name in sides.known.items() if name not in serials}
    if not met:
        return
    database = database_of(connection)
    query = select(INSTRUMENTS.c.digest, INSTRUMENTS.c.serial).where(database.among(INSTRUMENTS.c.digest, sorted(met)))
    serials.update({row.digest: row.serial for row in connection.execute(query)})
    names = sorted(met.keys() - serials.keys())
    texts = [instrument_text(met[name]) for name in names]
    numbers = append_all(connection, "instrument", [(name, at, text) for name, text in zip(names, texts, strict=True)])
    named = zip(numbers, names, texts, strict=True)
    database.insert(connection, INSTRUMENTS, ((serial, name, met[name].id, text, at) for serial, name, text in named))
    serials.update(zip(names, numbers, strict=True))


def _append(
    connection: Connection, new: Sequence[Written], instruments: Mapping[str, int], days: ValuationDays
) -> None:
    serials = append_all(connection, "entry", [(text.key, text.at, text.body) for text in new])
    database, numbered = database_of(connection), list(zip(serials, new, strict=True))
    database.insert(connection, ENTRIES, ((serial, *text[:5]) for serial, text in numbered))
    legs = (
        (serial, ordinal, day, account, instruments[name], units)
        for serial, text in numbered
        for day in (days.of(text.at),)
        for ordinal, (account, name, units) in enumerate(text.legs)
    )
    database.insert(connection, LEGS, legs)
