"""Written Lyra options on the published contracts: both collaterals, part by part, to expiry and liquidation."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.evm.deploy_builder import Builder, account
from adapters.evm.erc20 import Token
from adapters.evm.lyra import LyraOptions
from adapters.evm.lyra_shorts_wire import Writing, supply
from adapters.evm.world import advance, set_eth_price
from engine.errors import OrderRejected
from engine.instruments import Cash, Right
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.vault_stage import EXPIRY, SUSD, Stage, order, stage
from tests.chain.venue_stage import behind

pytestmark = [pytest.mark.chain]
SETH = Currency("sETH", 18)
WAD = 10**18


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as base:
        seth = Token(SETH, base.world["sETH"])
        base.world.mint(base.chain, "sETH", base.holder.safe, 50 * WAD)
        lyra = LyraOptions(
            base.chain,
            base.holder,
            base.lyra.addresses,
            base.tokens["sUSD"],
            writing=Writing(seth, partial=True),
        )
        yield behind(replace(base, lyra=lyra), tokens=[seth])


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage, put back afterwards."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def short(
    s: Stage, quantity: str, collateral: str, limit: str, *, strike: int = 1800, right: Right = Right.PUT, base=False
) -> Order:
    listed = next(o for o in s.lyra.listings() if o.strike == strike)
    option = s.lyra.instrument(listed, "P" if right is Right.PUT else "C")
    asked = order("lyra", option, quantity, Money.of(limit, SUSD))
    posted = OrderLeg(supply("lyra", Token(SETH if base else SUSD, option.currency)), Decimal(collateral))
    return replace(asked, legs=(*asked.legs, posted))


class Short(OnchainVenueContract):
    @pytest.fixture
    def venue(self, s):
        return s.lyra

    def paid(self, asked, fill) -> int:
        """Premium net of fees: collateral is no price."""
        names = {"sUSD", "lyra supply sUSD"}
        cash = sum(c.held.units for c in fill.changes if c.instrument.id in names)
        return cash - sum(fee.units for fee in fill.fees.values())


class TestWritesAPut(Short):
    @pytest.fixture
    def asked(self, s):
        return short(s, "-10", "18000", "1500")


class TestWritesACoveredCall(Short):
    @pytest.fixture
    def asked(self, s):
        return short(s, "-10", "10", "2000", strike=2200, right=Right.CALL, base=True)


class TestWritesACallAgainstQuote(Short):
    @pytest.fixture
    def asked(self, s):
        return short(s, "-10", "12000", "2000", strike=2200, right=Right.CALL)


class TestBuysBackAPartOfAPut(Short):
    @pytest.fixture
    def asked(self, s):
        s.run((s.lyra, short(s, "-10", "18000", "1500")))
        return short(s, "4", "-7200", "-900")


class TestBuysBackACoveredCallWhole(Short):
    @pytest.fixture
    def asked(self, s):
        s.run((s.lyra, short(s, "-10", "10", "2000", strike=2200, right=Right.CALL, base=True)))
        return short(s, "10", "-10", "-3900", strike=2200, right=Right.CALL, base=True)


def held(s: Stage) -> dict[str, int]:
    s.chain.mine_to_final()
    return {name.replace("LYRA-ETH 2025-06-27 ", ""): units for name, units in s.lyra.positions(s.holder.safe).items()}


class TestShorts:
    def test_the_quote_is_what_writing_then_brings(self, s):
        asked = short(s, "-10", "18000", "1500")
        quoted = s.lyra.quote(asked)

        before = s.balance("sUSD")
        s.run((s.lyra, asked))

        assert s.balance("sUSD") - before + 18_000 * WAD == pytest.approx(quoted.units, rel=1e-6)

    def test_a_short_grows_shrinks_and_takes_more_collateral_as_one_position(self, s):
        steps = [("-10", "18000", "1500"), ("-5", "9000", "700"), ("0", "500", "0"), ("0", "-500", "0")]
        for quantity, collateral, limit in steps:
            asked = short(s, quantity, collateral, limit)
            (fill,) = s.lyra.read(asked, s.run((s.lyra, asked)))
            moved = {c.instrument.id: c.held.amount for c in fill.changes}
            assert moved["lyra supply sUSD"] == Decimal(collateral)
        assert held(s) == {"P 1800 CHAIN": -15 * WAD, "lyra supply sUSD": 27_000 * WAD}

        s.run((s.lyra, short(s, "15", "-27000", "-4000")))

        assert held(s) == {}

    @pytest.mark.parametrize(("spot", "back"), [(1500, 18_000 - 3_000), (2500, 18_000)])
    @pytest.mark.fault("F48")
    def test_at_expiry_every_unit_of_a_puts_collateral_comes_back_or_was_paid(self, s, spot, back):
        asked = short(s, "-10", "18000", "1500")
        s.run((s.lyra, asked))
        advance(s.chain, s.world, at=EXPIRY, eth_usd=Decimal(spot))
        before = s.balance("sUSD")
        logs = Builder(s.chain, account(5)).send(s.world.contract("lyra-short-collateral"), "settleOptions", [1])

        receipt = s.chain.receipt(logs[0]["transactionHash"])
        (fill,) = s.lyra.settled(receipt, replace(asked, id=OrderId("foreign")))

        moved = {c.instrument.id: c.held.units for c in fill.changes}
        assert s.balance("sUSD") - before == moved["sUSD"] == back * WAD
        assert moved["lyra supply sUSD"] == -18_000 * WAD
        assert held(s) == {}

    @pytest.mark.fault("F98")
    def test_a_liquidation_by_a_stranger_is_read_with_its_penalty_apart(self, s):
        cache = s.world.contract("lyra-greek-cache")
        terms = 4, 1800 * WAD, int(EXPIRY.timestamp()), 2000 * WAD, 10 * WAD
        least = Decimal(cache.read(s.chain, "getMinCollateral", *terms)) / WAD
        posted = (least * Decimal("1.02")).quantize(Decimal(1))
        asked = short(s, "-10", str(posted), "1500")
        s.run((s.lyra, asked))
        set_eth_price(s.chain, s.world, Decimal(1800))
        before = s.balance("sUSD")
        stranger = account(5).address
        logs = Builder(s.chain, account(5)).send(s.world.contract("lyra-market"), "liquidatePosition", 1, stranger)

        receipt = s.chain.receipt(logs[0]["transactionHash"])
        (fill,) = s.lyra.shorts.liquidations(replace(asked, id=OrderId("foreign")), receipt)

        moved = {c.instrument.id.replace("LYRA-ETH 2025-06-27 ", ""): c.held.units for c in fill.changes}
        penalty = fill.fees["liquidation"].units
        assert moved["P 1800 CHAIN"] == 10 * WAD
        assert moved["lyra supply sUSD"] == -posted * WAD
        assert s.balance("sUSD") - before == moved["sUSD"] - penalty
        assert penalty >= 15 * WAD  # the market's least liquidation fee
        assert fill.key.startswith(f"chain:{s.chain.chain_id}:{receipt.transaction_hash}:")

    def test_what_is_not_secured_in_full_is_refused_unless_allowed(self, s):
        s.lyra.shorts.writing = replace(s.lyra.shorts.writing, partial=False)
        try:
            s.lyra.calls(short(s, "-10", "18000", "1500"))
            for bad in (
                short(s, "-10", "17999", "1500"),
                short(s, "-10", "12000", "2000", strike=2200, right=Right.CALL),
                short(s, "-10", "9.9", "2000", strike=2200, right=Right.CALL, base=True),
            ):
                with pytest.raises(OrderRejected, match="do not secure it in full"):
                    s.lyra.calls(bad)
            partly = replace(s.lyra.shorts.writing, partial=True)
            s.lyra.shorts.writing = partly
            calls = s.lyra.calls(short(s, "-10", "9000", "1500"))
            s.lyra.shorts.writing = replace(partly, partial=False)
            with pytest.raises(OrderRejected, match="not secured in full"):
                s.vault.describe(calls)
        finally:
            s.lyra.shorts.writing = replace(s.lyra.shorts.writing, partial=True)

    @pytest.mark.parametrize(
        ("quantity", "collateral", "limit", "match"),
        [
            ("-10", "18000", "-1500", "no bound"),
            ("4", "-7200", "900", "no bound"),
            ("4", "-7200", "-900", "has written no"),
            ("0", "0", "0", "quantity is zero"),
        ],
    )
    def test_an_order_without_meaning_is_refused(self, s, quantity, collateral, limit, match):
        with pytest.raises(OrderRejected, match=match):
            s.lyra.calls(short(s, quantity, collateral, limit))

    def test_a_put_is_not_secured_by_its_underlying_nor_left_with_less_than_nothing(self, s):
        with pytest.raises(OrderRejected, match="secures no put"):
            s.lyra.calls(short(s, "-10", "10", "1500", base=True))
        s.run((s.lyra, short(s, "-10", "18000", "1500")))
        for quantity, collateral in (("11", "-18000"), ("10", "-17000"), ("10", "-18001")):
            with pytest.raises(OrderRejected, match="would be left with"):
                s.lyra.calls(short(s, quantity, collateral, "-3000"))

    @pytest.mark.fault("F46")
    def test_a_premium_below_the_limit_reverts(self, s):
        with pytest.raises(OrderRejected, match="TotalCostOutsideOfSpecifiedBounds"):
            s.run((s.lyra, short(s, "-10", "10", "9000", strike=2200, right=Right.CALL, base=True)))

    def test_cash_and_collateral_of_an_option_add_up(self, s):
        asked = short(s, "-10", "10", "2000", strike=2200, right=Right.CALL, base=True)

        (fill,) = s.lyra.read(asked, s.run((s.lyra, asked)))

        moved = {c.instrument.id: c.held.units for c in fill.changes}
        assert moved[Cash(SETH).id] == -moved["lyra supply sETH"] == -10 * WAD
        assert moved["sUSD"] > 2_000 * WAD


def test_two_written_orders_of_one_batch_are_told_apart(s):
    s.run((s.lyra, short(s, "-10", "18000", "1500")))
    asked = [short(s, "2", "0", "-600"), replace(short(s, "3", "0", "-900"), id=OrderId("second"))]
    before = s.balance("sUSD")

    receipt = s.run(*((s.lyra, each) for each in asked))
    fills = [fill for each in asked for fill in s.lyra.read(each, receipt)]

    assert [fill.changes[0].held.amount for fill in fills] == [2, 3]
    fees = sum(fee.units for fill in fills for fee in fill.fees.values())
    cash = sum(c.held.units for fill in fills for c in fill.changes if c.instrument == Cash(SUSD))
    assert s.balance("sUSD") - before == cash - fees


def test_collateral_alone_is_told_from_a_trade_and_from_other_collateral(s):
    s.run((s.lyra, short(s, "-10", "18000", "1500")))
    asked = [short(s, "0", "100", "0"), replace(short(s, "0", "300", "0"), id=OrderId("second"))]
    writing = replace(short(s, "-5", "9000", "700"), id=OrderId("third"))

    receipt = s.run(*((s.lyra, each) for each in (*asked, writing)))
    posted = [s.lyra.read(each, receipt)[0].changes[-1].held.amount for each in asked]

    # a trade says what collateral stands there after it: 18,100, then 18,300, then 27,000
    assert posted[0] == 100
    assert len({s.lyra.read(each, receipt)[0].key for each in (asked[0], writing)}) == 2
