"""The journal in a database: append-only, hash-chained, each event once."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from adapters.sql.database import open_database, translated, writing
from adapters.sql.tables import ENTRY, INSTRUMENT, INTENT, LEG, PLAN
from engine.entries import Account, Entry, EntryStatus, Leg
from engine.errors import AlreadyApplied, LedgerError
from engine.instruments import Instrument, from_terms, terms
from engine.money import Money
from engine.plan.canonical import canonical_bytes

GENESIS = "0" * 64
"""Hash before the first record."""

_APPLYING, _APPLIED = "applying", "applied"


class SqlJournal:
    """
    The append-only book of intents, entries and plans (port `engine.ports.Journal`).

    Entries read once are kept in memory; a later call reads only what was posted since, so that its cost
    does not grow with history.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_database(url)
        self._known: list[Entry] = []
        self._instruments: dict[str, Instrument] = {}
        self._head = (0, GENESIS)

    def intend(self, key: str, payload: str, at: datetime) -> bool:
        """Make an intent durable; False if it already was."""
        with writing(self._engine) as connection:
            if connection.execute(select(INTENT.c.key).where(INTENT.c.key == key)).first():
                return False
            connection.execute(insert(INTENT).values(key=key, payload=payload, at=at.isoformat()))
        return True

    def intent(self, key: str) -> str | None:
        """The payload of an intent, None if there is none."""
        with translated(), self._engine.connect() as connection:
            found = connection.execute(select(INTENT.c.payload).where(INTENT.c.key == key)).first()
        return str(found[0]) if found else None

    def post(self, entries: Sequence[Entry]) -> int:
        """
        Append entries whose key is new, all in one transaction; returns how many were new.

        An entry whose key is known with the same content changes nothing; with another content it is refused
        by `LedgerError`, and nothing of the call is posted.
        """
        with writing(self._engine) as connection:
            self._catch_up(connection)
            serial, previous = self._head
            known = {entry.key: entry for entry in self._known}
            fresh: list[tuple[int, Entry, str, str]] = []
            for entry in entries:
                if entry.key in known:
                    _same(known[entry.key], entry)
                    continue
                known[entry.key] = entry
                digest = chained(previous, entry)
                serial += 1
                fresh.append((serial, entry, previous, digest))
                previous = digest
            self._insert(connection, fresh)
        self._known.extend(entry for _, entry, _, _ in fresh)
        self._head = (serial, previous)
        return len(fresh)

    def entries(self) -> Sequence[Entry]:
        """Every entry in order of posting."""
        with translated(), self._engine.connect() as connection:
            self._catch_up(connection)
        return tuple(self._known)

    def head(self) -> tuple[int, str]:
        """Serial and hash of the last record."""
        self.entries()
        return self._head

    def verify(self) -> int:
        """
        Read the whole chain again and return how many entries it has.

        Raises `LedgerError` naming the first record whose content and hash disagree.
        """
        previous, count = GENESIS, 0
        with translated(), self._engine.connect() as connection:
            for row, entry in self._stored(connection, 0):
                count += 1
                if row.previous != previous or chained(previous, entry) != row.hash or row.serial != count:
                    raise LedgerError(
                        f"journal record {row.serial} ({row.key}) is not what was posted",
                        why="its content does not give its hash, or the link before it is broken",
                        todo="restore the last good backup and run `hedge reconcile`; do not trade on this journal",
                    )
                previous = row.hash
        return count

    def plan_state(self, digest: str) -> str:
        """How far a plan got: `planned`, `applying` or `applied`."""
        with translated(), self._engine.connect() as connection:
            found = connection.execute(select(PLAN.c.state).where(PLAN.c.digest == digest)).first()
        return str(found[0]) if found else "planned"

    def begin_plan(self, digest: str, at: datetime) -> None:
        """Mark a plan as begun, durably, before its first effect. Raises `AlreadyApplied` the second time."""
        with writing(self._engine) as connection:
            if connection.execute(select(PLAN.c.state).where(PLAN.c.digest == digest)).first():
                raise AlreadyApplied(
                    f"plan {digest[:8]} refused", why="it was begun already", todo="run `hedge apply` to continue it"
                )
            connection.execute(insert(PLAN).values(digest=digest, state=_APPLYING, at=at.isoformat()))

    def finish_plan(self, digest: str, at: datetime) -> None:
        """Mark a plan as carried out."""
        with writing(self._engine) as connection:
            connection.execute(update(PLAN).where(PLAN.c.digest == digest).values(state=_APPLIED, at=at.isoformat()))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _catch_up(self, connection: Connection) -> None:
        for row, entry in self._stored(connection, self._head[0]):
            self._known.append(entry)
            self._head = (row.serial, row.hash)

    def _stored(self, connection: Connection, after: int) -> list[tuple[Any, Entry]]:
        rows = connection.execute(select(ENTRY).where(ENTRY.c.serial > after).order_by("serial")).all()
        if not rows:
            return []
        legs: dict[int, list[Leg]] = {row.serial: [] for row in rows}
        asked = select(LEG).where(LEG.c.serial > after).order_by("serial", "position")
        for leg in connection.execute(asked):
            instrument = self._instrument(connection, leg.instrument)
            legs[leg.serial].append(Leg(Account(leg.account), Money(int(leg.units), instrument.unit), instrument))
        return [
            (
                row,
                Entry(
                    key=row.key,
                    at=datetime.fromisoformat(row.at),
                    memo=row.memo,
                    legs=tuple(legs[row.serial]),
                    evidence=json.loads(row.evidence),
                    status=EntryStatus(row.status),
                ),
            )
            for row in rows
        ]

    def _instrument(self, connection: Connection, name: str) -> Instrument:
        if name not in self._instruments:
            for row in connection.execute(select(INSTRUMENT)):
                self._instruments[row.id] = from_terms(json.loads(row.terms))
        return self._instruments[name]

    def _insert(self, connection: Connection, fresh: list[tuple[int, Entry, str, str]]) -> None:
        if not fresh:
            return
        stored = {row.id for row in connection.execute(select(INSTRUMENT.c.id))}
        new = {leg.instrument.id: leg.instrument for _, entry, _, _ in fresh for leg in entry.legs}
        written = [
            {"id": name, "terms": canonical_bytes(terms(i)).decode()} for name, i in new.items() if name not in stored
        ]
        if written:
            connection.execute(insert(INSTRUMENT), written)
        connection.execute(
            insert(ENTRY),
            [
                {
                    "serial": serial,
                    "key": entry.key,
                    "at": entry.at.isoformat(),
                    "memo": entry.memo,
                    "status": entry.status.value,
                    "evidence": canonical_bytes(entry.evidence).decode(),
                    "previous": previous,
                    "hash": digest,
                }
                for serial, entry, previous, digest in fresh
            ],
        )
        connection.execute(
            insert(LEG),
            [
                {
                    "serial": serial,
                    "position": position,
                    "account": leg.account,
                    "instrument": leg.instrument.id,
                    "units": str(leg.amount.units),
                }
                for serial, entry, _, _ in fresh
                for position, leg in enumerate(entry.legs)
            ],
        )
        self._instruments.update(new)


def chained(previous: str, entry: Entry) -> str:
    """SHA-256 over the hash before and the entry's canonical content."""
    content = {
        "key": entry.key,
        "at": entry.at.isoformat(),
        "memo": entry.memo,
        "status": entry.status.value,
        "evidence": dict(entry.evidence),
        "legs": [[leg.account, terms(leg.instrument), str(leg.amount.units)] for leg in entry.legs],
    }
    return hashlib.sha256(previous.encode() + canonical_bytes(content)).hexdigest()


def _same(posted: Entry, again: Entry) -> None:
    if chained(GENESIS, posted) != chained(GENESIS, again):
        raise LedgerError(
            f"entry {again.key} refused",
            why="it was posted before with another content",
            todo="post a reversing pair for a correction; entries are never changed",
        )
