"""A book in a CSV file: signed quantities of instruments written as the desk's tables show them."""

import csv
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from adapters.files.calendar import settles_at, vix_settles_at
from engine.errors import EngineError, InputError
from engine.instruments import (
    Cash,
    FundShare,
    Future,
    Instrument,
    LendingDebt,
    LendingSupply,
    LiquidityRange,
    Perpetual,
    PowerPerpetual,
    Right,
    Settlement,
    VanillaOption,
)
from engine.money import USD, Currency, Money
from engine.positions import Book, Position, Sleeve

COLUMNS = ("quantity", "instrument", "sleeve", "venue")
_TOKENS = {"USDC": 6, "USDT": 6, "WBTC": 8}
_SETTLEMENT = {"SPX": Settlement.AM, "SPXW": Settlement.PM, "XSP": Settlement.PM, "VIX": Settlement.AM}
_UNDERLYING = {"SPX": "SPX", "SPXW": "SPX", "XSP": "XSP", "VIX": "VIX"}
_EXAMPLES = "SPXW 2023-03-24 P 3900, VX 2023-03-22, VIXY share, USDC, aave debt DAI, perp-v2 WETH perp"


def read_book(path: Path) -> Book:
    """
    The book in a CSV file with the columns quantity, instrument, sleeve and venue.

    Sleeve (condor or defi) and venue may be empty: listed contracts and dollars then belong to the condor
    book at the broker, everything else to the vault. An instrument is written as in the tables: an option by
    root, expiry, right and strike; a future by VX and its settlement day; `VIXY share`; a token by its code;
    `MARKET supply TOKEN` and `MARKET debt TOKEN`; `VENUE TOKEN perp`, `VENUE TOKEN squared`;
    `POOL TOKEN/QUOTE range LOW HIGH FEE`; an on-chain option by `VENUE TOKEN EXPIRY RIGHT STRIKE`.

    Raises `InputError` naming the line.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as absent:
        raise InputError(f"book {path.name} not read", why=str(absent), todo="name a CSV file") from None
    if not rows or set(rows[0]) - {None} != set(COLUMNS):
        raise InputError(
            f"book {path.name} refused",
            why="it has no rows or other columns",
            todo=f"write a first line `{','.join(COLUMNS)}` and one position a line",
        )
    return Book().plus(_position(path.name, number, row) for number, row in enumerate(rows, start=2))


def read_instrument(written: str) -> Instrument:
    """
    The instrument a table shows as `written`; raises `InputError` on anything else.

    >>> read_instrument("SPXW 2023-03-24 P 3900").id
    'SPXW 2023-03-24 P 3900 PM'
    """
    words = written.split()
    try:
        found = _parse(words)
    except (ValueError, InvalidOperation, IndexError) as broken:
        raise InputError(
            f"instrument {written!r} refused", why=str(broken), todo=f"write it like {_EXAMPLES}"
        ) from None
    if found is None:
        raise InputError(f"instrument {written!r} refused", why="no such form", todo=f"write it like {_EXAMPLES}")
    return found


def _position(name: str, number: int, row: dict[str, str]) -> Position:
    try:
        instrument = read_instrument((row["instrument"] or "").strip())
        quantity = _number(row["quantity"] or "")
        listed = isinstance(instrument, Future | FundShare) or _at_broker(instrument)
        sleeve = Sleeve((row["sleeve"] or "").strip() or ("condor" if listed else "defi"))
        held = Money.of(quantity, instrument.unit)
    except (EngineError, ValueError) as refused:
        why = refused.why if isinstance(refused, EngineError) else str(refused)
        raise InputError(
            f"book {name} line {number} refused",
            why=f"{','.join(str(v) for v in row.values())}: {why}",
            todo=f"write instruments like {_EXAMPLES}",
        ) from None
    return Position(instrument, held, sleeve, (row["venue"] or "").strip() or ("broker" if listed else "vault"))


def _at_broker(instrument: Instrument) -> bool:
    match instrument:
        case Cash():
            return instrument.currency == USD
        case VanillaOption():
            return instrument.settlement is not Settlement.CHAIN
        case _:
            return False


def _parse(words: list[str]) -> Instrument | None:
    match words:
        case ["USD"]:
            return Cash(USD)
        case [code]:
            return Cash(_token(code))
        case ["VX", day]:
            settled = date.fromisoformat(day)
            return Future("VX", "VIX", vix_settles_at(settled.year, settled.month), Decimal(1000))
        case [symbol, "share"]:
            return FundShare(symbol)
        case [venue, code, "perp"]:
            return Perpetual(venue, code, Currency("USDC", 6))
        case [venue, code, "squared"]:
            return PowerPerpetual(venue, code, _token("WETH"))
        case [market, "supply", code]:
            return LendingSupply(market, _token(code))
        case [market, "debt", code]:
            return LendingDebt(market, _token(code))
        case [root, day, right, strike, *_] if root in _SETTLEMENT:
            return _listed(root, date.fromisoformat(day), Right(right), _number(strike))
        case [venue, code, day, right, strike]:
            at = settles_at(date.fromisoformat(day), Settlement.PM)
            return VanillaOption(
                venue, code, at, _number(strike), Right(right), Decimal(1), Settlement.CHAIN, _token("sUSD"), 18
            )
        case [pool, pair, "range", low, high, fee]:
            asset, quote = pair.split("/")
            return LiquidityRange(pool, _token(asset), _token(quote), _number(low), _number(high), int(fee))
    return None


def _listed(root: str, day: date, right: Right, strike: Decimal) -> VanillaOption:
    settlement, underlying = _SETTLEMENT[root], _UNDERLYING[root]
    at = vix_settles_at(day.year, day.month) if root == "VIX" else settles_at(day, settlement)
    return VanillaOption(root, underlying, at, strike, right, Decimal(100), settlement)


def _token(code: str) -> Currency:
    if not code.isidentifier():
        raise ValueError(f"{code!r} is no token code")
    return Currency(code, _TOKENS.get(code, 18))


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text.strip().replace("_", ""))
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None
    if not number.is_finite():
        raise ValueError(f"{text!r} is not finite")
    return number
