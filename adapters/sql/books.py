"""Entries in rows: writing them under their records, and building them again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, Row, insert, select

from adapters.sql.chain import RECORDS, Draft, append, as_written
from adapters.sql.schema import Row as Stored
from adapters.sql.wire import (
    canonical,
    digest,
    entry_body,
    instrument_text,
    read_entry,
    read_instrument,
    read_leg,
    same_content,
)
from engine.entries import Entry
from engine.errors import LedgerError
from engine.instruments import Instrument

ENTRIES, LEGS, INSTRUMENTS = (Stored.metadata.tables[name] for name in ("entries", "legs", "instruments"))
_AT_ONCE = 500  # bound parameters per look-up


def post(connection: Connection, entries: Sequence[Entry]) -> int:
    """
    Appends the entries whose key is new; returns how many were.

    Raises `LedgerError` if a key is there, or given twice, with other legs or another status.
    """
    digests = {leg.instrument: "" for entry in entries for leg in entry.legs}
    texts = {instrument: instrument_text(instrument) for instrument in digests}
    digests = {instrument: digest(text) for instrument, text in texts.items()}
    new = _unposted(connection, entries, digests)
    if not new:
        return 0
    used = {leg.instrument for entry, _ in new for leg in entry.legs}
    _name_instruments(connection, {digests[i]: (i.id, texts[i]) for i in used}, new[0][0].at)
    serials = append(connection, [Draft("entry", entry.key, entry.at, body) for entry, body in new])
    connection.execute(
        insert(ENTRIES), [_entry_row(serial, entry) for serial, (entry, _) in zip(serials, new, strict=True)]
    )
    legs = [
        {
            "serial": serial,
            "ordinal": ordinal,
            "account": leg.account,
            "instrument": digests[leg.instrument],
            "units": leg.amount.units,
        }
        for serial, (entry, _) in zip(serials, new, strict=True)
        for ordinal, leg in enumerate(entry.legs)
    ]
    if legs:
        connection.execute(insert(LEGS), legs)
    return len(new)


def entries_in(connection: Connection, *, after: int = 0) -> Iterator[tuple[int, Entry]]:
    """Every entry with its serial, in order of posting, after one serial."""
    named = {row.digest: read_instrument(row.terms) for row in connection.execute(select(INSTRUMENTS))}
    heads = connection.execute(as_written(ENTRIES).where(ENTRIES.c.serial > after))
    rows = connection.execute(as_written(LEGS).where(LEGS.c.serial > after).order_by(LEGS.c.ordinal))
    legs = {serial: tuple(group) for serial, group in groupby(rows, key=lambda row: row.serial)}
    for head in heads:
        own = legs.get(head.serial, ())
        yield head.serial, _entry(head, own, named)


def keys_in(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """The bodies of those entries that are posted, by key."""
    wanted, found = list(dict.fromkeys(keys)), {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        query = (
            select(ENTRIES.c.key, RECORDS.c.body)
            .join(RECORDS, RECORDS.c.serial == ENTRIES.c.serial)
            .where(ENTRIES.c.key.in_(some))
        )
        found.update({row.key: row.body for row in connection.execute(query)})
    return found


def _entry(
    head: Row[tuple[object, ...]], legs: Sequence[Row[tuple[object, ...]]], named: Mapping[str, Instrument]
) -> Entry:
    return read_entry(
        head.key,
        head.at,
        head.memo,
        head.status,
        head.evidence,
        tuple(read_leg(leg.account, leg.units, named[leg.instrument]) for leg in legs),
    )


def _unposted(
    connection: Connection, entries: Sequence[Entry], digests: Mapping[Instrument, str]
) -> list[tuple[Entry, str]]:
    known = keys_in(connection, (entry.key for entry in entries))
    new = []
    for entry in entries:
        body = entry_body(entry, digests)
        if entry.key not in known:
            known[entry.key] = body
            new.append((entry, body))
        elif not same_content(known[entry.key], body):
            raise LedgerError(
                f"entry {entry.key!r} refused",
                why="another entry with that key is posted, and its legs or status differ",
                todo="post a correction as a reversing pair",
            )
    return new


def _name_instruments(connection: Connection, wanted: Mapping[str, tuple[str, str]], at: datetime) -> None:
    known = set(connection.execute(select(INSTRUMENTS.c.digest)).scalars())
    new = [(name, *wanted[name]) for name in sorted(wanted.keys() - known)]
    serials = append(connection, [Draft("instrument", name, at, written) for name, _, written in new])
    rows = [
        {"serial": serial, "digest": name, "name": shown, "terms": written}
        for serial, (name, shown, written) in zip(serials, new, strict=True)
    ]
    if rows:
        connection.execute(insert(INSTRUMENTS), rows)


def _entry_row(serial: int, entry: Entry) -> dict[str, object]:
    return {
        "serial": serial,
        "key": entry.key,
        "at": entry.at,
        "memo": entry.memo,
        "status": entry.status.value,
        "evidence": canonical(dict(entry.evidence)),
    }
