from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.onchain_state import merge_prices
from adapters.evm.uniswap_wire import SwapPool, encode, fee, permits, said, swap
from adapters.evm.wire import address
from adapters.safe.allow import AllowList
from contracts_abi import load
from engine.errors import MarketDataError, OrderRejected
from engine.instruments import Cash
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve

USDC = Token(Currency("USDC", 6), address("0x" + "a1" * 20))
WETH = Token(Currency("WETH", 18), address("0x" + "c2" * 20))
SAFE, OTHER = address("0x" + "5a" * 20), address("0x" + "99" * 20)
ROUTER = Contract(address("0x" + "e5" * 20), load("uniswap-swap-router-02"))
POOL = SwapPool(address("0x" + "f0" * 20), (WETH, USDC), 500)


def swapping(token: Token, quantity: str, limit: Money) -> Order:
    leg = OrderLeg(Cash(token.currency), Decimal(quantity))
    return Order(OrderId("o"), "uniswap", Sleeve.DEFI, "swap", (leg,), limit, limit, "")


BUY = swapping(WETH, "2", Money.of("-4000", USDC.currency))
SELL = swapping(WETH, "-2", Money.of("3900", USDC.currency))


@pytest.mark.parametrize(
    ("order", "selector", "words"),
    [
        (BUY, "5023b4df", "swap at most 4,000 USDC for 2 WETH on uniswap"),
        (SELL, "04e45aaf", "swap 2 WETH for at least 3,900 USDC on uniswap"),
    ],
)
def test_the_fixed_side_chooses_the_call(order, selector, words):
    approve, call, reset = encode(ROUTER, swap([POOL], order), SAFE)

    assert call.data[:4].hex() == selector  # SwapRouter02's published selectors
    assert call.description == words == said(swap([POOL], order))
    assert int.from_bytes(approve.data[36:68], "big") == (4000 * 10**6 if order is BUY else 2 * 10**18)
    assert int.from_bytes(reset.data[36:68], "big") == 0
    assert AllowList(permits(ROUTER, [POOL], SAFE)).described((approve, call, reset)) == (approve, call, reset)


@pytest.mark.fault("F62")
@pytest.mark.parametrize("extra", [b"\0", b"\0" * 32])
def test_bytes_behind_a_call_are_refused(extra):
    data = encode(ROUTER, swap([POOL], BUY), SAFE)[1].data

    with pytest.raises(OrderRejected, match="canonical"):
        ROUTER.decode_call(data + extra)


@pytest.mark.fault("F62")
@pytest.mark.parametrize("order", [BUY, SELL])
def test_a_price_limit_is_refused_since_the_router_then_waives_the_exact_amount(order):
    _, call, _ = encode(ROUTER, swap([POOL], order), SAFE)
    name, arguments = ROUTER.decode_call(call.data)
    limited = {**arguments["params"], "sqrtPriceLimitX96": 4295128740}

    with pytest.raises(OrderRejected, match="may stop at a price"):
        AllowList(permits(ROUTER, [POOL], SAFE)).described([replace(call, data=ROUTER.encode(name, limited))])


@pytest.mark.parametrize(("pool", "match"), [(SwapPool(OTHER, (WETH, USDC), 3000), "pool is not listed")])
def test_another_fee_tier_is_another_pool(pool, match):
    call = encode(ROUTER, swap([pool], BUY), SAFE)[1]

    with pytest.raises(OrderRejected, match=match):
        AllowList(permits(ROUTER, [POOL], SAFE)).described([call])


@given(st.integers(1, 10**30))
def test_the_fee_is_rounded_up_and_smaller_than_what_is_paid(paid):
    charged = fee(POOL, paid)

    assert charged * 1_000_000 >= paid * 500
    assert (charged - 1) * 1_000_000 < paid * 500


@pytest.mark.fault("F41")
@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf"), 1.011, 0.989])
def test_a_price_that_is_none_or_that_another_oracle_denies_is_refused(price):
    with pytest.raises(MarketDataError, match="refused"):
        merge_prices({"USDC": 1.0}, {"USDC": price}, "aave-dear")


def test_prices_that_agree_are_kept():
    known = {"USDC": 1.0}

    merge_prices(known, {"USDC": 1.005, "WETH": 2000.0}, "aave-dear")

    assert known == {"USDC": 1.0, "WETH": 2000.0}
