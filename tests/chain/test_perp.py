"""Perpetual v2 from a vault, against the published contracts: ether, and an index of volatility."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_perp import move_market, open_markets, set_index
from adapters.evm.perp import PerpAddresses, PerpExchange
from engine.errors import OrderRejected, VenueError
from engine.instruments import LendingSupply
from engine.money import Money
from engine.orders import Order, OrderId
from engine.risk.moves import VOL_INDICES
from tests.adapters.conformance_onchain import OnchainVenueContract
from tests.chain.vault_stage import USDC, Stage, order, stage
from tests.chain.venue_stage import behind

pytestmark = [pytest.mark.chain]

DEPOSIT = LendingSupply("perp", USDC)
WAD = 10**18


def venue_of(s: Stage) -> PerpExchange:
    parts = ("clearing-house", "vault", "account-balance", "exchange", "registry")
    bases = {"WETH": s.world["perp-ETH"], "EVIV": s.world["perp-VOL"]}
    addresses = PerpAddresses(*(s.world[f"perp-{part}"] for part in parts), bases)
    return PerpExchange(s.chain, s.holder, addresses, s.tokens["USDC"])


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as base:
        open_markets(base.chain, base.world.addresses, {"ETH": Decimal(2000), "VOL": Decimal(65)})
        base.chain.warp(base.chain.block().timestamp + 1900)
        yield behind(base, venue_of(base))


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


@pytest.fixture
def perp(s) -> PerpExchange:
    return venue_of(s)


def margin(quantity: str) -> Order:
    return order("perp", DEPOSIT, quantity, Money.of(-Decimal(quantity), USDC), "margin")


def trade(perp: PerpExchange, quantity: str, limit: str, underlying: str = "WETH", name: str = "t") -> Order:
    return order("perp", perp.exchange.perpetual(underlying), quantity, Money.of(limit, USDC), name)


def gain(fill, instrument) -> int:
    return sum(c.held.units for c in fill.changes if c.instrument == instrument)


class Margined(OnchainVenueContract):
    @pytest.fixture
    def venue(self, perp):
        return perp

    def paid(self, asked, fill):
        return (asked.arrival + fill.slippage).units


class TestDeposits(OnchainVenueContract):
    @pytest.fixture
    def venue(self, perp):
        return perp

    @pytest.fixture
    def asked(self):
        return margin("20000")


class TestWithdraws(OnchainVenueContract):
    @pytest.fixture
    def venue(self, perp):
        return perp

    @pytest.fixture
    def asked(self, s, perp):
        s.run((perp, margin("20000")))
        return margin("-5000")


class TestBuys(Margined):
    @pytest.fixture
    def asked(self, s, perp):
        s.run((perp, margin("20000")))
        return trade(perp, "5", "-10100")


class TestSells(Margined):
    @pytest.fixture
    def asked(self, s, perp):
        s.run((perp, margin("20000")))
        return trade(perp, "-5", "9900")


class TestReduces(Margined):
    @pytest.fixture
    def asked(self, s, perp):
        s.run((perp, margin("20000")), (perp, trade(perp, "5", "-10100")))
        return trade(perp, "-2", "3900")


class TestBuysVolatility(Margined):
    @pytest.fixture
    def asked(self, s, perp):
        s.run((perp, margin("20000")))
        return trade(perp, "100", "-6600", "EVIV")


class TestPerpetual:
    def test_the_quote_is_what_the_trade_then_costs_fee_included(self, s, perp):
        s.run((perp, margin("20000")))
        asked = perp.bounded(trade(perp, "5", "-99999"), Decimal("0.005"))

        (fill,) = perp.read(asked, s.run((perp, asked)))

        assert abs(fill.slippage.units) <= 1
        # 20M a side around 2000 makes 5 contracts cost 2000 * (1 + 5 / 10000) each, and 0.1 % of fee on top
        assert -asked.arrival.amount == pytest.approx(
            Decimal(5 * 2000) * Decimal("1.0005") / Decimal("0.999"), rel=Decimal("1e-6")
        )
        assert gain(fill, perp.exchange.perpetual("WETH")) == 5 * WAD

    @pytest.mark.requirement("S27")
    @pytest.mark.fault("F48")
    def test_from_deposit_to_withdrawal_the_ledger_agrees_with_the_exchange_to_the_unit(self, s, perp):
        before, booked = s.balance("USDC"), 0
        steps = [margin("20000"), trade(perp, "5", "-10100", name="a"), trade(perp, "-3", "3000", name="b")]
        steps += [trade(perp, "-2", "2000", name="c")]
        for at, asked in enumerate(steps):
            (fill,) = perp.read(asked, s.run((perp, asked)))
            booked += gain(fill, DEPOSIT)
            assert perp.positions(s.holder.safe)[DEPOSIT.id] == booked
            if at == 1:
                s.chain.warp(s.chain.block().at + timedelta(days=2))
                move_market(s.chain, s.world.addresses, "ETH", Decimal(1800))
        out = margin(str(-Money(booked, USDC).amount))

        (fill,) = perp.read(out, s.run((perp, out)))

        assert perp.positions(s.holder.safe) == {}
        assert booked + gain(fill, DEPOSIT) == 0
        assert s.balance("USDC") - before == booked - 20_000 * 10**6 < -5 * 190 * 10**6  # five contracts fell by 200

    def test_a_long_pays_the_premium_of_market_over_index_by_the_day(self, s, perp):
        s.run((perp, margin("20000")), (perp, trade(perp, "5", "-10100")))
        set_index(s.chain, s.world.addresses, "ETH", Decimal(1990))
        poke = trade(perp, "0.001", "-3", name="poke")
        since = s.run((perp, poke)).at
        s.chain.warp(s.chain.block().at + timedelta(days=1))

        receipt = s.run((perp, replace(poke, id=OrderId("again"))))

        (average,) = perp._funding.events("FundingUpdated", receipt.logs)
        (paid,) = perp.exchange.house.events("FundingPaymentSettled", receipt.logs)
        premium = average["marketTwap"] - average["indexTwap"]
        days = Decimal((receipt.at - since) // timedelta(seconds=1)) / 86_400
        assert average["indexTwap"] == 1990 * WAD
        assert paid["fundingPayment"] == pytest.approx(Decimal("5.001") * premium * days, rel=Decimal("1e-9"))
        (fill,) = perp.read(replace(poke, id=OrderId("again")), receipt)
        assert gain(fill, DEPOSIT) == pytest.approx(-paid["fundingPayment"] // 10**12, abs=1)

    def test_marks_carry_funding_a_year_and_half_the_fee(self, s, perp):
        set_index(s.chain, s.world.addresses, "ETH", Decimal(1990))
        s.chain.warp(s.chain.block().timestamp + 2000)

        mark = {each.underlying: each for each in perp.marks()}["WETH"]

        assert mark.price == pytest.approx(2000, rel=5e-3)
        assert mark.funding == pytest.approx(10 / 1990 * 365, abs=365 * 1e-4)  # averages are of whole ticks
        assert mark.half_spread == pytest.approx(2, rel=5e-3)

    @pytest.mark.requirement("S26")
    def test_volatility_is_bought_and_sold_on_its_own_index(self, s, perp):
        s.run((perp, margin("20000")), (perp, trade(perp, "100", "-6600", "EVIV")))
        before = perp.positions(s.holder.safe)
        move_market(s.chain, s.world.addresses, "VOL", Decimal(78))
        asked = trade(perp, "-100", "7600", "EVIV", "close")

        (fill,) = perp.read(asked, s.run((perp, asked)))

        assert "EVIV" in VOL_INDICES
        assert before["perp EVIV perp"] == 100 * WAD
        # thirteen points gained on a hundred contracts, less 0.1 % of both notionals and a little impact
        assert gain(fill, DEPOSIT) / 10**6 == pytest.approx(1300 - 6.5 - 7.8, abs=8)

    @pytest.mark.fault("F98")
    def test_a_liquidation_by_a_stranger_is_read_to_the_unit(self, s, perp):
        s.run((perp, margin("2000")), (perp, trade(perp, "8", "-16200")))
        assert perp.margin_ratio(s.holder.safe) > 1
        move_market(s.chain, s.world.addresses, "ETH", Decimal(1840))
        s.chain.warp(s.chain.block().timestamp + 4000)
        assert perp.margin_ratio(s.holder.safe) < 1
        before = perp.positions(s.holder.safe)
        keeper = Builder(s.chain, account(9))
        house = keeper.at("perp-curie", "ClearingHouse", perp.exchange.house.address)
        logs = keeper.send(house, "liquidate(address,address)", s.holder.safe, s.world["perp-ETH"])

        receipt = s.chain.receipt(logs[0]["transactionHash"])
        fills = perp.settled(receipt, replace(margin("1"), id=OrderId("foreign")))

        s.chain.mine_to_final()
        after = perp.positions(s.holder.safe)
        contracts = perp.exchange.perpetual("WETH")
        assert sum(gain(f, contracts) for f in fills) == after.get(contracts.id, 0) - before[contracts.id] < 0
        assert sum(gain(f, DEPOSIT) for f in fills) == after[DEPOSIT.id] - before[DEPOSIT.id] < 0
        assert all(f.evidence["sender"] == keeper.address for f in fills)

    @pytest.mark.fault("F48")
    def test_a_market_that_is_closed_pays_its_closing_price(self, s, perp):
        opening = trade(perp, "5", "-10100")
        s.run((perp, margin("20000")), (perp, opening))
        assert perp.settlement(s.holder.safe) == ()
        governance = Builder(s.chain)
        base = governance.at("perp-curie", "BaseToken", s.world["perp-ETH"])
        governance.send(base, "pause")
        governance.send(base, "close(uint256)", 1700 * WAD)
        paid = perp.exchange.balances.read(s.chain, "getTakerOpenNotional", s.holder.safe, base.address)
        calls = perp.settlement(s.holder.safe)

        receipt = s.vault.execute(s.sign(s.vault.propose(calls, deadline=s.deadline())))
        fills = perp.settled(receipt, replace(opening, id=OrderId("quit")))

        assert [call.description for call in calls] == ["settle the WETH perp of the closed market on perp"]
        assert sum(gain(f, perp.exchange.perpetual("WETH")) for f in fills) == -5 * WAD
        assert sum(gain(f, DEPOSIT) for f in fills) == pytest.approx((5 * 1700 * WAD + paid) // 10**12, abs=10**5)
        assert list(perp.positions(s.holder.safe)) == [DEPOSIT.id]

    @pytest.mark.fault("F46")
    @pytest.mark.parametrize(("quantity", "limit"), [("5", "-10000"), ("-5", "10000")])
    def test_a_price_beyond_the_limit_reverts(self, s, perp, quantity, limit):
        s.run((perp, margin("20000")))

        with pytest.raises(OrderRejected, match=r"CH_TL|CH_TMRL"):
            s.run((perp, trade(perp, quantity, limit)))

    def test_without_margin_nothing_is_quoted(self, perp):
        with pytest.raises(OrderRejected, match="CH_NEFCI"):
            perp.quote(trade(perp, "5", "-10100"))

    def test_what_is_not_free_cannot_be_withdrawn(self, s, perp):
        s.run((perp, margin("2000")), (perp, trade(perp, "5", "-10100")))

        with pytest.raises(OrderRejected, match="is free"):
            perp.quote(margin("-1500"))

    def test_another_market_venue_or_unbounded_trade_is_refused(self, perp):
        asked = trade(perp, "5", "-10100")
        (leg,) = asked.legs

        for other in (replace(leg.instrument, venue="else"), replace(leg.instrument, underlying="WBTC")):
            with pytest.raises(OrderRejected, match="not traded"):
                perp.calls(replace(asked, legs=(replace(leg, instrument=other),)))
        with pytest.raises(OrderRejected, match="no bound"):
            perp.calls(replace(asked, limit=-asked.limit))

    @pytest.mark.parametrize(
        ("field", "value", "match"),
        [
            ("oppositeAmountBound", 0, "any price"),
            ("baseToken", "0x" + "99" * 20, "not listed"),
            ("sqrtPriceLimitX96", 1, "not exact"),
            ("isExactInput", True, "not exact"),
        ],
    )
    def test_a_trade_without_bound_or_exact_size_is_never_signed(self, s, perp, field, value, match):
        (call,) = perp.calls(trade(perp, "5", "-10100"))
        house = perp.exchange.house
        terms = {**house.decode_call(call.data)[1]["params"], field: value}

        with pytest.raises(OrderRejected, match=match):
            s.vault.describe([replace(call, data=house.encode("openPosition", terms))])

    def test_a_deposit_that_the_token_does_not_confirm_is_refused(self, s, perp):
        asked = margin("1000")
        receipt = s.run((perp, asked))
        usdc = s.world["USDC"].lower()
        logs = tuple(log if log["address"].lower() != usdc else {**log, "topics": []} for log in receipt.logs)

        with pytest.raises(VenueError, match="does not add up"):
            perp.read(asked, replace(receipt, logs=logs))

    @pytest.mark.parametrize("second", ["500", "-500"])
    def test_margin_that_moves_twice_in_one_batch_is_read_move_by_move(self, s, perp, second):
        asked = margin("1000"), replace(margin(second), id=OrderId("second"))

        receipt = s.run(*((perp, each) for each in asked))
        fills = [fill for each in asked for fill in perp.read(each, receipt)]

        assert [gain(fill, DEPOSIT) for fill in fills] == [1000 * 10**6, int(second) * 10**6]
        assert len({fill.key for fill in fills}) == 2
