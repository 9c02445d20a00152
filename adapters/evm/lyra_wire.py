"""Lyra Avalon as bytes and numbers: orders into market calls, market events into changes. No input, no output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, approve_permit, with_approval
from adapters.evm.wire import Permit, instant, plain_call, refused
from engine.errors import OrderRejected
from engine.instruments import Right, Settlement, VanillaOption
from engine.money import Currency, Money
from engine.orders import Address, Call, Order

DECIMALS = 18
OPEN, CLOSE, LIQUIDATE = 0, 1, 2
ANY_COST = 2**256 - 1
_UNITS = Currency("", DECIMALS)


class OptionType(IntEnum):
    """Lyra's kinds of position: held, or written against base or quote collateral."""

    LONG_CALL = 0
    LONG_PUT = 1
    SHORT_CALL_BASE = 2
    SHORT_CALL_QUOTE = 3
    SHORT_PUT_QUOTE = 4

    @property
    def right(self) -> Right:
        """Call or put."""
        return Right.PUT if self in (OptionType.LONG_PUT, OptionType.SHORT_PUT_QUOTE) else Right.CALL

    @property
    def sign(self) -> int:
        """+1 held, -1 written."""
        return 1 if self <= OptionType.LONG_PUT else -1


EXPOSURES = {
    OptionType.LONG_CALL: "longCall",
    OptionType.LONG_PUT: "longPut",
    OptionType.SHORT_CALL_BASE: "shortCallBase",
    OptionType.SHORT_CALL_QUOTE: "shortCallQuote",
    OptionType.SHORT_PUT_QUOTE: "shortPut",
}
"""Where a strike counts each kind."""

LONG = {Right.CALL: OptionType.LONG_CALL, Right.PUT: OptionType.LONG_PUT}


@dataclass(frozen=True, slots=True)
class Listed:
    """A strike's terms, which never change: its id and board, strike in quote units, expiry in seconds."""

    strike_id: int
    board_id: int
    strike: int
    expiry: int

    @property
    def price(self) -> Decimal:
        """The strike per unit of the underlying."""
        return Money(self.strike, _UNITS).amount

    @property
    def expires(self) -> datetime:
        """When it expires, aware."""
        return datetime.fromtimestamp(self.expiry, UTC)


@dataclass(frozen=True, slots=True)
class Market:
    """One Lyra market: contracts, quote token, the vault that trades there, and names in the books."""

    contract: Contract
    settler: Contract
    quote: Token
    safe: Address
    root: str = "LYRA-ETH"
    underlying: str = "WETH"

    def option(self, listed: Listed, right: Right) -> VanillaOption:
        """The instrument behind a listed strike: European, cash-settled in the quote token."""
        return VanillaOption(
            root=self.root,
            underlying=self.underlying,
            expiry=listed.expires,
            strike=listed.price,
            right=right,
            multiplier=Decimal(1),
            settlement=Settlement.CHAIN,
            currency=self.quote.currency,
            decimals=DECIMALS,
        )


def option_leg(market: Market, order: Order) -> tuple[VanillaOption, int]:
    """The order's one option and its signed units; raises `OrderRejected` for another shape or root."""
    if len(order.legs) != 1 or not isinstance(order.legs[0].instrument, VanillaOption):
        raise refused(order, "an option order has exactly one option leg")
    option = order.legs[0].instrument
    if option.root != market.root or option.decimals != DECIMALS or option.multiplier != 1:
        raise refused(order, f"{option.id} is not an option of {market.root}")
    units = Money.of(order.legs[0].quantity, option.unit).units
    if units == 0:
        raise refused(order, "its quantity is zero")
    return option, units


def open_long(market: Market, order: Order, listed: Listed, position_id: int = 0) -> tuple[Call, ...]:
    """
    Buy the option paying at most the limit, protocol fees included, with an exact approval taken back.

    The protocol takes premium and fees as one sum, so the limit bounds their sum. What is bought is added to
    `position_id`, or is a new position where that is 0; the market takes only the caller's own, of the same option
    (`OptionToken.adjustPosition`).
    """
    option, units = option_leg(market, order)
    if order.limit.currency != market.quote.currency or order.limit.units >= 0:
        raise refused(order, f"its limit {order.limit} is no cost in {market.quote.currency}")
    most = -order.limit.units
    call = _trade(market, listed, "openPosition", LONG[option.right], units, (position_id, 0, most))
    return with_approval(market.quote, market.contract.address, most, "lyra", call)


def close_long(market: Market, order: Order, listed: Listed, position_id: int) -> tuple[Call, ...]:
    """Sell the option back for at least the limit, fees deducted."""
    option, units = option_leg(market, order)
    if order.limit.currency != market.quote.currency or order.limit.units <= 0:
        raise refused(order, f"its limit {order.limit} is no proceeds in {market.quote.currency}")
    bounds = position_id, order.limit.units, ANY_COST
    return (_trade(market, listed, "closePosition", LONG[option.right], -units, bounds),)


def settle(market: Market, position_ids: list[int], boards: list[int]) -> tuple[Call, ...]:
    """Settle expired boards, then our positions on them; anybody may, and the proceeds are ours."""
    calls = [
        plain_call(
            market.contract.address,
            market.contract.encode("settleExpiredBoard", board),
            _settle_words("settleExpiredBoard")({"boardId": board}),
        )
        for board in boards
    ]
    data = market.settler.encode("settleOptions", position_ids)
    words = _settle_words("settleOptions")({"positionIds": position_ids})
    return (*calls, plain_call(market.settler.address, data, words))


ShortWords = Callable[[Listed, Mapping[str, Any], bool], str]
"""Words of a trade of a written option, opening or not; raises `OrderRejected` outside its bounds."""


def permits(
    market: Market, terms_of: Callable[[int], Listed | None], shorts: ShortWords | None = None, *tokens: Token
) -> tuple[Permit, ...]:
    """
    Opening and closing on listed strikes, settling, and exact approvals of the quote token.

    Longs only, unless `shorts` puts the others in words; `tokens` are further ones the market may take.
    """
    return (
        Permit(market.contract, "openPosition", _trade_words(market, terms_of, shorts, buys=True)),
        Permit(market.contract, "closePosition", _trade_words(market, terms_of, shorts, buys=False)),
        Permit(market.contract, "settleExpiredBoard", _settle_words("settleExpiredBoard")),
        Permit(market.settler, "settleOptions", _settle_words("settleOptions")),
        *(approve_permit(token, market.contract.address, "lyra") for token in (market.quote, *tokens)),
    )


def _trade(
    market: Market, listed: Listed, function: str, kind: OptionType, units: int, bounds: tuple[int, int, int]
) -> Call:
    position_id, least, most = bounds
    terms = {
        "strikeId": listed.strike_id,
        "positionId": position_id,
        "iterations": 1,
        "optionType": int(kind),
        "amount": units,
        "setCollateralTo": 0,
        "minTotalCost": least,
        "maxTotalCost": most,
    }
    words = _said(market, listed, terms, buys=function == "openPosition")
    return plain_call(market.contract.address, market.contract.encode(function, terms), words)


def _said(market: Market, listed: Listed, terms: Mapping[str, Any], *, buys: bool) -> str:
    kind = "put" if OptionType(terms["optionType"]).right is Right.PUT else "call"
    units = Money(terms["amount"], _UNITS).amount.normalize()
    what = f"{units:f} {market.underlying} {kind} {listed.price.normalize():f} of {instant(listed.expires)}"
    if buys:
        to = f", added to position {terms['positionId']}" if terms["positionId"] else ""
        return f"buy {what} for at most {market.quote.shown(terms['maxTotalCost'])}{to}"
    return f"sell {what} for at least {market.quote.shown(terms['minTotalCost'])}"


def _trade_words(
    market: Market, terms_of: Callable[[int], Listed | None], shorts: ShortWords | None, *, buys: bool
) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        terms = arguments["params"]
        listed = terms_of(terms["strikeId"])
        if listed is None:
            raise _unlisted(f"strike {terms['strikeId']} is not listed")
        if shorts is not None and terms["optionType"] > OptionType.LONG_PUT:
            return shorts(listed, terms, buys)
        if terms["optionType"] not in (OptionType.LONG_CALL, OptionType.LONG_PUT) or terms["setCollateralTo"]:
            raise _unlisted("only long options are listed, which take no collateral")
        if buys and terms["maxTotalCost"] >= 2**128:
            raise _unlisted("it has no bound on its cost")
        if not buys and (terms["minTotalCost"] == 0 or not terms["positionId"]):
            raise _unlisted("it has no bound on its proceeds, or names no position")
        return _said(market, listed, terms, buys=buys)

    return words


def _settle_words(function: str) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        if function == "settleExpiredBoard":
            return f"settle expired board {arguments['boardId']}"
        return f"settle option positions {', '.join(map(str, arguments['positionIds']))}"

    return words


def _unlisted(why: str) -> OrderRejected:
    return OrderRejected("option trade refused", why=why, todo="sign nothing; make the plan again")
