"""A power perpetual from a vault: its token in a published Uniswap pool, its controller our own after squeeth."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import exp

import pytest

from adapters.evm.abi import event_topic, selector
from adapters.evm.deploy_builder import Builder
from adapters.evm.power import PowerMarketVenue
from adapters.evm.power_wire import redeem
from contracts_abi import load
from engine.errors import MarketDataError, OrderRejected, VenueError
from engine.instruments import Cash, PowerPerpetual
from engine.money import ETH, Money
from engine.orders import OrderId
from engine.pricing.power import power_mark
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.own_contracts import compiled, create
from tests.chain.uniswap_pools import FEE, list_pool
from tests.chain.vault_stage import USDC, WETH, Stage, order, stage
from tests.chain.venue_stage import behind

pytestmark = [pytest.mark.chain]

WAD = 10**18
SQUEETH = PowerPerpetual("squeeth", "WETH", WETH)
SPOT, VOL = 2000, 0.8
PREMIUM = exp(VOL**2 * 17.5 / 365)
FAIR = SPOT / 10_000 * PREMIUM  # S28: the token in ether, S/10^4 * norm * exp(sigma^2 * 17.5 / 365)


class Protocol:
    """Token, controller with a premium of 80 % volatility, and a pool 2,000 ether deep at the fair price."""

    def __init__(self, base: Stage) -> None:
        self.keeper = Builder(base.chain)
        self.token = create(self.keeper, "owned_token", "Wrapped power", "oPOW", 18)
        self.controller = create(self.keeper, "power_controller", self.token.address)
        base.world.mint(base.chain, "WETH", self.keeper.address, 2_000 * WAD)
        self.keeper.send(self.token, "mint", self.keeper.address, 20_000 * WAD)
        price = Decimal(FAIR)
        self.pool = list_pool(
            self.keeper, base.world, self.token, base.tokens["WETH"].contract, price=price, depth=2_000 * WAD
        )
        self.keeper.send(self.token, "give", self.controller.address)
        self.price(SPOT, FAIR)

    def price(self, spot: float, token: float) -> None:
        self.keeper.send(self.controller, "set_prices", int(spot * WAD), int(token * WAD))

    def venue(self, base: Stage) -> PowerMarketVenue:
        return PowerMarketVenue(
            base.chain,
            base.holder,
            SQUEETH,
            controller=self.controller.address,
            token=self.token.address,
            money=base.tokens["WETH"],
            router=base.world["uniswap-router"],
            quoter=base.world["uniswap-quoter"],
            pool=self.pool,
            pool_fee=FEE,
        )


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Stage, Protocol]]:
    with stage() as base:
        protocol = Protocol(base)
        venue = protocol.venue(base)
        yield behind(base, venue, tokens=[venue.market.token]), protocol


@pytest.fixture
def s(made) -> Iterator[Stage]:
    snapshot = made[0].chain.snapshot()
    yield made[0]
    made[0].chain.revert(snapshot)


@pytest.fixture
def protocol(made) -> Protocol:
    return made[1]


@pytest.fixture
def venue(s, protocol) -> PowerMarketVenue:
    return protocol.venue(s)


def power(quantity: str, limit: str):
    return order("squeeth", SQUEETH, quantity, Money.of(limit, WETH))


class TestBuys(OnchainVenueContract):
    @pytest.fixture
    def asked(self):
        return power("50", "-11")


class TestSells(OnchainVenueContract):
    @pytest.fixture
    def asked(self, s, venue):
        s.run((venue, power("50", "-11")))
        return power("-20", "4")


class TestPower:
    def test_our_controller_has_the_published_interface(self):
        abi = compiled("power_controller")[0]
        ours = {selector(e) for e in abi if e["type"] == "function"}
        logged = {event_topic(e) for e in abi if e["type"] == "event"}
        published = load("squeeth-controller")

        assert {selector(e) for e in published if e["type"] == "function"} <= ours
        assert {event_topic(e) for e in published if e["type"] == "event"} <= logged

    @pytest.mark.requirement("S28")
    def test_the_premium_is_read_as_the_volatility_that_pays_for_it(self, s, venue):
        mark = venue.mark()

        assert mark.vol == pytest.approx(VOL, rel=1e-3)  # a few seconds of funding are already in the unit
        assert mark.normalisation == pytest.approx(1.0, abs=1e-4)
        in_ether = float(power_mark(SPOT, mark.normalisation, mark.vol)) / SPOT
        assert in_ether == pytest.approx(FAIR, rel=1e-9)

    @pytest.mark.requirement("S28")
    @pytest.mark.parametrize(("token", "ratio"), [(FAIR, PREMIUM), (FAIR * 3, 1.4), (FAIR / 3, 0.8)])
    def test_funding_is_the_published_power_of_index_over_mark_within_its_bounds(
        self, s, protocol, venue, token, ratio
    ):
        protocol.price(SPOT, token)
        controller = protocol.controller
        protocol.keeper.send(controller, "applyFunding")
        before, since = (
            controller.read(s.chain, name) for name in ("normalizationFactor", "lastFundingUpdateTimestamp")
        )
        s.chain.warp(s.chain.block().at + timedelta(days=10))

        factor = controller.read(s.chain, "getExpectedNormalizationFactor")

        # normFactor(new) = normFactor(old) * (index / mark) ^ (period / 420 hours); mark within 0.8 to 1.4 of the index
        periods = (s.chain.block().timestamp - since) / (420 * 3600)
        at_mark = token / (SPOT / 10_000) / (before / WAD) if ratio == PREMIUM else ratio
        assert factor / before == pytest.approx(at_mark**-periods, rel=1e-12)

    def test_a_mark_below_its_index_has_no_volatility(self, s, protocol, venue):
        protocol.price(SPOT, FAIR * 0.9)

        with pytest.raises(MarketDataError, match="below the index"):
            venue.mark()

    def test_the_quote_is_what_the_swap_then_costs(self, s, venue):
        asked = venue.bounded(power("50", "-99"), Decimal("0.005"))

        (fill,) = venue.read(asked, s.run((venue, asked)))

        assert fill.changes[0].held.units == 50 * WAD
        assert fill.fees["pool"].units - fill.changes[1].held.units == -asked.arrival.units

    @pytest.mark.fault("F48")
    def test_after_shutdown_every_token_is_redeemed_at_its_settlement_value(self, s, protocol, venue):
        asked = power("50", "-11")
        s.run((venue, asked))
        s.chain.request("anvil_setBalance", protocol.controller.address, hex(100 * WAD))
        assert venue.settlement(s.holder.safe) == ()
        protocol.price(3000, 0.3)
        protocol.keeper.send(protocol.controller, "shutDown")
        before, factor = s.chain.balance(s.holder.safe), protocol.controller.read(s.chain, "normalizationFactor")
        calls = venue.settlement(s.holder.safe)

        receipt = s.vault.execute(s.sign(s.vault.propose(calls, deadline=s.deadline())))
        (fill,) = venue.settled(receipt, replace(asked, id=OrderId("shutdown")))

        # a token pays ether's price over 10^4, times what funding left of it: 0.3 ether less a little
        paid = s.chain.balance(s.holder.safe) - before
        assert paid == 50 * factor * 3 * 10**17 // WAD == pytest.approx(15 * WAD, rel=1e-3)
        assert [(c.instrument, c.held.units) for c in fill.changes] == [(SQUEETH, -50 * WAD), (Cash(ETH), paid)]
        assert venue.positions(s.holder.safe) == {}
        less = (paid - 1).to_bytes(32).hex()
        logs = tuple({**g, "data": g["data"].replace(paid.to_bytes(32).hex(), less)} for g in receipt.logs)
        with pytest.raises(VenueError, match="does not add up"):
            venue.settled(replace(receipt, logs=logs), asked)

    def test_two_redemptions_of_one_batch_are_read_one_by_one(self, s, protocol, venue):
        asked = power("50", "-11")
        s.run((venue, asked))
        s.chain.request("anvil_setBalance", protocol.controller.address, hex(100 * WAD))
        protocol.price(3000, 0.3)
        protocol.keeper.send(protocol.controller, "shutDown")
        calls = [redeem(venue.market, units * WAD) for units in (20, 30)]

        receipt = s.vault.execute(s.sign(s.vault.propose(calls, deadline=s.deadline())))
        fills = venue.settled(receipt, replace(asked, id=OrderId("shutdown")))

        assert [fill.changes[0].held.units for fill in fills] == [-20 * WAD, -30 * WAD]

    @pytest.mark.fault("F46")
    def test_a_price_above_the_limit_reverts(self, s, venue):
        with pytest.raises(OrderRejected, match="would revert"):
            s.run((venue, power("50", "-10")))

    def test_a_short_or_another_instrument_is_refused(self, s, venue):
        with pytest.raises(OrderRejected, match="exactly one leg"):
            venue.calls(order("squeeth", replace(SQUEETH, underlying="WBTC"), "1", Money.of("-1", WETH)))
        with pytest.raises(OrderRejected, match="no bound"):
            venue.calls(order("squeeth", SQUEETH, "1", Money.of("-1", USDC)))
        with pytest.raises(OrderRejected, match="would revert"):
            s.run((venue, power("-1", "0.1")))  # nothing is held, and nothing is ever minted

    def test_a_swap_that_the_tokens_do_not_confirm_is_refused(self, s, protocol, venue):
        asked = power("50", "-11")
        receipt = s.run((venue, asked))
        token = protocol.token.address.lower()
        logs = tuple(log if log["address"].lower() != token else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            venue.read(asked, replace(receipt, logs=logs))
