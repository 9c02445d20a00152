"""
Tables of the journal. Rows are appended and never changed.

`records` is the hash chain: one row per thing that happened, its hash over its content as canonical JSON and over
the hash before it. The content stands once, in the columns of the table of its kind, under the serial of its record;
`verify` writes it as text again and compares the hashes.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, ForeignKey, Index, Integer, MetaData, Text, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

HEAD = "0005"
"""The migration this program is written for."""


class ExactInteger(TypeDecorator[int]):
    """An integer of any size as text: a column of numbers would overflow at 2^63 or round (fault F17)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, _dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class Instant(TypeDecorator[datetime]):
    """An aware instant as ISO 8601 text in UTC, with microseconds."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> str | None:
        return None if value is None else written_instant(value)

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Day(TypeDecorator[date]):
    """A calendar day as ISO 8601 text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: date | None, _dialect: Dialect) -> str | None:
        return None if value is None else value.isoformat()

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> date | None:
        return None if value is None else date.fromisoformat(value)


SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""Number of a record; in SQLite it is the row's own number, which only `INTEGER` can be."""


def written_instant(at: datetime) -> str:
    """One text per instant, whatever its zone."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat("T", "microseconds")


class Row(SQLModel):
    """Tables of this adapter, apart from anybody else's."""

    metadata = MetaData()


def _serial(of: str = "records.serial", *, key: bool = True) -> Any:
    return Field(sa_column_args=[ForeignKey(of)], sa_type=SERIAL, primary_key=key)


class RecordRow(Row, table=True):
    """One link of the chain: `hash` covers everything before it."""

    __tablename__ = "records"
    serial: int = Field(primary_key=True, sa_type=SERIAL, sa_column_kwargs={"autoincrement": False})
    kind: str
    hash: str


class InstrumentRow(Row, table=True):
    """Contract terms, once each, named by the digest of their canonical text; `at` is when they were first used."""

    __tablename__ = "instruments"
    serial: int = _serial()
    digest: str = Field(unique=True)
    name: str = Field(index=True)
    terms: str
    at: datetime = Field(sa_type=Instant)


class EntryRow(Row, table=True):
    """A journal entry without its legs."""

    __tablename__ = "entries"
    serial: int = _serial()
    key: str = Field(unique=True)
    at: datetime = Field(sa_type=Instant)
    memo: str
    status: str
    evidence: str


class LegRow(Row, table=True):
    """
    One leg: `units` is an exact integer of the instrument's smallest unit.

    `day` is the valuation day of its entry (D15). The index holds all that a sum by day needs, in its order: what a
    report of a month reads does not grow with the years before it.
    """

    __tablename__ = "legs"
    __table_args__ = (
        Index("ix_legs_by_day", "day", "account", "instrument", "units"),
        {"sqlite_with_rowid": False},
    )
    serial: int = _serial("entries.serial")
    ordinal: int = Field(primary_key=True)
    day: date = Field(sa_type=Day)
    account: str
    instrument: int = _serial("instruments.serial", key=False)
    units: int = Field(sa_type=ExactInteger)


class IntentRow(Row, table=True):
    """What was about to be done, durable before it was."""

    __tablename__ = "intents"
    serial: int = _serial()
    key: str = Field(unique=True)
    payload: str
    at: datetime = Field(sa_type=Instant)


class FillRow(Row, table=True):
    """What a venue said happened, as it was read."""

    __tablename__ = "fills"
    serial: int = _serial()
    key: str = Field(unique=True)
    order_id: str = Field(index=True)
    document: str
    at: datetime = Field(sa_type=Instant)


class PlanRow(Row, table=True):
    """A plan's document under its digest."""

    __tablename__ = "plans"
    serial: int = _serial()
    digest: str = Field(unique=True)
    document: str
    at: datetime = Field(sa_type=Instant)


class ApprovalRow(Row, table=True):
    """One owner's approval of one plan, as a document."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("digest", "owner"),)
    serial: int = _serial()
    digest: str = Field(sa_column_args=[ForeignKey("plans.digest")])
    owner: str
    document: str
    at: datetime = Field(sa_type=Instant)


class PlanStateRow(Row, table=True):
    """A plan reached a state; each state is reached once, which is what makes a plan single-use."""

    __tablename__ = "plan_states"
    __table_args__ = (UniqueConstraint("digest", "state"),)
    serial: int = _serial()
    digest: str = Field(sa_column_args=[ForeignKey("plans.digest")])
    state: str
    at: datetime = Field(sa_type=Instant)


class NoteRow(Row, table=True):
    """A durable word of the operator or the engine under a topic: halts, resumes, session counters."""

    __tablename__ = "notes"
    serial: int = _serial()
    topic: str = Field(index=True)
    document: str
    at: datetime = Field(sa_type=Instant)


APPEND_ONLY = (
    "records",
    "instruments",
    "entries",
    "legs",
    "intents",
    "fills",
    "plans",
    "approvals",
    "plan_states",
    "notes",
)
"""Tables that triggers guard against UPDATE and DELETE."""
