"""Exact amounts of anything the books count, and the only door between them and floats."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from engine.errors import CurrencyMismatch, InputError

_EXACT_DIGITS = 120  # a 256-bit integer has 78 digits


@dataclass(frozen=True, slots=True, order=True)
class Currency:
    """
    A unit the books count in: a dollar, a token, or one contract of an instrument.

    `decimals` is the number of places of its smallest unit: 2 for dollars, 6 for USDC, 18 for ether.
    """

    code: str
    decimals: int

    def __str__(self) -> str:
        return self.code


USD = Currency("USD", 2)
ETH = Currency("ETH", 18)


@dataclass(frozen=True, slots=True)
class Money:
    """
    An exact amount of one currency, held as an integer of its smallest unit.

    Sign: positive = we own or receive, negative = we owe or pay. Adding two currencies raises
    `CurrencyMismatch`; nothing rounds unless a method says so.

    >>> Money.of("12.50", USD) + Money.of("0.05", USD)
    Money.of('12.55', USD)
    """

    units: int
    currency: Currency

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: Currency) -> "Money":
        """Exactly `amount`; raises `InputError` if the currency has no such small unit."""
        exact = Decimal(amount)
        if not exact.is_finite():
            raise InputError(f"{amount} {currency}", why="an amount must be finite", todo="give a number")
        with localcontext(prec=_EXACT_DIGITS):
            scaled = exact.scaleb(currency.decimals)
            if scaled != scaled.to_integral_value():
                raise InputError(
                    f"{amount} {currency} cannot be represented",
                    why=f"{currency} has {currency.decimals} decimal places",
                    todo="round it first with Money.rounded",
                )
            return cls(int(scaled), currency)

    @classmethod
    def rounded(cls, amount: float | Decimal, currency: Currency, rounding: str = ROUND_HALF_EVEN) -> "Money":
        """The nearest representable amount: the only way from a float into the books."""
        exact = Decimal(amount)
        if not exact.is_finite():
            raise InputError(f"{amount} {currency}", why="an amount must be finite", todo="check its inputs")
        with localcontext(prec=_EXACT_DIGITS):
            return cls(int(exact.scaleb(currency.decimals).to_integral_value(rounding)), currency)

    @classmethod
    def zero(cls, currency: Currency) -> "Money":
        """Nothing, in a currency."""
        return cls(0, currency)

    @property
    def amount(self) -> Decimal:
        """The exact decimal amount."""
        sign = 1 if self.units < 0 else 0
        return Decimal((sign, tuple(map(int, str(abs(self.units)))), -self.currency.decimals))

    def to_float(self) -> float:
        """The nearest float, for pricing and risk only."""
        return float(self.amount)

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.units + other.units, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.units - other.units, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.units, self.currency)

    def __mul__(self, count: int) -> "Money":
        return Money(self.units * count, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.units < other.units

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.units <= other.units

    def __bool__(self) -> bool:
        return self.units != 0

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"

    def __repr__(self) -> str:
        return f"Money.of('{self.amount:f}', {self.currency.code})"

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(self.currency.code, other.currency.code)


def usd(amount: str | int | Decimal) -> Money:
    """Dollars and cents, exactly."""
    return Money.of(amount, USD)
