"""The local world: the same on both backends, at any market instant, and every protocol trades."""

from datetime import timedelta
from decimal import Decimal
from math import expm1
from pathlib import Path

import pytest

from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_perp import open_markets
from adapters.evm.world import World, advance, open_world, prepare_market, start_world

from .conftest import ASOF, BASE_IV, ETH_USD, EXPIRIES, STRIKES

pytestmark = pytest.mark.chain

WAD, RAY = 10**18, 10**27
LONG_PUT = 1


def approve(builder: Builder, token: Contract, spender: Contract) -> None:
    builder.send(token, "approve", spender.address, 2**255)


def buy_puts(chain: Chain, world: World, buyer: Builder, strike: int, count: int) -> int:
    """Cost in sUSD wei."""
    market = world.contract("lyra-market")
    order = {
        "strikeId": strike,
        "positionId": 0,
        "iterations": 1,
        "optionType": LONG_PUT,
        "amount": count * WAD,
        "setCollateralTo": 0,
        "minTotalCost": 0,
        "maxTotalCost": 10**24,
    }
    logs = buyer.send(market, "openPosition", order)
    return int(market.events("Trade", logs)[0]["trade"]["totalCost"])


@pytest.mark.parametrize("backend", ["anvil", "in-process"])
def test_the_world_stands_on_both_backends(cached_world: World, backend: str) -> None:
    with open_world("anvil" if backend == "anvil" else "in-process") as (chain, world):
        prepare_market(
            chain,
            world,
            at=ASOF,
            eth_usd=ETH_USD,
            option_expiries=EXPIRIES[:1],
            option_strikes=STRIKES,
            base_iv=BASE_IV,
        )
        buyer = Builder(chain, account(5))
        world.mint(chain, "sUSD", buyer.address, 10**24)
        approve(buyer, world.contract("sUSD"), world.contract("lyra-market"))
        cost = buy_puts(chain, world, buyer, strike=3, count=10)
        safe = world.deploy_safe(chain, [account(i).address for i in (1, 2, 3)], 2)

        assert safe.read(chain, "VERSION") == "1.4.1"
        assert safe.read(chain, "getThreshold") == 2
        # a 32-day 1700 put at 55 % on 1955.25 is worth about 28 by Black-Scholes; fees come on top
        assert 25 * 10 * WAD < cost < 36 * 10 * WAD


def test_eth_has_one_price_everywhere(market: tuple[Chain, World]) -> None:
    chain, world = market
    slot0 = world.contract("pool-WETH-USDC").read(chain, "slot0")
    ratio = Decimal(slot0["sqrtPriceX96"]) ** 2 / 2**192
    weth_first = world["WETH"].lower() < world["USDC"].lower()

    spot = world.contract("lyra-synthetix-adapter").read(chain, "getSpotPriceForMarket", world["lyra-market"])
    pool = (ratio if weth_first else 1 / ratio) * 10**12

    assert spot == int(ETH_USD * WAD)
    for name in ("aave-cheap", "aave-dear"):
        assert world.contract(f"{name}-oracle").read(chain, "getAssetPrice", world["WETH"]) == int(ETH_USD * 10**8)
    assert abs(pool / ETH_USD - 1) < Decimal("1e-6")


@pytest.mark.parametrize(("name", "yearly"), [("aave-cheap", 0.045), ("aave-dear", 0.15)])
def test_each_lending_market_lends_at_its_rate(market: tuple[Chain, World], name: str, yearly: float) -> None:
    chain, world = market
    pool, usdc, susd = world.contract(f"{name}-pool"), world.contract("USDC"), world.contract("sUSD")
    borrower = Builder(chain, account(5))
    world.mint(chain, "USDC", borrower.address, 100_000 * 10**6)
    approve(borrower, usdc, pool)

    borrower.send(pool, "supply", usdc.address, 100_000 * 10**6, borrower.address, 0)
    borrower.send(pool, "borrow", susd.address, 50_000 * WAD, 2, 0, borrower.address)

    reserve = world.contract(f"{name}-data-provider").read(chain, "getReserveData", susd.address)
    user = pool.read(chain, "getUserAccountData", borrower.address)
    assert expm1(reserve["variableBorrowRate"] / RAY) == pytest.approx(yearly, abs=0.002)
    assert susd.read(chain, "balanceOf", borrower.address) == 50_000 * WAD
    assert user["healthFactor"] / WAD == pytest.approx(100_000 * 0.80 / 50_000, rel=1e-6)
    with pytest.raises(Reverted, match="36"):  # collateral cannot cover new borrow
        borrower.send(pool, "borrow", susd.address, 30_000 * WAD, 2, 0, borrower.address)


@pytest.mark.parametrize(("sold", "bought", "fee"), [("USDC", "sUSD", 100), ("WETH", "USDC", 500)])
def test_a_quote_equals_its_fill(market: tuple[Chain, World], sold: str, bought: str, fee: int) -> None:
    chain, world = market
    trader, amount = Builder(chain, account(5)), 10**11 if sold == "USDC" else 10 * WAD
    world.mint(chain, sold, trader.address, amount)
    approve(trader, world.contract(sold), world.contract("uniswap-router"))
    terms = {
        "tokenIn": world[sold],
        "tokenOut": world[bought],
        "amountIn": amount,
        "fee": fee,
        "sqrtPriceLimitX96": 0,
    }

    quote = world.contract("uniswap-quoter").read(chain, "quoteExactInputSingle", terms)["amountOut"]
    order = {**terms, "recipient": trader.address, "amountOutMinimum": quote}
    trader.send(world.contract("uniswap-router"), "exactInputSingle", order)

    assert world.contract(bought).read(chain, "balanceOf", trader.address) == quote


def test_the_router_checks_a_deadline_and_does_nothing_else(local: tuple[Chain, World]) -> None:
    chain, world = local
    router, now = world.contract("uniswap-router"), chain.block().timestamp

    check = router.encode("multicall(uint256,bytes[])", now + 100, [])
    chain.call(router.address, check)

    assert check[:4].hex() == "5ae401dc"
    chain.warp(now + 200)
    with pytest.raises(Reverted, match="Transaction too old"):
        chain.call(router.address, check)


def test_a_put_is_carried_to_expiry_and_paid_exactly(market: tuple[Chain, World]) -> None:
    chain, world = market
    buyer, susd = Builder(chain, account(5)), world.contract("sUSD")
    world.mint(chain, "sUSD", buyer.address, 10**24)
    approve(buyer, susd, world.contract("lyra-market"))
    buy_puts(chain, world, buyer, strike=3, count=4)
    before = susd.read(chain, "balanceOf", buyer.address)

    for week in range(1, 5):
        assert advance(chain, world, at=ASOF + timedelta(days=7 * week), eth_usd=ETH_USD - 100 * week) == []
    assert advance(chain, world, at=EXPIRIES[0], eth_usd=Decimal(1_450)) == [1]
    Builder(chain, account(6)).send(world.contract("lyra-short-collateral"), "settleOptions", [1])

    assert susd.read(chain, "balanceOf", buyer.address) - before == 4 * (1_700 - 1_450) * WAD


def test_a_kept_chain_comes_back_with_its_state_and_clock(cached_world: World, tmp_path: Path) -> None:
    keep = tmp_path / "my chain.json"
    chain, world = start_world(keep=keep)
    with chain:
        chain.warp(ASOF)
        world.mint(chain, "USDC", account(5).address, 11)

    again, world = start_world(keep=keep)
    with again:
        assert world.contract("USDC").read(again, "balanceOf", account(5).address) == 11
        assert again.block().at == ASOF + timedelta(seconds=1)
        assert again.mine().at == ASOF + timedelta(seconds=2)


@pytest.mark.parametrize("backend", ["anvil", "in-process"])
def test_perpetual_markets_are_opened_at_the_days_prices_on_both_backends(cached_world: World, backend: str) -> None:
    prices = {"ETH": ETH_USD, "VOL": Decimal(65)}
    with open_world("anvil" if backend == "anvil" else "in-process") as (chain, world):
        chain.warp(ASOF)
        open_markets(chain, world.addresses, prices)
        for market, price in prices.items():
            base = world.contract(f"perp-{market}")
            mark = world.contract("perp-account-balance").read(chain, "getMarkPrice", base.address)

            assert base.read(chain, "getIndexPrice", 0) == int(price * WAD)
            assert abs(Decimal(mark) / WAD / price - 1) < Decimal("1e-3")
            assert world["perp-quote"].lower() > base.address.lower()


def test_the_dumped_world_stays_small(cached_world: World) -> None:
    assert cached_world.state is not None
    assert cached_world.state.stat().st_size < 2_500_000
