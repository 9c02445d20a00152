"""Hegic Herge from a vault, against contracts of our own that keep its interface and settlement rules."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.evm.abi import event_topic, selector
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.hegic import HegicOptions, StrategyAddress
from contracts_abi import load
from engine.errors import OrderRejected, VenueError
from engine.instruments import Cash, Right, VanillaOption
from engine.money import Money
from engine.orders import Order, OrderId, OrderLeg
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.own_contracts import compiled, create
from tests.chain.vault_stage import USDC, Stage, order, stage
from tests.chain.venue_stage import behind

pytestmark = [pytest.mark.chain]

SPOT = 1000  # as in Hegic's own tests
WAD = 10**18
DAYS = 30


class Protocol:
    """Puts at and ten per cent below the money, 2.5 % of notional, from a treasury of 100,000 USDC."""

    def __init__(self, base: Stage) -> None:
        self.keeper = Builder(base.chain)
        self.manager = create(self.keeper, "herge_manager")
        self.treasury = create(self.keeper, "herge_treasury", base.world["USDC"], self.manager.address)
        self.keeper.send(self.manager, "obey", self.treasury.address)
        where = self.treasury.address, self.manager.address
        self.strategies = {
            scale: create(self.keeper, "herge_strategy", *where, scale, window)
            for scale, window in ((10_000, 2**40), (9_000, 3 * 86_400))
        }
        base.world.mint(base.chain, "USDC", self.treasury.address, 100_000 * 10**6)
        self.spot(SPOT)

    def spot(self, price: int, share: int = 25_000) -> None:
        for strategy in self.strategies.values():
            self.keeper.send(strategy, "set_market", price * 10**8, share)

    def venue(self, base: Stage) -> HegicOptions:
        listed = [StrategyAddress(s.address, "WETH", Right.PUT, scale) for scale, s in self.strategies.items()]
        return HegicOptions(
            base.chain,
            base.holder,
            treasury=self.treasury.address,
            manager=self.manager.address,
            cover_pool=self.treasury.address,
            money=base.tokens["USDC"],
            strategies=listed,
        )


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Stage, Protocol]]:
    with stage() as base:
        protocol = Protocol(base)
        yield behind(base, protocol.venue(base)), protocol


@pytest.fixture
def s(made) -> Iterator[Stage]:
    snapshot = made[0].chain.snapshot()
    yield made[0]
    made[0].chain.revert(snapshot)


@pytest.fixture
def protocol(made) -> Protocol:
    return made[1]


@pytest.fixture
def venue(s, protocol) -> HegicOptions:
    return protocol.venue(s)


def put(s: Stage, venue: HegicOptions, scale: int = 10_000) -> VanillaOption:
    strategy = next(each for each in venue.herge.strategies if each.scale == scale)
    expiry = int((s.chain.block().at + timedelta(days=DAYS)).timestamp())
    return venue.herge.option(strategy, SPOT * 10**8, expiry)


def puts(s: Stage, venue: HegicOptions, quantity: str, limit: str, scale: int = 10_000) -> Order:
    return order("hegic", put(s, venue, scale), quantity, Money.of(limit, USDC))


class TestBuys(OnchainVenueContract):
    @pytest.fixture
    def asked(self, s, venue):
        return puts(s, venue, "4", "-101")


class TestExercises(OnchainVenueContract):
    @pytest.fixture
    def asked(self, s, protocol, venue):
        s.run((venue, puts(s, venue, "4", "-101")))
        protocol.spot(700)
        return puts(s, venue, "-4", "1199")


class TestHegic:
    def test_our_contracts_have_the_published_interface(self):
        for name, own in (
            ("hegic-treasury", "herge_treasury"),
            ("hegic-strategy", "herge_strategy"),
            ("hegic-positions-manager", "herge_manager"),
            ("hegic-cover-pool", "herge_treasury"),
        ):
            abi = compiled(own)[0]
            ours = {selector(e) if e["type"] == "function" else event_topic(e) for e in abi if "name" in e}

            assert {selector(e) if e["type"] == "function" else event_topic(e) for e in load(name)} <= ours, name

    @pytest.mark.fault("F48")
    @pytest.mark.parametrize(("scale", "price", "each"), [(10_000, 700, 300), (9_000, 655, 245)])
    def test_payoffs_are_those_of_hegics_own_tests(self, s, protocol, venue, scale, price, each):
        # hegic/contracts packages/herge/test/contracts/HegicStrategyPut.spec.ts: spot 1000, at the money exercised at
        # 700, ten per cent out of the money at 655
        (bought,) = venue.read(asked := puts(s, venue, "4", "-101", scale), s.run((venue, asked)))
        s.chain.warp(s.chain.block().at + timedelta(days=DAYS - 1))
        protocol.spot(price)
        before, option = s.balance("USDC"), bought.changes[0].instrument
        selling = order("hegic", option, "-4", Money.of("1", USDC), "exercise")

        (fill,) = venue.read(selling, s.run((venue, selling)))

        assert s.balance("USDC") - before == 4 * each * 10**6
        assert [c.held.units for c in fill.changes] == [-4 * WAD, 4 * each * 10**6]
        assert venue.positions(s.holder.safe) == {}

    def test_what_is_bought_is_struck_at_spot_when_it_is_bought(self, s, protocol, venue):
        asked = puts(s, venue, "4", "-101")
        protocol.spot(980)

        receipt = s.run((venue, asked))
        (fill,) = venue.read(asked, receipt)

        option = fill.changes[0].instrument
        assert option.strike == 980
        assert abs(option.expiry - receipt.at - timedelta(days=DAYS)) < timedelta(seconds=10)
        assert option.expiry.tzinfo == UTC
        assert isinstance(option.expiry, datetime)
        assert venue.positions(s.holder.safe) == {option.id: 4 * WAD}

    @pytest.mark.fault("F48")
    def test_what_nobody_exercised_is_worth_nothing_and_leaves_the_books(self, s, protocol, venue):
        asked = puts(s, venue, "4", "-101")
        s.run((venue, asked))
        protocol.spot(700)
        assert venue.settlement(s.holder.safe) == ()
        s.chain.warp(s.chain.block().at + timedelta(days=DAYS, minutes=1))
        calls = venue.settlement(s.holder.safe)
        before = s.balance("USDC")

        receipt = s.vault.execute(s.sign(s.vault.propose(calls, deadline=s.deadline())))
        (fill,) = venue.settled(receipt, replace(asked, id=OrderId("expired")))

        assert s.balance("USDC") == before
        assert [(c.instrument == Cash(USDC), c.held.units) for c in fill.changes] == [(False, -4 * WAD)]
        assert venue.positions(s.holder.safe) == {}

    @pytest.mark.fault("F48")
    def test_a_payoff_about_to_be_lost_is_found(self, s, protocol, venue):
        s.run((venue, puts(s, venue, "4", "-101")))
        protocol.spot(700)

        early = venue.expiring(s.holder.safe, seconds=86_400)
        s.chain.warp(s.chain.block().at + timedelta(days=DAYS, hours=-12))
        due = venue.expiring(s.holder.safe, seconds=86_400)

        assert early == ()
        assert [call.description for call in due] == ["exercise position 0 of hegic"]

    @pytest.mark.fault("F98")
    def test_a_position_that_a_stranger_closed_is_read(self, s, protocol, venue):
        asked = puts(s, venue, "4", "-101")
        s.run((venue, asked))
        s.chain.warp(s.chain.block().at + timedelta(days=DAYS, minutes=1))
        logs = Builder(s.chain, account(5)).send(protocol.treasury, "unlock", 0)

        (fill,) = venue.settled(s.chain.receipt(logs[0]["transactionHash"]), replace(asked, id=OrderId("foreign")))

        assert [c.held.units for c in fill.changes] == [-4 * WAD]
        assert fill.evidence["sender"] == account(5).address

    @pytest.mark.requirement("S29")
    def test_outside_its_exercise_window_nothing_is_paid(self, s, protocol, venue):
        s.run((venue, puts(s, venue, "4", "-101", 9_000)))
        protocol.spot(655)

        with pytest.raises(OrderRejected, match="wait for its window"):
            venue.quote(puts(s, venue, "-4", "1", 9_000))

    @pytest.mark.parametrize("price", [1000, 1200])
    def test_at_or_out_of_the_money_nothing_is_exercised(self, s, protocol, venue, price):
        s.run((venue, puts(s, venue, "4", "-101")))
        protocol.spot(price)

        with pytest.raises(OrderRejected, match="exercising pays 0 USDC"):
            venue.calls(puts(s, venue, "-4", "1"))

    def test_the_quote_is_what_the_purchase_then_costs(self, s, venue):
        asked = venue.bounded(puts(s, venue, "4", "-999"), Decimal("0.005"))

        (fill,) = venue.read(asked, s.run((venue, asked)))

        assert asked.arrival.amount == -4 * SPOT * Decimal("0.025")
        assert fill.changes[1].held == asked.arrival

    @pytest.mark.fault("F46")
    def test_a_premium_above_the_approval_reverts(self, s, venue):
        with pytest.raises(OrderRejected, match="exceeds allowance"):
            s.run((venue, puts(s, venue, "4", "-99")))

    def test_more_than_the_pool_sells_is_not_quoted(self, s, venue):
        with pytest.raises(OrderRejected, match="the pool sells"):
            venue.quote(puts(s, venue, "20000", "-999999"))

    def test_cover_is_what_can_be_paid_over_what_is_reserved(self, s, protocol, venue):
        assert venue.cover() == float("inf")
        s.run((venue, puts(s, venue, "4", "-101")))

        assert venue.cover() == pytest.approx(100_100 / (100 + 30))  # premium 100, reserve 30 % of it

    def test_another_strategy_or_another_holder_is_refused(self, s, venue):
        asked = puts(s, venue, "4", "-101")
        other = replace(put(s, venue), root="HEGIC-8000")

        with pytest.raises(OrderRejected, match="no strategy"):
            venue.calls(order("hegic", other, "4", asked.limit))
        call, treasury = venue.calls(asked)[1], venue.herge.treasury
        stranger = "0x" + "99" * 20
        strategy = venue.herge.strategies[0].contract.address
        for name, arguments, match in (
            ("buy", (strategy, stranger, WAD, DAYS * 86_400, []), "only the vault"),
            ("buy", (stranger, s.holder.safe, WAD, DAYS * 86_400, []), "not listed"),
            ("buy", (strategy, s.holder.safe, WAD, DAYS * 86_400, [b"x"]), "terms of its own"),
            ("payOff", (0, stranger), "only the vault"),
        ):
            with pytest.raises(OrderRejected, match=match):
                s.vault.describe([replace(call, data=treasury.encode(name, *arguments))])

    def test_a_payment_that_the_money_does_not_confirm_is_refused(self, s, venue):
        asked = puts(s, venue, "4", "-101")
        receipt = s.run((venue, asked))
        usdc = s.world["USDC"].lower()
        logs = tuple(log if log["address"].lower() != usdc else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            venue.read(asked, replace(receipt, logs=logs))

    def test_a_payoff_that_the_money_does_not_confirm_is_refused(self, s, protocol, venue):
        s.run((venue, puts(s, venue, "4", "-101")))
        protocol.spot(700)
        asked = puts(s, venue, "-4", "1199")
        receipt = s.run((venue, asked))
        usdc = s.world["USDC"].lower()
        logs = tuple(log if log["address"].lower() != usdc else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            venue.read(asked, replace(receipt, logs=logs))

    @pytest.mark.parametrize("days", [10, -10])
    def test_two_purchases_of_one_size_are_told_apart_by_their_expiry(self, s, venue, days):
        first = puts(s, venue, "4", "-110")
        option = first.legs[0].instrument
        later = replace(option, expiry=option.expiry + timedelta(days=days))
        second = replace(first, id=OrderId("second"), legs=(OrderLeg(later, Decimal(4)),))
        s.chain.warp(s.chain.block().at + timedelta(hours=1))

        receipt = s.run((venue, first), (venue, second))
        (one,), (other,) = venue.read(first, receipt), venue.read(second, receipt)

        assert one.key != other.key
        bought = [fill.changes[0].instrument.expiry for fill in (one, other)]
        assert bought[1] - bought[0] == timedelta(days=days)

    @pytest.mark.fault("F98")
    def test_what_somebody_else_bought_in_the_same_receipt_is_not_ours(self, s, venue):
        asked = puts(s, venue, "4", "-101")
        receipt = s.run((venue, asked))
        stranger = HegicOptions(
            s.chain,
            replace(s.holder, safe=account(5).address),
            treasury=venue.herge.treasury.address,
            manager=venue.herge.manager.address,
            cover_pool=venue.herge.treasury.address,
            money=s.tokens["USDC"],
            strategies=[StrategyAddress(each.contract.address, "WETH", Right.PUT) for each in venue.herge.strategies],
        )

        assert stranger.read(asked, receipt) == ()
