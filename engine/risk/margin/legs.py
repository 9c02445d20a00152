"""The options of an account as a margin clerk sees them: whole contracts with their mark and index level."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from engine.errors import InvalidStructure
from engine.instruments import Settlement, VanillaOption
from engine.positions import Book
from engine.risk.grounds import ground_of
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, unit_values

_LISTED = (Settlement.AM, Settlement.PM)


@dataclass(frozen=True, slots=True)
class MarginLeg:
    """
    Whole contracts of one listed option at one broker.

    `quantity` is signed, never zero; `mark` is the option's market value and `level` the underlying's, both
    in points.
    """

    option: VanillaOption
    quantity: int
    mark: float
    level: float
    venue: str = "broker"

    def __post_init__(self) -> None:
        name = self.option.id
        if self.quantity == 0 or self.quantity != int(self.quantity):
            raise InvalidStructure(f"{name} has {self.quantity} contracts; a broker margins whole contracts")
        if not Decimal(self.option.strike).is_finite():
            raise InvalidStructure(f"{name}: strike {self.option.strike} is not finite")
        if self.option.inverse or self.option.settlement not in _LISTED:
            raise InvalidStructure(f"{name} is not a listed cash-settled option; no broker rule covers it")
        if not (math.isfinite(self.mark) and self.mark >= 0 and math.isfinite(self.level) and self.level > 0):
            raise InvalidStructure(
                f"{name}: mark {self.mark:g} and underlying {self.level:g} must be numbers of points"
            )

    @property
    def account(self) -> tuple[str, str, str, Settlement, Decimal]:
        """What two legs must share to be margined together: broker, underlying, root, settlement style, multiplier."""
        o = self.option
        return self.venue, o.underlying, o.root, o.settlement, o.multiplier

    @property
    def strike(self) -> float:
        """Points."""
        return float(self.option.strike)

    @property
    def sign(self) -> int:
        """+1 for a call, -1 for a put."""
        return self.option.right.sign

    @property
    def multiplier(self) -> float:
        """USD per point of one contract."""
        return float(self.option.multiplier)

    @property
    def order(self) -> tuple[str, str, Decimal, datetime, str, Decimal]:
        """A total order of legs, so that no answer depends on how a book is written."""
        o = self.option
        return self.venue, f"{o.underlying} {o.root} {o.settlement}", o.multiplier, o.expiry, o.right.value, o.strike


def margin_legs(book: Book, view: PricingView, vix: float) -> tuple[MarginLeg, ...]:
    """
    The listed options of a book, netted by broker and contract, marked on `view`, in their total order.

    `vix` is the index in points: options on it are priced on their future, but the rule's level is the cash
    index (Cboe's VIX options specification). Options of protocols are not a broker's business and are left
    out. Raises `InvalidStructure` for a fraction of a contract, and `MissingQuote` where `view` has no smile for a leg.
    """
    held: dict[tuple[str, VanillaOption], Decimal] = {}
    for position in book:
        option = position.instrument
        if isinstance(option, VanillaOption) and option.settlement in _LISTED:
            key = (position.venue, option)
            held[key] = held.get(key, Decimal(0)) + position.quantity
    legs = [
        MarginLeg(
            option=option,
            quantity=_whole(option, quantity),
            mark=float(unit_values(option, view, Scenarios.now())[0]) / float(option.multiplier),
            level=vix if option.underlying == "VIX" else _level(option, view),
            venue=venue,
        )
        for (venue, option), quantity in held.items()
        if quantity
    ]
    return ordered(legs)


def ordered(legs: Iterable[MarginLeg]) -> tuple[MarginLeg, ...]:
    """The legs in their total order; raises `InvalidStructure` when one contract appears twice at one broker."""
    rows = sorted(legs, key=lambda leg: leg.order)
    for first, second in pairwise(rows):
        if (first.venue, first.option) == (second.venue, second.option):
            raise InvalidStructure(f"{first.option.id} is listed twice at {first.venue}; net it first")
    return tuple(rows)


def accounts(legs: Iterable[MarginLeg]) -> Mapping[tuple[object, ...], tuple[MarginLeg, ...]]:
    """Legs by what they must share to be margined together."""
    return _by(legs, lambda leg: leg.account)


def settlements(legs: Iterable[MarginLeg]) -> Mapping[tuple[object, ...], tuple[MarginLeg, ...]]:
    """Legs by account and settlement instant: each group settles as one."""
    return _by(legs, lambda leg: (*leg.account, leg.option.expiry))


def _by(
    legs: Iterable[MarginLeg], key: Callable[[MarginLeg], tuple[object, ...]]
) -> dict[tuple[object, ...], tuple[MarginLeg, ...]]:
    groups: dict[tuple[object, ...], tuple[MarginLeg, ...]] = {}
    for leg in legs:
        groups[key(leg)] = (*groups.get(key(leg), ()), leg)
    return groups


def _whole(option: VanillaOption, quantity: Decimal) -> int:
    if quantity != quantity.to_integral_value():
        raise InvalidStructure(f"{option.id} has {quantity} contracts; a broker margins whole contracts")
    return int(quantity)


def _level(option: VanillaOption, view: PricingView) -> float:
    return view.spot / ground_of(option, view, Scenarios.now()).strike_unit
