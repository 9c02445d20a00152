"""What a desk refuses by itself: prices it cannot believe, a lost peg, and calls its owners did not open."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.evm.contract import Contract
from adapters.evm.deploy_aave import set_price
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_uniswap import sqrt_price
from adapters.files.config import FeedSettings
from adapters.safe.keystore import from_secret
from engine.errors import MarketDataError, OrderRejected, StaleQuote
from engine.orders import OrderId
from engine.plan.canonical import sealed
from scripts import flow
from scripts.desk import STABLE_GUARD, call_policy
from tests.chain.own_contracts import create

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


@pytest.mark.fault("F42")
def test_no_owner_signs_a_batch_that_would_revert_by_now(prepared, opened):
    desk, key = opened(), from_secret(bytes(account(3).key))
    flow.sign(desk, prepared.plan, key)
    trade_stable(prepared, "1.01")  # within what a pool is believed, beyond the plan's bound on it

    with pytest.raises(OrderRejected, match=r"would revert: .* exceeds allowance"):
        flow.sign(desk, prepared.plan, key)


@pytest.mark.fault("F99")
def test_two_orders_that_ask_for_the_same_are_neither_planned_nor_signed(prepared, opened, monkeypatch):
    desk, plan = opened(), prepared.plan
    swap = next(order for order in plan.orders if order.role == "swap")
    twin = replace(swap, id=OrderId("twin"))
    (batch,) = plan.batches
    at = plan.orders.index(swap) + 1
    both = replace(batch, order_ids=(*batch.order_ids, twin.id))
    doubled = sealed(replace(plan, orders=(*plan.orders[:at], twin, *plan.orders[at:]), batches=(both,)))

    with pytest.raises(OrderRejected, match="asks for the same"):
        flow.sign(desk, doubled, from_secret(bytes(account(3).key)))
    monkeypatch.setattr(flow, "vault_orders", lambda *_: [swap, twin])
    with pytest.raises(OrderRejected, match="asks for the same"):
        flow.propose(desk)


@pytest.fixture
def feed(prepared, opened):
    """A feed of Chainlink's shape behind one market's oracle for ether, answering now; tells it anew."""
    chain, world = prepared.chain, prepared.world
    price = world.contract("aave-cheap-oracle").read(chain, "getAssetPrice", world["WETH"])
    contract = create(Builder(chain), "price_feed", 8)

    def tell():
        now = chain.block().timestamp
        Builder(chain).send(contract, "tell", (1, price, now, now, 1))

    tell()
    inputs = [{"name": name, "type": "address[]"} for name in ("assets", "sources")]
    setting = {"type": "function", "name": "setAssetSources", "inputs": inputs, "outputs": []}
    oracle = Contract(world["aave-cheap-oracle"], [setting])
    Builder(chain).send(oracle, "setAssetSources", [world["WETH"]], [contract.address])
    return contract.address, tell


@pytest.mark.fault("F41")
def test_on_a_feed_that_froze_nothing_is_planned_signed_or_applied(prepared, opened, feed):
    place, tell = feed
    desk = opened()
    plan = flow.propose(desk).plan
    keys = [from_secret(bytes(account(index).key)) for index in (1, 2)]
    approvals = [flow.sign(desk, plan, key) for key in keys]
    desk.chain.warp(desk.chain.block().at + timedelta(seconds=3_600 + 120))
    mark = desk.chain.snapshot()

    for step in (
        lambda: flow.propose(desk),
        lambda: flow.sign(desk, plan, keys[0]),
        lambda: flow.judged(desk, plan),
        lambda: flow.apply(desk, replace(plan), approvals, lambda *_: None),
    ):
        with pytest.raises(MarketDataError) as refused:
            step()
        assert isinstance(refused.value, StaleQuote)
        assert place in str(refused.value)
        assert "s old, 3660 s are allowed" in str(refused.value)
    desk.chain.revert(mark)
    tell()
    assert desk.observe().chain.prices["WETH"] > 0


@pytest.mark.fault("F41")
def test_a_feed_that_the_settings_name_is_judged_by_their_heartbeat(prepared, opened, feed):
    place, _ = feed
    prepared.chain.warp(prepared.chain.block().at + timedelta(seconds=600))
    said = {"WETH": FeedSettings(heartbeat_seconds=300, address=place)}

    assert opened().observe().chain.prices["WETH"] > 0
    with pytest.raises(StaleQuote, match="360 s are allowed"):
        opened(feeds=said).observe()


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
