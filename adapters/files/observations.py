"""
Observations from files: a folder of recorded histories, and an operator's own table of values with their releases.

An operator's table is a CSV (or Parquet, with the extra `parquet` installed) with the columns `name`,
`as_of`, `released_at`, `value`, `unit`, `source` and `vintage`. Instants are ISO 8601 with their zone, or a
plain date for midnight UTC; `vintage` may be empty. Any file of that shape whose name begins with
`observations` is read, beside the recorded histories listed in `RECORDED`. Units and ranges are those of
`adapters.files.admissible`.
"""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from adapters.files.admissible import ADMISSIBLE
from adapters.files.calendar import session, sessions_between
from adapters.files.series import read_vix_settlements
from adapters.files.text import csv_rows, read_text, refused
from engine.errors import InputError
from engine.pricing.vix_futures import constant_maturity
from engine.signals.columns import Axis
from engine.signals.observations import Observations, Series, first_fault, instant

COLUMNS = ("name", "as_of", "released_at", "value", "unit", "source", "vintage")
_MISSING = {"", "NA", "N/A", ".", "null", "nan"}
_LATE_CLOSE = timedelta(hours=21, minutes=15)
_THIRTY_DAYS = 30.0 / 365.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """
    A recorded history: where it is, what it is called here, and when its values came out.

    `lag_days` counts from the start of the period to its release; None means the session's own close. A file
    that carries the latest vintage only says so in `vintage`. `zero_is_missing` for files that write 0 for none.
    """

    path: str
    name: str
    day: str
    value: str
    unit: str
    lag_days: int | None = None
    scale: float = 1.0
    vintage: str = ""
    zero_is_missing: bool = False


_LATEST = "latest vintage; release lag assumed"
RECORDED = (
    Recorded("equity/spx-daily-1999-2023.csv", "spx", "date", "close", "points"),
    Recorded("equity/hyg-adjclose-to-2023.csv", "hyg", "date", "adj_close", "USD"),
    Recorded("equity/ief-adjclose-to-2023.csv", "ief", "date", "adj_close", "USD"),
    Recorded("volatility/vix-daily-1990-2026.csv", "vix", "date", "close", "points"),
    Recorded("volatility/vix3m-close-to-2023.csv", "vix3m", "date", "close", "points"),
    Recorded("volatility/vix9d-to-2023.csv", "vix9d", "date", "close", "points"),
    Recorded("volatility/vvix-close-to-2023.csv", "vvix", "date", "close", "points"),
    # Month plus two weeks: CPI and PPI appear about the middle of the next month.
    Recorded("macro/cpi-u-nsa.csv", "cpi", "date", "index", "index", 46, vintage=_LATEST),
    Recorded("macro/ppi-ppiaco.csv", "ppi", "date", "ppiaco", "index", 46, vintage=_LATEST),
    Recorded("macro/reer-rbusbis.csv", "reer", "date", "rbusbis", "index", 50, vintage=_LATEST),
    Recorded("macro/gdp-quarterly.csv", "gdp_growth", "date", "change-chained", "%", 120, 0.01, _LATEST),
    Recorded("crypto/btc-daily.csv", "btc", "date", "price", "USD", 1),
    Recorded("crypto/btc-perp-funding-daily.csv", "funding_8h", "date", "funding_mean", "%", 1),
    Recorded("defi/aave-usdc-supply-rate.csv", "supply_rate", "day", "lending rate", "%", 1, 0.01),
    Recorded("defi/aave-usd-value-daily.csv", "tvl_usd", "timestamp", "usdc_value", "USD", 1, zero_is_missing=True),
    Recorded("defi/usdc-usd-daily.csv", "usdc_peg", "snapped_at", "price", "x", 0),
    Recorded("defi/eth-gas-price-daily.csv", "gas_price", "date(utc)", "value (wei)", "wei", 1, zero_is_missing=True),
)
"""Histories whose layout is known; what a folder lacks is unseen."""

_SETTLEMENTS = ("volatility/vx-settle-2004-2017.csv", "volatility/vx-symbols-2004-2017.csv")
_MEETINGS = "macro/fomc-dates-2000-2026.csv"
_ETHER = "crypto/eth-daily.json"
_SHILLER = "macro/shiller-sp500.csv"
_EARNINGS_LAG = 150  # days from the month's start: a quarter's earnings are known two to three months after it


def read_observations(folder: Path) -> Observations:
    """
    Every observation a folder holds: recorded histories it has, and an operator's own tables.

    An operator's series replaces a recorded one of the same name. Raises `UnreadableMarketFile` or `InputError`
    naming file and line, or both files where two give one series; nothing is read in part.
    """
    if not folder.is_dir():
        raise InputError(f"folder {folder.name} not read", why="there is no such folder", todo="name an existing one")
    found = {series.name: series for series in _recorded(folder)}
    found |= _supplied(folder)
    if not found:
        raise InputError(
            f"folder {folder.name} refused",
            why="no file in it is an observation",
            todo="lay it out: docs/observations.md",
        )
    return Observations(dict(sorted(found.items())))


def read_table(path: Path) -> tuple[Series, ...]:
    """The series in an operator's table. Raises `UnreadableMarketFile` naming the line of the first fault."""
    rows = _parquet(path) if path.suffix == ".parquet" else _table(path)
    grouped: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    for line, row in rows:
        if not row["name"].isidentifier():
            raise refused(path.name, line, f"{row['name'][:40]!r} is no series name")
        grouped[row["name"]].append((line, row))
    return tuple(_series(path, name, parts) for name, parts in sorted(grouped.items()))


def read_meetings(folder: Path) -> tuple[date, ...]:
    """Days on which the central bank announces, past and scheduled; empty where the folder has no such file."""
    path = folder / _MEETINGS
    if not path.is_file():
        return ()
    lines = csv_rows(read_text(path).splitlines(), source=path.name)[1:]
    return tuple(_day(path, line, row[0]).astype("datetime64[D]").item() for line, row in lines)


def session_axis(first: date, last: date) -> Axis:
    """The options closes of every session from `first` to `last`. Raises `PastCalendar`, or `InputError` for none."""
    days = sessions_between(first, last)
    return Axis(np.array([_close(day) for day in days], "datetime64[m]"))


def _supplied(folder: Path) -> dict[str, Series]:
    """The series of an operator's own tables, of which no two may give the same."""
    found: dict[str, Series] = {}
    giver: dict[str, str] = {}
    for path in sorted(folder.glob("observations*")):
        for series in read_table(path):
            if series.name in found:
                raise InputError(
                    f"series {series.name} refused",
                    why=f"both {giver[series.name]} and {path.name} give it",
                    todo="keep it in one file, or rename the other so that it does not begin with observations",
                )
            found[series.name], giver[series.name] = series, path.name
    return found


def _recorded(folder: Path) -> Iterator[Series]:
    for part in RECORDED:
        if (folder / part.path).is_file():
            yield _history(folder / part.path, part)
    if (folder / _SETTLEMENTS[0]).is_file():
        yield from _futures(folder)
    if (folder / _ETHER).is_file():
        yield _ether(folder / _ETHER)
    if (folder / _SHILLER).is_file():
        yield _earnings_multiple(folder / _SHILLER)


def _history(path: Path, part: Recorded) -> Series:
    cells = csv_rows(read_text(path).splitlines(), source=path.name)
    header = [title.strip().casefold() for title in cells[0][1]]
    try:
        day_at, value_at = header.index(part.day), header.index(part.value)
    except ValueError:
        raise refused(path.name, 1, f"no columns {part.day} and {part.value}") from None
    days, values = [], []
    for line, row in cells[1:]:
        value = _value(path, line, row[value_at]) if len(row) > value_at else math.nan
        if math.isnan(value) or (part.zero_is_missing and value == 0.0):
            continue
        days.append(_day(path, line, row[day_at]))
        values.append(_admitted(path, line, part.name, value * part.scale))
    return _daily(part.name, part.unit, days, values, path.name, part.lag_days, part.vintage)


def _daily(
    name: str,
    unit: str,
    days: Sequence[np.datetime64],
    values: Sequence[float],
    source: str,
    lag_days: int | None,
    vintage: str = "",
) -> Series:
    as_of = np.array(days, "datetime64[m]")
    if lag_days is None:
        released = np.array([_close(day.astype("datetime64[D]").item()) for day in as_of], "datetime64[m]")
    else:
        released = as_of + np.timedelta64(lag_days * 24 * 60, "m")
    return Series(name, unit, as_of, released, np.array(values), source, (vintage,) * len(values) if vintage else ())


def _futures(folder: Path) -> Iterator[Series]:
    symbols = folder / _SETTLEMENTS[1]
    settled = read_vix_settlements(folder / _SETTLEMENTS[0], symbols=symbols if symbols.is_file() else None)
    columns: dict[str, dict[date, float]] = {name: {} for name in ("vx_front", "vx_second", "vx_30d", "vx_gap")}
    for day, listed in settled.items():
        close = datetime.combine(day, datetime.min.time(), UTC) + _LATE_CLOSE
        alive = [
            future for future in listed if future.expires > close and future.price > 0
        ]  # a settlement of 0 is none
        if len(alive) < 2:
            continue
        years = np.array([(future.expires - close) / timedelta(days=365) for future in alive])
        columns["vx_front"][day], columns["vx_second"][day] = alive[0].price, alive[1].price
        columns["vx_gap"][day] = float(years[1] - years[0])
        if years[0] <= _THIRTY_DAYS <= years[-1]:
            prices = np.array([future.price for future in alive])
            columns["vx_30d"][day] = float(constant_maturity(years, prices, _THIRTY_DAYS))
    for name, by_day in columns.items():
        days = [np.datetime64(day) for day in by_day]
        unit = "years" if name == "vx_gap" else "points"
        yield _daily(name, unit, days, list(by_day.values()), _SETTLEMENTS[0], None)


def _ether(path: Path) -> Series:
    try:
        rows = [(int(at), float(value)) for at, value in json.loads(read_text(path))]
    except (ValueError, TypeError) as broken:
        raise refused(path.name, 1, f"it is no list of [milliseconds, value]: {broken}") from broken
    days = [np.datetime64(at // 86_400_000, "D") for at, _ in rows]
    values = [_admitted(path, number, "eth", value) for number, (_, value) in enumerate(rows, start=1)]
    return _daily("eth", "USD", days, values, path.name, 1)


def _earnings_multiple(path: Path) -> Series:
    reader = csv.DictReader(read_text(path).splitlines())
    days, values = [], []
    for line, row in enumerate(reader, start=2):
        price, earnings = _value(path, line, row["SP500"]), _value(path, line, row["Earnings"])
        if earnings > 0:  # the file writes 0.0 where there are none
            days.append(_day(path, line, row["Date"]))
            values.append(_admitted(path, line, "pe", price / earnings))
    return _daily("pe", "x", days, values, path.name, _EARNINGS_LAG, _LATEST)


def _table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    cells = csv_rows(read_text(path).splitlines(), source=path.name)
    if not cells or tuple(title.strip() for title in cells[0][1]) != COLUMNS:
        raise refused(path.name, 1, f"its columns are not {', '.join(COLUMNS)}")
    for line, row in cells[1:]:
        if len(row) != len(COLUMNS):
            raise refused(path.name, line, f"{len(row)} columns instead of {len(COLUMNS)}")
        yield line, dict(zip(COLUMNS, row, strict=True))


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise InputError(
            f"{path.name} not read",
            why="no Parquet reader is installed",
            todo="install the extra `parquet`, or write a CSV",
        ) from None
    except (OSError, ValueError) as broken:
        raise refused(path.name, 1, str(broken)) from broken
    if tuple(frame.columns) != COLUMNS:
        raise refused(path.name, 1, f"its columns are not {', '.join(COLUMNS)}")
    rows: Iterable[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    for line, row in enumerate(rows, start=1):
        yield line, {title: _text(row[title]) for title in COLUMNS}


def _text(cell: Any) -> str:
    return "" if cell is None else cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def _series(path: Path, name: str, parts: list[tuple[int, dict[str, str]]]) -> Series:
    first = parts[0][1]
    known = ADMISSIBLE.get(name)
    columns: dict[str, list[Any]] = defaultdict(list)
    for line, row in parts:
        value = _value(path, line, row["value"])
        if math.isnan(value):
            raise refused(path.name, line, "it has no value: leave the line out")
        if (row["unit"], row["source"]) != (first["unit"], first["source"]):
            raise refused(path.name, line, f"{name} has more than one unit or source")
        if known and row["unit"] != known.unit:
            raise refused(path.name, line, f"{name} is in {row['unit'][:40]!r}, not in {known.unit!r}")
        columns["as_of"].append(_instant(path, line, row["as_of"]))
        columns["released"].append(_instant(path, line, row["released_at"]))
        columns["value"].append(_admitted(path, line, name, value))
    as_of, released = (np.array(columns[title], "datetime64[m]") for title in ("as_of", "released"))
    values = np.array(columns["value"])
    fault = first_fault(as_of, released, values)
    if fault:
        raise refused(path.name, parts[fault[0]][0], f"{name}: {fault[1]}")
    vintages = tuple(row["vintage"] for _, row in parts)
    return Series(
        name, first["unit"], as_of, released, values, first["source"] or path.name, vintages if any(vintages) else ()
    )


def _admitted(path: Path, line: int, name: str, value: float) -> float:
    """The value, if its name is unknown or it lies in the name's range."""
    known = ADMISSIBLE.get(name)
    if known and not known.low <= value <= known.high:
        as_decimal = "; 0.71 is 71 %" if known.unit == "%" else ""
        raise refused(path.name, line, f"{name} of {value:g} lies outside {known}{as_decimal}")
    return value


def _instant(path: Path, line: int, text: str) -> np.datetime64:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise refused(path.name, line, f"{text[:40]!r} is no instant") from None
    if at.tzinfo is None:
        if len(text.strip()) > len("2023-01-01"):
            raise refused(path.name, line, f"{text[:40]!r} has no time zone")
        at = at.replace(tzinfo=UTC)
    return instant(at)


def _day(path: Path, line: int, text: str) -> np.datetime64:
    written = text.strip()
    try:
        if "/" in written:
            return np.datetime64(datetime.strptime(written, "%m/%d/%Y").replace(tzinfo=UTC).date(), "m")
        if len(written) == len("2023-01-01"):
            return np.datetime64(date.fromisoformat(written), "m")
        return instant(datetime.fromisoformat(written.removesuffix(" UTC")).replace(tzinfo=UTC))
    except ValueError:
        raise refused(path.name, line, f"{text[:40]!r} is no day") from None


def _value(path: Path, line: int, text: str) -> float:
    if text.strip() in _MISSING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise refused(path.name, line, f"{text[:40]!r} is no number") from None
    if math.isinf(value):
        raise refused(path.name, line, f"{text[:40]!r} is not finite")
    return value


@cache
def _close(day: date) -> np.datetime64:
    """The options close of a session; a quarter past nine in the evening UTC where there is none."""
    open_day = session(day)
    if open_day is None:
        return np.datetime64(day, "m") + np.timedelta64(int(_LATE_CLOSE / timedelta(minutes=1)), "m")
    return instant(open_day.options_close)
