"""The hash chain: every record carries the digest of all that came before it."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, Text, select, type_coerce

from adapters.sql.schema import Row as Stored
from adapters.sql.storage import database_of
from adapters.sql.wire import digest, quoted

GENESIS = "0" * 64
"""What the first record follows."""

RECORDS = Stored.metadata.tables["records"]


_AT_ONCE = 10_000

BOOKS = ("intent", "fill", "entry")
"""Kinds of record that change what we hold or mean to do; plans, their states and notes do not."""


def as_written(table: Table, *, after: int = 0) -> Select[tuple[Any, ...]]:
    """Rows of a table after a serial with their text as it stands in the file, readable or not, by rising key."""
    columns = (type_coerce(c, Text).label(c.name) if c.name in ("at", "day", "units") else c for c in table.c)
    return select(*columns).where(table.c.serial > after).order_by(*table.primary_key)


def streamed(connection: Connection, query: Select[tuple[Any, ...]]) -> Iterator[Row[tuple[Any, ...]]]:
    """Rows as they are asked for, so that a long journal needs no more memory than a short one."""
    with connection.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        yield from rows


def head_of(connection: Connection, kinds: Sequence[str] = ()) -> tuple[int, str]:
    """Serial and hash of the last record (of those kinds); zero and the genesis hash if there is none."""
    last = select(RECORDS.c.serial, RECORDS.c.hash).order_by(RECORDS.c.serial.desc()).limit(1)
    row = connection.execute(last.where(RECORDS.c.kind.in_(kinds)) if kinds else last).first()
    return (row.serial, row.hash) if row else (0, GENESIS)


def append(connection: Connection, kind: str, key: str, at: str, body: str) -> int:
    """Chains a record after the last one, inside the caller's transaction; returns its serial."""
    return append_all(connection, kind, [(key, at, body)])[0]


def append_all(connection: Connection, kind: str, texts: Sequence[tuple[str, str, str]]) -> range:
    """Chains records of one kind: business key, instant as written and canonical content of each."""
    last, previous = head_of(connection)
    serials = range(last + 1, last + 1 + len(texts))
    database_of(connection).insert(connection, RECORDS, _chained(kind, serials, texts, previous))
    return serials


def _chained(
    kind: str, serials: range, texts: Sequence[tuple[str, str, str]], previous: str
) -> Iterator[tuple[int, str, str]]:
    for serial, (key, at, body) in zip(serials, texts, strict=True):
        previous = link(serial, kind, key, at, body, previous)
        yield serial, kind, previous


def link(serial: int, kind: str, key: str, at: str, body: str, previous: str) -> str:
    """
    SHA-256 over the record as a canonical list of texts, the hash before it the last.

    >>> link(1, "note", "halt", "2026-01-02", "by me", "") == digest('["1","note","halt","2026-01-02","by me",""]')
    True
    """
    return digest(f'["{serial}",{quoted(kind)},{quoted(key)},{quoted(at)},{quoted(body)},{quoted(previous)}]')
