"""Opyn Gamma from a vault: oTokens in a published Uniswap pool, the protocol our own after Gamma's rules."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.evm.abi import event_topic, selector
from adapters.evm.deploy_builder import Builder
from adapters.evm.opyn import OpynOptions
from adapters.evm.opyn_wire import Otoken
from contracts_abi import load
from engine.errors import ConfigError, OrderRejected, VenueError
from engine.instruments import LendingSupply, Right
from engine.money import Money
from engine.orders import Order, OrderId, OrderLeg
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.own_contracts import compiled, create
from tests.chain.uniswap_pools import FEE, list_pool
from tests.chain.vault_stage import AT, USDC, Stage, order, stage
from tests.chain.venue_stage import behind

pytestmark = [pytest.mark.chain]

ONE = 10**8
STRIKE = 1800
EXPIRY = int(AT.timestamp()) // 86_400 * 86_400 + 40 * 86_400 + 8 * 3600  # 08:00 UTC
COLLATERAL = LendingSupply("opyn", USDC)


class Protocol:
    """A put at 1800 with a pool at 50 USDC each, written by a market maker on its whole strike."""

    def __init__(self, base: Stage) -> None:
        self.keeper = Builder(base.chain)
        self.pool = create(self.keeper, "gamma_pool")
        self.controller = create(self.keeper, "gamma_controller", self.pool.address)
        self.keeper.send(self.pool, "obey", self.controller.address)
        self.usdc, self.weth = base.tokens["USDC"].contract, base.world["WETH"]
        terms = (self.usdc.address, self.weth, self.usdc.address, STRIKE * ONE, EXPIRY, True)
        self.otoken = create(self.keeper, "otoken", self.controller.address, *terms)
        base.world.mint(base.chain, "USDC", self.keeper.address, 2_000_000 * 10**6)
        self.keeper.send(self.usdc, "approve", self.pool.address, 2**255)
        owner, none = self.keeper.address, "0x" + "00" * 20
        actions = [
            (0, owner, none, none, 1, 0, 0, b""),
            (5, owner, owner, self.usdc.address, 1, 1000 * STRIKE * 10**6, 0, b""),
            (1, owner, owner, self.otoken.address, 1, 1000 * ONE, 0, b""),
        ]
        self.keeper.send(self.controller, "operate", actions)
        price = Decimal(50 * 10**6) / ONE
        self.market = list_pool(self.keeper, base.world, self.otoken, self.usdc, price=price, depth=40_000 * 10**6)

    def fix(self, price: int, *, final: bool = True) -> None:
        self.keeper.send(self.controller, "set_expiry_price", self.weth, EXPIRY, price * ONE, final)

    def listed(self, base: Stage, **terms: object) -> Otoken:
        known = {"right": Right.PUT, "collateral": base.tokens["USDC"], "pool": self.market, "pool_fee": FEE}
        return Otoken(self.otoken.address, "WETH", STRIKE * ONE, EXPIRY, **{**known, **terms})

    def venue(self, base: Stage, **terms: object) -> OpynOptions:
        return OpynOptions(
            base.chain,
            base.holder,
            controller=self.controller.address,
            margin_pool=self.pool.address,
            oracle=self.controller.address,
            router=base.world["uniswap-router"],
            quoter=base.world["uniswap-quoter"],
            otokens=[self.listed(base, **terms)],
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
def venue(s, protocol) -> OpynOptions:
    return protocol.venue(s)


def puts(venue: OpynOptions, quantity: str, limit: str) -> Order:
    return order("opyn", venue.gamma.otokens[0].option, quantity, Money.of(limit, USDC))


def written(venue: OpynOptions, quantity: str, collateral: str, premium: str) -> Order:
    plain = puts(venue, quantity, str(Decimal(premium) - Decimal(collateral)))
    return replace(plain, legs=(*plain.legs, OrderLeg(COLLATERAL, Decimal(collateral))))


def expire(s: Stage, protocol: Protocol, price: int) -> None:
    s.chain.warp(EXPIRY + 60)
    protocol.fix(price)


class TestBuys(OnchainVenueContract):
    @pytest.fixture
    def asked(self, venue):
        return puts(venue, "5", "-260")


class TestSells(OnchainVenueContract):
    @pytest.fixture
    def asked(self, s, venue):
        s.run((venue, puts(venue, "5", "-260")))
        return puts(venue, "-2", "95")


class TestWrites(OnchainVenueContract):
    @pytest.fixture
    def asked(self, venue):
        return written(venue, "-3", "5400", "140")


class TestRedeems(OnchainVenueContract):
    @pytest.fixture
    def asked(self, s, protocol, venue):
        s.run((venue, puts(venue, "5", "-260")))
        expire(s, protocol, 1500)
        return puts(venue, "-5", "1500")


class TestOpyn:
    def test_our_contracts_have_the_published_interface(self):
        for name, own in (
            ("opyn-controller", "gamma_controller"),
            ("opyn-oracle", "gamma_controller"),
            ("opyn-otoken", "otoken"),
        ):
            abi = compiled(own)[0]
            ours = {selector(e) if e["type"] == "function" else event_topic(e) for e in abi if "name" in e}

            found = {selector(e) if e["type"] == "function" else event_topic(e) for e in load(name)}
            assert found <= ours, name

    @pytest.mark.fault("F48")
    @pytest.mark.parametrize(("price", "paid"), [(1500, 1500), (1750, 250), (1800, 0), (2500, 0)])
    @pytest.mark.requirement("S29")
    def test_a_long_put_redeems_for_its_intrinsic_value_or_nothing(self, s, protocol, venue, price, paid):
        s.run((venue, puts(venue, "5", "-260")))
        before = s.balance("USDC")
        expire(s, protocol, price)
        calls = venue.settlement(s.holder.safe)

        receipt = s.vault.execute(s.sign(s.vault.propose(calls, deadline=s.deadline())))
        (fill,) = venue.settled(receipt, replace(puts(venue, "-5", "1"), id=OrderId("settle")))

        assert s.balance("USDC") - before == paid * 10**6 == sum(c.held.units for c in fill.changes[1:])
        assert venue.positions(s.holder.safe) == {}

    @pytest.mark.fault("F48")
    @pytest.mark.parametrize("price", [1500, 1799, 2500])
    def test_every_unit_of_collateral_behind_a_written_put_comes_back_or_was_owed(self, s, protocol, venue, price):
        before = s.balance("USDC")
        asked = written(venue, "-3", "5400", "140")
        (sold,) = venue.read(asked, s.run((venue, asked)))
        held = venue.positions(s.holder.safe)
        expire(s, protocol, price)
        calls = venue.settlement(s.holder.safe)

        receipt = s.vault.execute(s.sign(s.vault.propose(calls, deadline=s.deadline())))
        (fill,) = venue.settled(receipt, replace(asked, id=OrderId("settle")))

        option = venue.gamma.otokens[0].option
        assert held == {option.id: -3 * ONE, COLLATERAL.id: 5400 * 10**6}
        premium = sold.changes[1].held.units + 5400 * 10**6
        assert s.balance("USDC") - before == premium - 3 * max(0, STRIKE - price) * 10**6
        assert [c.held.units for c in fill.changes[:2]] == [3 * ONE, -5400 * 10**6]
        assert venue.positions(s.holder.safe) == {}

    def test_nothing_settles_before_the_price_is_final(self, s, protocol, venue):
        s.run((venue, puts(venue, "5", "-260")))
        s.chain.warp(EXPIRY + 60)
        protocol.fix(1500, final=False)

        assert venue.settlement(s.holder.safe) == ()
        with pytest.raises(OrderRejected, match="not final"):
            venue.quote(puts(venue, "-5", "1"))
        protocol.fix(1500)
        assert venue.quote(puts(venue, "-5", "1")).amount == 1500

    @pytest.mark.fault("F98")
    def test_a_settlement_price_that_the_oracle_does_not_state_is_refused(self, s, protocol, venue):
        s.run((venue, puts(venue, "5", "-260")))
        expire(s, protocol, 1500)
        asked = puts(venue, "-5", "1")
        receipt = s.run((venue, asked))
        (event,) = venue.gamma.controller.events("Redeem", receipt.logs)
        wrong = (event["payout"] + 1).to_bytes(32).hex()
        logs = tuple({**g, "data": g["data"].replace(event["payout"].to_bytes(32).hex(), wrong)} for g in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            venue.read(asked, replace(receipt, logs=logs))

    def test_collateral_that_the_token_does_not_confirm_is_refused(self, s, venue):
        asked = written(venue, "-3", "5400", "140")
        receipt = s.run((venue, asked))
        pool = venue.gamma.margin_pool[2:].lower()
        logs = tuple(g if pool not in "".join(g["topics"][2:]) else {**g, "topics": []} for g in receipt.logs)

        with pytest.raises(VenueError, match="5400000000 are to secure it, 0 were locked"):
            venue.read(asked, replace(receipt, logs=logs))

    def test_a_payout_in_front_of_a_written_put_is_none_of_its_collateral(self, s, venue):
        asked = written(venue, "-3", "5400", "140")
        receipt = s.run((venue, asked))
        safe, pool = ("0x" + who[2:].lower().rjust(64, "0") for who in (s.holder.safe, venue.gamma.margin_pool))
        usdc, controller = s.tokens["USDC"].contract, venue.gamma.controller
        units = (7 * 10**6).to_bytes(32).hex()
        paid = {**receipt.logs[0], "address": usdc.address, "data": "0x" + units}
        paid["topics"] = [usdc.topic("Transfer"), pool, safe]
        said = {**receipt.logs[0], "address": controller.address, "data": "0x" + safe[2:] + units + units}
        said["topics"] = [controller.topic("Redeem"), safe, safe, safe]

        (fill,) = venue.read(asked, replace(receipt, logs=(paid, said, *receipt.logs)))

        assert fill.key == venue.read(asked, receipt)[0].key

    @pytest.mark.parametrize("written_first", [True, False])
    def test_what_is_written_and_what_is_sold_in_one_batch_are_told_apart(self, s, venue, written_first):
        s.run((venue, puts(venue, "5", "-260")))
        writing = replace(written(venue, "-5", "9000", "200"), id=OrderId("written"))
        asked = [writing, puts(venue, "-5", "200")]
        before, ordered = s.balance("USDC"), asked if written_first else asked[::-1]

        receipt = s.run(*((venue, each) for each in ordered))
        (wrote,), (sold,) = (venue.read(each, receipt) for each in asked)

        assert wrote.key != sold.key
        assert [c.held.units for c in wrote.changes][-1] == 9000 * 10**6
        cash = sum(fill.changes[1].held.units - sum(f.units for f in fill.fees.values()) for fill in (wrote, sold))
        assert s.balance("USDC") - before == cash

    def test_the_quote_of_a_written_put_is_its_premium_less_its_collateral(self, s, venue):
        asked = written(venue, "-3", "5400", "140")
        quoted = venue.quote(asked)

        (fill,) = venue.read(asked, s.run((venue, asked)))

        assert fill.changes[1].held == quoted
        assert Decimal(-5400 + 145) < quoted.amount < Decimal(-5400 + 150)

    @pytest.mark.fault("F46")
    @pytest.mark.parametrize(("quantity", "limit"), [("5", "-240"), ("-5", "260")])
    def test_a_price_beyond_the_limit_reverts(self, s, venue, quantity, limit):
        s.run((venue, puts(venue, "6", "-320")))

        with pytest.raises(OrderRejected, match="would revert"):
            s.run((venue, puts(venue, quantity, limit)))

    def test_an_otoken_without_a_pool_can_be_held_and_not_bought(self, s, protocol):
        with pytest.raises(OrderRejected, match="has no pool"):
            protocol.venue(s, pool=None).calls(puts(protocol.venue(s), "5", "-260"))

    def test_terms_that_the_token_does_not_have_are_refused(self, s, protocol, venue):
        venue.verified()
        with pytest.raises(ConfigError, match="its terms are"):
            protocol.venue(s, right=Right.CALL).verified()

    def test_collateral_below_the_whole_strike_is_refused(self, venue):
        with pytest.raises(OrderRejected, match="does not cover"):
            venue.calls(written(venue, "-3", "5399.999999", "140"))

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"owner": "0x" + "99" * 20}, "only the vault"),
            ({"secondAddress": "0x" + "99" * 20}, "only the vault"),
            ({"actionType": 9}, "not listed"),
            ({"data": (1).to_bytes(32)}, "only plain actions"),
            ({"vaultId": 7}, "several vaults"),
        ],
    )
    def test_any_other_action_is_never_signed(self, s, venue, change, match):
        call = venue.calls(written(venue, "-3", "5400", "140"))[1]
        controller = venue.gamma.controller
        (actions,) = controller.decode_call(call.data)[1].values()
        forged = [*actions[:2], {**actions[2], **change}]

        with pytest.raises(OrderRejected, match=match):
            s.vault.describe([replace(call, data=controller.encode("operate", forged))])
