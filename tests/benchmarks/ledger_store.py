"""
W9: a million postings into the journal and three grouped queries over them.

Every yardstick writes the rows the journal writes, records and hashes included, into the same tables with the same
guards and the same durability; `legs alone` writes only the postings, into a bare table, and is what a ledger without a
chain would cost. Entries have two legs each, the most rows per posting there can be.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest import SkipTest

import psycopg
from sqlmodel import Session

from adapters.sql import schema
from adapters.sql.journal import SqlJournal
from adapters.sql.migrate import upgrade
from adapters.sql.storage import database_url, open_engine, parsed
from engine.entries import Account, Entry, Leg
from engine.instruments import MARKET_ZONE, Cash
from engine.ledger.balances import VALUATION_TIME
from engine.money import ETH, USD, Currency, Money
from engine.report.marks import Mark, written
from engine.report.period import INCEPTION
from scripts.kept import MARK
from scripts.period import read_report
from tests.adapters.sql.servers import administer, postgres_server, within
from tests.benchmarks.timing import Candidate, Goal, Row, duel
from tests.engine.terms import spx

TABLES = ("records", "instruments", "entries", "legs")
START, END = date(2021, 1, 4), date(2025, 12, 31)
JOURNAL, RAW, ALONE, ORM = "journal", "sqlite3, same rows", "sqlite3, legs alone", "SQLModel ORM, same rows"
SHARED, COPY = "journal on PostgreSQL", "psycopg COPY, same rows"
_SUMS = "SELECT account, instrument, group_concat(units, ',') FROM legs {} GROUP BY 1, 2 ORDER BY 1, 2"
_HALF = date(2023, 6, 30)
_DISK = Path(__file__).resolve().parents[2] / "build"
"""Where the databases are: a folder for temporary files may be in memory, where a durable commit costs nothing."""
_QUERIES = {
    "": _SUMS.format(""),
    "until a day": _SUMS.format(f"WHERE day <= '{_HALF}'"),
    "final only": _SUMS.format("WHERE serial NOT IN (SELECT serial FROM entries WHERE status <> 'final')"),
}
Table = Sequence[tuple[Any, ...]]


def entries(count: int, seed: int = 909) -> Iterator[Entry]:
    """`count` entries of two legs over five years: fills, fees, gas, interest and capital, cents to wei."""
    draw = Random(seed)
    usd, usdc, ether = Cash(USD), Cash(Currency("USDC", 6)), Cash(ETH)
    puts = [spx(3000 + 25 * number, "P") for number in range(60)]
    kinds = (
        ("assets:condor:paper", "equity:trading", None, 10**2),
        ("assets:condor:paper", "equity:trading", usd, 10**7),
        ("expenses:commission:condor", "assets:condor:paper", usd, 10**4),
        ("expenses:gas:defi", "assets:defi:executor", ether, 10**16),
        ("assets:defi:aave-v3", "income:interest:defi", usdc, 10**8),
        ("assets:defi:safe", "equity:capital:defi", ether, 10**21),
    )
    began, step = datetime(START.year, 1, 5, tzinfo=UTC), timedelta(days=1800) / count
    for number in range(count):
        into, out, token, most = kinds[draw.randrange(6)]
        held = token or puts[60 * number // count - draw.randrange(5)]
        amount = Money(draw.randrange(1, most), held.unit)
        key = f"fill:paper:{draw.getrandbits(64):016x}"
        legs = (Leg(Account(into), amount, held), Leg(Account(out), -amount, held))
        yield Entry(key, began + number * step, f"what happened under {key}", legs, {"order": f"o-{number}"})


def run(*, quick: bool = False) -> list[Row]:
    """Rows of W9; raises `AssertionError` if what is in the database is not what was posted."""
    postings, rounds = (50_000, 1) if quick else (1_000_000, 3)
    posted = list(entries(postings // 2))
    with ExitStack() as stack:
        _DISK.mkdir(exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_DISK)))
        with SqlJournal(_empty(folder)) as journal:
            assert journal.post(posted) == len(posted)
            assert journal.post(posted[:1000]) == 0
            rows = _rows(sqlite3.connect(folder / "journal.db"))
            found = _imported(posted, rows, folder, _server(stack), rounds)
            return [*found, *_asked(journal, folder / "journal.db", len(posted), rounds), _reported(journal, postings)]


def _imported(
    posted: Sequence[Entry], rows: Mapping[str, Table], folder: Path, server: str | None, rounds: int
) -> list[Row]:
    part = 20
    last = rows["entries"][len(rows["entries"]) // part][0]
    some = {name: [row for row in table if row[0] <= last] for name, table in rows.items()}
    candidates = {
        RAW: Candidate(lambda: _raw(_empty(folder, "raw"), folder / "raw.db", rows)),
        ALONE: Candidate(lambda: _alone(folder / "alone.db", rows["legs"])),
        ORM: Candidate(lambda: _orm(_empty(folder, "orm"), some), len(rows["legs"]) / len(some["legs"])),
        JOURNAL: Candidate(lambda: _post(_empty(folder, "again"), posted)),
        COPY: Candidate(_copier(server, rows)),
        SHARED: Candidate(_poster(server, posted)),
    }
    goals = [
        Goal(JOURNAL, RAW, 3.5),
        Goal(JOURNAL, ORM, 0.06),
        Goal(JOURNAL, ALONE, float("nan")),
        Goal(SHARED, COPY, 2.0),
    ]
    workload = f"W9 ledger, {len(rows['legs']):,} postings"
    return duel(workload, candidates, goals, items=len(rows["legs"]), rounds=rounds, yardstick=RAW)


def _asked(journal: SqlJournal, file: Path, count: int, rounds: int) -> list[Row]:
    connection = sqlite3.connect(file)
    ours = {
        "": journal.balances,
        "until a day": lambda: journal.balances(until=_HALF),
        "final only": lambda: journal.balances(final_only=True),
    }
    found: list[Row] = []
    for name, query in _QUERIES.items():
        raw = f"sqlite3, balances {name}".strip()
        assert {units for *_, units in _summed(connection, query)} - {0} == {b.units for b in ours[name]().values()}
        candidates = {
            raw: Candidate(lambda query=query: _summed(connection, query)),
            f"balances {name}".strip(): Candidate(ours[name]),
        }
        goal = Goal(f"balances {name}".strip(), raw, 1.1)
        found += duel("W9 queries", candidates, [goal], items=2 * count, rounds=3 * rounds + 2, yardstick=raw)
    connection.close()
    return found


def _reported(journal: SqlJournal, postings: int) -> Row:
    """The blended report as an operator reads it since inception, in fractions of the two seconds it may take."""
    closing = Mark(
        day=END,
        asof=datetime.combine(END, VALUATION_TIME, MARKET_ZONE),
        snapshot="",
        policy="",
        serial=journal.tip()[0],
        counted=journal.tip()[0],
        prices={instrument.id: 1.0 for _, instrument in journal.balances()},
        exits={},
        finance_rate=0.05,
        bill_rate=0.03,
        parts={},
    )
    journal.note(MARK, written(closing), closing.asof)
    assert read_report(journal, INCEPTION).found.blended.put_in > 0
    report = Candidate(lambda: read_report(journal, INCEPTION))
    (row,) = duel("W9 report", {"blended report": report}, [], items=postings, rounds=3, yardstick="")
    assert row.seconds is not None
    return replace(row, ratio=row.seconds / 2.0, yardstick="two seconds", goal=1.0, met=row.seconds <= 2.0)


def _empty(folder: Path, name: str = "journal") -> str:
    """The URL of a migrated, empty database, copied from one made before."""
    template = folder / "template.db"
    if not template.exists():
        upgrade(database_url(template))
    for file in folder.glob(f"{name}.db*"):
        file.unlink()
    return database_url(Path(shutil.copy(template, folder / f"{name}.db")))


def _rows(connection: sqlite3.Connection) -> dict[str, Table]:
    found = {name: connection.execute(f"SELECT * FROM {name} ORDER BY serial").fetchall() for name in TABLES}
    connection.close()
    return found


def _post(url: str, posted: Sequence[Entry]) -> None:
    with SqlJournal(url) as journal:
        journal.post(posted)


@contextmanager
def _durable(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection set up as the journal's, in one transaction."""
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.execute("COMMIT")
    connection.close()


def _raw(_: str, file: Path, rows: Mapping[str, Table]) -> None:
    with _durable(file) as connection:
        for name, table in rows.items():
            connection.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(table[0]))})", table)


def _alone(file: Path, legs: Table) -> None:
    for old in file.parent.glob("alone.db*"):
        old.unlink()
    with _durable(file) as connection:
        connection.execute(
            "CREATE TABLE legs (serial INTEGER, ordinal INTEGER, day, account, instrument INTEGER, units)"
        )
        connection.executemany("INSERT INTO legs VALUES (?, ?, ?, ?, ?, ?)", legs)


def _orm(url: str, rows: Mapping[str, Table]) -> None:
    kinds = {
        "records": schema.RecordRow,
        "instruments": schema.InstrumentRow,
        "entries": schema.EntryRow,
        "legs": schema.LegRow,
    }
    engine = open_engine(url)
    with Session(engine.execution_options(writes=True)) as session:
        for name, table in rows.items():
            columns = [column.name for column in kinds[name].__table__.c]
            session.add_all(kinds[name](**_typed(dict(zip(columns, row, strict=True)))) for row in table)
            session.flush()
        session.commit()
    engine.dispose()


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Callable[[str], object]] = {"at": datetime.fromisoformat, "day": date.fromisoformat, "units": int}
    return {name: read[name](value) if name in read else value for name, value in row.items()}


def _summed(connection: sqlite3.Connection, query: str) -> list[tuple[str, int, int]]:
    return [(account, held, sum(map(int, units.split(",")))) for account, held, units in connection.execute(query)]


def _server(stack: ExitStack) -> str | None:
    try:
        server = stack.enter_context(postgres_server())
    except SkipTest as reason:
        print(reason)
        return None
    for name in ("hedge_bench_copy", "hedge_bench_journal"):
        administer(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        upgrade(within(server, name))
    return server


def _cleared(server: str, name: str) -> str:
    url = within(server, name)
    administer(url, "SET session_replication_role = replica", f"TRUNCATE {', '.join(schema.APPEND_ONLY)}")
    return url


def _poster(server: str | None, posted: Sequence[Entry]) -> Callable[[], None] | None:
    return None if server is None else lambda: _post(_cleared(server, "hedge_bench_journal"), posted)


def _copier(server: str | None, rows: Mapping[str, Table]) -> Callable[[], None] | None:
    def copy() -> None:
        assert server is not None
        place = parsed(_cleared(server, "hedge_bench_copy")).set(drivername="postgresql")
        with psycopg.connect(place.render_as_string(hide_password=False)) as connection:
            for name, table in rows.items():
                with connection.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN") as copying:
                    for row in table:
                        copying.write_row(row)

    return None if server is None else copy
