"""Entries that no exchange makes: variation, funding, interest, dividends, swap fees, liquidations, marks."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.entries import EntryStatus
from engine.errors import InputError
from engine.instruments import Cash, Perpetual
from engine.ledger import (
    balances,
    costs,
    credit_line,
    depeg,
    dividends,
    emissions,
    liquidation,
    liquidity_fees,
    reversal,
    variation,
)
from engine.ledger.lots import Lots, Trade, after, realised
from engine.money import ETH, USD, Money, usd
from engine.orders import Fill, Order, OrderId, OrderLeg
from engine.positions import Position, Sleeve
from tests.engine.ledger.events import (
    DEBT,
    LINE,
    PERP,
    POOL,
    PUT,
    REIT,
    RWD,
    START,
    SUPPLY,
    USDC,
    VX,
    cash,
    held,
    steady,
)

DAY = START.date()


def by_account(*entries):
    totals = defaultdict(int)
    for entry in entries:
        for leg in entry.legs:
            totals[leg.account, leg.instrument.id] += leg.amount.units
    return {key: units for key, units in totals.items() if units}


class TestVariation:
    @pytest.mark.requirement("D34")
    def test_a_point_is_a_thousand_dollars_and_the_days_trades_gain_from_their_price(self):
        due = variation.variation_due(
            VX, carried=-3, last=Decimal("17.05"), settles=Decimal("18.10"), trades=[(2, Decimal("17.80"))]
        )

        assert due == usd(-3150) + usd(600)

    @steady
    @given(st.lists(st.integers(800, 9000), min_size=2, max_size=9), st.integers(-20, 20).filter(bool))
    def test_all_variation_is_what_the_lots_realise_in_the_end(self, ticks, contracts):
        levels = [Decimal(tick) / 100 for tick in ticks]
        paid = [
            variation.variation_due(VX, carried=contracts, last=last, settles=now) for last, now in pairwise(levels)
        ]
        lots = Lots()
        for count, level in ((contracts, levels[0]), (-contracts, levels[-1])):
            notional = Money.rounded(-count * level * VX.multiplier, USD)
            lots = after(lots, Trade(str(level), START, VX, Money(count, VX.unit), notional, usd(0)))

        assert sum(paid, usd(0)) == realised(lots, USD)

    def test_a_day_is_posted_under_one_key(self):
        entry = variation.variation_entry(held(VX, 1), usd(50), DAY, at=START)

        assert entry.key == f"variation:paper:{VX.id}:2023-02-07"


class TestFunding:
    def test_a_long_pays_when_the_rate_is_positive_and_a_short_receives(self):
        due = costs.funding_due(PERP, Money.of(3, PERP.unit), price=Decimal(1600), rate=Decimal("0.0002"))

        assert due == Money.of("-0.96", USDC)

    def test_an_inverse_contract_pays_in_its_coin(self):
        inverse = Perpetual("deribit", "ETH", ETH, Decimal(10), inverse=True)

        due = costs.funding_due(inverse, Money.of(-200, inverse.unit), price=Decimal(2000), rate=Decimal("0.001"))

        assert due == Money.of("0.001", ETH)

    def test_both_directions_stand_on_one_account(self):
        position = held(PERP, 10**18, Sleeve.DEFI, "perp-v2")
        paid = costs.funding(position, Money(-96, USDC), at=START, cash_venue="safe")
        got = costs.funding(position, Money(40, USDC), at=START + timedelta(hours=8), cash_venue="safe")

        assert by_account(paid, got) == {("assets:defi:safe", "USDC"): -56, ("expenses:funding:defi", "USDC"): 56}
        assert paid.key != got.key

    def test_an_option_pays_no_funding_and_a_price_is_positive(self):
        with pytest.raises(InputError, match="pays no funding"):
            costs.funding(held(PUT, 1), usd(1), at=START)
        with pytest.raises(InputError, match="positive"):
            costs.funding_due(PERP, Money(1, PERP.unit), price=Decimal(0), rate=Decimal(0))


def test_a_debit_balance_is_charged_and_a_credit_earns():
    charged = costs.broker_interest(cash(usd("-485.83")), DAY, at=START)
    earned = costs.broker_interest(cash(usd("12.00"), venue="other"), DAY, at=START)

    assert by_account(charged, earned)["expenses:interest:condor", "USD"] == 485_83
    assert by_account(charged, earned)["income:interest:condor", "USD"] == -12_00


def test_a_day_count_that_no_broker_uses_is_refused():
    with pytest.raises(InputError, match="no such day count"):
        costs.interest_on(usd(1), Decimal("0.05"), 1, year=364)
    with pytest.raises(InputError, match="names an account"):
        costs.venue_fee("a:b", cash(usd(-1)), key="k", at=START)


class TestDividends:
    ANNOUNCED = dividends.Dividend(REIT, DAY, Decimal("0.8731"), Decimal("0.15"))

    def both(self, count=120):
        shares = held(REIT, count)
        return [dividends.dividend(self.ANNOUNCED, shares, at=START, paid=paid) for paid in (False, True)]

    def test_it_is_owed_from_the_ex_date_and_ours_when_paid(self):
        declared, paid = self.both()
        journal = [declared]

        assert balances.book(journal).held(cash(usd(1)).instrument) == usd("89.05")
        assert balances.book(journal, final_only=True).positions == ()
        journal += reversal.finalised(paid, journal)
        journal += reversal.finalised(paid, journal)
        assert balances.book(journal) == balances.book(journal, final_only=True)
        assert by_account(*journal) == {
            ("assets:condor:paper", "USD"): 89_05,
            ("income:dividends:condor", "USD"): -104_77,
            ("expenses:withholding:condor", "USD"): 15_72,
        }

    def test_a_short_position_pays_it_whole(self):
        _, paid = self.both(-120)

        assert by_account(paid) == {
            ("assets:condor:paper", "USD"): -104_77,
            ("expenses:dividends:condor", "USD"): 104_77,
        }

    @pytest.mark.requirement("S38")
    @steady
    @given(st.integers(0, 10**9), st.integers(0, 100), st.integers(1, 10**6))
    def test_reinvestment_spends_no_more_than_its_fraction_and_loses_nothing(self, units, percent, price):
        fraction = Decimal(percent) / 100
        shares, rest = dividends.reinvestment(Money(units, USD), fraction, Money(price, USD))

        assert shares * price + rest.units == units
        assert shares * price <= units * fraction < (shares + 1) * price

    def test_what_makes_no_sense_is_refused(self):
        with pytest.raises(InputError, match="a distribution is positive"):
            dividends.Dividend(REIT, DAY, Decimal(0))
        with pytest.raises(InputError, match="between 0 and 1"):
            dividends.reinvestment(usd(1), Decimal(2), usd(1))


class TestLiquidityFees:
    def test_fee_growth_wraps_as_the_pools_does(self):
        wrapped = liquidity_fees.fees_owed(10**18, 3 << 64, (1 << 256) - (5 << 64))

        assert wrapped == 10**18 * (8 << 64) >> 128

    def test_fees_are_income_in_both_tokens(self):
        entry = liquidity_fees.liquidity_fees(
            held(POOL, 1, Sleeve.DEFI, "uni"),
            [Money(5, ETH), Money(0, USDC)],
            key="chain:1:x:0",
            at=START,
            cash_venue="safe",
        )

        assert by_account(entry) == {("assets:defi:safe", "ETH"): 5, ("income:liquidity_fees:defi", "ETH"): -5}

    def test_what_the_pool_still_holds_is_in_flight_until_collected(self):
        owner, tokens = held(POOL, 1, Sleeve.DEFI, "uni"), [Money(5, ETH)]
        early = liquidity_fees.liquidity_fees(
            owner, tokens, key="chain:1:x:0@0xa", at=START, cash_venue="safe", collected=False
        )
        final = liquidity_fees.liquidity_fees(owner, [Money(6, ETH)], key="chain:1:x:0", at=START, cash_venue="safe")

        journal = [early, *reversal.finalised(final, [early])]

        assert early.status is EntryStatus.IN_FLIGHT
        assert balances.book(journal).positions[0].held == Money(6, ETH)

    def collected(self, **changes):
        got = tuple(
            Position(Cash(money.currency), money, Sleeve.DEFI, "safe") for money in (Money(5, ETH), Money(7, USDC))
        )
        named = {"income": "liquidity_fees", "instrument": POOL.id, "block_hash": "0xb"}
        nothing = Money.zero(USDC)
        fill = Fill("chain:1:x:4", OrderId("close"), START, got, {}, nothing, "swap fees", named)
        asked = Order(
            OrderId("close"), "ranges", Sleeve.DEFI, "hedge", (OrderLeg(POOL, Decimal(-1)),), nothing, nothing, "close"
        )
        return replace(fill, **changes), asked

    def test_what_a_venue_says_was_collected_is_income_of_its_own_range(self):
        entry = liquidity_fees.of_fill(*self.collected())

        assert by_account(entry) == {
            ("assets:defi:safe", "ETH"): 5,
            ("assets:defi:safe", "USDC"): 7,
            ("income:liquidity_fees:defi", "ETH"): -5,
            ("income:liquidity_fees:defi", "USDC"): -7,
        }
        assert (entry.key, entry.status) == ("chain:1:x:4", EntryStatus.FINAL)
        assert (entry.evidence["order"], entry.evidence["instrument"]) == ("close", POOL.id)

    def test_a_collection_that_is_not_final_is_in_flight_under_its_block(self):
        entry = liquidity_fees.of_fill(*self.collected(final=False))

        assert (entry.key, entry.status) == ("chain:1:x:4@0xb", EntryStatus.IN_FLIGHT)

    def test_fees_of_a_range_that_the_order_does_not_name_are_refused(self):
        fill, asked = self.collected()

        with pytest.raises(InputError, match="names no such range"):
            liquidity_fees.of_fill(fill, replace(asked, legs=(OrderLeg(PUT, Decimal(-1)),)))

    def test_only_a_range_earns_them(self):
        with pytest.raises(InputError, match="only a range"):
            liquidity_fees.liquidity_fees(held(PUT, 1), [usd(1)], key="k", at=START, cash_venue="paper")
        with pytest.raises(InputError, match="256-bit"):
            liquidity_fees.fees_owed(1, 1 << 256, 0)


@pytest.mark.fault("F98")
class TestLiquidation:
    def entry(self, taken=-(105 * 10**16), repaid=1_600_000_000, bonus=5 * 10**16):
        return liquidation.liquidated(
            held(SUPPLY, taken, Sleeve.DEFI, "aave-v3"),
            held(DEBT, repaid, Sleeve.DEFI, "aave-v3"),
            bonus=Money(bonus, ETH),
            key=liquidation.foreign_key(1, "0xab", 2),
            at=START,
            evidence={"block": "7"},
        )

    def test_the_bonus_is_a_cost_and_the_rest_an_exchange(self):
        assert liquidation.liquidation_bonus(Money(105 * 10**16, ETH), 10_500) == Money(5 * 10**16, ETH)
        assert by_account(self.entry()) == {
            ("assets:defi:aave-v3", SUPPLY.id): -105 * 10**16,
            ("assets:defi:aave-v3", DEBT.id): 1_600_000_000,
            ("equity:trading", SUPPLY.id): 10**18,
            ("equity:trading", DEBT.id): -1_600_000_000,
            ("expenses:liquidation:defi", SUPPLY.id): 5 * 10**16,
        }

    def test_it_is_one_foreign_event_however_often_it_is_read(self):
        assert self.entry().key == self.entry().key == "chain:1:0xab:2"
        assert self.entry().evidence["by"] == "stranger"

    @pytest.mark.parametrize(("taken", "repaid", "bonus"), [(1, 1, 0), (-1, -1, 0), (-1, 1, 2)])
    def test_what_is_no_liquidation_is_refused(self, taken, repaid, bonus):
        with pytest.raises(InputError, match="liquidation refused"):
            self.entry(taken, repaid, bonus)


@pytest.mark.fault("F94")
def test_a_depeg_is_marked_taken_back_and_touches_no_asset():
    stable = cash(Money.of(10_000, USDC), Sleeve.DEFI, "safe")
    down = depeg.depeg_mark(stable, Decimal("0.9665"), DAY, at=START, marked=usd(0))
    same = depeg.depeg_mark(stable, Decimal("0.9665"), DAY, at=START, marked=usd(335))
    back = depeg.depeg_mark(stable, Decimal(1), DAY + timedelta(days=1), at=START, marked=usd(335))

    assert by_account(down) == {("expenses:depeg:defi", "USD"): 335_00, ("equity:marks:defi", "USD"): -335_00}
    assert same is None
    assert by_account(down, back) == {}
    assert balances.book([down, back]).positions == ()


@pytest.mark.requirement("S33")
def test_emissions_count_half_of_their_average_price_until_sold():
    tokens = cash(Money.of(1000, RWD), Sleeve.DEFI, "safe")
    entry = emissions.claimed(tokens, key="chain:1:x:0", at=START, evidence={})

    assert by_account(entry)["income:emissions:defi", "RWD"] == -1000 * 10**18
    assert emissions.counted(tokens.held, Decimal("0.40")) == usd(200)
    assert emissions.counted(tokens.held, Decimal("0.40"), Decimal(1)) == usd(0)
    with pytest.raises(InputError, match="brings tokens"):
        emissions.claimed(cash(usd(-1)), key="k", at=START, evidence={})


@pytest.mark.requirement("S35")
class TestCreditLine:
    TO = (Sleeve.CONDOR, "paper")

    def test_a_year_at_one_balance_costs_its_rate_to_the_cent(self):
        opened, owed = date(2025, 1, 1), {date(2025, 1, 1): usd("333333.33")}
        days = [credit_line.charges(LINE, owed, opened + timedelta(days=n)) for n in range(365)]

        assert sum((interest for interest, _ in days), usd(0)) == usd("21666.67")
        assert sum((fee for _, fee in days), usd(0)) == usd("4998333.33")

    @steady
    @given(st.dictionaries(st.integers(0, 60), st.integers(0, 10**11), min_size=1, max_size=8), st.integers(61, 90))
    def test_daily_charges_add_up_to_the_exact_sum_rounded_once(self, steps, last):
        start = date(2025, 1, 1)
        owed = {start + timedelta(days=n): Money(units, USD) for n, units in steps.items()}
        first = min(steps)
        total = [credit_line.charges(LINE, owed, start + timedelta(days=n))[0].units for n in range(first, last)]
        level = {n: steps[max(day for day in steps if day <= n)] for n in range(first, last)}

        assert sum(total) == round(Fraction(LINE.rate) * sum(level.values()) / 365)

    def test_a_draw_is_cash_and_debt_and_interest_is_owed_on_top(self):
        entries = [
            credit_line.drawn(LINE, usd(1000), owed=usd(0), to=self.TO, at=START, key="d1"),
            credit_line.charged(LINE, usd(5), usd(2), DAY, sleeve=self.TO[0], venue=self.TO[1], at=START),
            credit_line.drawn(LINE, usd(-1005), owed=usd(1005), to=self.TO, at=START, key="r1"),
        ]

        assert by_account(*entries[:2])["assets:condor:reit-line", LINE.debt.id] == -1005_00
        assert balances.book(entries).held(LINE.debt).units == 0
        assert by_account(*entries)["assets:condor:paper", "USD"] == -7_00
        assert by_account(*entries)["expenses:commitment:condor", "USD"] == 2_00

    def test_beyond_its_limit_or_what_is_owed_nothing_moves(self):
        for amount, owed in ((LINE.limit + usd(1), usd(0)), (usd(-2), usd(1)), (usd(0), usd(1))):
            with pytest.raises(InputError, match="draw of"):
                credit_line.drawn(LINE, amount, owed=owed, to=self.TO, at=START, key="k")
        with pytest.raises(InputError, match="not open"):
            credit_line.charges(LINE, {DAY: usd(1)}, DAY - timedelta(days=1))
        with pytest.raises(InputError, match="credit line"):
            credit_line.LineAccount("x", usd(0), Decimal(0), Decimal(0))
