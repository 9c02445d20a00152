"""The hash chain: every record carries the digest of all that came before it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, Table, Text, select, type_coerce

from adapters.sql.schema import Row as Stored
from adapters.sql.storage import database_of
from adapters.sql.wire import digest, quoted

GENESIS = "0" * 64
"""What the first record follows."""

RECORDS = Stored.metadata.tables["records"]


_AT_ONCE = 10_000


class Draft(NamedTuple):
    """A record to be: its kind, its business key, its instant as written and its canonical content."""

    kind: str
    key: str
    at: str
    body: str


BOOKS = ("intent", "fill", "entry")
"""Kinds of record that change what we hold or mean to do; plans, their states and notes do not."""


def as_written(table: Table) -> Select[tuple[Any, ...]]:
    """Rows of a table with their text as it stands in the file, readable or not, by rising key."""
    columns = (type_coerce(c, Text).label(c.name) if c.name in ("at", "day", "units") else c for c in table.c)
    return select(*columns).order_by(*table.primary_key)


def streamed(connection: Connection, query: Select[tuple[Any, ...]]) -> Iterator[Row[tuple[Any, ...]]]:
    """Rows as they are asked for, so that a long journal needs no more memory than a short one."""
    with connection.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        yield from rows


def head_of(connection: Connection, kinds: Sequence[str] = ()) -> tuple[int, str]:
    """Serial and hash of the last record (of those kinds); zero and the genesis hash if there is none."""
    last = select(RECORDS.c.serial, RECORDS.c.hash).order_by(RECORDS.c.serial.desc()).limit(1)
    row = connection.execute(last.where(RECORDS.c.kind.in_(kinds)) if kinds else last).first()
    return (row.serial, row.hash) if row else (0, GENESIS)


def append(connection: Connection, drafts: Iterable[Draft]) -> range:
    """Chains `drafts` after the last record, inside the caller's transaction; returns their serials."""
    serial, previous = head_of(connection)
    rows = []
    for number, draft in enumerate(drafts, start=serial + 1):
        following = link(number, draft.kind, draft.key, draft.at, draft.body, previous)
        rows.append((number, draft.kind, draft.key, draft.at, draft.body, previous, following))
        previous = following
    if rows:
        database_of(connection).insert(connection, RECORDS, rows)
    return range(serial + 1, serial + 1 + len(rows))


def link(serial: int, kind: str, key: str, at: str, body: str, previous: str) -> str:
    """
    SHA-256 over the record as a canonical list of texts, the hash before it the last.

    >>> link(1, "note", "halt", "2026-01-02", "by me", "") == digest('["1","note","halt","2026-01-02","by me",""]')
    True
    """
    return digest(f'["{serial}",{quoted(kind)},{quoted(key)},{quoted(at)},{quoted(body)},{quoted(previous)}]')
