"""
The journal as text that beancount reads: commodities, accounts, prices and transactions, in a fixed order.

Names are made legal one by one and can be read back.

- A commodity keeps `A-Z`, digits, `.` and `-`; a space becomes `_`; `'` switches between upper and lower case; any
  other character becomes its code point in hex between `''` and `'`. What would still not be a legal name, or would be
  read as another, stands between `X_` and `_X`.
- A part of an account begins with a capital; a part that has anything but letters, digits and single hyphens, or begins
  with a capital already, stands after `X--`, with other characters as their code point in hex between `--` and `-`.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from engine.entries import Account, Entry, EntryStatus
from engine.errors import InputError, LedgerError
from engine.instruments import Cash, Instrument
from engine.ledger.accounts import TRADING
from engine.money import USD

_DIGITS = 28
_PLAIN_NAME = re.compile(r"[A-Z][A-Z0-9.'_-]*[A-Z0-9]")
_RESERVED = frozenset({"TRUE", "FALSE", "NULL"})
_PLAIN_PART = re.compile(r"[a-z0-9][A-Za-z0-9]*(-[A-Za-z0-9]+)*")
_BARE_ROOT = "X---"


def beancount(entries: Iterable[Entry], *, title: str = "Journal") -> Iterator[str]:
    """
    Lines of a beancount file that holds every entry, without line ends; the same entries give the same lines.

    An entry in flight is flagged `!`, any other `*`; its key, exact instant, status and evidence are its metadata. The
    date is that of the instant in UTC. An exchange of one commodity for one other is also a `price` of that day, in
    the cash it was made for and to 28 digits. Accounts open on the first day they are used. Raises `LedgerError` at an
    amount of more than 28 digits, which beancount would round without a word.

    >>> from datetime import datetime
    >>> from engine.ledger.posting import capital
    >>> from engine.money import usd
    >>> from engine.positions import Position, Sleeve
    >>> put_in = Position(Cash(USD), usd(100), Sleeve.CONDOR, "paper")
    >>> lines = list(beancount([capital(put_in, key="c1", at=datetime(2026, 1, 2, tzinfo=UTC))]))
    >>> for line in lines[-7:-1]:
    ...     print(line)
    2026-01-02 * "capital 100.00 USD to condor"
      key: "c1"
      at: "2026-01-02T00:00:00+00:00"
      status: "final"
      Assets:Condor:Paper  100.00 USD
      Equity:Capital:Condor  -100.00 USD
    """
    posted = tuple(entries)
    yield f'option "title" {_quoted(title)}'
    yield f'option "operating_currency" "{USD.code}"'
    yield ""
    yield from _commodities(posted)
    yield from _opens(posted)
    yield from _prices(posted)
    for entry in posted:
        yield from _transaction(entry)


def commodity_name(id: str) -> str:
    """
    A legal commodity for an instrument's id; no two ids share one.

    >>> commodity_name("SPXW 2026-01-16 P 5800 PM")
    'SPXW_2026-01-16_P_5800_PM'
    >>> commodity_name("aave-v3 debt USDC")
    "X_'AAVE-V3_DEBT_'USDC_X"
    """
    written, lower = [], False
    for letter in id:
        if letter.isascii() and letter.isalpha():
            if letter.islower() is not lower:
                written.append("'")
                lower = not lower
            written.append(letter.upper())
        elif letter.isascii() and (letter.isdigit() or letter in ".-"):
            written.append(letter)
        else:
            written.append("_" if letter == " " else f"''{ord(letter):X}'")
    name = "".join(written)
    wrapped = name.startswith("X_") and name.endswith("_X")
    legal = _PLAIN_NAME.fullmatch(name) and name not in _RESERVED
    return name if legal and not wrapped else f"X_{name}_X"


def instrument_id(commodity: str) -> str:
    """
    The id of `commodity_name`; raises `InputError` if it wrote no such name.

    >>> instrument_id("X_'AAVE-V3_DEBT_'USDC_X")
    'aave-v3 debt USDC'
    """
    wrapped = len(commodity) >= 4 and commodity.startswith("X_") and commodity.endswith("_X")
    name, lower, read = commodity[2:-2] if wrapped else commodity, False, []
    for other, code, letter in re.findall(r"(''([0-9A-F]+)')|([\s\S])", name):
        if other:
            read.append(chr(int(code, 16)))
        elif letter == "'":
            lower = not lower
        else:
            read.append(" " if letter == "_" else letter.lower() if lower else letter)
    found = "".join(read)
    if commodity_name(found) != commodity:
        raise InputError(f"commodity {commodity!r} unknown", why="no instrument is called so", todo="check the file")
    return found


def account_name(account: Account) -> str:
    """
    A legal account; no two accounts share one.

    >>> account_name(Account("assets:defi:aave-v3")), account_name(Account("assets:defi:USD_pot"))
    ('Assets:Defi:Aave-v3', 'Assets:Defi:X--USD--5F-pot')
    """
    root, *parts = account.split(":")
    return ":".join([root.capitalize(), *([_part(part) for part in parts] or [_BARE_ROOT])])


def account_of(name: str) -> Account:
    """
    The account of `account_name`.

    >>> account_of("Assets:Defi:X--USD--5F-pot")
    'assets:defi:USD_pot'
    """
    root, *parts = name.split(":")
    return Account(":".join([root.lower(), *([] if parts == [_BARE_ROOT] else map(_part_read, parts))]))


def _part(part: str) -> str:
    if _PLAIN_PART.fullmatch(part):
        return part[0].upper() + part[1:]
    return "X--" + "".join(c if c.isascii() and c.isalnum() else f"--{ord(c):X}-" for c in part)


def _part_read(part: str) -> str:
    if not part.startswith("X--"):
        return part[0].lower() + part[1:]
    return re.sub(r"--([0-9A-F]+)-", lambda found: chr(int(found[1], 16)), part[3:])


def _commodities(entries: Iterable[Entry]) -> Iterator[str]:
    met: dict[str, date] = {}
    for entry in entries:
        for leg in entry.legs:
            day = _day(entry)
            met[leg.instrument.id] = min(met.get(leg.instrument.id, day), day)
    for id, day in sorted(met.items(), key=lambda each: (each[1], each[0])):
        yield f"{day} commodity {commodity_name(id)}"
        yield f"  id: {_quoted(id)}"
    yield ""


def _opens(entries: Iterable[Entry]) -> Iterator[str]:
    opened: dict[str, date] = {}
    for entry in entries:
        for leg in entry.legs:
            name, day = account_name(leg.account), _day(entry)
            opened[name] = min(opened.get(name, day), day)
    for name, day in sorted(opened.items(), key=lambda each: (each[1], each[0])):
        yield f"{day} open {name}"
    yield ""


def _prices(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        exchanged: dict[Instrument, Decimal] = {}
        for leg in entry.legs:
            if leg.account == TRADING:
                exchanged[leg.instrument] = exchanged.get(leg.instrument, Decimal(0)) - leg.amount.amount
        if price := _price(exchanged):
            of, paid, cash = price
            yield f"{_day(entry)} price {commodity_name(of.id)} {paid:f} {commodity_name(cash.id)}"
    yield ""


def _price(exchanged: dict[Instrument, Decimal]) -> tuple[Instrument, Decimal, Instrument] | None:
    """What one unit was exchanged for, in cash; dollars rather than another cash."""
    sides = sorted(exchanged, key=lambda each: (isinstance(each, Cash), each == Cash(USD)))
    if len(sides) != 2 or not isinstance(sides[1], Cash):
        return None
    of, cash = sides
    with localcontext(prec=_DIGITS, rounding=ROUND_HALF_EVEN):
        if exchanged[of] * exchanged[cash] >= 0:
            return None
        return of, -exchanged[cash] / exchanged[of], cash


def _transaction(entry: Entry) -> Iterator[str]:
    flag = "!" if entry.status is EntryStatus.IN_FLIGHT else "*"
    yield f"{_day(entry)} {flag} {_quoted(entry.memo)}"
    yield f"  key: {_quoted(entry.key)}"
    yield f'  at: "{entry.at.astimezone(UTC).isoformat()}"'
    yield f'  status: "{entry.status.value}"'
    if entry.evidence:
        yield f"  evidence: {_quoted(json.dumps(dict(entry.evidence), sort_keys=True))}"
    for leg in entry.legs:
        if abs(leg.amount.units) >= 10**_DIGITS:
            raise LedgerError(
                f"entry {entry.key!r} cannot be written for beancount",
                why=f"{leg.amount} has more than {_DIGITS} digits, which it would round",
                todo="export csv",
            )
        yield f"  {account_name(leg.account)}  {leg.amount.amount:f} {commodity_name(leg.instrument.id)}"
    yield ""


def _quoted(text: str) -> str:
    """A string of the file; what does not print is written as its code point."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _day(entry: Entry) -> date:
    return entry.at.astimezone(UTC).date()
