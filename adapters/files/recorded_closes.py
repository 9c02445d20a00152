"""S&P 500 and VIX closes, read where the `arch` distribution installed them; nothing is copied or imported."""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine.errors import MissingQuote, UnreadableMarketFile
from engine.market import DailySeries

DISTRIBUTION = "arch"
SPX_FILE = "arch/data/sp500/sp500.csv.gz"
VIX_FILE = "arch/data/vix/vix.csv.gz"
NO_CLOSE = "."  # how the VIX file marks a weekday without a session


class RecordedCloses(NamedTuple):
    """Daily closes in points, sessions only: `spx` 1999-2018 and `vix` 2014-2019; `spx_open` the openings."""

    spx: DailySeries
    vix: DailySeries
    spx_open: DailySeries


def _american(written: object) -> object:
    return datetime.strptime(written, "%m/%d/%Y").date() if isinstance(written, str) else written  # noqa: DTZ007


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    day: Annotated[date, BeforeValidator(_american)]
    close: Annotated[float, Field(gt=0)]


@cache
def recorded_closes(name: str = DISTRIBUTION) -> RecordedCloses:
    """
    The recorded closes from an installed distribution.

    Raises `MissingQuote` where it is not installed or lacks the files, `UnreadableMarketFile` where a
    file is damaged. Source: Kevin Sheppard's `arch` (NCSA licence), extra `demo`.
    """
    try:
        installed = distribution(name)
    except PackageNotFoundError as absent:
        raise _missing(f"the package {name} (extra `demo`) is not installed") from absent
    source = f"recorded in {name} {installed.version}"
    return RecordedCloses(
        spx=closes_from(_lines(installed, SPX_FILE), "SPX", "Close", source),
        vix=closes_from(_lines(installed, VIX_FILE), "VIX", "vix", source),
        spx_open=closes_from(_lines(installed, SPX_FILE), "SPX open", "Open", source),
    )


def closes_from(lines: Iterable[str], name: str, column: str, source: str) -> DailySeries:
    """
    One column of a CSV with American dates as a history; rows without a session are left out.

    Raises `UnreadableMarketFile` naming the line where a value is not a positive number, a date is no
    date, or the dates do not rise.
    """
    try:
        reader = csv.DictReader(lines, strict=True)
        rows = list(_rows(reader, name, column))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as broken:
        raise _unreadable(name, f"{type(broken).__name__}: {broken}") from broken
    days = np.array([row.day for row in rows], dtype="datetime64[D]")
    if not len(days):
        raise _unreadable(name, "it has no closes")
    if not (falls := np.diff(days) > np.timedelta64(0, "D")).all():
        raise _unreadable(name, f"dates do not rise after {days[int(np.argmin(falls))]}")
    return DailySeries(name, days, np.array([row.close for row in rows]), source)


def _rows(reader: "csv.DictReader[str]", name: str, column: str) -> Iterator[_Row]:
    if not {"Date", column} <= set(reader.fieldnames or ()):
        raise _unreadable(name, f"columns Date and {column} are expected, found {reader.fieldnames}")
    for row in reader:
        if row[column] == NO_CLOSE:
            continue
        try:
            yield _Row.model_validate({"day": row["Date"], "close": row[column]})
        except ValidationError as broken:
            fault = broken.errors(include_url=False, include_input=False)[0]
            why = f"line {reader.line_num}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            raise _unreadable(name, why) from broken


def _lines(installed: Distribution, path: str) -> Iterator[str]:
    found = next((file for file in installed.files or () if file.as_posix() == path), None)
    if found is None:
        raise _missing(f"{installed.name} {installed.version} has no {path}")
    try:
        with gzip.open(str(found.locate()), "rt", encoding="utf-8", newline="") as lines:
            yield from lines
    except FileNotFoundError as absent:
        raise _missing(f"{path} is listed by {installed.name} but not on disk") from absent


def _missing(why: str) -> MissingQuote:
    return MissingQuote(
        "no recorded closes for the demo",
        why=why,
        todo="run `pip install -e '.[demo]'` or `make demo`, which does it",
    )


def _unreadable(name: str, why: str) -> UnreadableMarketFile:
    return UnreadableMarketFile(f"recorded closes of {name} refused", why=why, todo="reinstall the `demo` extra")
