"""A book in a CSV file: signed quantities of instruments written as the desk's tables show them."""

import csv
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from adapters.files.calendar import session, session_on_or_before, settles_at, vix_settlement, vix_settles_at
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
_MOST_DIGITS = 28  # of decimal arithmetic as Python sets it up
_SLEEVES = {sleeve.value: sleeve for sleeve in Sleeve}
_SHAPE = f"write a first line `{','.join(COLUMNS)}`"
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
        text = path.read_text(encoding="utf-8-sig")
    except OSError as absent:
        raise _unread(path, f"{absent.strerror or absent}") from None
    except UnicodeDecodeError as binary:
        raise _unread(path, f"it is no text from byte {binary.start} on") from None
    lines = csv.reader(text.splitlines(), strict=True)
    try:
        if tuple(cell.strip() for cell in next(lines, ())) != COLUMNS:
            raise InputError(
                f"book {path.name} refused",
                why="it is empty or has other columns",
                todo=f"{_SHAPE} and one position a line",
            )
        numbered = [(lines.line_num, cells) for cells in lines if any(cell.strip() for cell in cells)]
    except csv.Error as broken:
        raise _unread(path, f"line {lines.line_num} is no CSV: {broken}") from None
    if not numbered:
        raise InputError(f"book {path.name} refused", why="it holds no position", todo="write one position a line")
    return Book().plus(_position(f"book {path.name} line {number}", cells) for number, cells in numbered)


def read_instrument(written: str) -> Instrument:
    """
    The instrument a table shows as `written`; raises `InputError` on anything else.

    A listed option may end in its settlement style, AM or PM. A day on which the series of its root does not
    settle is refused, never moved.

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


def _position(line: str, cells: list[str]) -> Position:
    written = ",".join(cells)
    if len(cells) != len(COLUMNS):
        why = f"{written}: {len(cells)} cell(s) where the first line has {len(COLUMNS)}"
        raise InputError(f"{line} refused", why=why, todo="leave cells empty, but write every comma")
    amount, name, sleeve, venue = (cell.strip() for cell in cells)
    try:
        instrument = read_instrument(name)
        listed = isinstance(instrument, Future | FundShare) or _at_broker(instrument)
        held = _counted(_number(amount), instrument)
        owner = _SLEEVES[sleeve or ("condor" if listed else "defi")]
    except EngineError as refused:
        raise InputError(f"{line} refused", why=f"{written}: {refused.why}", todo=refused.todo) from None
    except ValueError as refused:
        todo = "correct the quantity"
        raise InputError(f"{line} refused", why=f"{written}: {refused}", todo=todo) from None
    except KeyError:
        why = f"{written}: {sleeve!r} is no sleeve"
        raise InputError(f"{line} refused", why=why, todo=f"write {', '.join(_SLEEVES)} or nothing") from None
    return Position(instrument, held, owner, venue or ("broker" if listed else "vault"))


def _unread(path: Path, why: str) -> InputError:
    return InputError(f"book {path.name} not read", why=why, todo=f"name a CSV file: {_SHAPE}")


def _counted(quantity: Decimal, instrument: Instrument) -> Money:
    if isinstance(instrument, LendingDebt) and quantity > 0:
        raise ValueError("a debt is what we owe: write it with a minus sign")
    if isinstance(instrument, LendingSupply) and quantity < 0:
        raise ValueError("a supply is what we own: write a loan as a debt")
    step = Decimal(1).scaleb(-instrument.unit.decimals)
    if quantity and quantity.adjusted() + instrument.unit.decimals >= _MOST_DIGITS:
        raise ValueError(f"{quantity} in steps of {step:f} has more digits than can be counted exactly")
    if quantity % step:
        raise ValueError(f"{instrument.id} is counted in steps of {step:f}")
    return Money.of(quantity, instrument.unit)


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
            return Future("VX", "VIX", _vix_settles(date.fromisoformat(day)), Decimal(1000))
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
        case [root, day, right, strike, *style] if root in _SETTLEMENT and style in ([], [_SETTLEMENT[root]]):
            return _listed(root, date.fromisoformat(day), _right(right), _number(strike))
        case [root, _, _, _, *style] if root in _SETTLEMENT:
            raise ValueError(f"{root} settles {_SETTLEMENT[root]}, not {' '.join(style)}")
        case [venue, code, day, right, strike]:
            at = _settles(date.fromisoformat(day), Settlement.PM)
            return VanillaOption(
                venue, code, at, _number(strike), _right(right), Decimal(1), Settlement.CHAIN, _token("sUSD"), 18
            )
        case [pool, pair, "range", low, high, fee]:
            asset, quote = pair.split("/")
            return LiquidityRange(pool, _token(asset), _token(quote), _number(low), _number(high), int(fee))
    return None


def _listed(root: str, day: date, right: Right, strike: Decimal) -> VanillaOption:
    settlement, underlying = _SETTLEMENT[root], _UNDERLYING[root]
    at = _vix_settles(day) if root == "VIX" else _settles(day, settlement)
    return VanillaOption(root, underlying, at, strike, right, Decimal(100), settlement)


def _settles(day: date, settlement: Settlement) -> datetime:
    if session(day) is None:
        raise ValueError(f"nothing settles on {day:%A} {day}, the session before it is {session_on_or_before(day).day}")
    return settles_at(day, settlement)


def _vix_settles(day: date) -> datetime:
    if (monthly := vix_settlement(day.year, day.month)) != day:
        raise ValueError(f"the monthly VIX contracts of {day:%B %Y} settle on {monthly}, none on {day}")
    return vix_settles_at(day.year, day.month)


def _right(letter: str) -> Right:
    if letter not in set(Right):
        raise ValueError(f"{letter!r} is neither P nor C")
    return Right(letter)


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
