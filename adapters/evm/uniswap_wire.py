"""Uniswap v3 as bytes and numbers: orders into router calls, pool events into changes. No input, no output."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, approve_permit, bound, transferred, with_approval
from adapters.evm.wire import Found, Permit, between, events, plain_call, refused
from contracts_abi import load
from engine.errors import OrderRejected, VenueError
from engine.instruments import Cash
from engine.money import Money
from engine.orders import Address, Call, Order
from engine.ports import Receipt

FEE_UNIT = 1_000_000
_NO_PRICE_LIMIT = 0
ROUTER = "uniswap"


@dataclass(frozen=True)
class SwapPool:
    """One pool: two tokens in any order, and its fee in millionths of what is paid in."""

    address: Address
    tokens: tuple[Token, Token]
    fee: int

    @cached_property
    def contract(self) -> Contract:
        """Its `IUniswapV3Pool` interface."""
        return Contract(self.address, load("uniswap-v3-pool"))

    def sign0(self, token: Token) -> bool:
        """True when `token` is the pool's token0 (tokens sort by address)."""
        return int(token.address, 16) == min(int(each.address, 16) for each in self.tokens)


@dataclass(frozen=True, slots=True)
class Swap:
    """
    One order in the router's terms, in smallest units.

    `exact_out` fixes what is received and bounds what is paid; else the other way round.
    """

    pool: SwapPool
    paid: Token
    received: Token
    exact_out: bool
    fixed: int
    bound: int

    @property
    def function(self) -> str:
        """Name of the router's function."""
        return "exactOutputSingle" if self.exact_out else "exactInputSingle"


def swap(pools: Sequence[SwapPool], order: Order) -> Swap:
    """
    The order as a swap: a positive cash leg is bought exactly, a negative one sold exactly.

    The limit, in the other token, is the most paid (negative) or the least received (positive).
    Raises `OrderRejected` for another shape or a pair without a pool.
    """
    if len(order.legs) != 1 or not isinstance(order.legs[0].instrument, Cash):
        raise refused(order, "a swap has exactly one leg, the token that is fixed")
    fixed, other = order.legs[0].instrument.currency, order.limit.currency
    for pool in pools:
        by_currency = {token.currency: token for token in pool.tokens}
        if fixed != other and {fixed, other} == set(by_currency):
            units = Money.of(order.legs[0].quantity, fixed).units
            exact_out = units > 0
            if units == 0 or (order.limit.units >= 0 if exact_out else order.limit.units <= 0):
                raise refused(order, f"{order.legs[0].quantity} {fixed} for {order.limit} has no bound")
            paid, received = (other, fixed) if exact_out else (fixed, other)
            return Swap(pool, by_currency[paid], by_currency[received], exact_out, abs(units), abs(order.limit.units))
    raise refused(order, f"no pool for {fixed} and {other} is listed")


def encode(router: Contract, asked: Swap, safe: Address) -> tuple[Call, ...]:
    """The router call for the vault itself, between an exact approval and its reset."""
    amounts = {"amountOut": asked.fixed, "amountInMaximum": asked.bound}
    if not asked.exact_out:
        amounts = {"amountIn": asked.fixed, "amountOutMinimum": asked.bound}
    terms = {
        "tokenIn": asked.paid.address,
        "tokenOut": asked.received.address,
        "fee": asked.pool.fee,
        "recipient": safe,
        "sqrtPriceLimitX96": _NO_PRICE_LIMIT,
        **amounts,
    }
    call = plain_call(router.address, router.encode(asked.function, terms), said(asked))
    most = asked.bound if asked.exact_out else asked.fixed
    return with_approval(asked.paid, router.address, most, ROUTER, call)


def said(asked: Swap) -> str:
    """A swap in words."""
    paid, received = (asked.bound, asked.fixed) if asked.exact_out else (asked.fixed, asked.bound)
    least, most = ("", "at most ") if asked.exact_out else ("at least ", "")
    return f"swap {most}{asked.paid.shown(paid)} for {least}{asked.received.shown(received)} on {ROUTER}"


def permits(router: Contract, pools: Sequence[SwapPool], safe: Address) -> tuple[Permit, ...]:
    """Both single-pool swaps over listed pools into the vault, and exact approvals to the router."""
    functions = ("exactInputSingle", "exactOutputSingle")
    swaps = tuple(Permit(router, function, _words(pools, safe, function)) for function in functions)
    tokens = {token.address: token for pool in pools for token in pool.tokens}
    return swaps + tuple(approve_permit(token, router.address, ROUTER) for token in tokens.values())


def found(
    asked: Swap, receipt: Receipt, safe: Address, *, own: Callable[[range], bool] = bool
) -> tuple[Found, int, int] | None:
    """
    The pool's event of this swap with units paid and received; None if it is not there.

    The last of several: a stranger who sends our transaction may swap for us in front of it, never behind.

    Parameters
    ----------
    own : says of the ordinals since the pool's swap before whether this one is the order's, where amounts do not
    """
    zero, swaps = asked.pool.sign0(asked.paid), events(asked.pool.contract, "Swap", receipt)
    for event in reversed(swaps):
        paid, received = (event["amount0"], -event["amount1"]) if zero else (event["amount1"], -event["amount0"])
        exact = received == asked.fixed if asked.exact_out else paid == asked.fixed
        if exact and event["recipient"] == safe and paid > 0 and own(between(swaps, event)):
            return event, paid, received
    return None


def proven(
    order: Order, asked: Swap, receipt: Receipt, safe: Address, *, own: Callable[[range], bool] = bool
) -> tuple[Found, int, int] | None:
    """
    As `found`, once both tokens moved as the event says, between the pool's swap before it and its own.

    Raises `VenueError` if they did not.
    """
    if (seen := found(asked, receipt, safe, own=own)) is None:
        return None
    event, paid, received = seen
    since, pool = between(events(asked.pool.contract, "Swap", receipt), event), asked.pool.address
    out = transferred(asked.paid, receipt, sender=safe, to=pool, within=since)
    back = transferred(asked.received, receipt, sender=pool, to=safe, within=since)
    if (out, back) != (paid, received):
        raise VenueError(
            f"order {order.id} does not add up",
            why=f"the pool logged {paid} for {received}, the tokens moved {out} for {back}",
            todo="halt, then reconcile by hand",
        )
    return seen


def fee(pool: SwapPool, paid: int) -> int:
    """The pool's fee within what was paid in, rounded up as the pool rounds."""
    return -(-paid * pool.fee // FEE_UNIT)


def _words(pools: Sequence[SwapPool], safe: Address, function: str) -> Callable[[Mapping[str, Any]], str]:
    exact_out = function == "exactOutputSingle"

    def words(arguments: Mapping[str, Any]) -> str:
        terms = arguments["params"]
        bound(safe, terms["recipient"], "recipient")
        if terms["sqrtPriceLimitX96"] != _NO_PRICE_LIMIT:  # the router then swaps in part and waives an exact output
            raise OrderRejected(
                "swap refused", why="it may stop at a price, short of its amount", todo="sign nothing; plan again"
            )
        for pool in pools:
            tokens = {token.address: token for token in pool.tokens}
            if {terms["tokenIn"], terms["tokenOut"]} == set(tokens) and terms["fee"] == pool.fee:
                names = ("amountOut", "amountInMaximum") if exact_out else ("amountIn", "amountOutMinimum")
                fixed, limit = (int(terms[name]) for name in names)
                asked = Swap(pool, tokens[terms["tokenIn"]], tokens[terms["tokenOut"]], exact_out, fixed, limit)
                if limit == 0:
                    raise OrderRejected(
                        "swap refused", why="it accepts any price", todo="bound it by a quote; sign nothing"
                    )
                return said(asked)
        raise OrderRejected("swap refused", why="its pool is not listed", todo="sign nothing")

    return words
