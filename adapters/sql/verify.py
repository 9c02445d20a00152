"""Whether the journal is still what was written: the chain, and every table against it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from adapters.sql.books import ENTRIES, INSTRUMENTS, LEGS, entries_in
from adapters.sql.chain import GENESIS, RECORDS, as_written, link, streamed
from adapters.sql.schema import Row
from adapters.sql.wire import Digests, canonical, digest, written
from engine.errors import EngineError


@dataclass(frozen=True, slots=True)
class BadLink:
    """The first record that is not what was written, and why."""

    serial: int
    key: str
    why: str

    def __str__(self) -> str:
        return f"record {self.serial} ({self.key}): {self.why}"


Content = tuple[int, str, str]
"""Serial, business key and canonical body, rebuilt from a table's columns."""


def first_bad_link(connection: Connection, anchor: tuple[int, str] | None = None) -> BadLink | None:
    """
    None if every record follows from the one before it and every table says the same as its record.

    `anchor` is a serial and hash remembered elsewhere (a plan, a report): with it a journal whose last
    records were cut off, or that was rewritten as a whole, is found out too.
    """
    return _broken_chain(connection, anchor) or _differing_table(connection)


def _broken_chain(connection: Connection, anchor: tuple[int, str] | None) -> BadLink | None:
    previous, expected, anchored = GENESIS, 1, anchor is None or anchor == (0, GENESIS)
    for row in streamed(connection, as_written(RECORDS)):
        if row.serial != expected:
            return BadLink(expected, row.key, f"it is missing, {row.serial} follows")
        if row.previous != previous:
            return BadLink(row.serial, row.key, "it does not follow from the record before it")
        if row.hash != link(row.serial, row.kind, row.key, row.at, row.body, row.previous):
            return BadLink(row.serial, row.key, "its content does not match its hash")
        anchored = anchored or (row.serial, row.hash) == anchor
        previous, expected = row.hash, expected + 1
    if not anchored and anchor is not None:
        return BadLink(anchor[0], "anchor", "the record remembered elsewhere is not in this journal")
    return None


def _differing_table(connection: Connection) -> BadLink | None:
    found = [bad for kind, rebuilt in _REBUILT.items() if (bad := _difference(connection, kind, rebuilt(connection)))]
    loose = select(func.min(LEGS.c.serial)).where(LEGS.c.serial.not_in(select(ENTRIES.c.serial)))
    if (serial := connection.execute(loose).scalar()) is not None:
        found.append(BadLink(serial, "legs", "legs without an entry"))
    return min(found, key=lambda bad: bad.serial, default=None)


def _difference(connection: Connection, kind: str, rebuilt: Iterator[Content]) -> BadLink | None:
    query = select(RECORDS.c.serial, RECORDS.c.key, RECORDS.c.body).where(RECORDS.c.kind == kind)
    serial = 0
    for row in streamed(connection, query.order_by(RECORDS.c.serial)):
        serial, key = row.serial, row.key
        try:
            columns = next(rebuilt, None)
        except (EngineError, ValueError, KeyError, TypeError) as unreadable:
            return BadLink(serial, key, f"its {kind} columns cannot be read: {unreadable}")
        if columns != (serial, key, row.body):
            return BadLink(serial, key, f"its {kind} columns differ from its record")
    try:
        surplus = next(rebuilt, None)
    except (EngineError, ValueError, KeyError, TypeError) as unreadable:
        return BadLink(serial + 1, kind, f"a {kind} without a record: {unreadable}")
    return BadLink(surplus[0], surplus[1], f"a {kind} without a record") if surplus else None


def _instruments(connection: Connection) -> Iterator[Content]:
    for row in streamed(connection, as_written(INSTRUMENTS)):
        yield row.serial, row.digest if digest(row.terms) == row.digest else "", row.terms


def _entries(connection: Connection) -> Iterator[Content]:
    digests = Digests()
    for serial, entry in entries_in(connection):
        yield serial, entry.key, written(entry, digests).body


def _columns(
    table: str, key: Callable[[Any], str], body: Callable[[Any], str]
) -> Callable[[Connection], Iterator[Content]]:
    source = Row.metadata.tables[table]

    def rebuilt(connection: Connection) -> Iterator[Content]:
        for row in streamed(connection, as_written(source)):
            yield row.serial, key(row), body(row)

    return rebuilt


def _named(*columns: str) -> Callable[[Any], str]:
    return lambda row: canonical({name: getattr(row, name) for name in columns})


_REBUILT: dict[str, Callable[[Connection], Iterator[Content]]] = {
    "instrument": _instruments,
    "entry": _entries,
    "intent": _columns("intents", lambda row: row.key, lambda row: row.payload),
    "fill": _columns("fills", lambda row: row.key, _named("order_id", "document")),
    "plan": _columns("plans", lambda row: row.digest, lambda row: row.document),
    "approval": _columns("approvals", lambda row: f"{row.digest}:{row.owner}", _named("digest", "owner", "document")),
    "plan_state": _columns("plan_states", lambda row: f"{row.digest}:{row.state}", _named("digest", "state")),
    "note": _columns("notes", lambda row: row.topic, lambda row: row.document),
}
