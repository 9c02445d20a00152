"""What a book holds already, as the condors and hedges it is made of."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np

from engine.instruments import IronCondor, Right, VanillaOption
from engine.money import Money
from engine.policy.condors import CondorOffer
from engine.policy.hedges import HedgeOffer
from engine.positions import Book, Position, Sleeve
from engine.risk.arb_packages import ArbPackage, Carry, arb_packages
from engine.risk.pricing_view import PricingView

Lots = dict[VanillaOption, int]


@dataclass(frozen=True, slots=True)
class Holdings:
    """
    The condor sleeve taken apart: lots of each condor, and of each option owned beside them.

    `packages` are conversions and reversals, set apart before anything is paired (D27). `rest` is everything else
    of the book, of either engine: cash, loans, what cannot be traded here because it has no two-sided quote, and
    short options of no condor with the long ones that bound them.
    """

    condors: tuple[tuple[CondorOffer, int], ...]
    hedges: tuple[tuple[HedgeOffer, int], ...]
    rest: Book
    packages: tuple[ArbPackage, ...] = ()

    @property
    def fixed(self) -> Book:
        """All that stays as it is: the rest and the packages."""
        return self.rest.plus(position for package in self.packages for position in package.positions)

    def kept_options(self, view: PricingView) -> list[VanillaOption]:
        """The contracts of the rest whose series has a smile: what they bring belongs to the book's tail."""
        options = (p.instrument for p in self.rest if isinstance(p.instrument, VanillaOption))
        return [option for option in options if _has_smile(option, view)]


def holdings(book: Book, view: PricingView) -> Holdings:
    """
    The book as condors, hedges and the rest, at this market's quotes.

    Within an expiry the short put nearest the money goes with the nearest short call, and with the wings whose
    widths differ least, the narrowest first: however they are paired, the book owes the same at settlement. A long
    option is a hedge only beyond those that bound the shorts left over: a wing is never offered for sale (S01).
    """
    apart = arb_packages(book, Carry(view.asof))
    plain = tuple(p for p in apart.rest if not _traded_here(p))
    condors: list[tuple[CondorOffer, int]] = []
    kept: Lots = {}
    spare: Lots = {}
    for remaining in _by_expiry(apart.rest):
        for condor, count in taken_apart(remaining):
            offer = _condor_offer(condor, view)
            if offer is None:
                _add(remaining, condor, count)
            else:
                condors.append((offer, count))
        bounded = shorts_with_wings(remaining)
        kept |= bounded
        spare |= {option: free for option, count in remaining.items() if (free := count - bounded.get(option, 0))}
    offered = {option: _hedge_offer(option, view) for option in spare}
    hedges = tuple((offer, spare[option]) for option, offer in offered.items() if offer is not None)
    fixed = [_position(option, count) for option, count in kept.items()]
    fixed += [_position(option, count) for option, count in spare.items() if offered[option] is None]
    return Holdings(tuple(condors), hedges, Book(plain).plus(fixed), apart.packages)


def condors_held(book: Book, asof: datetime) -> list[tuple[IronCondor, int]]:
    """The condors of a book with their lots, quoted now or not."""
    rest = arb_packages(book, Carry(asof)).rest
    return [found for legs in _by_expiry(rest) for found in taken_apart(legs)]


def one_lot(condor: IronCondor) -> Book:
    """One condor sold."""
    return Book(tuple(_position(leg, sign) for leg, sign in zip(condor.legs, condor.quantities, strict=True)))


def _by_expiry(book: Iterable[Position]) -> list[Lots]:
    """Lots of each option traded here, one mapping for each root and expiry, in order."""
    expiries: defaultdict[tuple[str, datetime], Lots] = defaultdict(dict)
    for position in book:
        if _traded_here(position) and isinstance(position.instrument, VanillaOption):
            legs = expiries[position.instrument.root, position.instrument.expiry]
            legs[position.instrument] = legs.get(position.instrument, 0) + int(position.quantity)
    return [expiries[key] for key in sorted(expiries)]


def taken_apart(legs: Lots) -> list[tuple[IronCondor, int]]:
    """The condors of one expiry with their lots; `legs` keeps what no condor took."""
    found: list[tuple[IronCondor, int]] = []
    while (condor := _next_condor(legs)) is not None:
        count = min(abs(legs[leg]) for leg in condor.legs)
        _add(legs, condor, -count)
        found.append((condor, count))
    return found


def shorts_with_wings(legs: Lots) -> Lots:
    """
    The short options of one expiry, and for each a long one of its right, the nearest strike first.

    Any long of the same right and expiry bounds a short; of two as near the one farther out of the money is taken.
    """
    kept = {option: count for option, count in legs.items() if count < 0}
    for short, count in sorted(kept.items(), key=lambda held: _outward(held[0])):
        bare = -count
        for wing in sorted((o for o, q in legs.items() if q > 0 and o.right is short.right), key=_nearest(short)):
            taken = min(bare, legs[wing] - kept.get(wing, 0))
            if taken:
                kept[wing], bare = kept.get(wing, 0) + taken, bare - taken
    return kept


def _outward(option: VanillaOption) -> Decimal:
    """Rises as an option moves out of the money."""
    return option.right.sign * option.strike


def _nearest(short: VanillaOption) -> Callable[[VanillaOption], tuple[Decimal, Decimal]]:
    return lambda wing: (abs(wing.strike - short.strike), -_outward(wing))


def _next_condor(legs: Lots) -> IronCondor | None:
    def held(right: Right, sign: int) -> list[VanillaOption]:
        return sorted((o for o, q in legs.items() if o.right is right and q * sign > 0), key=lambda o: o.strike)

    puts, calls = held(Right.PUT, -1)[::-1], held(Right.CALL, -1)
    candidates = [
        (put, call, low, high)
        for put in puts[:1]
        for call in calls[:1]
        for low in held(Right.PUT, 1)
        for high in held(Right.CALL, 1)
        if low.strike < put.strike < call.strike < high.strike
    ]
    if not candidates:
        return None

    def widths(legs: tuple[VanillaOption, ...]) -> tuple[Decimal, Decimal]:
        put, call, low, high = legs
        below, above = put.strike - low.strike, high.strike - call.strike
        return abs(below - above), below + above

    put, call, low, high = min(candidates, key=widths)
    return IronCondor(low, put, call, high)


def _add(legs: Lots, condor: IronCondor, count: int) -> None:
    for leg, sign in zip(condor.legs, condor.quantities, strict=True):
        legs[leg] = legs.get(leg, 0) + sign * count


def _condor_offer(condor: IronCondor, view: PricingView) -> CondorOffer | None:
    """The condor as it could be sold or bought back now; None without two-sided quotes."""
    first = condor.put_short
    smile = view.smiles.get((first.root, first.expiry))
    sides = [_sides(leg, view) for leg in condor.legs]
    if smile is None or any(side is None for side in sides):
        return None
    quotes = np.array(sides, float)
    signs = np.array(condor.quantities)
    mid = -float(signs @ quotes.mean(axis=1))
    crossed = mid - 0.5 * float((quotes[:, 1] - quotes[:, 0]).sum())
    deviation = smile.atm_vol * float(np.sqrt(smile.years))
    away = [abs(float(np.log(float(leg.strike) / smile.forward))) / deviation for leg in condor.legs[1:3]]
    return CondorOffer(condor, crossed, mid, away[0], away[1], smile.years * 365.0)


def _hedge_offer(option: VanillaOption, view: PricingView) -> HedgeOffer | None:
    side = _sides(option, view)
    if side is None or not _has_smile(option, view):
        return None
    return HedgeOffer(option, side[1], 0.5 * (side[0] + side[1]))


def _has_smile(option: VanillaOption, view: PricingView) -> bool:
    series = option.root, option.expiry
    return series in view.smiles or series in view.vix_smiles


def _sides(option: VanillaOption, view: PricingView) -> tuple[float, float] | None:
    """Bid and ask in points, a bid of nothing included; None where either is missing."""
    quotes = view.quotes.get((option.root, option.expiry))
    if quotes is None:
        return None
    at = np.flatnonzero(quotes.strikes == float(option.strike))
    if not len(at):
        return None
    calls = option.right is Right.CALL
    bid = float((quotes.call_bid if calls else quotes.put_bid)[at[0]])
    ask = float((quotes.call_ask if calls else quotes.put_ask)[at[0]])
    return (bid, ask) if np.isfinite([bid, ask]).all() and 0.0 <= bid <= ask and ask > 0 else None


def _traded_here(position: Position) -> bool:
    option = position.instrument
    listed = isinstance(option, VanillaOption) and option.underlying in {"SPX", "VIX"}
    return listed and position.sleeve is Sleeve.CONDOR and position.quantity % 1 == 0


def _position(option: VanillaOption, count: int) -> Position:
    return Position(option, Money.of(Decimal(count), option.unit), Sleeve.CONDOR, "held")
