"""A power perpetual as bytes and numbers: swaps of its token, redemption at shutdown. No input, no output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.uniswap_wire import Swap, SwapPool, permits
from adapters.evm.wire import Permit, plain_call, refused
from engine.errors import MarketDataError, OrderRejected
from engine.instruments import PowerPerpetual
from engine.money import Money
from engine.orders import Address, Call, Order

WAD = 10**18
YEAR_DAYS = 365.0


@dataclass(frozen=True)
class PowerMarket:
    """
    One power perpetual: its controller, and the pool in which its token is bought and sold.

    `token` is the perpetual itself (its currency is the instrument's unit), `money` the pool's other token.
    """

    instrument: PowerPerpetual
    controller: Contract
    pool: SwapPool
    token: Token
    money: Token
    safe: Address


def swap(market: PowerMarket, order: Order) -> Swap:
    """The order as a swap of exactly that many tokens. Raises `OrderRejected` for another shape or no bound."""
    if len(order.legs) != 1 or order.legs[0].instrument != market.instrument:
        raise refused(order, f"a power order has exactly one leg, {market.instrument.id}")
    units = Money.of(order.legs[0].quantity, market.instrument.unit).units
    if order.limit.currency != market.money.currency or units * order.limit.units >= 0:
        raise refused(order, f"{units} units for {order.limit} have no bound")
    paid, received = (market.money, market.token) if units > 0 else (market.token, market.money)
    return Swap(market.pool, paid, received, units > 0, abs(units), abs(order.limit.units))


def redeem(market: PowerMarket, units: int) -> Call:
    """Tokens for their settlement value in ether, once the protocol is shut down."""
    data = market.controller.encode("redeemLong", units)
    return plain_call(market.controller.address, data, _said(market, units))


def market_permits(market: PowerMarket, router: Contract) -> tuple[Permit, ...]:
    """Swaps of the token in its pool, and its redemption; no short is ever opened, which would take ether."""
    return (
        *permits(router, (market.pool,), market.safe),
        Permit(market.controller, "redeemLong", _words(market)),
    )


def settlement_value(units: int, normalisation: int, index: int) -> int:
    """
    Wei that `units` pay at shutdown, rounded down.

    Source: squeeth `Power2Base._getLongSettlementValue`; `index` is ether's price over 10^4, 18 decimals.

    >>> settlement_value(10**18, 5 * 10**17, 3 * 10**17) == 15 * 10**16   # ether at 3000, half its unit left
    True
    """
    return units * normalisation * index // WAD**2


def implied_vol(mark: int, index: int, period_days: float) -> float:
    """
    Volatility that the premium of mark over index pays for, decimal per year.

    Raises `MarketDataError` below the index, where longs are paid and no volatility says so.

    Source: S28: mark = index exp(sigma^2 period / 365).

    >>> round(implied_vol(1_031_161_000_000_000_000, 10**18, 17.5), 4)
    0.8
    """
    if not 0 < index <= mark:
        raise MarketDataError(
            f"power perpetual at {mark} over an index of {index}",
            why="no volatility implies a mark below the index",
            todo="value it by its pool price, or wait",
        )
    return sqrt(log(mark / index) * YEAR_DAYS / period_days)


def _said(market: PowerMarket, units: int) -> str:
    return f"redeem {market.token.shown(units)} at its settlement value in ether"


def _words(market: PowerMarket) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        (units,) = arguments.values()
        if not units:
            raise OrderRejected("redemption refused", why="it redeems nothing", todo="sign nothing")
        return _said(market, units)

    return words
