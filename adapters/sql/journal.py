"""The journal on disk: intents before effects, entries once, and nothing ever changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, insert, select

from adapters.sql.books import entries_in, kept_in, post
from adapters.sql.chain import BOOKS, append, head_of
from adapters.sql.plans import Plans
from adapters.sql.schema import Row, written_instant
from adapters.sql.totals import balances_in, count_in, days_after_in, days_in, span_in
from adapters.sql.verify import BadLink, first_bad_link, first_bad_since
from adapters.sql.wire import canonical
from engine.entries import Account, Entry
from engine.errors import LedgerError
from engine.instruments import Instrument
from engine.money import Money

_INTENTS, _FILLS, _NOTES = (Row.metadata.tables[name] for name in ("intents", "fills", "notes"))


@dataclass(frozen=True, slots=True)
class Written:
    """A document of the journal: its key or topic, its text, and the instant it was written for."""

    key: str
    text: str
    at: datetime


class SqlJournal(Plans):
    """
    The append-only book of intents, fills, entries and plans in one SQLite file or PostgreSQL schema.

    Implements `engine.ports.Journal`. Each call that writes is one transaction, durable on disk when it
    returns. The database must be at the program's schema: `adapters.sql.migrate.upgrade(url)` first.

    Parameters
    ----------
    url : `adapters.sql.storage.database_url(path)`, or `postgresql://USER:PASSWORD@HOST:PORT/NAME`
    wait : seconds to wait for another writer before `Busy`
    """

    def intend(self, key: str, payload: str, at: datetime) -> bool:
        """
        Make an intent durable before its effect; False if it already was.

        Raises `LedgerError` if the key is there with another payload: two different effects may never
        share one identity.
        """
        with self.writing() as connection:
            kept = connection.execute(select(_INTENTS.c.payload).where(_INTENTS.c.key == key)).scalar_one_or_none()
            if kept is not None:
                _require_same("intent", key, kept, payload)
                return False
            serial = append(connection, "intent", key, written_instant(at), payload)
            connection.execute(insert(_INTENTS), {"serial": serial, "key": key, "payload": payload, "at": at})
            return True

    def intent(self, key: str) -> Written | None:
        """The intent with that key, None if there is none."""
        with self.reading() as connection:
            row = connection.execute(select(_INTENTS).where(_INTENTS.c.key == key)).first()
        return Written(row.key, row.payload, row.at) if row else None

    def intents(self, prefix: str = "") -> tuple[Written, ...]:
        """Every intent whose key begins with `prefix`, in order of writing."""
        query = select(_INTENTS).where(_INTENTS.c.key.startswith(prefix, autoescape=True))
        with self.reading() as connection:
            rows = connection.execute(query.order_by(_INTENTS.c.serial)).all()
        return tuple(Written(row.key, row.payload, row.at) for row in rows)

    def post(self, entries: Iterable[Entry]) -> int:
        """
        Append entries whose key is new, all in one transaction; returns how many were new.

        They may be any number and are taken as they come, in blocks, on the database's fast path. A key that is there
        with the same legs and status changes nothing, wherever it was seen this time. Raises `LedgerError`, and posts
        none of them, if its legs or status differ.
        """
        with self.writing() as connection:
            return post(connection, entries)

    def entries(self, *, after: int = 0) -> Sequence[Entry]:
        """Every entry in order of posting; only those after one serial if given."""
        with self.reading() as connection:
            return [entry for _, entry in entries_in(connection, after=after)]

    def posted(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of these keys under which an entry is posted."""
        with self.reading() as connection:
            return frozenset(kept_in(connection, list(keys)))

    def count(self) -> int:
        """How many entries are posted."""
        with self.reading() as connection:
            return count_in(connection)

    def balances(
        self, *, until: date | None = None, final_only: bool = False
    ) -> Mapping[tuple[Account, Instrument], Money]:
        """
        Balance of every account per instrument, even ones left out: `trial_balance` of the entries, by the database.

        Parameters
        ----------
        until : the last valuation day that counts; all of them if None
        final_only : leave out entries in flight and their voids
        """
        with self.reading() as connection:
            return balances_in(connection, until=until, final_only=final_only)

    def daily(
        self, *, after: date | None = None, until: date | None = None, final_only: bool = False
    ) -> Sequence[Entry]:
        """
        The journal in one entry per valuation day (D15), its legs the day's sums by account and instrument.

        Whatever is worked out from entries by day or as a whole is the same from these, to the unit: books, trial
        balances, flows, statements. They number days, not postings. Parameters as of `balances`, `after` exclusive.
        """
        with self.reading() as connection:
            return list(days_in(connection, after=after, until=until, final_only=final_only))

    def span(self) -> tuple[date, date] | None:
        """The first and the last valuation day that was posted to; None if nothing was."""
        with self.reading() as connection:
            return span_in(connection)

    def days_after(self, serial: int) -> Sequence[date]:
        """Valuation days that entries after a serial were posted to, in order."""
        with self.reading() as connection:
            return days_after_in(connection, serial)

    def record_fill(self, key: str, order_id: str, document: str, at: datetime, entries: Sequence[Entry] = ()) -> bool:
        """
        Keep a venue's evidence and post what it means in one transaction; False if it was kept before.

        The entries are posted in either case, since posting twice changes nothing. Raises
        `LedgerError` if the key is there with another document or order, or if no intent `order:ORDER` was made
        durable before: nobody here asked for it.
        """
        body = canonical({"order_id": order_id, "document": document})
        with self.writing() as connection:
            kept = connection.execute(select(_FILLS.c.order_id, _FILLS.c.document).where(_FILLS.c.key == key)).first()
            if kept is None:
                _require_intended(connection, key, order_id)
                serial = append(connection, "fill", key, written_instant(at), body)
                row = {"serial": serial, "key": key, "order_id": order_id, "document": document, "at": at}
                connection.execute(insert(_FILLS), row)
            else:
                known = canonical({"order_id": kept.order_id, "document": kept.document})
                _require_same("fill", key, known, body)
            post(connection, entries)
            return kept is None

    def fills(self, order_id: str | None = None) -> tuple[Written, ...]:
        """Documents of the fills of one order, or of all, in order of writing."""
        query = select(_FILLS) if order_id is None else select(_FILLS).where(_FILLS.c.order_id == order_id)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(_FILLS.c.serial)).all()
        return tuple(Written(row.key, row.document, row.at) for row in rows)

    def note(self, topic: str, document: str, at: datetime) -> int:
        """Keep a word under a topic (a halt, a resume, a session's counter); returns its serial."""
        with self.writing() as connection:
            return _note(connection, topic, document, at)

    def notes(self, topic: str) -> tuple[Written, ...]:
        """Everything under one topic, in order of writing; the last is what holds now."""
        query = select(_NOTES).where(_NOTES.c.topic == topic).order_by(_NOTES.c.serial)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(Written(row.topic, row.document, row.at) for row in rows)

    def head(self) -> tuple[int, str]:
        """
        Serial and hash of the last record that changed the books: an intent, a fill or an entry.

        Saving a plan, signing it or halting does not move it, so that a plan stays as fresh as the
        books it was made from. (0, 64 zeros) if there is none.
        """
        with self.reading() as connection:
            return head_of(connection, BOOKS)

    def tip(self) -> tuple[int, str]:
        """Serial and hash of the last record of any kind: what to remember elsewhere for `verify`."""
        with self.reading() as connection:
            return head_of(connection)

    def verify(self, anchor: tuple[int, str] | None = None) -> BadLink | None:
        """
        The first record that is not what was written, None if all are (I10).

        `anchor` is an earlier `head` or `tip` remembered elsewhere: it finds records cut off the end.
        """
        with self.reading() as connection:
            return first_bad_link(connection, anchor)

    def require_intact(self, anchor: tuple[int, str] | None = None) -> None:
        """Raises `LedgerError` that names the first bad link; silent if there is none."""
        _refuse(self.verify(anchor))

    def require_intact_since(self, anchor: tuple[int, str]) -> None:
        """As `require_intact`, of what was written after an anchor that was whole; its cost is that of the new part."""
        with self.reading() as connection:
            _refuse(first_bad_since(connection, anchor))


def _refuse(bad: BadLink | None) -> None:
    if bad is not None:
        raise LedgerError(
            "journal was changed", why=str(bad), todo="restore a backup, then run `hedge reconcile`; do not trade"
        )


def _note(connection: Connection, topic: str, document: str, at: datetime) -> int:
    serial = append(connection, "note", topic, written_instant(at), document)
    connection.execute(insert(_NOTES), {"serial": serial, "topic": topic, "document": document, "at": at})
    return serial


def _require_intended(connection: Connection, fill: str, order_id: str) -> None:
    intended = select(_INTENTS.c.serial).where(_INTENTS.c.key == f"order:{order_id}")
    if connection.execute(intended).first() is None:
        raise LedgerError(
            f"fill {fill!r} refused",
            why=f"no order {order_id!r} was ever sent from here",
            todo="run `hedge reconcile`: it names what the venue holds, and `--adopt` takes it in",
        )


def _require_same(kind: str, key: str, kept: str, given: str) -> None:
    if kept != given:
        raise LedgerError(
            f"{kind} {key!r} refused",
            why=f"another {kind} with that key is kept, and its content differs",
            todo="look it up before doing anything else",
        )
