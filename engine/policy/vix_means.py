"""By which means a VIX layer may be held, and what holding a unit of each costs: futures, call spreads, funds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from engine.instruments import FundShare, Future
from engine.market import MarketSnapshot
from engine.money import Money
from engine.orders import OrderLeg
from engine.policy.candidates import MULTIPLIER
from engine.policy.condors import CondorOffer
from engine.policy.hedge_ratio import HedgeUnit, hedge_unit
from engine.policy.hedges import HedgeOffer, vix_call_offers
from engine.policy.layers import Kind, Layer, days_to_expiry
from engine.policy.outcomes import ROLL_OFF_DAYS
from engine.policy.vix_layers import (
    FUTURE_MULTIPLIER,
    ListedMonth,
    call_spread_month,
    fund_shares,
    future_month,
    layer_legs,
    month_units,
)
from engine.positions import Book, Position, Sleeve
from engine.pricing.vix_futures import constant_maturity
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values

_SPREAD = 1.5  # upper strike of a call spread over its lower; this policy's own choice
_TICK = 0.05  # points: what crossing a VIX future costs, its smallest move
_YEAR, _THIRTY = 365.0, 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """One way to hold a layer: a unit of it, and the legs that so many units take."""

    unit: HedgeUnit
    months: tuple[ListedMonth, ...]
    weights: Mapping[float, float]

    def legs(self, units: int) -> tuple[OrderLeg, ...]:
        if not self.months:
            return tuple(OrderLeg(leg.instrument, leg.quantity * units) for leg in self.unit.legs)
        return layer_legs(units, self.weights, self.months)


def means_of(
    layer: Layer,
    snapshot: MarketSnapshot,
    view: PricingView,
    grid: Scenarios,
    kinds: Iterable[Kind],
    weights: Mapping[float, float],
) -> list[Means]:
    """
    Every means of `kinds` that is listed in the layer's days, valued on the scenarios of `grid`.

    A unit is one future or one call spread spread over the tenors by `weights`, or the shares of a fund that move
    like one thirty-day future. Its cost is what crossing half the spread and holding it for the roll-off's days
    take: a future slides down its curve in contango, an option decays.

    Source
    ------
    S18-S22, X11.
    """
    found = []
    for kind in kinds:
        match kind:
            case Kind.VIX_FUTURE:
                found += _monthly(kind, _futures(layer, snapshot), weights, view, grid)
            case Kind.VIX_CALL_SPREAD:
                found += _monthly(kind, _spreads(layer, snapshot, view), weights, view, grid)
            case Kind.VIX_FUND:
                found += _funds(snapshot, view, grid)
    return found


def _monthly(
    kind: Kind,
    listed: Sequence[tuple[ListedMonth, float]],
    weights: Mapping[float, float],
    view: PricingView,
    grid: Scenarios,
) -> list[Means]:
    """The unit over listed months, each with what a unit of it costs; none where none is listed."""
    if not listed:
        return []
    months, costs = tuple(month for month, _ in listed), [cost for _, cost in listed]
    shares = month_units(1.0, weights, [month.days for month in months])
    units = [hedge_unit(kind, month.legs, view, grid, cost=cost) for month, cost in listed]
    gains = np.sum([share * unit.gains for share, unit in zip(shares, units, strict=True)], axis=0)
    blended = replace(units[0], gains=gains, cost=float(np.dot(shares, costs)), legs=())
    return [Means(blended, months, weights)]


def _futures(layer: Layer, snapshot: MarketSnapshot) -> list[tuple[ListedMonth, float]]:
    """Each listed future with what holding one costs: a tick, and its slide down the curve in contango."""
    rows = sorted(snapshot.vix_futures)
    found = []
    for expiry, level in rows:
        days = _days(snapshot, expiry)
        if layer.dte.holds(days_to_expiry(snapshot.asof, expiry)):
            month = future_month(Future("VX", "VIX", expiry, FUTURE_MULTIPLIER), days)
            slide = level - _curve(snapshot, max(days - ROLL_OFF_DAYS, 0.0))
            found.append((month, (_TICK + max(slide, 0.0)) * float(FUTURE_MULTIPLIER)))
    return found


def _curve(snapshot: MarketSnapshot, days: float) -> float:
    """Level of the curve, spot VIX at its near end."""
    rows = sorted(snapshot.vix_futures)
    ends = [0.0, *(_days(snapshot, expiry) for expiry, _ in rows)]
    return float(np.interp(days, ends, [snapshot.vix, *(level for _, level in rows)]))


def _spreads(layer: Layer, snapshot: MarketSnapshot, view: PricingView) -> list[tuple[ListedMonth, float]]:
    """A call spread of each month from the future up, with its half spreads and what time takes of it."""
    chain = snapshot.vix_options
    found = []
    for quotes in chain.slices if chain is not None else ():
        smile = view.vix_smiles.get((quotes.root, quotes.expiry))
        if smile is None or not layer.dte.holds(days_to_expiry(snapshot.asof, quotes.expiry)):
            continue
        pair = _pair(list(vix_call_offers(quotes, smile)))
        if pair is not None:
            lower, upper = pair
            month = call_spread_month(lower.option, upper.option, _days(snapshot, quotes.expiry))
            half = sum((offer.ask - offer.mid) * MULTIPLIER for offer in pair)
            later = Scenarios.of(days=min(ROLL_OFF_DAYS, month.days))
            decay = worth(month.legs, view) - worth(month.legs, view, later)
            found.append((month, half + max(decay, 0.0)))
    return found


def _pair(offers: Sequence[HedgeOffer]) -> tuple[HedgeOffer, HedgeOffer] | None:
    lower = offers[0] if offers else None
    above = [
        offer for offer in offers[1:] if lower and float(offer.option.strike) >= _SPREAD * float(lower.option.strike)
    ]
    return (lower, above[0]) if lower is not None and above else None


def _days(snapshot: MarketSnapshot, expiry: datetime) -> float:
    return (expiry - snapshot.asof) / timedelta(days=1)


def _funds(snapshot: MarketSnapshot, view: PricingView, grid: Scenarios) -> list[Means]:
    """Shares of each volatility fund that move like one future of thirty days (X11, S20)."""
    rows = sorted(snapshot.vix_futures)
    marks = [mark for mark in snapshot.funds if mark.leverage > 0]
    if not rows or not marks:
        return []
    ends = np.array([_days(snapshot, expiry) for expiry, _ in rows]) / _YEAR
    level = float(constant_maturity(ends, np.array([level for _, level in rows]), _THIRTY / _YEAR))
    slide = max(level - _curve(snapshot, max(_THIRTY - ROLL_OFF_DAYS, 0.0)), 0.0) * float(FUTURE_MULTIPLIER)
    found = []
    for mark in marks:
        shares = fund_shares(1.0, level, share_price=mark.price, leverage=mark.leverage)
        legs = (OrderLeg(FundShare(mark.symbol), Decimal(shares)),)
        cost = mark.half_spread * shares + slide
        found.append(Means(hedge_unit(mark.symbol, legs, view, grid, cost=cost), (), {}))
    return found


def worth(legs: Sequence[OrderLeg], view: PricingView, at: Scenarios | None = None) -> float:
    """USD at mid of signed legs, now or in one scenario."""
    book = Book(tuple(map(as_position, legs)))
    return float(book_values(book, view, at or Scenarios.now())[0])


def condor_book(condors: Iterable[tuple[CondorOffer, int]]) -> Book:
    """A book of these condors alone, with their lots; legs that they share are one position."""
    legs = (
        OrderLeg(leg, Decimal(quantity * lots))
        for offer, lots in condors
        for leg, quantity in zip(offer.condor.legs, offer.condor.quantities, strict=True)
    )
    return Book().plus(map(as_position, legs))


def as_position(leg: OrderLeg) -> Position:
    """The position a leg would make."""
    return Position(leg.instrument, Money.of(leg.quantity, leg.instrument.unit), Sleeve.CONDOR, "menu")
