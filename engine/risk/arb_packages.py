"""Conversions and reversals inside a book: found, and set apart from what is hedged (D27)."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction

import numpy as np

from engine.instruments import (
    Cash,
    FundShare,
    Future,
    Instrument,
    LendingDebt,
    LendingSupply,
    Right,
    VanillaOption,
)
from engine.market import Floats
from engine.money import Money
from engine.positions import Book, Position
from engine.risk.valuation import STABLES

_YEAR_SECONDS = 365.0 * 86_400.0
_DIGITS = 60


class PackageKind(StrEnum):
    """`conversion` holds the underlying against a short synthetic, `reversal` is its mirror."""

    CONVERSION = "conversion"
    REVERSAL = "reversal"

    @property
    def sign(self) -> int:
        """+1 where the underlying and the put are long."""
        return 1 if self is PackageKind.CONVERSION else -1


@dataclass(frozen=True, slots=True)
class Carry:
    """
    What holding and owing cost to expiry, continuously compounded, decimals per year.

    `yields` is by id of the instrument that stands for the underlying (dividend, supply rate), 0 where absent:
    e^{-qT} units of it answer one unit of the option's. `fees` is the stability fee by lending market; only
    where one is given does minted debt belong to the package.
    """

    asof: datetime
    yields: Mapping[str, float] = field(default_factory=dict)
    fees: Mapping[str, float] = field(default_factory=dict)

    def years(self, expiry: datetime) -> float:
        """ACT/365F to expiry, at least zero."""
        return max((expiry - self.asof).total_seconds() / _YEAR_SECONDS, 0.0)

    def growth(self, instrument: Instrument, expiry: datetime) -> float:
        """Units at expiry of one unit held or owed now."""
        rate = self.fees.get(instrument.market, 0.0) if isinstance(instrument, LendingDebt) else 0.0
        return math.exp(self.yields.get(instrument.id, rate) * self.years(expiry))


@dataclass(frozen=True, slots=True)
class ArbPackage:
    """
    Positions that together pay a constant at expiry.

    `underlying`, `put` and `call` are the parts of the book it takes; `debt` is the minted stable that finances
    collateral, None elsewhere. `growth` and `debt_growth` are units at expiry per unit now.
    """

    kind: PackageKind
    contracts: Decimal
    underlying: tuple[Position, ...]
    put: tuple[Position, ...]
    call: tuple[Position, ...]
    debt: tuple[Position, ...] = ()
    growth: float = 1.0
    debt_growth: float = 1.0

    @property
    def positions(self) -> tuple[Position, ...]:
        """Every part of the book that belongs to it."""
        return (*self.underlying, *self.put, *self.call, *self.debt)

    @property
    def option(self) -> VanillaOption:
        """Its put, for root, strike, expiry and multiplier."""
        instrument = self.put[0].instrument
        assert isinstance(instrument, VanillaOption)
        return instrument

    @property
    def words(self) -> str:
        """What it is, and that nothing is sized on it."""
        option = self.option
        strike = f"{option.underlying} {option.expiry:%Y-%m-%d} {option.strike.normalize():f}"
        return f"{self.kind} of {self.contracts.normalize():f} {strike}: set apart, no hedge is sized on it (D27, S31)"

    def payoff(self, levels: Floats) -> Floats:
        """
        What it pays at expiry at each settlement level, in the option's currency.

        Constant up to the rounding of the underlying to its smallest unit; a future is counted at its level,
        gross of its entry price.
        """
        total = np.zeros(len(levels))
        for position in (*self.put, *self.call):
            total += float(position.quantity) * _intrinsic(position.instrument, levels)
        for position in self.underlying:
            scale = float(position.instrument.multiplier) if isinstance(position.instrument, Future) else self.growth
            total += float(position.quantity) * scale * levels
        return total + sum(float(position.quantity) for position in self.debt) * self.debt_growth


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A book taken apart: `packages` and what is left of the book without them."""

    packages: tuple[ArbPackage, ...]
    rest: Book


def arb_packages(book: Book, carry: Carry) -> Decomposition:
    """
    The largest number of conversions and reversals in the book, and the book without them.

    A package is long underlying, long put and short call of one strike and expiry, or the mirror image. Its
    underlying is a future of that expiry, tokens, fund shares, or collateral supplied to (borrowed from) a
    lending market, one of these per package. Positions in one instrument are pooled over sleeves and venues;
    only their net quantity counts. The order of the book's positions does not matter.

    Source
    ------
    D27, S31.
    """
    left = _Holdings(book)
    pairs = sorted(left.pairs(), key=lambda pair: (pair[0].multiplier, pair[0].expiry, pair[0].strike, pair[0].id))
    found: list[ArbPackage] = []
    for is_future in (True, False):  # a future serves one expiry, so it goes first
        for put, call in pairs:
            for source in left.sources(put, futures=is_future):
                package = left.take(put, call, source, carry)
                if package is not None:
                    found.append(package)
    return Decomposition(tuple(found), left.book())


class _Holdings:
    """What is left of the book while packages are taken out of it."""

    def __init__(self, book: Book) -> None:
        self._positions: dict[Instrument, list[Position]] = defaultdict(list)
        self._order = book.positions
        for position in sorted(book, key=lambda p: (p.sleeve, p.venue)):
            self._positions[position.instrument].append(position)

    def book(self) -> Book:
        left = {(p.sleeve, p.venue, p.instrument): p for held in self._positions.values() for p in held}
        kept = (left.get((p.sleeve, p.venue, p.instrument)) for p in self._order)
        return Book(tuple(p for p in kept if p is not None and p.held))

    def net(self, instrument: Instrument) -> Decimal:
        with localcontext(prec=_DIGITS):
            return sum((p.quantity for p in self._positions.get(instrument, ())), Decimal(0))

    def pairs(self) -> Iterator[tuple[VanillaOption, VanillaOption]]:
        """Put and call of one strike held with opposite signs."""
        for put in list(self._positions):
            if isinstance(put, VanillaOption) and put.right is Right.PUT and not put.inverse:
                call = replace(put, right=Right.CALL)
                if self.net(put) * self.net(call) < 0:
                    yield put, call

    def sources(self, put: VanillaOption, *, futures: bool) -> list[Instrument]:
        """What stands for the underlying of `put` on the put's side, in a fixed order."""
        return sorted(
            (
                held
                for held in self._positions
                if isinstance(held, Future) is futures and _stands_for(held, put) and self.net(held) * self.net(put) > 0
            ),
            key=lambda held: held.id,
        )

    def take(self, put: VanillaOption, call: VanillaOption, source: Instrument, carry: Carry) -> ArbPackage | None:
        """Moves as many packages as this source carries out of the holdings; None where it carries none."""
        sign = 1 if self.net(put) > 0 else -1
        most = min(abs(self.net(put)), abs(self.net(call)))
        growth = carry.growth(source, put.expiry)
        with localcontext(prec=_DIGITS):
            contracts, needed = _fit(put, source, growth, most, abs(self.net(source)))
            if not contracts:
                return None
            package = ArbPackage(
                PackageKind.CONVERSION if sign > 0 else PackageKind.REVERSAL,
                contracts,
                self._out(source, sign * needed),
                self._out(put, sign * contracts),
                self._out(call, -sign * contracts),
                growth=growth,
            )
            return self._financed(package, source, carry)

    def _financed(self, package: ArbPackage, source: Instrument, carry: Carry) -> ArbPackage:
        """The package with the stable its collateral minted, up to what its payoff repays."""
        if not isinstance(source, LendingSupply) or source.market not in carry.fees:
            return package
        for owed in sorted(self._positions, key=lambda held: held.id):
            if isinstance(owed, LendingDebt) and owed.market == source.market and owed.asset.code in STABLES:
                growth, option = carry.growth(owed, package.option.expiry), package.option
                repaid = package.contracts * option.multiplier * option.strike / Decimal(growth)
                debt = min(_rounded(repaid, owed), -self.net(owed))
                if debt > 0:
                    return replace(package, debt=self._out(owed, -debt), debt_growth=growth)
        return package

    def _out(self, instrument: Instrument, quantity: Decimal) -> tuple[Position, ...]:
        """Takes a signed quantity from the positions of its sign, first sleeve and venue first."""
        taken: list[Position] = []
        remaining = Money.of(quantity, instrument.unit).units
        held = self._positions[instrument]
        for at, position in enumerate(held):
            if remaining * position.held.units <= 0:
                continue
            units = min(remaining, position.held.units, key=abs)
            part = Money(units, position.held.currency)
            taken.append(replace(position, held=part))
            held[at] = replace(position, held=position.held - part)
            remaining -= units
        return tuple(taken)


def _stands_for(held: Instrument, option: VanillaOption) -> bool:
    match held:
        case Future():
            return (held.underlying, held.expiry, held.currency) == (option.underlying, option.expiry, option.currency)
        case Cash() | LendingSupply() | LendingDebt():
            return held.currency.code == option.underlying
        case FundShare():
            return held.symbol == option.underlying
        case _:
            return False


def _fit(
    put: VanillaOption, source: Instrument, growth: float, most: Decimal, there: Decimal
) -> tuple[Decimal, Decimal]:
    """How many contracts the source carries, at most `most`, and how much of it they need."""
    if isinstance(source, Future):
        ratio = Fraction(put.multiplier) / Fraction(source.multiplier)
        step = _common_multiple(Fraction(1, 10**put.decimals), 1 / ratio)
        contracts = min(Fraction(most), Fraction(there) / ratio) // step * step
        needed = contracts * ratio
        return _decimal(contracts), _decimal(needed)
    each = put.multiplier / Decimal(growth)
    smallest = Decimal(1).scaleb(-source.unit.decimals)
    carried = ((there + smallest / 2) / each).quantize(Decimal(1).scaleb(-put.decimals), rounding=ROUND_FLOOR)
    contracts_ = min(most, carried)
    return contracts_, min(_rounded(contracts_ * each, source), there)


def _common_multiple(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(math.lcm(a.numerator, b.numerator), math.gcd(a.denominator, b.denominator))


def _decimal(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def _rounded(quantity: Decimal, instrument: Instrument) -> Decimal:
    return quantity.quantize(Decimal(1).scaleb(-instrument.unit.decimals), rounding=ROUND_HALF_EVEN)


def _intrinsic(instrument: Instrument, levels: Floats) -> Floats:
    assert isinstance(instrument, VanillaOption)
    points = np.maximum(instrument.right.sign * (levels - float(instrument.strike)), 0.0)
    return np.asarray(points * float(instrument.multiplier))
