"""Whether the journal is still what was written: the chain of hashes against the text its tables give."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, zip_longest
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from adapters.sql.books import ENTRIES, INSTRUMENTS, LEGS, ValuationDays
from adapters.sql.chain import GENESIS, RECORDS, as_written, link, streamed
from adapters.sql.schema import Row
from adapters.sql.storage import database_of
from adapters.sql.wire import canonical, digest, entry_text, leg_text, read_instrument

_NOT_HERE = "the record remembered elsewhere is not in this journal"


@dataclass(frozen=True, slots=True)
class BadLink:
    """The first record that is not what was written, and why."""

    serial: int
    key: str
    why: str

    def __str__(self) -> str:
        return f"record {self.serial} ({self.key}): {self.why}"


class Content(NamedTuple):
    """What a record says, written from its columns; `odd` is what is wrong in a column that text leaves out."""

    serial: int
    kind: str
    key: str
    at: str
    body: str
    odd: Callable[[], str] = str


def first_bad_link(connection: Connection, anchor: tuple[int, str] | None = None) -> BadLink | None:
    """
    None if every record has its content and its hash is over that and over the hash before it.

    `anchor` is a serial and hash remembered elsewhere (a plan, a report): with it a journal whose last
    records were cut off, or that was rewritten as a whole, is found out too.
    """
    if why := database_of(connection).damage(connection):
        return BadLink(0, "database", why)
    return _first_bad_after(connection, (0, GENESIS), anchor)


def first_bad_since(connection: Connection, anchor: tuple[int, str]) -> BadLink | None:
    """As `first_bad_link`, of the records after one that was whole: what it reads does not grow with those before."""
    kept = connection.execute(select(RECORDS.c.hash).where(RECORDS.c.serial == anchor[0])).scalar_one_or_none()
    if anchor != (0, GENESIS) and kept != anchor[1]:
        return BadLink(anchor[0], "anchor", _NOT_HERE)
    return _first_bad_after(connection, anchor)


def _first_bad_after(
    connection: Connection, start: tuple[int, str], anchor: tuple[int, str] | None = None
) -> BadLink | None:
    after, previous = start
    expected, anchored = after + 1, anchor is None or anchor == (0, GENESIS)
    records = streamed(connection, as_written(RECORDS, after=after))
    for row, said in zip_longest(records, contents(connection, after=after)):
        if said and (row is None or said.serial < row.serial):
            return BadLink(said.serial, said.key, f"{said.kind} without a record")
        if row.serial != expected:
            return BadLink(expected, row.kind, f"it is missing, {row.serial} follows")
        if said is None or said.serial != row.serial:
            return BadLink(row.serial, row.kind, "what it says is missing")
        if row.kind != said.kind or row.hash != link(said.serial, said.kind, said.key, said.at, said.body, previous):
            return BadLink(said.serial, said.key, "its content does not match its hash")
        if why := said.odd():
            return BadLink(said.serial, said.key, why)
        anchored = anchored or (row.serial, row.hash) == anchor
        previous, expected = row.hash, expected + 1
    if not anchored and anchor is not None:
        return BadLink(anchor[0], "anchor", _NOT_HERE)
    return None


def contents(connection: Connection, *, after: int = 0) -> Iterator[Content]:
    """What records say, as text, in order of serial; the text is written from the columns, readable or not."""
    tables = (
        _instruments(connection, after),
        _entries(connection, after),
        *(each(connection, after) for each in _PLAIN),
    )
    return merge(*tables, key=_serial)


def _instruments(connection: Connection, after: int) -> Iterator[Content]:
    for row in streamed(connection, as_written(INSTRUMENTS, after=after)):

        def odd(row: Any = row) -> str:
            named = digest(row.terms) == row.digest and read_instrument(row.terms).id == row.name
            return "" if named else "its name is not that of its terms"

        yield Content(row.serial, "instrument", row.digest, row.at, row.terms, odd)


def _entries(connection: Connection, after: int) -> Iterator[Content]:
    """Entries with their legs; legs that no entry has come alone."""
    named = as_written(LEGS, after=after).add_columns(INSTRUMENTS.c.digest)
    sides = streamed(connection, named.outerjoin(INSTRUMENTS, INSTRUMENTS.c.serial == LEGS.c.instrument))
    days = ValuationDays()
    rows = merge(streamed(connection, as_written(ENTRIES, after=after)), sides, key=_serial)
    for serial, (head, *own) in groupby(rows, key=_serial):
        if "ordinal" in head._fields:
            yield Content(serial, "leg", "legs", "", "")
            continue

        def odd(at: str = head.at, found: frozenset[str] = frozenset(leg.day for leg in own)) -> str:
            astray = found - {days.of(at)}
            return "a leg stands under another valuation day" if astray else ""

        legs = (leg_text(leg.account, leg.digest, leg.units) for leg in own)
        body = entry_text(head.key, head.at, head.memo, head.status, head.evidence, legs)
        yield Content(serial, "entry", head.key, head.at, body, odd)


def _plain(
    kind: str, table: str, key: Callable[[Any], str], body: Callable[[Any], str]
) -> Callable[[Connection, int], Iterator[Content]]:
    source = Row.metadata.tables[table]

    def rebuilt(connection: Connection, after: int) -> Iterator[Content]:
        for row in streamed(connection, as_written(source, after=after)):
            yield Content(row.serial, kind, key(row), row.at, body(row))

    return rebuilt


def _named(*columns: str) -> Callable[[Any], str]:
    return lambda row: canonical({name: getattr(row, name) for name in columns})


def _serial(row: Any) -> int:
    serial: int = row.serial
    return serial


_PLAIN = (
    _plain("intent", "intents", lambda row: row.key, lambda row: row.payload),
    _plain("fill", "fills", lambda row: row.key, _named("order_id", "document")),
    _plain("plan", "plans", lambda row: row.digest, lambda row: row.document),
    _plain("approval", "approvals", lambda row: f"{row.digest}:{row.owner}", _named("digest", "owner", "document")),
    _plain("plan_state", "plan_states", lambda row: f"{row.digest}:{row.state}", _named("digest", "state")),
    _plain("note", "notes", lambda row: row.topic, lambda row: row.document),
)
