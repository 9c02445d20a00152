"""Prices on the published pool, at a real feed and around a lost peg: nothing is bought on a price that fails."""

from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.evm.deploy_aave import set_price
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_tokens import mint
from adapters.evm.deploy_uniswap import sqrt_price
from adapters.evm.onchain_state import OnchainReader
from adapters.evm.peg_watch import PegWatch
from adapters.evm.price_guard import Feed, PriceGuard, Round, widening
from adapters.evm.world import set_eth_price
from engine.errors import MarketDataError, MissingQuote, StaleQuote
from engine.instruments import Cash
from engine.money import Money
from tests.chain.own_contracts import create
from tests.chain.vault_stage import SPOT, SUSD, USDC, WETH, Stage, buy, order, stage

pytestmark = [pytest.mark.chain]
HALF_HOUR = timedelta(minutes=30)
ONE = Money.of("-1.05", USDC)


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage, put back afterwards, its venues without a guard."""
    snapshot = built.chain.snapshot()
    yield built
    built.uniswap.guard = built.uniswap.oracle = built.uniswap.peg = None
    built.chain.revert(snapshot)


def trade_stable(s: Stage, price: str) -> None:
    """Swap the sUSD pool to `price` USDC per sUSD, as somebody with deep pockets."""
    pool, book, someone = s.world.contract("pool-USDC-sUSD"), s.world.addresses, Builder(s.chain, account(8))
    now, target = pool.read(s.chain, "slot0")["sqrtPriceX96"], sqrt_price(book, "sUSD", "USDC", Decimal(price))
    token0, token1 = sorted((book["USDC"], book["sUSD"]), key=str.lower)
    sold, bought = (token0, token1) if target < now else (token1, token0)
    code = "USDC" if sold == book["USDC"] else "sUSD"
    units = 10**9 * 10 ** (6 if code == "USDC" else 18)
    mint(s.chain, book, code, someone.address, units)
    someone.send(s.tokens[code].contract, "approve", book["uniswap-router"], units)
    terms = {"tokenIn": sold, "tokenOut": bought, "fee": 100, "recipient": someone.address}
    someone.send(
        s.uniswap.router,
        "exactInputSingle",
        {**terms, "amountIn": units, "amountOutMinimum": 0, "sqrtPriceLimitX96": target},
    )


def later(s: Stage, span: timedelta) -> None:
    s.chain.warp(s.chain.block().at + span)


def watched(s: Stage) -> PegWatch:
    """The sUSD pool with room for its past, watched; both tokens redeem for a dollar."""
    call = widening(s.uniswap.pools[0], 151)
    Builder(s.chain, account(8)).send_data(call.to, call.data)
    for price in ("1.0001", "0.9999", "1.0000"):
        later(s, timedelta(minutes=20))
        trade_stable(s, price)
    return PegWatch(s.chain, s.cheap.price_reads(), {"USDC": 1.0, "sUSD": 1.0})


class TestPool:
    @pytest.mark.fault("F43")
    def test_a_pool_with_one_observation_is_refused_until_it_was_widened_and_traded(self, s):
        s.uniswap.guard = PriceGuard(window_seconds=600)
        later(s, timedelta(hours=1))
        with pytest.raises(MarketDataError, match=r"1 observations .* too thin"):
            s.uniswap.quote(buy(SUSD, "1", ONE))

        watched(s)
        later(s, timedelta(minutes=11))

        assert s.uniswap.quote(buy(SUSD, "1", ONE)).units < 0

    @pytest.mark.fault("F42")
    def test_a_second_source_that_disagrees_with_the_average_is_refused(self, s):
        s.uniswap.guard, s.uniswap.oracle = PriceGuard(window_seconds=300), s.cheap.price_reads()
        later(s, timedelta(hours=1))
        selling = order("uniswap", Cash(WETH), "-1", Money.of("1", USDC))
        assert s.uniswap.quote(selling).units > 0

        set_price(s.chain, s.world.addresses, "WETH", SPOT * Decimal("1.03"))

        with pytest.raises(MarketDataError, match=r"off the oracle's price, 2\.00% allowed"):
            s.uniswap.quote(selling)

    @pytest.mark.fault("F42")
    def test_a_price_moved_and_moved_back_within_a_block_leaves_the_average_alone(self, s):
        s.uniswap.guard = PriceGuard(window_seconds=300)
        later(s, timedelta(hours=1))
        pool = s.uniswap.pools[1]
        before = s.uniswap.reading(pool)
        set_eth_price(s.chain, s.world, SPOT * 10)
        set_eth_price(s.chain, s.world, SPOT)

        after = s.uniswap.reading(pool)

        # a handful of seconds of 300 at ten times the price is less than the bound of 2 % a second allows
        assert abs(after.spot_tick - before.spot_tick) <= 1
        assert after.mean_tick - before.mean_tick < 10 * 23_027 / 300


@pytest.mark.fault("F45")
class TestPeg:
    def test_a_peg_that_holds_is_bought(self, s):
        s.uniswap.peg = watched(s)

        assert s.uniswap.quote(buy(SUSD, "1", ONE)).units < 0
        assert s.uniswap.peg.ratios(s.uniswap.pools[0]) == pytest.approx({"USDC": 1.0, "sUSD": 1.0}, abs=2e-4)

    def test_a_peg_lost_in_both_sources_for_half_an_hour_is_not_bought_and_may_be_sold(self, s):
        s.uniswap.peg = watched(s)
        trade_stable(s, "0.955")
        set_price(s.chain, s.world.addresses, "sUSD", Decimal("0.955"))
        later(s, HALF_HOUR + timedelta(minutes=1))

        ratios = s.uniswap.peg.ratios(s.uniswap.pools[0])
        assert ratios == pytest.approx({"sUSD": 0.955, "USDC": 1.0}, abs=2e-3)
        with pytest.raises(MarketDataError, match=r"sUSD has left its peg: it stands at 0\.955\d .*freeze"):
            s.uniswap.quote(buy(SUSD, "1", ONE))
        assert s.uniswap.quote(order("uniswap", Cash(SUSD), "-1", Money.of("0.5", USDC))).units > 0

    def test_one_block_far_off_does_not_move_it(self, s):
        s.uniswap.peg = watched(s)
        trade_stable(s, "0.955")

        assert s.uniswap.peg.ratios(s.uniswap.pools[0])["sUSD"] == pytest.approx(1.0, abs=2e-3)

    def test_redemption_value_not_a_dollar_is_the_measure(self, s):
        watch = replace(watched(s), redemption={"sUSD": 1.10})

        with pytest.raises(MarketDataError, match=r"sUSD .* stands at 0\.909\d"):
            watch.refuse_depegged(s.uniswap.pools[0], s.tokens["sUSD"])
        watch.refuse_depegged(s.uniswap.pools[0], s.tokens["USDC"])  # has no peg that is watched

    def test_a_pool_that_does_not_reach_back_is_not_judged(self, s):
        watch = PegWatch(s.chain, s.cheap.price_reads(), {"sUSD": 1.0})
        later(s, timedelta(hours=1))
        trade_stable(s, "1.0001")

        with pytest.raises(MissingQuote, match="does not reach back"):
            watch.refuse_depegged(s.uniswap.pools[0], s.tokens["sUSD"])


@pytest.mark.fault("F41")
class TestFeed:
    @pytest.fixture
    def feed(self, s):
        contract = create(Builder(s.chain), "price_feed", 8)
        return Feed("ETH/USD", contract.address, 8, 3600), contract

    def tell(self, s: Stage, feed, **wrong) -> OnchainReader:
        now = s.chain.block().timestamp
        good = Round(7, int(SPOT) * 10**8, now - 10, now - 5, 7, 8)
        told = replace(good, **wrong)
        Builder(s.chain, account(8)).send(feed[1], "tell", astuple(told)[:5])
        return OnchainReader(s.chain, (s.cheap,), feeds={"WETH": [feed[0]]})

    def test_a_feed_that_agrees_with_the_market_is_read_with_it(self, s, feed):
        assert self.tell(s, feed).state().prices["WETH"] == 2000.0

    @pytest.mark.parametrize(
        ("wrong", "error", "match"),
        [
            ({"answer": 0}, MarketDataError, "its answer is 0"),
            ({"answer": -5}, MarketDataError, "its answer is -5"),
            ({"answered_in": 6}, MarketDataError, "is not whole"),
            ({"updated": 1_600_000_000}, StaleQuote, "feed ETH/USD refused"),
            ({"answer": 1_900 * 10**8}, MarketDataError, "another oracle says"),
        ],
    )
    def test_one_that_fails_stops_the_whole_reading(self, s, feed, wrong, error, match):
        with pytest.raises(error, match=match):
            self.tell(s, feed, **wrong).state()

    def test_one_that_froze_is_stale_by_the_chains_clock(self, s, feed):
        reader = self.tell(s, feed)
        later(s, timedelta(hours=2))

        with pytest.raises(StaleQuote, match=r"72\d\d s old, 3660 s are allowed"):
            reader.state()

    def test_other_decimals_than_configured_are_refused(self, s, feed):
        reader = self.tell(s, feed)
        wrong = replace(reader, feeds={"WETH": [replace(feed[0], decimals=18)]})

        with pytest.raises(MarketDataError, match="it has 8 decimals, 18 are configured"):
            wrong.state()
