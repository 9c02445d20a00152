"""The long chain format: one contract a line, volatility in percent, no stamp and no spot."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from adapters.files.assembly import Header, Quote, assemble, listing
from adapters.files.calendar import session_on_or_before, settles_at, third_friday
from adapters.files.text import csv_rows
from engine.errors import MissingQuote, UnreadableMarketFile
from engine.instruments import MARKET_ZONE, Right
from engine.market import Finding, OptionChain, Severity

_NEEDED = {"expiry", "strike", "right", "bid", "ask"}
_RIGHTS = {"CALL": "C", "PUT": "P"}
_READ = (*sorted(_NEEDED), "dte", "iv", "snapshot_id", "intrinsic_value")
Price = Annotated[float, Field(ge=0)]


class LongRow(BaseModel):
    """One contract; an empty cell is None, NaN and infinity are refused. `iv` is in percent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    expiry: date
    strike: Annotated[float, Field(gt=0)]
    right: Literal["C", "P"]
    bid: Price | None
    ask: Price | None
    iv: Price | None = None
    dte: Annotated[int, Field(ge=0)] | None = None
    snapshot_id: str | None = None
    intrinsic_value: Price | None = None


_ROWS = TypeAdapter(list[LongRow])


def is_long_header(line: str) -> bool:
    """
    Whether a first line names the long format's columns.

    >>> is_long_header("id,expiry,dte,strike,right,bid,ask,iv")
    True
    """
    return {name.strip().casefold() for name in line.split(",")} >= _NEEDED


def read_long_chain(
    lines: Sequence[str], *, source: str, asof: datetime | None, spot: float | None, root: str
) -> OptionChain:
    """
    The chain in a long-format file.

    Parameters
    ----------
    lines : the file's lines, header first
    source : what to call the file in findings and errors
    asof : aware instant; default the options close of the day that expiry and `dte` name
    spot : index points; default from intrinsic values, else from parity at the nearest expiry
    root : option root of every contract, since the file names none

    Raises `UnreadableMarketFile` naming line and column; `MissingQuote` where as-of or spot cannot be
    had from the file.
    """
    (_, titles), *body = csv_rows(lines, source=source)
    names = [title.strip().casefold() for title in titles]
    rows = _validated([(line, dict(zip(names, row, strict=False))) for line, row in body], source)
    findings = [_assumed("root_assumed", f"no contract symbols: every contract is taken as {root}", root)]
    if any(row.expiry == third_friday(row.expiry.year, row.expiry.month) for row in rows):
        detail = "a third Friday lists AM- and PM-settled contracts; this file does not tell them apart"
        findings.append(Finding("root_ambiguous", Severity.WARNING, None, (), detail, root))
    if asof is None:
        asof = _asof(rows, source)
        findings.append(_assumed("asof_assumed", f"no stamp: {asof:%Y-%m-%d %H:%M} UTC from expiry and dte"))
    if spot is None:
        spot, how = _spot(rows, asof, root, source)
        findings.append(_assumed("spot_derived", f"no spot in the file: {spot:.2f} from {how}"))
    quotes = [_quote(row, root) for row in rows]
    return assemble(quotes, Header(source, asof, asof, spot), findings)


def _validated(records: list[tuple[int, dict[str, str]]], source: str) -> list[LongRow]:
    names = [name for name in _READ if any(name in record for _, record in records)]
    wanted = [{name: record.get(name, "").strip() or None for name in names} for _, record in records]
    for cells in wanted:
        right = (cells["right"] or "").upper()
        cells["right"] = _RIGHTS.get(right, right)
    try:
        rows = _ROWS.validate_python(wanted)
    except ValidationError as broken:
        first = broken.errors(include_url=False, include_input=False)[0]
        index, name = int(first["loc"][0]), str(first["loc"][1])
        line, record = records[index]
        why = f"line {line}: column {name!r} holds {str(record.get(name))[:40]!r}: {first['msg']}"
        raise UnreadableMarketFile(f"{source} refused", why=why, todo="export it again") from broken
    if len({row.snapshot_id for row in rows}) > 1:
        raise UnreadableMarketFile(
            f"{source} refused", why="it holds more than one snapshot_id", todo="give one snapshot a file"
        )
    if not rows:
        raise MissingQuote(f"{source} refused", why="no row follows the header", todo="export it again")
    return rows


def _asof(rows: list[LongRow], source: str) -> datetime:
    days = {row.expiry - timedelta(days=row.dte) for row in rows if row.dte is not None}
    if len(days) != 1:
        raise MissingQuote(
            f"{source} has no as-of day",
            why="expiry less dte names no day" if not days else f"expiry less dte names {len(days)} days",
            todo="give the as-of instant with --asof",
        )
    return session_on_or_before(days.pop()).options_close


def _spot(rows: list[LongRow], asof: datetime, root: str, source: str) -> tuple[float, str]:
    signs = {"C": 1.0, "P": -1.0}
    levels = [row.strike + signs[row.right] * row.intrinsic_value for row in rows if row.intrinsic_value]
    if levels:
        return median(levels), "intrinsic values"
    live = {row.expiry for row in rows if settles_at(row.expiry, listing(root).settlement) > asof}
    mids: dict[float, dict[str, float]] = {}
    for row in rows:
        if live and row.expiry == min(live) and row.bid and row.ask and row.ask >= row.bid:
            mids.setdefault(row.strike, {})[row.right] = 0.5 * (row.bid + row.ask)
    pairs = {strike: both["C"] - both["P"] for strike, both in mids.items() if len(both) == 2}
    if not pairs:
        raise MissingQuote(
            f"{source} has no spot", why="no strike of the nearest expiry has two sides", todo="give --spot"
        )
    strike = min(pairs, key=lambda level: abs(pairs[level]))
    day = asof.astimezone(MARKET_ZONE).date()
    return strike + pairs[strike], f"put-call parity of the nearest expiry after {day}"


def _quote(row: LongRow, root: str) -> Quote:
    nan = float("nan")
    return Quote(
        root=root,
        expiry=row.expiry,
        strike=row.strike,
        right=Right(row.right),
        bid=nan if row.bid is None else row.bid,
        ask=nan if row.ask is None else row.ask,
        iv=row.iv / 100.0 if row.iv else nan,
    )


def _assumed(code: str, detail: str, root: str = "") -> Finding:
    return Finding(code, Severity.NOTE, None, (), detail, root)
