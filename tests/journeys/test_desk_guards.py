"""What a desk refuses by itself: prices it cannot believe, a lost peg, and calls its owners did not open."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.evm.deploy_aave import set_price
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_uniswap import sqrt_price
from adapters.safe.keystore import from_secret
from engine.errors import MarketDataError, OrderRejected
from scripts import flow
from scripts.desk import STABLE_GUARD, call_policy

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]


def trade_stable(prepared, price):
    """Swap the sUSD pool to `price` USDC per sUSD, as somebody with deep pockets."""
    book, someone = prepared.world.addresses, Builder(prepared.chain, account(9))
    pool = prepared.world.contract("pool-USDC-sUSD")
    now, target = pool.read(prepared.chain, "slot0")["sqrtPriceX96"], sqrt_price(book, "sUSD", "USDC", Decimal(price))
    token0, token1 = sorted((book["USDC"], book["sUSD"]), key=str.lower)
    sold, bought = (token0, token1) if target < now else (token1, token0)
    terms = {"tokenIn": sold, "tokenOut": bought, "fee": 100, "recipient": someone.address}
    units = 10**8 * 10 ** (6 if sold == book["USDC"] else 18)
    terms |= {"amountIn": units, "amountOutMinimum": 0, "sqrtPriceLimitX96": target}
    someone.send(prepared.world.contract("uniswap-router"), "exactInputSingle", terms)


def premium(desk, prepared):
    return desk.onchain.swaps.quote(next(order for order in prepared.plan.orders if order.role == "swap"))


@pytest.mark.fault("F43")
def test_a_new_desk_stands_on_a_pool_that_remembers_half_an_hour(prepared, opened):
    desk = opened()

    seen = desk.onchain.swaps.reading(desk.onchain.swaps.pools[0])

    # 1,800 s of one observation a block of 12 s, and the one before the first
    assert (seen.observations, STABLE_GUARD.window_seconds) == (151, 1800)
    assert seen.deviation == pytest.approx(0.0, abs=1e-4)
    assert premium(desk, prepared).units < 0


@pytest.mark.fault("F42")
def test_a_pool_moved_off_its_own_average_is_not_traded_on(prepared, opened):
    desk = opened()
    trade_stable(prepared, "1.03")

    with pytest.raises(MarketDataError, match=r"off its average, 2\.00% allowed"):
        premium(desk, prepared)


@pytest.mark.fault("F45")
@pytest.mark.requirement("D21")
def test_a_coin_that_left_its_peg_at_pool_and_oracle_alike_is_not_bought(prepared, opened):
    desk = opened()
    trade_stable(prepared, "0.97")
    set_price(desk.chain, prepared.world.addresses, "sUSD", Decimal("0.97"))
    desk.chain.warp(desk.chain.block().at + timedelta(minutes=31))

    with pytest.raises(MarketDataError, match=r"sUSD has left its peg: it stands at 0\.9700"):
        premium(desk, prepared)


@pytest.mark.fault("F62")
def test_what_the_owners_call_policy_does_not_open_is_neither_planned_nor_signed(prepared, opened):
    desk = opened()
    whole = call_policy(desk.chain, desk.onchain, desk.vault.address)
    dai = next(token.address for token in desk.tokens if token.currency.code == "DAI")
    assert flow.propose(opened(role=whole)).plan.batches

    closed = opened(role=replace(whole, targets=tuple(t for t in whole.targets if t.address != dai)))

    with pytest.raises(OrderRejected, match="the call policy does not open it"):
        flow.propose(closed)
    with pytest.raises(OrderRejected, match="the call policy does not open it"):
        flow.sign(closed, prepared.plan, from_secret(bytes(account(3).key)))
