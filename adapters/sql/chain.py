"""The hash chain: every record carries the digest of all that came before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, Text, insert, select, type_coerce

from adapters.sql.schema import Row, written_instant
from adapters.sql.wire import canonical, digest

GENESIS = "0" * 64
"""What the first record follows."""

RECORDS = Row.metadata.tables["records"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be: its kind, its business key, its instant and its canonical content."""

    kind: str
    key: str
    at: datetime
    body: str


BOOKS = ("intent", "fill", "entry")
"""Kinds of record that change what we hold or mean to do; plans, their states and notes do not."""


def as_written(table: Table) -> Select[tuple[Any, ...]]:
    """Rows of a table with their text as it stands in the file, readable or not, by rising serial."""
    columns = (type_coerce(c, Text).label(c.name) if c.name in ("at", "units") else c for c in table.c)
    return select(*columns).order_by(table.c.serial)


def head_of(connection: Connection, kinds: Sequence[str] = ()) -> tuple[int, str]:
    """Serial and hash of the last record (of those kinds); zero and the genesis hash if there is none."""
    last = select(RECORDS.c.serial, RECORDS.c.hash).order_by(RECORDS.c.serial.desc()).limit(1)
    row = connection.execute(last.where(RECORDS.c.kind.in_(kinds)) if kinds else last).first()
    return (row.serial, row.hash) if row else (0, GENESIS)


def append(connection: Connection, drafts: Sequence[Draft]) -> range:
    """Chains `drafts` after the last record, inside the caller's transaction; returns their serials."""
    serial, previous = head_of(connection)
    rows = []
    for number, draft in enumerate(drafts, start=serial + 1):
        following = link(number, draft.kind, draft.key, written_instant(draft.at), draft.body, previous)
        rows.append(
            {
                "serial": number,
                "kind": draft.kind,
                "key": draft.key,
                "at": draft.at,
                "body": draft.body,
                "previous": previous,
                "hash": following,
            }
        )
        previous = following
    if rows:
        connection.execute(insert(RECORDS), rows)
    return range(serial + 1, serial + 1 + len(rows))


def link(serial: int, kind: str, key: str, at: str, body: str, previous: str) -> str:
    """SHA-256 over the canonical record and the hash before it."""
    return digest(canonical([str(serial), kind, key, at, body, previous]))
