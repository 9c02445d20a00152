"""Each protocol from a vault on a chain of its own: conformance, then what is special to it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.evm.aave import AaveMarket
from adapters.evm.chain import connect
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.lyra import LyraOptions
from adapters.evm.lyra_wire import open_long
from adapters.evm.onchain_state import OnchainReader
from adapters.evm.uniswap import PriceGuard
from adapters.evm.world import advance, set_eth_price
from engine.errors import MarketDataError, OrderRejected, VenueError
from engine.instruments import Cash
from engine.money import Money
from engine.orders import OrderId
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.vault_stage import AT, EXPIRY, SPOT, SUSD, USDC, WETH, Stage, buy, debt, order, owner, stage, supply

pytestmark = [pytest.mark.chain]


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage, put back afterwards."""
    snapshot = built.chain.snapshot()
    built.remembered.clear()
    yield built
    built.chain.revert(snapshot)


def configure(s: Stage, switch: str, code: str, on: bool) -> None:
    """Set a flag of a reserve of aave-cheap as its administrator."""
    kinds = {switch: [("asset", "address"), ("on", "bool")], "getPoolConfigurator": []}
    abi = [
        {
            "type": "function",
            "name": name,
            "inputs": [{"name": n, "type": t} for n, t in inputs],
            "outputs": [] if inputs else [{"name": "", "type": "address"}],
        }
        for name, inputs in kinds.items()
    ]
    provider = replace(s.world.contract("aave-cheap-provider"), abi=abi)
    Builder(s.chain).send(provider.at(provider.read(s.chain, "getPoolConfigurator")), switch, s.world[code], on)


def put(s: Stage, quantity: str = "10", limit: str = "-2100"):
    return order("lyra", s.put(), quantity, Money.of(limit, SUSD))


class TestLyraBuys(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.lyra

    @pytest.fixture
    def asked(self, s):
        return put(s)


class TestLyraSells(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.lyra

    @pytest.fixture
    def asked(self, s):
        s.run((s.lyra, put(s)))
        return put(s, "-4", "700")


class TestAaveSupplies(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.cheap

    @pytest.fixture
    def asked(self):
        return supply("aave-cheap", WETH, "20")


class TestAaveWithdraws(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.dear

    @pytest.fixture
    def asked(self, s):
        s.run((s.dear, supply("aave-dear", WETH, "20")))
        return supply("aave-dear", WETH, "-5")


class TestAaveBorrows(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.cheap

    @pytest.fixture
    def asked(self, s):
        s.run((s.cheap, supply("aave-cheap", WETH, "20")))
        return debt("aave-cheap", USDC, "-10000")


class TestAaveRepays(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.cheap

    @pytest.fixture
    def asked(self, s):
        s.run((s.cheap, supply("aave-cheap", WETH, "20")), (s.cheap, debt("aave-cheap", USDC, "-10000")))
        return debt("aave-cheap", USDC, "2500")


class TestUniswapBuysExactly(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.uniswap

    @pytest.fixture
    def asked(self):
        return buy(SUSD, "1000", Money.of("-1010", USDC))


class TestUniswapSellsExactly(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.uniswap

    @pytest.fixture
    def asked(self):
        return order("uniswap", Cash(WETH), "-2", Money.of("3900", USDC))


class TestRamp(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.ramp

    @pytest.fixture
    def asked(self):
        return order("ramp", Cash(USDC), "10000", Money.of("-10000", USDC))


class TestLyra:
    def test_the_quote_is_what_the_trade_then_costs(self, s):
        asked = put(s)
        quoted = s.lyra.quote(asked)

        (fill,) = s.lyra.read(asked, s.run((s.lyra, asked)))

        total = fill.changes[1].held.units - sum(fee.units for fee in fill.fees.values())
        assert total == pytest.approx(quoted.units, rel=1e-6)  # one or two seconds of time value

    @pytest.mark.fault("F46")
    def test_a_limit_below_the_cost_reverts(self, s):
        with pytest.raises(OrderRejected, match="exceeds allowance"):  # the exact approval binds first
            s.run((s.lyra, put(s, limit="-1500")))

    def test_every_listed_strike_carries_its_volatility(self, s):
        found = {option.strike: option.put_iv for option in s.lyra.listings()}

        assert found == pytest.approx(dict.fromkeys((1400.0, 1600.0, 1800.0, 2000.0, 2200.0), 0.7))
        assert {option.expiry for option in s.lyra.listings()} == {EXPIRY}

    @pytest.mark.fault("F48")
    @pytest.mark.parametrize(("spot", "paid"), [(1500, 3000), (1800, 0), (2500, 0)])
    def test_an_expired_put_pays_its_intrinsic_value_or_nothing(self, s, spot, paid):
        asked, closing = put(s), put(s, "-10", "1")
        s.run((s.lyra, asked))
        s.chain.warp(EXPIRY)
        set_eth_price(s.chain, s.world, Decimal(spot))

        (fill,) = s.lyra.read(closing, s.run((s.lyra, closing)))

        cash = [c.held.units for c in fill.changes if c.instrument == Cash(SUSD)]
        assert sum(cash) == paid * 10**18
        assert s.lyra.positions(s.holder.safe) == {}

    @pytest.mark.fault("F98")
    def test_a_settlement_that_a_stranger_made_is_read_once(self, s):
        asked = put(s)
        s.run((s.lyra, asked))
        advance(s.chain, s.world, at=EXPIRY, eth_usd=Decimal(1500))
        stranger = Builder(s.chain, account(5))
        logs = stranger.send(s.world.contract("lyra-short-collateral"), "settleOptions", [1])

        receipt = s.chain.receipt(logs[0]["transactionHash"])
        (fill,) = s.lyra.settled(receipt, replace(asked, id=OrderId("foreign")))

        assert fill.key == f"chain:{s.chain.chain_id}:{receipt.transaction_hash}:{fill.evidence['log']}"
        assert [c.held.units for c in fill.changes] == [-10 * 10**18, 3000 * 10**18]
        assert fill.evidence["sender"] == account(5).address

    def test_expired_positions_are_found_without_an_order(self, s):
        assert s.lyra.settlement(s.holder.safe) == ()
        s.run((s.lyra, put(s)))
        s.chain.warp(EXPIRY)

        words = [call.description for call in s.lyra.settlement(s.holder.safe)]

        assert words == ["settle expired board 1", "settle option positions 1"]

    def test_an_unlisted_strike_or_limit_is_refused(self, s):
        asked = put(s)
        other = replace(s.put(), strike=Decimal(1750))

        with pytest.raises(OrderRejected, match="not listed"):
            s.lyra.calls(order("lyra", other, "1", asked.limit))
        with pytest.raises(OrderRejected, match="no cost in sUSD"):
            s.lyra.calls(replace(asked, limit=Money.of("-2100", USDC)))
        with pytest.raises(OrderRejected, match="no cost in sUSD"):
            s.lyra.calls(replace(asked, limit=Money.of("2100", SUSD)))

    def test_what_is_bought_again_is_added_to_the_position_and_sold_in_one(self, s):
        first, more = put(s), put(s, "5", "-1100")
        s.run((s.lyra, first))

        said = [call.description for call in s.lyra.calls(more)]
        (fill,) = s.lyra.read(more, s.run((s.lyra, more)))
        (held,) = s.lyra.owned(s.holder.safe)

        assert said[1].endswith("for at most 1,100 sUSD, added to position 1")
        assert (held["positionId"], held["amount"]) == (1, 15 * 10**18)
        assert fill.changes[0].held.units == 5 * 10**18
        assert s.lyra.positions(s.holder.safe) == {s.put().id: 15 * 10**18}
        s.run((s.lyra, put(s, "-15", "1")))
        assert s.lyra.positions(s.holder.safe) == {}
        assert s.lyra.owned(s.holder.safe) == []

    def test_an_option_of_another_strike_or_right_is_a_position_of_its_own(self, s):
        listing = next(option for option in s.lyra.listings() if option.strike == 1800)
        call = s.lyra.instrument(listing, "C")
        s.run((s.lyra, put(s)))

        s.run((s.lyra, order("lyra", call, "1", Money.of("-900", SUSD))))

        assert sorted(p["amount"] for p in s.lyra.owned(s.holder.safe)) == [10**18, 10 * 10**18]

    def test_the_market_adds_to_nobody_elses_position(self, s):
        theirs, someone, sold = put(s, "1", "-300"), Builder(s.chain, account(5)), s.tokens["sUSD"].contract
        s.world.mint(s.chain, "sUSD", someone.address, 300 * 10**18)
        for call in s.lyra.calls(theirs):
            someone.send_data(call.to, call.data)
        listed = s.lyra.listed(theirs, s.put())
        assert [p["amount"] for p in s.lyra.owned(someone.address)] == [10**18]
        assert sold.read(s.chain, "allowance", someone.address, s.world["lyra-market"]) == 0

        with pytest.raises(OrderRejected, match=r"would revert: call .* OnlyOwnerCanAdjustPosition"):
            s.vault.propose(open_long(s.lyra.market, put(s), listed, 1), deadline=s.deadline())

    def test_selling_more_than_is_held_is_refused(self, s):
        s.run((s.lyra, put(s)))

        with pytest.raises(OrderRejected, match="no single position"):
            s.lyra.calls(put(s, "-11", "1"))

    def test_a_cost_that_the_tokens_do_not_confirm_is_refused(self, s):
        asked = put(s)
        receipt = s.run((s.lyra, asked))
        tokens = s.tokens["sUSD"].address.lower()
        logs = tuple(log if log["address"].lower() != tokens else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            s.lyra.read(asked, replace(receipt, logs=logs))


class TestAave:
    def test_rates_and_terms_are_the_markets_own(self, s):
        cheap, dear = s.cheap.lending(), s.dear.lending()

        assert cheap.borrow_rate == pytest.approx(0.005 + 0.07 * 0.5 / 0.9, rel=1e-6)
        assert dear.borrow_rate == pytest.approx(0.03 + 0.176 * 0.5 / 0.8, rel=1e-6)
        assert (cheap.ltv, cheap.threshold, cheap.kink) == (0.80, 0.825, 0.90)
        assert cheap.liquidity == pytest.approx(10_000_000)

    def test_debt_grows_by_the_rate_to_the_unit(self, s):
        s.run((s.cheap, supply("aave-cheap", WETH, "20")), (s.cheap, debt("aave-cheap", USDC, "-10000")))
        rate = s.cheap.lending().borrow_rate
        s.chain.warp(s.chain.block().at + timedelta(days=73))

        owed = -s.cheap.balances(s.holder.safe)["aave-cheap debt USDC"]

        token = s.cheap._data.read(s.chain, "getReserveTokensAddresses", s.world["USDC"])["variableDebtTokenAddress"]
        assert owed == s.tokens["USDC"].contract.at(token).read(s.chain, "balanceOf", s.holder.safe)
        assert owed / 10_000e6 == pytest.approx((1 + rate / 31_536_000) ** (73 * 86_400), rel=1e-5)

    def test_repaying_more_than_is_owed_pays_what_is_owed(self, s):
        s.run((s.cheap, supply("aave-cheap", WETH, "20")), (s.cheap, debt("aave-cheap", USDC, "-10000")))
        asked = debt("aave-cheap", USDC, "10100")

        (fill,) = s.cheap.read(asked, s.run((s.cheap, asked)))

        assert 10_000e6 <= fill.changes[0].held.units < 10_001e6
        assert "aave-cheap debt USDC" not in s.cheap.balances(s.holder.safe)

    def test_health_is_collateral_over_debt(self, s):
        assert s.cheap.health(s.holder.safe) == float("inf")
        s.run((s.cheap, supply("aave-cheap", WETH, "20")), (s.cheap, debt("aave-cheap", USDC, "-10000")))

        assert s.cheap.health(s.holder.safe) == pytest.approx(20 * 2000 * 0.825 / 10_000, rel=1e-6)

    def test_what_the_market_does_not_hold_is_not_quoted(self, s):
        with pytest.raises(OrderRejected, match="holds only"):
            s.cheap.quote(debt("aave-cheap", USDC, "-10000001"))

    @pytest.mark.fault("F49")
    @pytest.mark.parametrize(
        ("switch", "refuses", "still"),
        [
            ("setReserveFreeze", ("1", "-1000"), ()),
            ("setReservePause", ("1", "-1000"), ()),
            ("setReserveBorrowing", ("-1000",), ("1",)),
        ],
    )
    def test_a_frozen_or_paused_reserve_is_not_quoted(self, s, switch, refuses, still):
        configure(s, switch, "USDC", switch != "setReserveBorrowing")
        orders = {"1": supply("aave-cheap", USDC, "1"), "-1000": debt("aave-cheap", USDC, "-1000")}

        for name in refuses:
            with pytest.raises(OrderRejected, match=r"paused or frozen|cannot be borrowed"):
                s.cheap.quote(orders[name])
        for name in still:
            assert s.cheap.quote(orders[name]).units

    def test_another_market_or_token_is_refused(self, s):
        with pytest.raises(OrderRejected, match="not of market"):
            s.cheap.calls(supply("aave-dear", WETH, "1"))
        with pytest.raises(OrderRejected, match="not of market"):
            s.cheap.calls(supply("aave-cheap", replace(WETH, code="stETH"), "1"))

    def test_tokens_that_went_to_another_place_than_the_reserve_confirm_nothing(self, s):
        asked = supply("aave-cheap", WETH, "1")
        receipt = s.run((s.cheap, asked))
        reserve = s.cheap._data.read(s.chain, "getReserveTokensAddresses", s.world["WETH"])["aTokenAddress"][2:].lower()
        logs = tuple(
            {**log, "topics": [topic.replace(reserve, "99" * 20) for topic in log["topics"]]}
            if log["address"].lower() == s.world["WETH"].lower()
            else log
            for log in receipt.logs
        )

        with pytest.raises(VenueError, match="does not add up"):
            s.cheap.read(asked, replace(receipt, logs=logs))

    def test_several_moves_of_one_reserve_in_one_batch_are_read_move_by_move(self, s):
        asked = [supply("aave-cheap", WETH, quantity) for quantity in ("3", "1", "-2")]

        receipt = s.run(*((s.cheap, each) for each in asked))
        fills = [fill for each in asked for fill in s.cheap.read(each, receipt)]

        assert [fill.changes[0].held.amount for fill in fills] == [3, 1, -2]
        assert len({fill.key for fill in fills}) == 3

    def test_an_event_that_the_token_does_not_confirm_is_refused(self, s):
        asked = supply("aave-cheap", WETH, "1")
        receipt = s.run((s.cheap, asked))
        token = s.world["WETH"].lower()
        logs = tuple(log if log["address"].lower() != token else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            s.cheap.read(asked, replace(receipt, logs=logs))


class TestUniswap:
    def test_the_quote_is_what_the_swap_then_pays(self, s):
        asked = s.uniswap.bounded(buy(WETH, "3", Money.of("-9999", USDC)), Decimal("0.005"))

        (fill,) = s.uniswap.read(asked, s.run((s.uniswap, asked)))

        paid = -fill.changes[0].held.units + fill.fees["pool"].units
        assert paid == -asked.arrival.units
        assert fill.fees["pool"].units == pytest.approx(paid * 0.0005, abs=1)

    @pytest.mark.parametrize("sells", [True, False])
    def test_the_bound_is_the_quote_and_the_slippage_against_us(self, s, sells):
        free = (
            order("uniswap", Cash(WETH), "-1", Money.of("1", USDC)) if sells else buy(WETH, "1", Money.of("-1", USDC))
        )

        asked = s.uniswap.bounded(free, Decimal("0.01"))

        assert asked.limit.units == pytest.approx(asked.arrival.units - abs(asked.arrival.units) / 100, abs=1)
        assert asked.limit < asked.arrival

    @pytest.mark.fault("F46")
    @pytest.mark.parametrize(
        ("free", "moved", "match"),
        [
            (buy(WETH, "1", Money.of("-1", USDC)), Decimal("1.01"), "exceeds allowance"),
            (order("uniswap", Cash(WETH), "-1", Money.of("1", USDC)), Decimal("0.99"), "Too little received"),
        ],
    )
    def test_a_price_that_moved_beyond_the_bound_reverts(self, s, free, moved, match):
        asked = s.uniswap.bounded(free, Decimal("0.005"))
        signed = s.sign(s.vault.propose(s.uniswap.calls(asked), deadline=s.deadline()))
        set_eth_price(s.chain, s.world, SPOT * moved)

        with pytest.raises(OrderRejected, match=match):
            s.vault.execute(signed)

    @pytest.mark.fault("F42")
    def test_spot_that_left_its_average_is_not_quoted(self, s):
        pool = s.uniswap.pools[1]
        s.uniswap.guard = PriceGuard(window_seconds=300, most=0.02)
        try:
            s.chain.warp(s.chain.block().at + timedelta(hours=1))
            s.uniswap.quote(buy(WETH, "1", Money.of("-1", USDC)))
            set_eth_price(s.chain, s.world, SPOT * 10)

            assert abs(s.uniswap.reading(pool).deviation) > 0.6
            with pytest.raises(MarketDataError, match="off its average"):
                s.uniswap.quote(buy(WETH, "1", Money.of("-1", USDC)))
        finally:
            s.uniswap.guard = None

    @pytest.mark.fault("F43")
    @pytest.mark.parametrize(
        ("guard", "match"),
        [
            (PriceGuard(window_seconds=30, least_observations=2), "too thin"),
            (PriceGuard(window_seconds=30, least_observations=1, least_liquidity=10**30), "too thin"),
            (PriceGuard(window_seconds=4 * 10**9), "does not reach back"),
        ],
    )
    def test_a_pool_that_cannot_say_is_no_price_source(self, s, guard, match):
        s.uniswap.guard = guard
        try:
            with pytest.raises(MarketDataError, match=match):
                s.uniswap.quote(buy(SUSD, "1", Money.of("-1", USDC)))
        finally:
            s.uniswap.guard = None

    def test_an_event_that_the_tokens_do_not_confirm_is_refused(self, s):
        asked = buy(SUSD, "1000", Money.of("-1010", USDC))
        receipt = s.run((s.uniswap, asked))
        token = s.world["USDC"].lower()
        logs = tuple(log if log["address"].lower() != token else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            s.uniswap.read(asked, replace(receipt, logs=logs))

    def test_a_pair_without_a_pool_or_a_bound_is_refused(self, s):
        with pytest.raises(OrderRejected, match="no pool"):
            s.uniswap.calls(buy(SUSD, "1", Money.of("-1", WETH)))
        with pytest.raises(OrderRejected, match="has no bound"):
            s.uniswap.calls(buy(SUSD, "1", Money.of("0", USDC)))


class TestState:
    def test_one_block_says_it_all(self, s):
        state = s.reader.state()

        assert state.at >= AT
        assert state.block_hash == s.chain.block(state.block).hash
        assert state.prices["WETH"] == state.prices["ETH"] == 2000.0
        assert [market.name for market in state.lending] == ["aave-cheap", "aave-dear"]
        assert len(state.options) == 5
        assert state.gas_price_wei > 0

    def test_an_older_block_says_what_was(self, s):
        before = s.reader.state()
        s.run((s.cheap, supply("aave-cheap", WETH, "20")))
        again = s.reader.state(block=before.block)

        assert replace(again, gas_price_wei=0) == replace(before, gas_price_wei=0)

    @pytest.mark.fault("F41")
    @pytest.mark.parametrize("price", [0, 1_000 * 10**8])
    def test_an_oracle_of_zero_or_another_opinion_is_refused(self, s, price):
        abi = [
            {
                "type": "function",
                "name": "setAssetPrice",
                "inputs": [{"name": "asset", "type": "address"}, {"name": "price", "type": "uint256"}],
                "outputs": [],
            }
        ]
        prices = replace(s.world.contract("aave-dear-oracle"), address=s.world["aave-dear-prices"], abi=abi)
        Builder(s.chain).send(prices, "setAssetPrice", s.world["WETH"], price)

        with pytest.raises(MarketDataError, match="WETH at aave-dear refused"):
            s.reader.state()

    def test_two_endpoints_that_agree_say_what_one_says(self, s):
        with connect(f"{s.chain.node.url} {s.chain.node.url}") as two:
            markets = [AaveMarket(two, s.holder, m.addresses, s.tokens, name=m.name) for m in (s.cheap, s.dear)]
            options = LyraOptions(two, s.holder, s.lyra.addresses, s.tokens["sUSD"])

            assert OnchainReader(two, markets, options).state() == s.reader.state()

    def test_without_an_options_market_nothing_is_listed(self, s):
        assert OnchainReader(s.chain, [s.cheap]).state().options == ()


def test_the_executor_pays_and_the_owners_do_not(s):
    before = [s.chain.balance(owner(i).address) for i in (1, 2, 4)]

    s.run((s.cheap, supply("aave-cheap", WETH, "1")))

    after = [s.chain.balance(owner(i).address) for i in (1, 2, 4)]
    assert after[:2] == before[:2]
    assert after[2] < before[2]
