"""ERC-4626 vaults from a Safe, against a vault of our own that keeps the standard's rules."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.evm.abi import selector
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.share_vault import SharePriceGuard, ShareVaults
from adapters.evm.share_vault_wire import ListedVault
from contracts_abi import load
from engine.errors import MarketDataError, OrderRejected, VenueError
from engine.money import Money
from engine.orders import Order
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.own_contracts import compiled, create
from tests.chain.vault_stage import USDC, Stage, order, stage
from tests.chain.venue_stage import behind

pytestmark = [pytest.mark.chain]

WAD = 10**18


class Vaults:
    """Two vaults on the stage, half full at 1.25 assets a share: one redeems at once, one on request."""

    def __init__(self, base: Stage) -> None:
        self.keeper = Builder(base.chain)
        self.own = [create(self.keeper, "share_vault", base.world["USDC"], 18, queued) for queued in (False, True)]
        self.listed = [
            ListedVault(symbol, contract.address, base.tokens["USDC"], 18, queued)
            for symbol, contract, queued in zip(("calm", "slow"), self.own, (False, True), strict=True)
        ]
        for contract in self.own:
            base.world.mint(base.chain, "USDC", self.keeper.address, 2 * 10**12)
            self.keeper.send(base.tokens["USDC"].contract, "approve", contract.address, 8 * 10**11)
            self.keeper.send(contract, "deposit", 8 * 10**11, self.keeper.address)
            self.keeper.send(base.tokens["USDC"].contract, "transfer", contract.address, 2 * 10**11)
        base.chain.mine(60)

    def venue(self, base: Stage) -> ShareVaults:
        return ShareVaults(base.chain, base.holder, self.listed)


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Stage, Vaults]]:
    with stage() as base:
        vaults = Vaults(base)
        yield behind(base, vaults.venue(base)), vaults


@pytest.fixture
def s(made) -> Iterator[Stage]:
    snapshot = made[0].chain.snapshot()
    yield made[0]
    made[0].chain.revert(snapshot)


@pytest.fixture
def vaults(made) -> Vaults:
    return made[1]


@pytest.fixture
def venue(s, vaults) -> ShareVaults:
    return vaults.venue(s)


def shares(vaults: Vaults, quantity: str, limit: str, which: int = 0) -> Order:
    return order("vaults", vaults.listed[which].share, quantity, Money.of(limit, USDC))


class TestBuys(OnchainVenueContract):
    @pytest.fixture
    def asked(self, vaults):
        return shares(vaults, "1000", "-1251")


class TestRedeems(OnchainVenueContract):
    @pytest.fixture
    def asked(self, s, venue, vaults):
        s.run((venue, shares(vaults, "1000", "-1251")))
        return shares(vaults, "-400", "499")


class TestClaims(OnchainVenueContract):
    @pytest.fixture
    def asked(self, s, venue, vaults):
        s.run((venue, shares(vaults, "1000", "-1251", 1)))
        asked = shares(vaults, "-400", "499", 1)
        s.run((venue, asked))
        vaults.keeper.send(vaults.own[1], "fulfil", s.holder.safe)
        return asked


class TestVault:
    def test_our_contract_has_the_published_interface(self):
        ours = {selector(e) for e in compiled("share_vault")[0] if e["type"] == "function"}

        for name in ("erc-4626", "erc-7540"):
            assert {selector(e) for e in load(name) if e["type"] == "function"} <= ours

    @pytest.mark.requirement("S34")
    def test_buying_rounds_against_the_buyer_and_redeeming_against_the_seller(self, s, venue, vaults):
        # ERC-4626: previewMint rounds up, previewRedeem rounds down; 1e12 + 1 assets stand behind 8e23 + 1e12 shares
        cost = -venue.quote(replace(shares(vaults, "1", "-2"))).units

        exact = Decimal(WAD) * (10**12 + 1) / (8 * 10**23 + 10**12)
        assert cost - 1 < exact <= cost
        s.run((venue, shares(vaults, "1", "-2")))
        assert venue.quote(shares(vaults, "-1", "1")).units <= cost

    @pytest.mark.fault("F48")
    def test_income_accrues_to_the_share_and_comes_out_whole(self, s, venue, vaults):
        buying, selling = shares(vaults, "1000", "-1251"), shares(vaults, "-1000", "1300")
        before = s.balance("USDC")
        (bought,) = venue.read(buying, s.run((venue, buying)))
        vaults.keeper.send(s.tokens["USDC"].contract, "transfer", vaults.own[0].address, 5 * 10**10)
        s.chain.mine(60)

        (sold,) = venue.read(selling, s.run((venue, selling)))

        # 50,000 on 1,001,250 of assets: a share worth 1.25 becomes 1.25 * 1051250 / 1001250
        assert sold.changes[1].held.amount == pytest.approx(
            Decimal("1250") * 1_051_250 / 1_001_250, abs=Decimal("0.01")
        )
        assert s.balance("USDC") - before == bought.changes[1].held.units + sold.changes[1].held.units
        assert venue.positions(s.holder.safe) == {}

    def test_a_request_is_no_fill_and_keeps_the_position(self, s, venue, vaults):
        s.run((venue, shares(vaults, "1000", "-1251", 1)))
        asked = shares(vaults, "-400", "499", 1)
        before = venue.positions(s.holder.safe)

        receipt = s.run((venue, asked))

        assert venue.read(asked, receipt) == ()
        assert venue.positions(s.holder.safe) == before == {"slow vault share": 1000 * WAD}

    def test_a_queue_pays_the_price_of_the_day_it_fulfils(self, s, venue, vaults):
        s.run((venue, shares(vaults, "1000", "-1251", 1)))
        s.run((venue, shares(vaults, "-1000", "1", 1)))
        vaults.keeper.send(s.tokens["USDC"].contract, "transfer", vaults.own[1].address, 10**10)
        vaults.keeper.send(vaults.own[1], "fulfil", s.holder.safe)
        fulfilled = venue.quote(shares(vaults, "-1000", "1", 1))
        vaults.keeper.send(s.tokens["USDC"].contract, "transfer", vaults.own[1].address, 10**10)

        assert fulfilled.amount == pytest.approx(Decimal(1250) * 1_011_250 / 1_001_250, abs=Decimal("0.01"))
        assert venue.quote(shares(vaults, "-1000", "1", 1)) == fulfilled

    @pytest.mark.fault("F44")
    @pytest.mark.parametrize(("moved", "mark"), [(6 * 10**10, "1.25"), (-6 * 10**10, "1.175")])
    def test_a_share_price_that_jumps_is_frozen_at_the_lower_and_not_dealt(self, s, venue, vaults, moved, mark):
        contract, asset = vaults.own[0], s.tokens["USDC"].contract
        if moved > 0:
            vaults.keeper.send(asset, "transfer", contract.address, moved)
        else:
            vaults.keeper.send(contract, "lend", -moved)
            vaults.keeper.send(contract, "write_off", -moved)

        seen = venue.price("calm")

        assert not seen.calm
        assert seen.mark == pytest.approx(Decimal(mark), abs=Decimal("0.0001"))
        with pytest.raises(MarketDataError, match="not quoted"):
            venue.quote(shares(vaults, "1", "-2"))
        s.chain.mine(60)
        assert venue.price("calm").calm

    @pytest.mark.fault("F49")
    def test_what_the_vault_lent_out_cannot_be_redeemed_now(self, s, venue, vaults):
        s.run((venue, shares(vaults, "1000", "-1251")))
        vaults.keeper.send(vaults.own[0], "lend", 10**12 + 10**9)

        with pytest.raises(OrderRejected, match="deals at most"):
            venue.quote(shares(vaults, "-1000", "1"))

    @pytest.mark.fault("F46")
    def test_a_price_above_the_limit_takes_nothing(self, s, venue, vaults):
        with pytest.raises(OrderRejected, match="exceeds allowance"):
            s.run((venue, shares(vaults, "1000", "-1249")))

    @pytest.mark.fault("F46")
    def test_a_redemption_below_the_limit_is_not_encoded(self, s, venue, vaults):
        s.run((venue, shares(vaults, "1000", "-1251")))

        with pytest.raises(OrderRejected, match="would bring"):
            venue.calls(shares(vaults, "-1000", "1251"))

    def test_a_redemption_that_paid_below_its_limit_is_no_fill(self, s, venue, vaults):
        s.run((venue, shares(vaults, "1000", "-1251")))
        asked = shares(vaults, "-400", "499")
        receipt = s.run((venue, asked))

        with pytest.raises(VenueError, match="below its limit"):
            venue.read(replace(asked, limit=Money.of("501", USDC)), receipt)

    def test_an_event_that_the_asset_does_not_confirm_is_refused(self, s, venue, vaults):
        asked = shares(vaults, "1000", "-1251")
        receipt = s.run((venue, asked))
        usdc = s.world["USDC"].lower()
        logs = tuple(log if log["address"].lower() != usdc else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            venue.read(asked, replace(receipt, logs=logs))

    @pytest.mark.parametrize(("first", "second"), [("1000", "500"), ("-400", "-200")])
    def test_two_dealings_of_one_batch_are_read_one_by_one(self, s, venue, vaults, first, second):
        s.run((venue, shares(vaults, "2000", "-2502")))
        bounds = {"1000": "-1251", "500": "-626", "-400": "499", "-200": "249"}
        asked = [shares(vaults, quantity, bounds[quantity]) for quantity in (first, second)]
        before = s.balance("USDC")

        receipt = s.run(*((venue, each) for each in asked))
        fills = [fill for each in asked for fill in venue.read(each, receipt)]

        assert [fill.changes[0].held.amount for fill in fills] == [Decimal(first), Decimal(second)]
        assert s.balance("USDC") - before == sum(fill.changes[1].held.units for fill in fills)

    @pytest.mark.fault("F99")
    def test_what_a_stranger_deposits_for_us_in_the_same_receipt_is_not_ours(self, s, venue, vaults):
        asked = shares(vaults, "1000", "-1251")
        receipt = s.run((venue, asked))
        deposit = venue.vaults[0].contract.topic("Deposit")
        mine = next(log for log in receipt.logs if log["topics"][:1] == [deposit])
        stranger = "0x" + account(5).address[2:].lower().rjust(64, "0")
        theirs = {**mine, "topics": [deposit, stranger, *mine["topics"][2:]]}

        assert venue.read(asked, receipt) != ()
        (fill,) = venue.read(asked, replace(receipt, logs=(theirs, *receipt.logs)))

        assert fill.key == venue.read(asked, receipt)[0].key

    def test_shares_for_somebody_else_are_never_signed(self, s, venue, vaults):
        contract: Contract = vaults.listed[0].contract
        other = "0x" + "99" * 20
        for name, arguments in (("mint", (1, other)), ("redeem", (1, other, s.holder.safe))):
            call = replace(venue.calls(shares(vaults, "1", "-2"))[1], data=contract.encode(name, *arguments))

            with pytest.raises(OrderRejected, match="only the vault"):
                s.vault.describe([call])

    def test_the_guard_looks_back_as_far_as_it_is_told(self, s, vaults):
        vaults.keeper.send(s.tokens["USDC"].contract, "transfer", vaults.own[0].address, 6 * 10**10)
        s.chain.mine(5)

        assert ShareVaults(s.chain, s.holder, vaults.listed, guard=SharePriceGuard(blocks=4)).price("calm").calm
        assert not ShareVaults(s.chain, s.holder, vaults.listed, guard=SharePriceGuard(blocks=40)).price("calm").calm
