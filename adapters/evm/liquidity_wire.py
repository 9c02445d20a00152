"""Uniswap v3 liquidity in numbers: orders as stakes in a range, and what a range holds. No input, no output."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from functools import cached_property

from adapters.evm.erc20 import Token
from adapters.evm.uniswap_wire import SwapPool
from adapters.evm.wire import refused
from engine.errors import OrderRejected
from engine.instruments import LiquidityRange
from engine.money import Money
from engine.orders import Address, Order

_BASE = Decimal("1.0001")
_PRICE_DIGITS = 10
_EXACT = 60
_MEETING = Decimal("1e-4")


@dataclass(frozen=True)
class RangePool:
    """One pool that liquidity may go to: prices are units of `currency` per unit of `asset`."""

    name: str
    address: Address
    asset: Token
    currency: Token
    fee: int
    spacing: int

    @cached_property
    def asset_first(self) -> bool:
        """True when the asset is the pool's token0 (tokens sort by address)."""
        return int(self.asset.address, 16) < int(self.currency.address, 16)

    @property
    def tokens(self) -> tuple[Token, Token]:
        """token0 and token1."""
        return (self.asset, self.currency) if self.asset_first else (self.currency, self.asset)

    @property
    def swaps(self) -> SwapPool:
        """The same pool as something to swap in."""
        return SwapPool(self.address, self.tokens, self.fee)

    def sorted(self, asset: int, currency: int) -> tuple[int, int]:
        """Amounts of asset and currency in the pool's order; its own inverse."""
        return (asset, currency) if self.asset_first else (currency, asset)

    def range(self, lower_tick: int, upper_tick: int) -> LiquidityRange:
        """The instrument between two ticks, its prices to ten digits."""
        low, high = sorted(self._price(tick) for tick in (lower_tick, upper_tick))
        return LiquidityRange(self.name, self.asset.currency, self.currency.currency, low, high, self.fee)

    def ticks(self, wanted: LiquidityRange) -> tuple[int, int] | None:
        """Lower and upper tick of an instrument; None unless it is a range of this very pool."""
        low, high = sorted(self._tick(price) for price in (wanted.lower, wanted.upper))
        usable = low % self.spacing == 0 == high % self.spacing
        return (low, high) if usable and self.range(low, high) == wanted else None

    def _price(self, tick: int) -> Decimal:
        with localcontext(prec=_EXACT):
            raw = _BASE ** (tick if self.asset_first else -tick)
            price = raw.scaleb(self.asset.currency.decimals - self.currency.currency.decimals)
        with localcontext(prec=_PRICE_DIGITS):
            return +price

    def _tick(self, price: Decimal) -> int:
        with localcontext(prec=_EXACT):
            raw = price.scaleb(self.currency.currency.decimals - self.asset.currency.decimals)
            tick = int((raw.ln() / _BASE.ln()).to_integral_value())
        return tick if self.asset_first else -tick


@dataclass(frozen=True, slots=True)
class Held:
    """A position NFT's fixed terms."""

    token_id: int
    pool: RangePool
    lower_tick: int
    upper_tick: int

    @property
    def range(self) -> LiquidityRange:
        """Its instrument."""
        return self.pool.range(self.lower_tick, self.upper_tick)


@dataclass(frozen=True, slots=True)
class Stake:
    """
    One order in the pool's terms, smallest units.

    `asset` and `currency` are the most that goes in (opening) or the least that comes out (closing).
    """

    pool: RangePool
    lower_tick: int
    upper_tick: int
    opens: bool
    liquidity: int
    asset: int
    currency: int


def stake(pools: Sequence[RangePool], order: Order) -> Stake:
    """
    The order as liquidity: leg one is the range (+ opens, - closes), leg two its asset token.

    The asset leg and the limit, in the currency token, carry the range's opposite sign and bound both
    tokens. Raises `OrderRejected` for another shape, an unlisted pool or unusable prices.
    """
    if len(order.legs) != 2 or not isinstance(order.legs[0].instrument, LiquidityRange):
        raise refused(order, "liquidity has two legs: the range and its asset token")
    wanted = order.legs[0].instrument
    pool = next((p for p in pools if p.name == wanted.pool), None)
    ticks = pool.ticks(wanted) if pool else None
    if pool is None or ticks is None:
        raise refused(order, f"{wanted.id} is no usable range of a listed pool")
    if order.legs[1].instrument != pool.asset.cash or order.limit.currency != pool.currency.currency:
        raise refused(order, f"its bounds are not in {pool.asset.currency} and {pool.currency.currency}")
    units = Money.of(order.legs[0].quantity, wanted.unit).units
    asset = Money.of(order.legs[1].quantity, pool.asset.currency).units
    sign = -1 if units > 0 else 1
    if units == 0 or asset * sign < 0 or order.limit.units * sign < 0 or not (asset or order.limit.units):
        raise refused(order, f"{units} of liquidity for {asset} and {order.limit} has no bound")
    return Stake(pool, *ticks, units > 0, abs(units), abs(asset), abs(order.limit.units))


def root_of_tick(tick: int) -> Decimal:
    """Root of the pool's price (token1 per token0, smallest units) at a tick, to sixty digits."""
    with localcontext(prec=_EXACT):
        return (_BASE**tick).sqrt()


def amounts(asked: Stake, root: Decimal, liquidity: int, *, up: bool) -> tuple[int, int]:
    """
    Units of token0 and token1 behind `liquidity` at a root price, rounded `up` (going in) or down.

    Source: Uniswap v3 core white paper (2021), equations 6.29 and 6.30.
    """
    low, high = root_of_tick(asked.lower_tick), root_of_tick(asked.upper_tick)
    with localcontext(prec=_EXACT):
        inside = min(max(root, low), high)
        both = liquidity * (1 / inside - 1 / high), liquidity * (inside - low)
        rounding = ROUND_CEILING if up else ROUND_FLOOR
        first, second = (int(each.to_integral_value(rounding)) for each in both)
    return first, second


def most_liquidity(asked: Stake, root: Decimal, token0: int, token1: int) -> int:
    """The most liquidity that two amounts buy at a root price, as the position manager reckons it."""
    low, high = root_of_tick(asked.lower_tick), root_of_tick(asked.upper_tick)
    with localcontext(prec=_EXACT):
        inside = min(max(root, low), high)
        found = []
        if inside < high:
            found.append(token0 / (1 / inside - 1 / high))
        if inside > low:
            found.append(token1 / (inside - low))
        return int(min(found))


def root_of(asked: Stake) -> Decimal:
    """
    Root price at which an opening order's liquidity and both its amounts meet.

    Raises `OrderRejected` where they meet nowhere.
    """
    token0, token1 = asked.pool.sorted(asked.asset, asked.currency)
    low, high = root_of_tick(asked.lower_tick), root_of_tick(asked.upper_tick)
    with localcontext(prec=_EXACT):
        by_second = low + Decimal(token1) / asked.liquidity
        by_first = 1 / (1 / high + Decimal(token0) / asked.liquidity)
        if abs(by_first / by_second - 1) > _MEETING:
            raise OrderRejected(
                "liquidity refused",
                why=f"{token0} and {token1} units are not what {asked.liquidity} of liquidity takes at one price",
                todo="bound the order by the pool's price and make the plan again",
            )
        return (by_first * by_second).sqrt()


def least_amounts(asked: Stake, move: Decimal) -> tuple[int, int]:
    """
    The least of each token that an opening puts in while the price stays within `move` of the order's.

    Outside that band one token falls short of it, and the position manager reverts. A range that takes one
    token only is opened while the price stays beside it.
    """
    token0, token1 = asked.pool.sorted(asked.asset, asked.currency)
    root = root_of(asked)
    if not (token0 and token1):
        beside = amounts(asked, root, most_liquidity(asked, root, token0, token1), up=False)
        return max(0, beside[0] - 2), max(0, beside[1] - 2)
    with localcontext(prec=_EXACT):
        step = (1 + move).sqrt()
        ends = root * step, root / step
    first, second = (
        amounts(asked, end, most_liquidity(asked, end, token0, token1), up=False)[index]
        for index, end in enumerate(ends)
    )
    return max(0, first - 2), max(0, second - 2)  # the pool's own roundings
