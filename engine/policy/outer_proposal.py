"""Which listed contracts an outer layer would trade: tails bought, a further condor, or tails held sold (X03, X04)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import floor

import numpy as np

from engine.instruments import Instrument, IronCondor, Right, VanillaOption
from engine.market import ExpiryQuotes, MarketSnapshot
from engine.policy.condors import MULTIPLIER, CondorOffer, option
from engine.policy.event_widths import EventWidths
from engine.policy.layers import Kind, Layer, LayerTable, Role, days_to_expiry, widened
from engine.policy.outer_layer import OuterMode, TailHolding, outer_condor_sold, tails_bought, tails_monetized
from engine.policy.regime import Regime
from engine.policy.scaling import ScalingRules, addition
from engine.policy.settings import LayeringSettings
from engine.policy.wings import NotApplicable, Wing, both_wings, wing_strike
from engine.positions import Book

_RIGHTS = {Kind.INDEX_PUT: Right.PUT, Kind.INDEX_CALL: Right.CALL}
_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Trade:
    """
    Contracts that would be traded now, positive = bought, and what bounds or prevents them.

    `cash` is USD at the quotes, every spread crossed: negative = paid. `carry` is USD that holding it is expected to
    cost a year, 0 for what earns its keep. No legs where nothing is to be traded.
    """

    legs: tuple[tuple[Instrument, int | float | Decimal], ...]
    cash: float
    why: str
    carry: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class OuterMarket:
    """
    What outer layers are placed on.

    `condors` are those to protect with their lots, `room` USD of maximum loss that the session's cap leaves;
    `iv_rank` is the position of implied volatility, None where it is unseen; `events` are what widens the wings of
    each expiry (D24b); `table` are the policy's layers.
    """

    snapshot: MarketSnapshot
    book: Book
    condors: tuple[tuple[CondorOffer, int], ...]
    regime: Regime
    settings: LayeringSettings
    rules: ScalingRules
    room: float
    iv_rank: float | None
    events: EventWidths
    table: LayerTable


def outer_trade(layer: Layer, market: OuterMarket, *, budget: float) -> Trade:
    """
    What the layer would trade now, or in words why nothing.

    A tail layer buys in every mode. The expiry is the listed one inside the layer's days that is nearest to the
    condor's, the strikes are those its wing rule permits once the events before the expiry have widened it, and the
    lots no more than the condors to protect, the budget and the session's room allow.

    Parameters
    ----------
    budget : USD of premium a year (S57), spent in proportion to the time bought

    Source
    ------
    S09-S11, S41, S57, S80, X03, X04, D12, D24b.
    """
    mode = market.settings.outer_mode if layer.role is Role.OUTER else OuterMode.BUY_TAIL
    if mode is OuterMode.MONETIZE:
        return _monetized(layer, market)
    if not market.condors:
        return _nothing("no condor to protect is held or wanted")
    condor, lots = max(market.condors, key=lambda one: one[1])
    quotes = _nearest(layer, market.snapshot, condor)
    if quotes is None:
        return _nothing("no expiry is listed in its days")
    wings = _wings(layer, market, condor, quotes)
    if isinstance(wings, str):
        return _nothing(wings)
    if mode is OuterMode.SELL_OUTER_CONDOR and len(wings) > 1:
        return _sold(layer, market, condor, quotes, wings, lots)
    tails = [option(quotes, wing.strike, right) for right, wing in wings.items()]
    asks = [_quote(quotes, tail)[1] for tail in tails]
    if not all(np.isfinite(asks)) or not all(ask > 0 for ask in asks):
        return _nothing(f"{' and '.join(tail.id for tail in tails)} are not offered")
    each = sum(asks) * float(MULTIPLIER)
    affordable = floor(budget * quotes.years(market.snapshot.asof) / each + 1e-9)
    count, bound = _lots(layer, market, min(lots, affordable), tails, max_loss=each)
    scale = market.events.scale(quotes.expiry)
    why = "; ".join(
        [f"wings times {scale:.3f} for the events before it (D24b)"] * (scale > 1.0)
        + [f"budget buys {affordable} of {lots} at {each:,.2f} USD each (S57)"] * (affordable < lots)
        + [bound] * bool(bound)
    )
    carry = count * each / quotes.years(market.snapshot.asof)
    return Trade(tails_bought(tails, count), -count * each, why, carry) if count else _nothing(why)


def _nothing(why: str) -> Trade:
    return Trade((), 0.0, why)


def _nearest(layer: Layer, snapshot: MarketSnapshot, condor: CondorOffer) -> ExpiryQuotes | None:
    wanted = condor.condor.put_short.expiry
    inside = [
        quotes
        for quotes in snapshot.spx.slices
        if quotes.expiry > snapshot.asof and layer.dte.holds(days_to_expiry(snapshot.asof, quotes.expiry))
    ]
    return min(inside, key=lambda quotes: (abs(quotes.expiry - wanted), quotes.root), default=None)


def _wings(layer: Layer, market: OuterMarket, offer: CondorOffer, quotes: ExpiryQuotes) -> dict[Right, Wing] | str:
    if layer.wings is None:
        return "it has no wing rule"
    low, high = offer.break_evens
    rule = widened(layer.wings, market.events.scale(quotes.expiry))
    shorts = float(offer.condor.put_short.strike), float(offer.condor.call_short.strike)
    spot, width = market.snapshot.spx.spot, market.settings.wing_width_min
    rights = [_RIGHTS[kind] for kind in layer.menu if kind in _RIGHTS]
    if len(rights) > 1:
        pair = both_wings(
            rule, spot=spot, shorts=shorts, break_evens=(low, high), listed=quotes.strikes, min_width=width
        )
        return pair.reason if isinstance(pair, NotApplicable) else dict(zip((Right.PUT, Right.CALL), pair, strict=True))
    right = rights[0]
    at = int(right is Right.CALL)
    wing = wing_strike(
        rule,
        right,
        spot=spot,
        short=shorts[at],
        break_even=(low, high)[at],
        listed=quotes.strikes,
        min_width=width,
    )
    return wing.reason if isinstance(wing, NotApplicable) else {right: wing}


def _sold(
    layer: Layer,
    market: OuterMarket,
    core: CondorOffer,
    quotes: ExpiryQuotes,
    wings: dict[Right, Wing],
    lots: int,
) -> Trade:
    """A further condor with its shorts where tails would be bought, and the next listed wings beyond them."""
    width = market.settings.wing_width_min
    strikes = np.unique(quotes.strikes)
    put, call = wings[Right.PUT].strike, wings[Right.CALL].strike
    below, above = strikes[strikes <= put - width], strikes[strikes >= call + width]
    if not len(below) or not len(above):
        return _nothing(f"no wing is listed {width:g} points beyond {put:g} and {call:g}")
    outer = IronCondor(
        option(quotes, float(below[-1]), Right.PUT),
        option(quotes, put, Right.PUT),
        option(quotes, call, Right.CALL),
        option(quotes, float(above[0]), Right.CALL),
    )
    inside = (
        outer.put_short.strike > core.condor.put_wing.strike or outer.call_short.strike < core.condor.call_wing.strike
    )
    if inside:
        return _nothing(f"shorts {put:g} and {call:g} lie inside the core's wings (X04)")
    credit = sum(
        -quantity * _quote(quotes, leg)[int(quantity > 0)]
        for leg, quantity in zip(outer.legs, outer.quantities, strict=True)
    )
    if not credit > 0:
        return _nothing(f"selling {put:g}/{call:g} brings no credit")
    loss = (float(outer.width) - credit) * float(MULTIPLIER)
    count, why = _lots(layer, market, lots, outer.legs[1:2], max_loss=loss, sold=True)
    if not count:
        return _nothing(why)
    return Trade(outer_condor_sold(core.condor, outer, count), count * credit * float(MULTIPLIER), why)


def _monetized(layer: Layer, market: OuterMarket) -> Trade:
    if market.iv_rank is None:
        return _nothing("the rank of implied volatility is unseen")
    asof = market.snapshot.asof
    held = [
        tail
        for tail in spare_tails(market.book)
        if tail.option.expiry > asof and market.table.horizon(days_to_expiry(asof, tail.option.expiry)) == layer.name
    ]
    settings = market.settings
    legs = tails_monetized(
        held,
        iv_percentile=market.iv_rank,
        trigger=float(settings.monetize_from),
        share=float(settings.monetize_share),
    )
    if not legs:
        return _nothing(f"no tails held in its days to sell from a rank of {settings.monetize_from:.0%}")
    listed = {(quotes.root, quotes.expiry): quotes for quotes in market.snapshot.spx.slices}
    bids = [_quote(listed[leg.root, leg.expiry], leg)[0] for leg, _ in legs if (leg.root, leg.expiry) in listed]
    if len(bids) < len(legs) or not all(bid > 0 for bid in bids):
        return _nothing("tails held have no bid")
    cash = sum(-float(count) * bid * float(MULTIPLIER) for (_, count), bid in zip(legs, bids, strict=True))
    return Trade(legs, cash, "")


def spare_tails(book: Book) -> list[TailHolding]:
    """
    Index options owned beyond those that cover shorts of their own root, expiry and right, farthest out first.

    What stays is nearest the money, so that selling all of these leaves every short covered one for one.
    """
    kinds: dict[tuple[str, datetime, Right], list[tuple[VanillaOption, int]]] = {}
    for position in book:
        held = position.instrument
        if isinstance(held, VanillaOption) and held.underlying == "SPX":
            kinds.setdefault((held.root, held.expiry, held.right), []).append((held, int(position.quantity)))
    found = []
    for (_, _, right), legs in kinds.items():
        spare = sum(count for _, count in legs)
        for held, count in sorted(legs, key=lambda leg: leg[0].strike, reverse=right is Right.CALL):
            lots = min(count, spare)
            if lots > 0:
                found.append(TailHolding(held, lots))
                spare -= lots
    return found


def _lots(
    layer: Layer,
    market: OuterMarket,
    target: int,
    options: "list[VanillaOption] | tuple[VanillaOption, ...]",
    *,
    max_loss: float,
    sold: bool = False,
) -> tuple[int, str]:
    sign = -1 if sold else 1
    held = min(max(sign * _held(market.book, one), 0) for one in options)
    found = addition(
        layer, target, held, 0, max_loss=max_loss, room=market.room, regime=market.regime, rules=market.rules
    )
    if not found.wanted:
        return 0, f"{held} of {target} are held already" if held else "not one lot fits"
    return found.lots, "; ".join(found.bound_by)


def _held(book: Book, wanted: VanillaOption) -> int:
    return sum(int(position.quantity) for position in book if position.instrument == wanted)


def _quote(quotes: ExpiryQuotes, contract: VanillaOption) -> tuple[float, float]:
    """Bid and ask in points, NaN where the strike is not listed."""
    at = np.flatnonzero(quotes.strikes == float(contract.strike))
    if not len(at):
        return float("nan"), float("nan")
    bids, asks = (
        (quotes.call_bid, quotes.call_ask) if contract.right is Right.CALL else (quotes.put_bid, quotes.put_ask)
    )
    return float(bids[at[0]]), float(asks[at[0]])
