"""
Written Lyra options as bytes and numbers: what is written, bought back or recollateralised, and with what.

An order names the option (negative = write, positive = buy back, zero = leave as it is) and beside it the
change of its collateral, as a supply to the options market: base for a covered call, quote for a call or a
put. With quote collateral the market keeps the premium as collateral, so what leaves the vault is the
difference. No input, no output.

Source
------
Lyra Avalon 0.1.3: `OptionMarket._openPosition`, `OptionToken.adjustPosition`, `ShortCollateral`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.evm.erc20 import Token, transferred
from adapters.evm.lyra_trades import traded
from adapters.evm.lyra_wire import ANY_COST, DECIMALS, Listed, Market, OptionType
from adapters.evm.wire import Found, between, change, events, instant, plain_call, refused
from engine.errors import OrderRejected, VenueError
from engine.instruments import LendingSupply, Right, VanillaOption
from engine.money import Currency, Money
from engine.orders import Address, Call, Order
from engine.ports import Receipt
from engine.positions import Position

SETTLED, LIQUIDATED = 7, 8
"""`PositionUpdatedType` of the option token's `PositionUpdated`."""

_UNITS = Currency("", DECIMALS)
_WAD = 10**DECIMALS


@dataclass(frozen=True, slots=True)
class Writing:
    """
    Terms on which options may be written.

    `base` is the token a covered call is secured with. Without `partial` every short is secured in full,
    so that nobody can liquidate it: a call by its underlying, a put by its strike.
    """

    base: Token
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Short:
    """A written position as the option token holds it; id 0, empty, is one not yet opened."""

    id: int
    kind: OptionType
    units: int
    collateral: int


@dataclass(frozen=True, slots=True)
class Written:
    """One order in the market's terms: `units` signed as in the order, `added` to the collateral, smallest units."""

    option: VanillaOption
    kind: OptionType
    secured: Token
    units: int
    added: int


def supply(name: str, token: Token) -> LendingSupply:
    """Collateral behind written options of one market, as an instrument of the books."""
    return LendingSupply(name, token.currency)


def is_written(order: Order) -> bool:
    """Whether an order is about a written option: it has a leg of collateral."""
    return len(order.legs) == 2 and isinstance(order.legs[1].instrument, LendingSupply)


def written(market: Market, writing: Writing, name: str, order: Order) -> Written:
    """The order's parts. Raises `OrderRejected` for another shape, token or market."""
    option, posted = order.legs[0].instrument, order.legs[1].instrument
    if not isinstance(option, VanillaOption) or not isinstance(posted, LendingSupply) or option.root != market.root:
        raise refused(order, "a written option is one option leg and one leg of collateral")
    tokens = {token.currency: token for token in (market.quote, writing.base)}
    token = tokens.get(posted.asset)
    if posted.market != name or token is None or (token == writing.base and option.right is Right.PUT):
        raise refused(order, f"{posted.id} secures no {option.right.name.lower()} of {name}")
    kind = OptionType.SHORT_PUT_QUOTE if option.right is Right.PUT else OptionType.SHORT_CALL_QUOTE
    kind = OptionType.SHORT_CALL_BASE if token == writing.base else kind
    units = Money.of(order.legs[0].quantity, option.unit).units
    added = Money.of(order.legs[1].quantity, token.currency).units
    if units == 0 and added == 0:
        raise refused(order, "its quantity is zero")
    pays, cash = (units > 0) - (units < 0), order.limit.units  # -1 receives, +1 pays, 0 neither
    if order.limit.currency != market.quote.currency or (cash > 0) - (cash < 0) != -pays:
        raise refused(order, f"its limit {order.limit} is no bound in {market.quote.currency}")
    return Written(option, kind, token, units, added)


def secured_in_full(kind: OptionType, units: int, strike: int, collateral: int) -> bool:
    """
    Whether a short can never owe more than its collateral.

    >>> secured_in_full(OptionType.SHORT_PUT_QUOTE, 2 * 10**18, 1800 * 10**18, 3600 * 10**18)
    True
    """
    if kind is OptionType.SHORT_CALL_BASE:
        return collateral >= units
    return kind is OptionType.SHORT_PUT_QUOTE and collateral * _WAD >= units * strike


def encode(market: Market, order: Order, asked: Written, listed: Listed, held: Short) -> tuple[Call, ...]:
    """The market call between exact approvals and their resets: of collateral, and of what buying back may cost."""
    left, collateral = held.units - asked.units, held.collateral + asked.added
    if left < 0 or collateral < 0 or (left == 0 and collateral):
        raise refused(order, f"position {held.id} would be left with {left} options and {collateral} of collateral")
    opens = asked.units <= 0
    terms = {
        "strikeId": listed.strike_id,
        "positionId": held.id,
        "iterations": 1,
        "optionType": int(asked.kind),
        "amount": abs(asked.units),
        "setCollateralTo": collateral,
        "minTotalCost": order.limit.units if asked.units < 0 else 0,
        "maxTotalCost": -order.limit.units if asked.units > 0 else (ANY_COST if asked.units else 0),
    }
    function = "openPosition" if opens else "closePosition"
    words = said(market, listed, terms, asked.secured, opens=opens)
    calls: tuple[Call, ...] = (plain_call(market.contract.address, market.contract.encode(function, terms), words),)
    for token, most in _leaving(market, order, asked).items():
        spender = market.contract.address
        calls = (token.approve(spender, most, "lyra"), *calls, token.approve(spender, 0, "lyra"))
    return calls


def said(market: Market, listed: Listed, terms: Mapping[str, Any], secured: Token, *, opens: bool) -> str:
    """A trade of a written option in words."""
    kind = OptionType(terms["optionType"]).right.name.lower()
    what = f"{market.underlying} {kind} {listed.price.normalize():f} of {instant(listed.expires)}"
    posted = f"with {secured.shown(terms['setCollateralTo'])} of collateral in all"
    units = f"{Money(terms['amount'], _UNITS).amount.normalize():f}"
    if not terms["amount"]:
        return f"keep written {what} {posted}"
    if opens:
        return f"write {units} {what} for at least {market.quote.shown(terms['minTotalCost'])} {posted}"
    return f"buy back {units} {what} for at most {market.quote.shown(terms['maxTotalCost'])} {posted}"


def check_terms(writing: Writing, listed: Listed, terms: Mapping[str, Any], *, opens: bool) -> None:
    """Raise `OrderRejected` for a trade without a bound, or a new short that is not secured in full."""
    kind, units = OptionType(terms["optionType"]), terms["amount"]
    if units and ((terms["minTotalCost"] == 0) if opens else (terms["maxTotalCost"] >= 2**128)):
        raise _unlisted("it has no bound on its price")
    if not terms["positionId"] and not opens:
        raise _unlisted("it names no position")
    whole = writing.partial or secured_in_full(kind, units, listed.strike, terms["setCollateralTo"])
    if opens and not terms["positionId"] and not whole:
        raise _unlisted("it is not secured in full")


def added(market: Market, asked: Written, event: Found, receipt: Receipt, place: Address) -> int:
    """
    What a trade added to the collateral behind a written option, in its smallest units.

    Parameters
    ----------
    place : the collateral contract; what moved between it and the vault since the market's previous trade is
        the collateral's change, with quote collateral less the premium that stayed there, or more the cost
        that was paid from there
    """
    done = traded(event)
    since = between(events(market.contract, "Trade", receipt), event)
    moved = transferred(asked.secured, receipt, sender=market.safe, to=place, within=since)
    total = done.total if done.units else 0
    return moved if asked.kind is OptionType.SHORT_CALL_BASE else moved + (total if done.bought else -total)


def trade_changes(market: Market, asked: Written, name: str, event: Found, posted: int) -> tuple[Position, ...]:
    """What a trade of a written option did: the option, its premium without fees, and `posted` as its collateral."""
    done = traded(event)
    total = done.total if done.units else 0
    premium = (total + done.fee if done.bought else done.fee - total) if done.units else 0
    parts = [
        change(asked.option, asked.units),
        change(market.quote.cash, premium),
        change(asked.secured.cash, -posted),
        change(supply(name, asked.secured), posted),
    ]
    return tuple(part for part in parts if part.held)


def ended(kinds: tuple[int, ...], position_id: int, receipt: Receipt, tokens: Any) -> Mapping[str, Any]:
    """The position as it was when it was settled or liquidated in this receipt. Raises `VenueError`."""
    for event in events(tokens, "PositionUpdated", receipt):
        if event["positionId"] == position_id and event["updatedType"] in kinds:
            found: Mapping[str, Any] = event["position"]
            return found
    raise VenueError(
        f"position {position_id} does not add up", why="its token logged no end of it", todo="reconcile by hand"
    )


def ended_changes(
    option: VanillaOption, name: str, secured: Token, position: Mapping[str, Any], returned: int
) -> tuple[Position, ...]:
    """What the end of a written option did: the short is gone, its collateral too, and what was left came back."""
    parts = [
        change(option, position["amount"]),
        change(supply(name, secured), -position["collateral"]),
        change(secured.cash, returned),
    ]
    return tuple(part for part in parts if part.held)


def _leaving(market: Market, order: Order, asked: Written) -> dict[Token, int]:
    """The most of each token that the market may take from the vault."""
    cash = -order.limit.units  # the least received counts against, the most paid for
    if asked.secured == market.quote:
        amounts = {market.quote: asked.added + cash}
    else:
        amounts = {asked.secured: asked.added, market.quote: cash if asked.units > 0 else 0}
    return {token: units for token, units in amounts.items() if units > 0}


def _unlisted(why: str) -> OrderRejected:
    return OrderRejected("option trade refused", why=why, todo="sign nothing; make the plan again")
