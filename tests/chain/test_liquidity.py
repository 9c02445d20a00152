"""Uniswap v3 ranges from a vault, against the published contracts."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_uniswap import move_weth_price
from adapters.evm.liquidity import UniswapRanges
from adapters.evm.liquidity_wire import RangePool, stake
from adapters.evm.uniswap import PriceGuard, UniswapSwaps
from engine.errors import MarketDataError, OrderRejected, VenueError
from engine.instruments import Cash
from engine.ledger.liquidity_fees import of_fill
from engine.money import Money
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve
from engine.pricing.amm import range_delta, range_value
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.vault_stage import SPOT, USDC, WETH, Stage, stage
from tests.chain.venue_stage import behind

pytestmark = [pytest.mark.chain]

LIQUIDITY = 10**15


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as base:
        yield behind(base, venue(base))


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def pool_of(s: Stage) -> RangePool:
    tokens = s.tokens
    return RangePool("uniswap WETH/USDC", s.world["pool-WETH-USDC"], tokens["WETH"], tokens["USDC"], 500, 10)


def venue(s: Stage, **terms: object) -> UniswapRanges:
    return UniswapRanges(s.chain, s.holder, manager=s.world["uniswap-position-manager"], pools=[pool_of(s)], **terms)


@pytest.fixture
def ranges(s) -> UniswapRanges:
    return venue(s)


def around(s: Stage, low: str, high: str):
    """The usable range nearest to two prices."""
    pool = pool_of(s)
    ticks = sorted(round(pool._tick(Decimal(price)) / 10) * 10 for price in (low, high))
    return pool.range(*ticks)


def order(ranges: UniswapRanges, wanted, units: int) -> Order:
    sign = -1 if units > 0 else 1
    legs = (OrderLeg(wanted, Money(units, wanted.unit).amount), OrderLeg(Cash(WETH), Decimal(sign)))
    bare = Money(sign, USDC)
    rough = Order(OrderId("o-range"), ranges.name, Sleeve.DEFI, "test", legs, bare, bare, "liquidity")
    return ranges.bounded(rough)


class TestOpens(OnchainVenueContract):
    @pytest.fixture
    def venue(self, ranges):
        return ranges

    @pytest.fixture
    def asked(self, s, ranges):
        return order(ranges, around(s, "1600", "2500"), LIQUIDITY)


class TestAdds(OnchainVenueContract):
    @pytest.fixture
    def venue(self, ranges):
        return ranges

    @pytest.fixture
    def asked(self, s, ranges):
        s.run((ranges, order(ranges, around(s, "1600", "2500"), LIQUIDITY)))
        return order(ranges, around(s, "1600", "2500"), LIQUIDITY // 3)


class TestCloses(OnchainVenueContract):
    @pytest.fixture
    def venue(self, ranges):
        return ranges

    @pytest.fixture
    def asked(self, s, ranges):
        s.run((ranges, order(ranges, around(s, "1600", "2500"), LIQUIDITY)))
        return order(ranges, around(s, "1600", "2500"), -LIQUIDITY // 2)


def taken_out(s: Stage, ranges: UniswapRanges, price: Decimal) -> tuple[Decimal, Decimal]:
    """Price of the pool moved to `price`, and what the vault's whole range would give there, in USDC."""
    move_weth_price(s.chain, s.world.addresses, price)
    ((held, units),) = ranges._holdings(s.holder.safe)
    terms = {"tokenId": held.token_id, "liquidity": units, "amount0Min": 0, "amount1Min": 0, "deadline": 2**40}
    data = ranges.manager.encode("decreaseLiquidity", terms)
    raw = s.chain.call(ranges.manager.address, data, sender=s.holder.safe)
    asset, currency = held.pool.sorted(int.from_bytes(raw[:32]), int.from_bytes(raw[32:64]))
    root = Decimal(ranges._root(held.pool)) / 2**96
    now = (root**2 if held.pool.asset_first else root**-2) * 10**12
    return now, Decimal(asset) / 10**18 * now + Decimal(currency) / 10**6


class TestRanges:
    @pytest.mark.requirement("D07")
    @pytest.mark.parametrize("price", ["1500", "1700", "2000", "2400", "2600"])
    def test_the_pools_own_integers_have_the_delta_of_the_formula(self, s, ranges, price):
        wanted = around(s, "1600", "2500")
        s.run((ranges, order(ranges, wanted, LIQUIDITY)))
        whole = LIQUIDITY / 10 ** ((18 + 6) / 2)
        low, high, middle = float(wanted.lower), float(wanted.upper), Decimal(price)

        (below, value_below), (above, value_above) = (
            taken_out(s, ranges, middle + step) for step in (Decimal(-2), Decimal(2))
        )

        delta = float((value_above - value_below) / (above - below))
        expected = float(range_delta(price, low, high, whole))
        assert delta == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert float(value_above) == pytest.approx(float(range_value(float(above), low, high, whole)), abs=1e-4)

    @pytest.mark.requirement("S32")
    def test_it_is_carried_through_a_crossing_and_closed_with_its_fees(self, s, ranges):
        wanted = around(s, "1900", "2100")
        opening = order(ranges, wanted, LIQUIDITY * 100)
        s.run((ranges, opening))
        for price in ("2200", "1800", "2000"):
            move_weth_price(s.chain, s.world.addresses, Decimal(price))
        before = {code: s.balance(code) for code in ("WETH", "USDC")}
        closing = order(ranges, wanted, -LIQUIDITY * 100)

        principal, fees = ranges.read(closing, s.run((ranges, closing)))

        for code, token in (("WETH", WETH), ("USDC", USDC)):
            got = [sum(c.held.units for c in f.changes if c.instrument == Cash(token)) for f in (principal, fees)]
            assert s.balance(code) - before[code] == sum(got)
            assert min(got) > 0
        assert fees.evidence["income"] == "liquidity_fees"
        posted = {leg.account: leg.amount for leg in of_fill(fees, closing).legs if leg.amount.currency == USDC}
        assert posted["income:liquidity_fees:defi"] == -posted["assets:defi:vault"]
        # white paper 6.4.1: what swaps pay in, fee on top, falls to liquidity L as L times the move of the root price;
        # the price fell through the whole range once, and rose through both halves of it
        low, high = float(wanted.lower), float(wanted.upper)
        whole, fee = LIQUIDITY * 100 / 10**12, 0.0005 / (1 - 0.0005)
        earned = {c.instrument: float(c.held.amount) for c in fees.changes}
        assert earned[Cash(WETH)] == pytest.approx(whole * (low**-0.5 - high**-0.5) * fee, rel=1e-6)
        assert earned[Cash(USDC)] == pytest.approx(whole * (high**0.5 - low**0.5) * fee, rel=1e-5)
        assert ranges.positions(s.holder.safe) == {}

    def test_fees_are_collected_alone(self, s, ranges):
        wanted = around(s, "1900", "2100")
        asked = order(ranges, wanted, LIQUIDITY)
        s.run((ranges, asked))
        move_weth_price(s.chain, s.world.addresses, Decimal(2050))
        before = s.balance("USDC")

        signed = s.sign(s.vault.propose(ranges.collection(s.holder.safe), deadline=s.deadline()))
        (fees,) = ranges.collected(s.vault.execute(signed), replace(asked, id=OrderId("harvest")))

        assert [c.instrument for c in fees.changes] == [Cash(USDC)]  # the price rose: swaps paid in USDC
        assert s.balance("USDC") - before == fees.changes[0].held.units > 0
        assert ranges.positions(s.holder.safe) == {wanted.id: LIQUIDITY}

    def test_one_range_is_one_token_however_often_it_grows(self, s, ranges):
        wanted = around(s, "1600", "2500")
        for _ in range(2):
            s.run((ranges, order(ranges, wanted, LIQUIDITY)))

        assert len(ranges._holdings(s.holder.safe)) == 1
        assert ranges.positions(s.holder.safe)[wanted.id] == pytest.approx(2 * LIQUIDITY, abs=10**6)

    @pytest.mark.parametrize(("low", "high", "spent"), [("2200", "2600", "WETH"), ("1500", "1800", "USDC")])
    def test_a_range_beside_the_price_takes_one_token(self, s, ranges, low, high, spent):
        asked = order(ranges, around(s, low, high), LIQUIDITY)

        (fill,) = ranges.read(asked, s.run((ranges, asked)))

        assert [c.instrument.id for c in fill.changes[1:]] == [spent]
        assert fill.changes[0].held.units == pytest.approx(LIQUIDITY, rel=1e-6)

    @pytest.mark.fault("F46")
    @pytest.mark.parametrize("price", ["2030", "1970"])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_price_that_moved_beyond_the_band_reverts(self, s, ranges, price, sign):
        wanted = around(s, "1600", "2500")
        s.run((ranges, order(ranges, wanted, LIQUIDITY)))
        asked = order(ranges, wanted, sign * LIQUIDITY // 2)
        move_weth_price(s.chain, s.world.addresses, Decimal(price))

        with pytest.raises(OrderRejected, match="Price slippage check"):
            s.run((ranges, asked))

    @pytest.mark.parametrize("price", ["2008", "1992"])
    def test_a_price_that_moved_within_the_band_takes_no_more_than_its_bounds(self, s, ranges, price):
        asked = order(ranges, around(s, "1600", "2500"), LIQUIDITY)
        move_weth_price(s.chain, s.world.addresses, Decimal(price))

        (fill,) = ranges.read(asked, s.run((ranges, asked)))

        assert 0.9 * LIQUIDITY < fill.changes[0].held.units < LIQUIDITY
        asset, currency = fill.changes[1:]
        assert asset.held.amount >= asked.legs[1].quantity
        assert currency.held.units >= asked.limit.units

    @pytest.mark.fault("F42")
    def test_a_price_off_its_average_is_not_quoted(self, s):
        swaps = UniswapSwaps(
            s.chain,
            s.holder,
            router=s.world["uniswap-router"],
            quoter=s.world["uniswap-quoter"],
            pools=[pool_of(s).swaps],
            guard=PriceGuard(),
        )
        s.chain.warp(s.chain.block().timestamp + 600)
        guarded = venue(s, swaps=swaps)
        asked = order(guarded, around(s, "1600", "2500"), LIQUIDITY)
        move_weth_price(s.chain, s.world.addresses, SPOT * 2)

        with pytest.raises(MarketDataError, match="not quoted"):
            guarded.quote(asked)

    def test_more_than_is_held_is_refused(self, s, ranges):
        wanted = around(s, "1600", "2500")
        s.run((ranges, order(ranges, wanted, LIQUIDITY)))

        with pytest.raises(OrderRejected, match="that large"):
            ranges.calls(order(ranges, wanted, -LIQUIDITY - 10**9))

    def test_a_strangers_position_is_never_added_to(self, s, ranges):
        asked = order(ranges, around(s, "1600", "2500"), LIQUIDITY)
        s.run((ranges, asked))
        more = ranges.calls(asked)
        ours = ranges._holdings(s.holder.safe)[0][0].token_id
        (call,) = [c for c in more if c.data[:4].hex() == "219f5d17"]  # increaseLiquidity
        theirs = next(held for held, _ in ranges._holdings(account(9).address)).token_id  # in the same, listed pool
        stolen = replace(call, data=call.data.replace(ours.to_bytes(32), theirs.to_bytes(32)))

        with pytest.raises(OrderRejected, match="not the vault's"):
            s.vault.describe([stolen])

    @pytest.mark.fault("F24")
    def test_a_number_given_again_after_a_reorganisation_is_read_anew(self, s, ranges):
        snapshot = s.chain.snapshot()
        for low, high in (("1600", "2500"), ("1700", "2400")):
            wanted = around(s, low, high)
            s.run((ranges, order(ranges, wanted, LIQUIDITY)))
            ((held, _),) = ranges._holdings(s.holder.safe)
            assert ranges._ours(held.token_id) == held
            s.chain.revert(snapshot)
            snapshot = s.chain.snapshot()

    def test_an_event_that_the_tokens_do_not_confirm_is_refused(self, s, ranges):
        asked = order(ranges, around(s, "1600", "2500"), LIQUIDITY)
        receipt = s.run((ranges, asked))
        usdc = s.world["USDC"].lower()
        logs = tuple(log if log["address"].lower() != usdc else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            ranges.read(asked, replace(receipt, logs=logs))

    def test_fees_that_the_tokens_do_not_confirm_are_refused(self, s, ranges):
        opening = order(ranges, around(s, "1600", "2500"), LIQUIDITY)
        s.run((ranges, opening))
        move_weth_price(s.chain, s.world.addresses, Decimal(2100))
        signed = s.sign(s.vault.propose(ranges.collection(s.holder.safe), deadline=s.deadline()))
        receipt = s.vault.execute(signed)
        usdc = s.world["USDC"].lower()
        logs = tuple(log if log["address"].lower() != usdc else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            ranges.collected(replace(receipt, logs=logs), replace(opening, id=OrderId("harvest")))

    def test_a_position_that_a_stranger_opened_is_not_ours(self, s, ranges):
        asked = stake(ranges.pools, order(ranges, around(s, "1600", "2500"), LIQUIDITY))
        provider = Builder(s.chain, account(9))
        first, second = asked.pool.tokens
        terms = (first.address, second.address, 500, asked.lower_tick, asked.upper_tick, 10**15, 10**15, 0, 0)
        logs = provider.send(ranges.manager, "mint", (*terms, provider.address, 2**40))

        receipt = s.chain.receipt(logs[0]["transactionHash"])

        assert ranges._found(asked, receipt) is None
