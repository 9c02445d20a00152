"""Trades of others in our pools: pushed to a price, or around a swap of ours in one block."""

from math import isqrt

from adapters.evm.erc20 import Token
from adapters.evm.fork import Sent
from adapters.evm.price_guard import tick_price
from adapters.evm.shock import Around, Effect, NotHereError, Shock, Stage, somebody
from adapters.evm.uniswap_wire import Swap, SwapPool
from engine.money import Money
from engine.orders import Address

PUSH = 0.97
"""What a sandwich leaves of the price of what our swap sells: 3 % off, ten times the bound of a stablecoin swap."""

_PLENTY = 10**12
_Q96 = 2**96


def push(stage: Stage, pool: SwapPool, sold: Token, factor: float) -> Effect:
    """
    Sell a token into a pool until its price there is `factor` of what it was.

    Raises `NotHereError` where the token cannot be handed out.
    """
    trader, before = ready(stage, sold, "trader"), price(stage, pool, sold)
    stage.fork.carry_out(sale(stage, pool, sold, trader, _PLENTY * 10**sold.currency.decimals, factor))
    other = _other(pool, sold).currency
    return Effect(
        f"{sold.currency} in pool {_names(pool)}", before, price(stage, pool, sold), f"{other} per {sold.currency}"
    )


def price(stage: Stage, pool: SwapPool, token: Token) -> float:
    """What one whole `token` costs in the pool's other token, at spot."""
    first, second = sorted(pool.tokens, key=lambda each: int(each.address, 16))
    root = int(pool.contract.read(stage.fork.chain, "slot0")["sqrtPriceX96"])
    whole = tick_price(0, (first.currency.decimals, second.currency.decimals))
    of_first = (root / _Q96) ** 2 * whole
    return of_first if pool.sign0(token) else 1.0 / of_first


def ready(stage: Stage, token: Token, role: str) -> Address:
    """Somebody with plenty of a token that the router may take. Raises `NotHereError` if none can be handed out."""
    trader = somebody(role)
    if not stage.fork.give(token, trader, _PLENTY * 10**token.currency.decimals):
        raise NotHereError(f"balances of {token.currency} cannot be written here")
    stage.fork.call_as(trader, token.contract, "approve", stage.swaps.router.address, 2**256 - 1)
    return trader


def sale(stage: Stage, pool: SwapPool, sold: Token, trader: Address, units: int, factor: float | None) -> Sent:
    """The sale of at most `units`, stopped where the price is `factor` of what it is now (None: nowhere)."""
    limit = 0
    if factor is not None:
        root = int(pool.contract.read(stage.fork.chain, "slot0")["sqrtPriceX96"])
        share = isqrt(int(factor * _Q96) * _Q96)  # square root of the factor, in Q96
        limit = root * share // _Q96 if pool.sign0(sold) else root * _Q96 // share
    terms = {
        "tokenIn": sold.address,
        "tokenOut": _other(pool, sold).address,
        "fee": pool.fee,
        "recipient": trader,
        "amountIn": units,
        "amountOutMinimum": 0,
        "sqrtPriceLimitX96": limit,
    }
    return Sent(trader, stage.swaps.router.address, stage.swaps.router.encode("exactInputSingle", terms))


def sandwich(stage: Stage, ours: Swap | None) -> Shock:
    """
    A sale that moves the price away right before our swap, and its return right after (faults F46).

    Without a swap of ours the first pool of the desk is pushed and returned, which costs the stranger two fees.
    Raises `NotHereError` without a pool, or where tokens cannot be handed out.
    """
    if ours is None and not stage.swaps.pools:
        raise NotHereError("the desk has no pool to swap in")
    pool = ours.pool if ours else stage.swaps.pools[0]
    sold = ours.paid if ours else pool.tokens[0]
    bought, chain = _other(pool, sold), stage.fork.chain
    trader = ready(stage, sold, "front-runner")
    stage.fork.call_as(trader, bought.contract, "approve", stage.swaps.router.address, 2**256 - 1)
    front = sale(stage, pool, sold, trader, _PLENTY * 10**sold.currency.decimals, PUSH)
    before = price(stage, pool, sold)
    held = [_held(stage, token, trader) for token in (sold, bought)]
    probe = chain.snapshot()
    stage.fork.carry_out(front)
    pushed = price(stage, pool, sold)
    paid, got = held[0] - _held(stage, sold, trader), _held(stage, bought, trader) - held[1]
    chain.revert(probe)
    effects = (
        Effect(f"{sold.currency} in pool {_names(pool)}", before, pushed, f"{bought.currency} per {sold.currency}"),
        Effect("sold ahead of us", 0.0, Money(paid, sold.currency).to_float(), str(sold.currency)),
    )
    return Shock(effects, around=Around(front, sale(stage, pool, bought, trader, got, None), sold))


def taken(stage: Stage, around: Around) -> Effect:
    """What the stranger has made (+) or lost (-) once both his transactions are mined."""
    token = around.token
    made = _held(stage, token, around.front.sender) - _PLENTY * 10**token.currency.decimals
    return Effect("the stranger's result", 0.0, Money(made, token.currency).to_float(), str(token.currency))


def _held(stage: Stage, token: Token, holder: Address) -> int:
    return int(token.contract.read(stage.fork.chain, "balanceOf", holder))


def _other(pool: SwapPool, token: Token) -> Token:
    return next(each for each in pool.tokens if each != token)


def _names(pool: SwapPool) -> str:
    return "/".join(str(token.currency) for token in pool.tokens)


__all__ = ["PUSH", "price", "push", "ready", "sale", "sandwich", "taken"]
