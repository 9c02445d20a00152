"""The journal's tables. Exact integers are text: a number column would round or overflow (fault F17)."""

from sqlalchemy import Table
from sqlmodel import Field, SQLModel


class EntryRow(SQLModel, table=True):
    """One entry, in order of posting; `hash` covers its content and the hash before it."""

    __tablename__ = "entry"

    serial: int = Field(primary_key=True)
    key: str = Field(unique=True, index=True)
    at: str
    memo: str
    status: str
    evidence: str
    previous: str
    hash: str


class LegRow(SQLModel, table=True):
    """One leg of an entry; `units` are smallest units as text."""

    __tablename__ = "leg"

    serial: int = Field(primary_key=True, foreign_key="entry.serial")
    position: int = Field(primary_key=True)
    account: str = Field(index=True)
    instrument: str = Field(foreign_key="instrument.id", index=True)
    units: str


class InstrumentRow(SQLModel, table=True):
    """Contract terms, written once per instrument."""

    __tablename__ = "instrument"

    id: str = Field(primary_key=True)
    terms: str


class IntentRow(SQLModel, table=True):
    """What we were about to do, durable before anybody outside heard of it."""

    __tablename__ = "intent"

    key: str = Field(primary_key=True)
    payload: str
    at: str


class PlanRow(SQLModel, table=True):
    """How far a plan got: `applying`, then `applied`."""

    __tablename__ = "plan"

    digest: str = Field(primary_key=True)
    state: str
    at: str


ENTRY: Table = SQLModel.metadata.tables["entry"]
LEG: Table = SQLModel.metadata.tables["leg"]
INSTRUMENT: Table = SQLModel.metadata.tables["instrument"]
INTENT: Table = SQLModel.metadata.tables["intent"]
PLAN: Table = SQLModel.metadata.tables["plan"]
