"""When a price is believed: every way in which a feed or a pool may be wrong is refused by name."""

from dataclasses import replace
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.erc20 import Token
from adapters.evm.price_guard import (
    Feed,
    PriceGuard,
    PriceReading,
    Round,
    agreed,
    believed,
    observations_for,
    tick_price,
    widening,
)
from adapters.evm.uniswap_wire import SwapPool
from adapters.evm.wire import address
from engine.errors import MarketDataError, StaleQuote
from engine.money import Currency

NOW = 1_700_000_000
FEED = Feed("ETH/USD", address("0x" + "fe" * 20), 8, 3600)
GOOD = Round(id=7, answer=2000 * 10**8, started=NOW - 100, updated=NOW - 90, answered_in=7, decimals=8)
WETH, USDC = (
    Token(Currency("WETH", 18), address("0x" + "01" * 20)),
    Token(Currency("USDC", 6), address("0x" + "02" * 20)),
)
POOL = SwapPool(address("0x" + "0f" * 20), (WETH, USDC), 500)
TICK = round(log(2000e-12) / log(1.0001))
READING = PriceReading(TICK, float(TICK), 10**18, 64, (18, 6))


@pytest.mark.fault("F41")
class TestFeed:
    def test_a_whole_fresh_round_is_its_price(self):
        assert FEED.price(GOOD, NOW) == 2000.0

    @pytest.mark.parametrize(
        ("wrong", "match"),
        [
            ({"answer": 0}, "its answer is 0"),
            ({"answer": -1}, "its answer is -1"),
            ({"answered_in": 6}, "round 7 is not whole"),
            ({"started": 0}, "round 7 is not whole"),
            ({"updated": 0}, "round 7 is not whole"),
            ({"decimals": 18}, "it has 18 decimals, 8 are configured"),
        ],
    )
    def test_a_round_that_cannot_be_is_refused(self, wrong, match):
        with pytest.raises(MarketDataError, match=match):
            FEED.price(replace(GOOD, **wrong), NOW)

    @pytest.mark.parametrize(("age", "fresh"), [(0, True), (3660, True), (3661, False), (-1, False), (90_000, False)])
    def test_age_is_judged_by_the_chains_clock_to_the_second(self, age, fresh):
        aged = replace(GOOD, updated=NOW - age)
        if fresh:
            assert FEED.price(aged, NOW) == 2000.0
        else:
            with pytest.raises(StaleQuote, match=r"s old, 3660 s are allowed|ahead of the chain"):
                FEED.price(aged, NOW)


class TestPool:
    @pytest.mark.fault("F42")
    @pytest.mark.parametrize(
        ("times", "holds"), [(1.0, True), (1.019, True), (0.981, True), (1.021, False), (10.0, False)]
    )
    def test_spot_off_its_average_by_more_than_allowed_is_refused(self, times, holds):
        moved = replace(READING, spot_tick=TICK + round(log(times) / log(1.0001)))
        if holds:
            assert believed(POOL, moved, PriceGuard()) == moved
        else:
            with pytest.raises(MarketDataError, match=r"off its average, 2\.00% allowed"):
                believed(POOL, moved, PriceGuard())

    @pytest.mark.fault("F43")
    @pytest.mark.parametrize("thin", [{"observations": 1}, {"liquidity": 0}])
    def test_a_pool_without_a_past_or_depth_is_refused(self, thin):
        with pytest.raises(MarketDataError, match="too thin"):
            believed(POOL, replace(READING, **thin), PriceGuard())

    @pytest.mark.fault("F42")
    @pytest.mark.parametrize(("weth", "holds"), [(2000.0, True), (2030.0, True), (2050.0, False), (1950.0, False)])
    def test_two_sources_that_differ_are_refused(self, weth, holds):
        prices = {"WETH": weth, "USDC": 1.0}
        if holds:
            agreed(POOL, READING, prices, PriceGuard())
        else:
            with pytest.raises(MarketDataError, match="off the oracle's price"):
                agreed(POOL, READING, prices, PriceGuard())

    @pytest.mark.parametrize(
        "prices", [{}, {"WETH": 2000.0}, {"WETH": 0.0, "USDC": 1.0}, {"WETH": float("nan"), "USDC": 1.0}]
    )
    def test_a_second_source_that_says_nothing_is_no_second_source(self, prices):
        with pytest.raises(MarketDataError, match="a second source prices"):
            agreed(POOL, READING, prices, PriceGuard())

    @given(st.floats(1e-6, 1e6))
    def test_a_tick_is_a_price_in_whole_tokens(self, price):
        tick = log(price * 1e-12) / log(1.0001)

        assert tick_price(tick, (18, 6)) == pytest.approx(price, rel=1e-9)

    def test_a_window_needs_an_observation_a_block(self):
        assert observations_for(300) == 26
        assert observations_for(300, block_seconds=1) == 301

    def test_widening_is_the_published_call(self):
        call = widening(POOL, 151)

        # selector of IUniswapV3PoolActions.increaseObservationCardinalityNext(uint16), as deployed
        assert call.data.hex() == "32148f67" + f"{151:064x}"
        assert call.to == POOL.address
