"""Numbers and instants as a reader sees them: separators, fixed decimals, sign and unit."""

import math
import re
from datetime import datetime
from decimal import Decimal

from engine.money import Money
from engine.report.performance import PeriodReturn
from engine.report.risk_rows import Unit
from engine.signals.columns import Signal
from engine.signals.panel import Reading

ABSENT = "n/a"
"""Shown where there is no figure."""

_HYPHEN_BEFORE_FIGURE = re.compile(r"(?<![\w.,-])-(?=[\d.])")


def plain(text: str) -> str:
    """
    Text with every control, escape and direction character made visible.

    >>> plain("ok" + chr(27) + "[2J") == "ok" + chr(0xFFFD) + "[2J"
    True
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def typeset(text: str) -> str:
    """
    Figures with a true minus sign, for a page; text for a terminal or a file keeps the hyphen.

    >>> typeset("-12 bp on 2026-11-20") == chr(0x2212) + "12 bp on 2026-11-20"
    True
    """
    return _HYPHEN_BEFORE_FIGURE.sub("\N{MINUS SIGN}", text)


def number(value: float | Decimal | None, places: int = 2, *, signed: bool = False) -> str:
    """
    Thousands separators and fixed decimals; what rounds to zero has no sign.

    >>> number(-1234567.891), number(0.4, 0, signed=True), number(12, 1, signed=True)
    ('-1,234,567.89', '0', '+12.0')
    """
    if value is None or math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    text = f"{value:+,.{places}f}"
    if not any(digit in text for digit in "123456789"):
        return text[1:]
    return text if signed or value < 0 else text[1:]


def reading_text(value: float | None, unit: str) -> str:
    """
    A reading as an operator writes it in a rule.

    >>> reading_text(0.0725, "%"), reading_text(-0.02, "bp"), reading_text(1.0, "yes"), reading_text(None, "sd")
    ('7.25%', '-200.0 bp', 'yes', 'unseen')
    """
    if value is None:
        return "unseen"
    match unit:
        case "yes":
            return "yes" if value else "no"
        case "%":
            return f"{100 * value:.2f}%"
        case "bp":
            return f"{10_000 * value:.1f} bp"
        case _:
            return f"{value:,.2f} {unit}"


def meaning_text(reading: Reading, signal: Signal) -> str:
    """What a reading means and, where there is more than one way to it, what it was worked out from this time."""
    best = signal.ways[0].inputs
    if not reading.seen or len(signal.ways) == 1:
        return reading.why
    stands_in = "" if reading.inputs == best else f", in place of {' and '.join(best)}"
    return f"{reading.why}; here from {' and '.join(reading.inputs)}{stands_in}"


def _with_unit(text: str, unit: str) -> str:
    return text if text == ABSENT or not unit else f"{text} {unit}"


def money(value: Money | None, *, signed: bool = True, places: int | None = None) -> str:
    """
    An exact amount with sign and unit, at most eight decimals.

    >>> from engine.money import usd
    >>> money(usd("-1234.5")), money(usd(1082441), signed=False)
    ('-1,234.50 USD', '1,082,441.00 USD')
    """
    if value is None:
        return ABSENT
    decimals = min(value.currency.decimals, 8) if places is None else places
    return f"{number(value.amount, decimals, signed=signed)} {value.currency}"


def dollars(value: float | None, *, signed: bool = True) -> str:
    """
    A modelled figure in whole dollars.

    >>> dollars(-43210.4)
    '-43,210 USD'
    """
    return _with_unit(number(value, 0, signed=signed), "USD")


def compact(value: float) -> str:
    """
    A signed figure for a small space, in thousands or millions.

    >>> compact(-43210.4), compact(950), compact(1.25e6), compact(0)
    ('-43.2k', '+950', '+1.25m', '0')
    """
    size = abs(value)
    if size >= 999_950:
        return number(value / 1e6, 2, signed=True) + "m"
    return number(value / 1e3, 1, signed=True) + "k" if size >= 999.5 else number(value, 0, signed=True)


def percent(value: float | None, places: int = 2, *, signed: bool = True) -> str:
    """
    A decimal as per cent.

    >>> percent(0.0421), percent(0.2, 0, signed=False), percent(None)
    ('+4.21 %', '20 %', 'n/a')
    """
    return _with_unit(number(None if value is None else value * 100, places, signed=signed), "%")


def basis_points(value: float | None, places: int = 0) -> str:
    """
    Basis points, signed.

    >>> basis_points(-37.6)
    '-38 bp'
    """
    return _with_unit(number(value, places, signed=True), "bp")


def amount_and_share(amount: Money, share: float) -> str:
    """
    Dollars and per cent side by side.

    >>> from engine.money import usd
    >>> amount_and_share(usd("-1200"), -0.0012)
    '-1,200.00 USD (-0.12 %)'
    """
    return f"{money(amount)} ({percent(share)})"


def period_return(value: PeriodReturn) -> str:
    """
    A return with its period; never a bare per cent.

    >>> period_return(PeriodReturn(0.0421, 365)), period_return(PeriodReturn(None, 9, why="no root"))
    ('+4.21 % p.a.', 'undefined: no root')
    >>> period_return(PeriodReturn(0.0013, 12, annualised=False))
    '+0.13 % over 12 days, not annualised'
    """
    if value.rate is None:
        return f"undefined: {value.why}" if value.why else "undefined"
    return f"{percent(value.rate)} {period(value)}"


def period(value: PeriodReturn) -> str:
    """The words after a return that say over what time it is: per year, or over so many days."""
    return "p.a." if value.annualised else f"over {value.days} day{'' if value.days == 1 else 's'}, not annualised"


def in_unit(value: float, unit: Unit, *, signed: bool = False) -> str:
    """
    A limit's level or reading in its own unit.

    >>> in_unit(0.174, Unit.SHARE), in_unit(1.62, Unit.RATIO), in_unit(1200, Unit.USD, signed=True)
    ('17.40 %', '1.62 x', '+1,200 USD')
    """
    if unit is Unit.SHARE:
        return percent(value, signed=signed)
    places = {Unit.USD: 0, Unit.BP: 0}.get(unit, 2)
    return _with_unit(number(value, places, signed=signed), unit.value)


def instant(value: datetime | None) -> str:
    """A minute in its own zone, with the zone's name: `2026-11-20 21:15 UTC`."""
    return ABSENT if value is None else f"{value:%Y-%m-%d %H:%M %Z}"
