"""Uniswap v3 liquidity as position-manager calls: what a vault may make, and the words their bytes mean."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import approve_permit, bound
from adapters.evm.liquidity_wire import Held, RangePool, Stake, least_amounts
from adapters.evm.wire import Permit, plain_call
from engine.errors import OrderRejected
from engine.instruments import LiquidityRange
from engine.orders import Address, Call

MANAGER = "uniswap liquidity"
_EVERYTHING = 2**128 - 1
_BATCH_DEADLINE_RULES = 2**256 - 1


def open_range(manager: Contract, asked: Stake, held: Held | None, safe: Address, move: Decimal) -> tuple[Call, ...]:
    """Mint the range, or add to the NFT `held`, between exact approvals and their resets."""
    token0, token1 = asked.pool.sorted(asked.asset, asked.currency)
    least0, least1 = least_amounts(asked, move)
    given: dict[str, object] = {
        "amount0Desired": token0,
        "amount1Desired": token1,
        "amount0Min": least0,
        "amount1Min": least1,
        "deadline": _BATCH_DEADLINE_RULES,
    }
    if held is None:
        first, second = asked.pool.tokens
        pool = {"token0": first.address, "token1": second.address, "fee": asked.pool.fee}
        ticks = {"tickLower": asked.lower_tick, "tickUpper": asked.upper_tick}
        function, given = "mint", {**pool, **ticks, "recipient": safe, **given}
    else:
        function, given = "increaseLiquidity", {"tokenId": held.token_id, **given}
    words = _said_open(asked.pool.range(asked.lower_tick, asked.upper_tick), asked.pool, token0, token1)
    call = plain_call(manager.address, manager.encode(function, given), words)
    spent = [(t, units) for t, units in zip(asked.pool.tokens, (token0, token1), strict=True) if units]
    approvals = [token.approve(manager.address, units, MANAGER) for token, units in spent]
    resets = [token.approve(manager.address, 0, MANAGER) for token, _ in spent]
    return (*approvals, call, *resets)


def close_range(manager: Contract, asked: Stake, held: Held, safe: Address) -> tuple[Call, ...]:
    """Take liquidity out for at least the bounds, then collect tokens and fees into the vault."""
    least0, least1 = asked.pool.sorted(asked.asset, asked.currency)
    terms = {
        "tokenId": held.token_id,
        "liquidity": asked.liquidity,
        "amount0Min": least0,
        "amount1Min": least1,
        "deadline": _BATCH_DEADLINE_RULES,
    }
    taken = plain_call(manager.address, manager.encode("decreaseLiquidity", terms), _said_close(held, terms))
    return taken, collect(manager, held, safe)


def collect(manager: Contract, held: Held, safe: Address) -> Call:
    """Everything a position owes, into the vault."""
    terms = {"tokenId": held.token_id, "recipient": safe, "amount0Max": _EVERYTHING, "amount1Max": _EVERYTHING}
    return plain_call(manager.address, manager.encode("collect", terms), _said_collect(held))


def permits(
    manager: Contract, pools: Sequence[RangePool], safe: Address, held_by_us: Callable[[int], Held | None]
) -> tuple[Permit, ...]:
    """Liquidity in listed pools for the vault itself, in NFTs it holds, and exact approvals of their tokens."""
    tokens = {token.address: token for pool in pools for token in pool.tokens}
    return (
        Permit(manager, "mint", _mint_words(pools, safe)),
        Permit(manager, "increaseLiquidity", _held_words(held_by_us, safe, _said_increase)),
        Permit(manager, "decreaseLiquidity", _held_words(held_by_us, safe, _said_close)),
        Permit(manager, "collect", _held_words(held_by_us, safe, lambda held, _: _said_collect(held))),
        *(approve_permit(token, manager.address, MANAGER) for token in tokens.values()),
    )


def _said_open(wanted: LiquidityRange, pool: RangePool, token0: int, token1: int) -> str:
    asset, currency = pool.sorted(token0, token1)
    return f"put at most {pool.asset.shown(asset)} and {pool.currency.shown(currency)} into {wanted.id}"


def _said_increase(held: Held, terms: Mapping[str, Any]) -> str:
    _bounded(terms["amount0Min"], terms["amount1Min"])
    return _said_open(held.range, held.pool, terms["amount0Desired"], terms["amount1Desired"])


def _said_close(held: Held, terms: Mapping[str, Any]) -> str:
    _bounded(terms["amount0Min"], terms["amount1Min"])
    asset, currency = held.pool.sorted(terms["amount0Min"], terms["amount1Min"])
    least = f"{held.pool.asset.shown(asset)} and {held.pool.currency.shown(currency)}"
    return f"take {terms['liquidity']} of liquidity out of {held.range.id} for at least {least}"


def _said_collect(held: Held) -> str:
    return f"collect what {held.range.id} owes, position {held.token_id}"


def _mint_words(pools: Sequence[RangePool], safe: Address) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        terms = arguments["params"]
        bound(safe, terms["recipient"], "recipient")
        for pool in pools:
            if (terms["token0"], terms["token1"]) == tuple(t.address for t in pool.tokens) and terms["fee"] == pool.fee:
                _bounded(terms["amount0Min"], terms["amount1Min"])
                wanted = pool.range(terms["tickLower"], terms["tickUpper"])
                return _said_open(wanted, pool, terms["amount0Desired"], terms["amount1Desired"])
        raise _unlisted("its pool is not listed")

    return words


def _held_words(
    held_by_us: Callable[[int], Held | None], safe: Address, said: Callable[[Held, Mapping[str, Any]], str]
) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        terms = arguments["params"]
        if "recipient" in terms:
            bound(safe, terms["recipient"], "recipient")
        held = held_by_us(terms["tokenId"])
        if held is None:
            raise _unlisted(f"position {terms['tokenId']} is not the vault's, or its pool is not listed")
        return said(held, terms)

    return words


def _bounded(least0: int, least1: int) -> None:
    if not (least0 or least1):
        raise _unlisted("it accepts any price")


def _unlisted(why: str) -> OrderRejected:
    return OrderRejected("liquidity call refused", why=why, todo="sign nothing; make the plan again")
