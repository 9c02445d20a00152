"""Daily histories from CSV: closes, open-high-low-close bars, bill rates, VIX futures settlements."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from adapters.files.calendar import vix_settlement, vix_settles_at
from adapters.files.stamps import written_date
from adapters.files.text import csv_rows, read_text, refused
from engine.errors import StaleQuote
from engine.market import DailySeries, Finding, Floats, RateCurve, Severity

_DAY_NAMES = ("date", "day")
_VALUE_NAMES = ("close", "adj_close", "value")
_MISSING = {"", "NA", "N/A", ".", "null"}
_BILL_DAYS = 91
_OLDEST_BILL = 10  # days: a holiday week and a long weekend
_MONTHS = 12
Row = TypeVar("Row", bound=BaseModel)


def _first_ten(text: object) -> object:
    """`2022-01-03 00:00:00-05:00` is that day; a date alone stays as it is."""
    return text[:10] if isinstance(text, str) else text


def _absent(text: object) -> object:
    return None if isinstance(text, str) and text.strip() in _MISSING else text


Day = Annotated[date, BeforeValidator(_first_ten)]
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class ValueRow(BaseModel):
    """One day's number; None where the file says that there is none."""

    model_config = _STRICT

    day: Day
    value: Annotated[float | None, BeforeValidator(_absent)]


class BarRow(BaseModel):
    """One day's open, high, low and close, all positive."""

    model_config = _STRICT

    day: Day
    open: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]
    low: Annotated[float, Field(gt=0)]
    close: Annotated[float, Field(gt=0)]


class SeriesFile(NamedTuple):
    """A history and what was odd in its file."""

    series: DailySeries
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class BarsFile:
    """Daily bars (`days` is datetime64[D], strictly rising) and what was odd in their file."""

    name: str
    days: np.ndarray[tuple[int], np.dtype[np.datetime64]]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    source: str
    findings: tuple[Finding, ...]

    @property
    def closes(self) -> DailySeries:
        """The closing values as a series."""
        return DailySeries(self.name, self.days, self.close, self.source)


class FutureSettle(NamedTuple):
    """A listed VIX future: the aware instant it stops trading, and its settlement price in points."""

    expires: datetime
    price: float


def read_daily(path: Path, *, name: str, column: str | None = None) -> SeriesFile:
    """
    A daily series from a CSV with a date column and one column of numbers.

    Parameters
    ----------
    path : plain or gzipped CSV
    name : what the series is called
    column : its column, any case; default the first of close, adj_close, value, else the second column

    Returns
    -------
    Days without a number are left out, with a finding. Raises `UnreadableMarketFile` naming line and
    column for anything else, and where days do not rise.
    """
    lines, header, body = _open(path)
    wanted = [column.casefold()] if column else _VALUE_NAMES
    at = next((header.index(title) for title in wanted if title in header), None)
    if at is None and column is None and len(header) == 2:
        at = 1
    if at is None:
        raise refused(path.name, 1, f"no column {column or ' or '.join(_VALUE_NAMES)}")
    day_at = _day_column(path, header)
    rows = _rows(path, ValueRow, lines, body, {"day": day_at, "value": at})
    _require_rising(path, lines, [row.day for row in rows])
    known = [(row.day, row.value) for row in rows if row.value is not None]
    findings: list[Finding] = []
    if len(known) < len(rows):
        gaps = f"{len(rows) - len(known)} day(s) without a number in column {at + 1}: left out"
        findings.append(Finding("missing_value", Severity.NOTE, None, (), gaps))
    days = np.array([day for day, _ in known], "datetime64[D]")
    values = np.array([value for _, value in known], float)
    return SeriesFile(DailySeries(name, days, values, path.name), tuple(findings))


def read_bars(path: Path, *, name: str) -> BarsFile:
    """
    Daily open, high, low and close, with a finding for each bar whose order is impossible.

    A bar whose open or close lies outside low to high keeps its close; its high and low are doubtful.
    Raises `UnreadableMarketFile` naming line and column.
    """
    lines, header, body = _open(path)
    fields = {"day": _day_column(path, header)}
    for field in ("open", "high", "low", "close"):
        if field not in header:
            raise refused(path.name, 1, f"no column {field}")
        fields[field] = header.index(field)
    rows = _rows(path, BarRow, lines, body, fields)
    _require_rising(path, lines, [row.day for row in rows])
    findings = tuple(
        Finding("bar_order", Severity.NOTE, None, (), f"line {line}, {row.day}: open or close outside low to high")
        for line, row in zip(lines, rows, strict=True)
        if not row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high
    )
    columns = {field: np.array([getattr(row, field) for row in rows]) for field in fields if field != "day"}
    days = np.array([row.day for row in rows], "datetime64[D]")
    return BarsFile(name=name, days=days, source=path.name, findings=findings, **columns)


def read_bill_curve(path: Path, day: date) -> RateCurve:
    """
    A flat curve from the three-month bill of `day`, or of the last day before it.

    The file quotes bank discount in percent of 91-day bills (`Date`, `Close`); the curve holds the
    continuously compounded rate -ln(1 - d 91/360) 365/91. Raises `StaleQuote` where the last quote is
    more than ten days old.
    """
    series = read_daily(path, name="bill").series.upto(day)
    if not len(series.days) or (np.datetime64(day) - series.days[-1]).astype(int) > _OLDEST_BILL:
        raise StaleQuote(
            f"{path.name} has no bill rate for {day}",
            why=f"its last quote before that day is {series.days[-1] if len(series.days) else 'missing'}",
            todo="give a file that covers the day, or a rate",
        )
    discount = float(series.values[-1]) / 100.0
    rate = -math.log1p(-discount * _BILL_DAYS / 360.0) * 365.0 / _BILL_DAYS
    return RateCurve((_BILL_DAYS / 365.0,), (rate,), f"{path.name} {series.days[-1]}")


def read_vix_settlements(path: Path, *, symbols: Path | None = None) -> dict[date, tuple[FutureSettle, ...]]:
    """
    Listed VIX futures by day, nearest first, from columns M1, M2, ... of monthly settlements.

    Parameters
    ----------
    path : settlement prices in points; NA means that the month was not listed
    symbols : the same table holding contract months, `K (May 04)`, where it is at hand. Without it
        M1 is the first month that settles after the day, M2 the month after it.

    Expiries follow the exchange's rule and never a file. Raises `UnreadableMarketFile`.
    """
    prices = _month_columns(path)
    named = _contract_months(symbols) if symbols is not None else None
    settled: dict[date, tuple[FutureSettle, ...]] = {}
    for day, row in prices.items():
        listed: list[FutureSettle] = []
        front = _front_month(day) if named is None else 0
        for position, price in row.items():
            offset = front + position - 1 if named is None else named.get(day, {}).get(position)
            if offset is None:
                raise refused(path.name, 1, f"{day}: M{position} has a price and no contract month")
            listed.append(FutureSettle(vix_settles_at(*_month(offset)), price))
        settled[day] = tuple(listed)
    return settled


def _month_columns(path: Path) -> dict[date, dict[int, float]]:
    lines, header, body = _open(path)
    months = {title: int(title[1:]) for title in header if re.fullmatch(r"m\d+", title)}
    if not months:
        raise refused(path.name, 1, "no column M1, M2, ...")
    table: dict[date, dict[int, float]] = {}
    for title, position in months.items():
        rows = _rows(path, ValueRow, lines, body, {"day": _day_column(path, header), "value": header.index(title)})
        _require_rising(path, lines, [row.day for row in rows])
        for row in rows:
            day = table.setdefault(row.day, {})
            if row.value is not None:
                day[position] = row.value
    return table


def _contract_months(path: Path) -> dict[date, dict[int, int]]:
    """Per day and column the contract month, in months since year 0."""
    lines, header, body = _open(path)
    day_at = _day_column(path, header)
    table: dict[date, dict[int, int]] = {}
    for line, row in zip(lines, body, strict=True):
        try:
            day = datetime.strptime(row[day_at], "%m/%d/%y").replace(tzinfo=UTC).date()
        except ValueError as broken:
            raise refused(path.name, line, f"{row[day_at][:40]!r} is no month/day/year") from broken
        table[day] = {
            int(title[1:]): month
            for title, cell in zip(header, row, strict=False)
            if re.fullmatch(r"m\d+", title) and (month := _named_month(cell)) is not None
        }
    return table


@cache
def _named_month(cell: str) -> int | None:
    found = re.search(r"\((\w+) (\d\d)\)", cell)
    named = written_date(f"1 {found[1]} 20{found[2]}") if found else None
    return named.year * _MONTHS + named.month - 1 if named else None


def _front_month(day: date) -> int:
    """Months since year 0 of the first VIX future that settles after `day`."""
    offset = day.year * _MONTHS + day.month - 1
    return offset if vix_settlement(day.year, day.month) > day else offset + 1


def _month(offset: int) -> tuple[int, int]:
    return offset // _MONTHS, offset % _MONTHS + 1


def _open(path: Path) -> tuple[list[int], list[str], list[list[str]]]:
    """Line numbers, folded column names, and cells of every row that is not blank."""
    cells = csv_rows(read_text(path).splitlines(), source=path.name)
    if len(cells) < 2:
        raise refused(path.name, 1, "no row follows the header")
    header = [title.strip().casefold() for title in cells[0][1]]
    return [line for line, _ in cells[1:]], header, [row for _, row in cells[1:]]


def _day_column(path: Path, header: Sequence[str]) -> int:
    for title in _DAY_NAMES:
        if title in header:
            return header.index(title)
    raise refused(path.name, 1, "no column called date")


def _rows(path: Path, kind: type[Row], lines: list[int], body: list[list[str]], fields: dict[str, int]) -> list[Row]:
    try:
        wanted = [{field: row[at] for field, at in fields.items()} for row in body]
        return TypeAdapter(list[kind]).validate_python(wanted)  # type: ignore[valid-type]
    except IndexError as short:
        line = next(line for line, row in zip(lines, body, strict=True) if len(row) <= max(fields.values()))
        raise refused(path.name, line, f"fewer than {max(fields.values()) + 1} columns") from short
    except ValidationError as broken:
        first = broken.errors(include_url=False, include_input=False)[0]
        index, at = int(first["loc"][0]), fields[str(first["loc"][1])]
        why = f"column {at + 1} holds {body[index][at][:40]!r}: {first['msg']}"
        raise refused(path.name, lines[index], why) from broken


def _require_rising(path: Path, lines: Sequence[int], days: Sequence[date]) -> None:
    for line, before, after in zip(lines[1:], days, days[1:], strict=False):
        if after <= before:
            raise refused(path.name, line, f"{after} does not follow {before}")
