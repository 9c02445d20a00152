"""Cboe's delayed-quote download: one line per strike, a call on the left and a put on the right."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from adapters.files.assembly import Header, Quote, assemble
from adapters.files.calendar import market_asof
from adapters.files.stamps import written_date, written_instant
from adapters.files.text import csv_rows, refused
from engine.instruments import Right
from engine.market import OptionChain

_SYMBOL = re.compile(r"([A-Z]{1,6})(\d{2})(\d{2})(\d{2})([CP])(\d{8})")
_LAST = re.compile(r"Last:\s*([0-9][0-9.,]*?)\s*(?:,\s*[^\d\s]|\"|$)")
_STAMP = re.compile(r"^\W*[^\W\d]+\s*:\s*(.*?)\"?\s*,\s*\"?Bid\s*:", re.IGNORECASE)
_HEADER_LINES = 12
# Where bid, ask and volatility stand after the contract symbol, and what a translated header calls them.
_OFFSETS = {"bid": 3, "ask": 4, "iv": 6}
_NAMES = {
    "bid": {"bid", "geld", "compra", "achat", "denaro", "bied", "demande"},
    "ask": {"ask", "brief", "venta", "vente", "venda", "lettera", "laat", "offre"},
    "iv": {"iv", "implied volatility", "iv.", "vi"},
}
Price = Annotated[float, Field(ge=0)]


class ContractRow(BaseModel):
    """One contract as the file writes it; an empty cell is None, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    symbol: Annotated[str, Field(pattern=rf"^{_SYMBOL.pattern}$")]
    strike: Annotated[float, Field(gt=0)]
    bid: Price | None
    ask: Price | None
    iv: Price | None


_ROWS = TypeAdapter(list[ContractRow])


class _Half(NamedTuple):
    """Positions of one right's columns."""

    symbol: int
    strike: int
    bid: int
    ask: int
    iv: int


def read_cboe_chain(lines: Sequence[str], *, source: str) -> OptionChain:
    """
    The chain in a Cboe delayed-quote file.

    Parameters
    ----------
    lines : the file's lines, blank ones included, so that a refusal can name the line
    source : what to call the file in findings and errors

    Returns
    -------
    As-of is the options close at or before the file's stamp, or the stamp while options trade.
    Contract symbols decide root, expiry and strike. Volatility 0 means that none was given.

    Raises `UnreadableMarketFile` naming line and column, `MissingQuote` where no expiry is live.
    """
    spot, stamp, header_at = _head(lines, source)
    (_, titles), *body = csv_rows(lines[header_at:], source=source, first=header_at + 1)
    if not body:
        raise refused(source, header_at + 1, "no row follows the header")
    halves = _halves(titles, body[0][1], source, body[0][0])
    _check_expiry_column(body, halves[0].symbol, source)
    quotes = [quote for half in halves for quote in _contracts(body, half, titles, source)]
    return assemble(quotes, Header(source, market_asof(stamp), stamp, spot))


def _head(lines: Sequence[str], source: str) -> tuple[float, datetime, int]:
    spot: float | None = None
    stamp: datetime | None = None
    for number, line in enumerate(lines[:_HEADER_LINES]):
        if spot is None and (found := _LAST.search(line)):
            spot = _level(found[1], source, number + 1)
        elif stamp is None and (found := _STAMP.match(line)):
            stamp = written_instant(found[1])
            if stamp is None:
                raise refused(source, number + 1, f"the stamp {found[1][:60]!r} names no instant")
        elif spot is not None and line.count(",") >= 2 * max(_OFFSETS.values()):
            if stamp is None:
                raise refused(source, number + 1, "no stamp above the columns")
            return spot, stamp, number
    raise refused(source, 1, "no `Last:` line, stamp and column names at the top")


def _level(text: str, source: str, line: int) -> float:
    try:
        level = float(text.replace(",", ""))
    except ValueError as broken:
        raise refused(source, line, f"the last price {text[:40]!r} is no number") from broken
    if not 0.0 < level < float("inf"):
        raise refused(source, line, f"the last price {text[:40]!r} is not positive")
    return level


def _halves(titles: list[str], row: list[str], source: str, line: int) -> tuple[_Half, _Half]:
    """Where calls and puts stand: symbols mark them, names or the usual order do the rest."""
    symbols = [at for at, cell in enumerate(row) if _SYMBOL.fullmatch(cell.strip())]
    if len(symbols) != 2 or len(titles) < symbols[-1] + max(_OFFSETS.values()) + 1:
        raise refused(source, line, "expected one call and one put symbol a line")
    return (
        _half(titles, symbols[0], symbols[1] - 1, symbols[1] - 1),
        _half(titles, symbols[1], symbols[1] - 1, len(titles)),
    )


def _half(titles: list[str], symbol: int, strike: int, end: int) -> _Half:
    named = {title.strip().casefold(): symbol + at for at, title in enumerate(titles[symbol:end])}
    at = {
        field: next((named[name] for name in named if name in _NAMES[field]), symbol + offset)
        for field, offset in _OFFSETS.items()
    }
    return _Half(symbol, strike, at["bid"], at["ask"], at["iv"])


def _check_expiry_column(body: list[tuple[int, list[str]]], symbol: int, source: str) -> None:
    """The date in words, where we can read it, must be the symbol's."""
    read: dict[str, date | None] = {}
    for line, row in body:
        text, contract = row[0], _SYMBOL.fullmatch(row[symbol].strip()) if len(row) > symbol else None
        if text not in read:
            read[text] = written_date(text)
        if contract and (written := read[text]) and written != _expiry(contract, source, line):
            raise refused(source, line, f"column 1 says {written}, the symbol {contract[0]}")


def _contracts(body: list[tuple[int, list[str]]], half: _Half, titles: list[str], source: str) -> Iterator[Quote]:
    try:
        rows = _ROWS.validate_python(
            [{name: row[at].strip() or None for name, at in zip(half._fields, half, strict=True)} for _, row in body]
        )
    except IndexError as short:
        width = max(half)
        line = next(line for line, row in body if len(row) <= width)
        raise refused(source, line, f"the line has fewer than {width + 1} columns") from short
    except ValidationError as broken:
        first = broken.errors(include_url=False, include_input=False)[0]
        index, name = int(first["loc"][0]), str(first["loc"][1])
        line, row = body[index]
        at = getattr(half, name)
        title = titles[at].strip() if at < len(titles) else name
        why = f"column {at + 1} ({title!r}) holds {row[at][:40]!r}: {first['msg']}"
        raise refused(source, line, why) from broken
    for (line, _), listed in zip(body, rows, strict=True):
        contract = _SYMBOL.fullmatch(listed.symbol)
        if contract is None or abs(int(contract[6]) - listed.strike * 1000) > 0.5:
            raise refused(source, line, f"strike {listed.strike} is not that of {listed.symbol}")
        nan = float("nan")
        yield Quote(
            root=contract[1],
            expiry=_expiry(contract, source, line),
            strike=listed.strike,
            right=Right(contract[5]),
            bid=nan if listed.bid is None else listed.bid,
            ask=nan if listed.ask is None else listed.ask,
            iv=listed.iv or nan,
        )


def _expiry(contract: re.Match[str], source: str, line: int) -> date:
    try:
        return date(2000 + int(contract[2]), int(contract[3]), int(contract[4]))
    except ValueError as broken:
        raise refused(source, line, f"{contract[0]} names no day") from broken
