from decimal import Decimal
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.power_wire import PowerMarket, implied_vol, market_permits, redeem, settlement_value, swap
from adapters.evm.uniswap_wire import SwapPool, encode
from adapters.evm.wire import address
from adapters.safe.allow import AllowList
from contracts_abi import load
from engine.errors import MarketDataError, OrderRejected
from engine.instruments import PowerPerpetual
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve

WETH = Token(Currency("WETH", 18), address("0x" + "c2" * 20))
TERMS = PowerPerpetual("squeeth", "WETH", WETH.currency)
CLAIM = Token(TERMS.unit, address("0x" + "f1" * 20))
SAFE = address("0x" + "5a" * 20)
ROUTER = Contract(address("0x" + "e5" * 20), load("uniswap-swap-router-02"))
MARKET = PowerMarket(
    TERMS,
    Contract(address("0x" + "64" * 20), load("squeeth-controller")),
    SwapPool(address("0x" + "f0" * 20), (CLAIM, WETH), 3000),
    CLAIM,
    WETH,
    SAFE,
)


def order(quantity: str, limit: str) -> Order:
    bound = Money.of(limit, WETH.currency)
    return Order(OrderId("o"), "squeeth", Sleeve.DEFI, "x", (OrderLeg(TERMS, Decimal(quantity)),), bound, bound, "")


@pytest.mark.parametrize(("quantity", "limit", "selector"), [("5", "-1", "5023b4df"), ("-5", "1", "04e45aaf")])
def test_the_tokens_are_always_the_exact_side(quantity, limit, selector):
    calls = encode(ROUTER, swap(MARKET, order(quantity, limit)), SAFE)

    assert calls[1].data[:4].hex() == selector  # SwapRouter02's published selectors
    assert AllowList(market_permits(MARKET, ROUTER)).described(calls) == calls


def test_a_redemption_is_allowed_and_an_empty_one_is_not():
    allowed = AllowList(market_permits(MARKET, ROUTER))

    assert allowed.described([redeem(MARKET, 5)]) == (redeem(MARKET, 5),)
    with pytest.raises(OrderRejected, match="redeems nothing"):
        allowed.described([redeem(MARKET, 0)])


@given(vol=st.floats(0.05, 3.0), index=st.integers(10**12, 10**20))
def test_the_premium_gives_back_its_volatility(vol, index):
    mark = round(index * exp(vol**2 * 17.5 / 365))

    assert implied_vol(mark, index, 17.5) == pytest.approx(vol, rel=1e-6)


@pytest.mark.parametrize(("mark", "index"), [(9, 10), (10, 0), (0, 0)])
def test_a_mark_below_or_without_an_index_is_refused(mark, index):
    with pytest.raises(MarketDataError, match="no volatility"):
        implied_vol(mark, index, 17.5)


@given(units=st.integers(1, 10**24), factor=st.integers(1, 10**18), index=st.integers(1, 10**18))
def test_settlement_never_rounds_up(units, factor, index):
    paid = settlement_value(units, factor, index)

    assert paid * 10**36 <= units * factor * index < (paid + 1) * 10**36
