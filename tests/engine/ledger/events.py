"""Entries that tests share, and a strategy that makes any sequence of them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from engine.instruments import Cash, FundShare, Future, LendingDebt, LendingSupply, LiquidityRange, Perpetual
from engine.ledger import (
    costs,
    credit_line,
    depeg,
    dividends,
    emissions,
    lending,
    liquidation,
    liquidity_fees,
    posting,
    reversal,
    settlement,
    slippage,
    suspense,
    transfer,
    variation,
)
from engine.money import ETH, USD, Currency, Money, usd
from engine.orders import Fill, Order, OrderId, OrderLeg
from engine.positions import Book, Position, Sleeve
from tests.engine.terms import spx

START = datetime(2023, 2, 7, 15, 0, tzinfo=UTC)
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is not a counterexample."""
USDC = Currency("USDC", 6)
SUPPLY, DEBT = LendingSupply("aave-v3", ETH), LendingDebt("aave-v3", USDC)
PUT = spx(3800, "P")
VX = Future("VX", "VIX", datetime(2023, 3, 22, 13, tzinfo=UTC), Decimal(1000))
PERP, REIT = Perpetual("perp-v2", "ETH", USDC), FundShare("VNQ")
POOL = LiquidityRange("uni", ETH, USDC, Decimal(1200), Decimal(2400), 3000)
RANGE_ORDER = Order(
    OrderId("o-2"), "uni", Sleeve.DEFI, "core", (OrderLeg(POOL, Decimal(1)),), usd(0), usd(0), "collect fees"
)
RWD = Currency("RWD", 18)
LINE = credit_line.LineAccount("reit-line", usd(10**9), Decimal("0.065"), Decimal("0.005"))


def held(instrument, units, sleeve=Sleeve.CONDOR, venue="paper"):
    return Position(instrument, Money(units, instrument.unit), sleeve, venue)


def cash(amount, sleeve=Sleeve.CONDOR, venue="paper"):
    return Position(Cash(amount.currency), amount, sleeve, venue)


def fill(key, *changes, fees=None, slippage=None, at=START, final=True, evidence=None):
    return Fill(
        key=key,
        order_id=OrderId("o-1"),
        at=at,
        changes=changes,
        fees=fees or {},
        slippage=slippage or Money.zero(USD),
        memo=key,
        evidence=evidence or {},
        final=final,
    )


amounts = st.integers(min_value=-(10**12), max_value=10**12)
positive = st.integers(min_value=1, max_value=10**12)
wide = st.integers(min_value=-(2**256) + 1, max_value=2**256 - 1).filter(bool)


@st.composite
def one_event(draw, number):
    """The entries of one event that happened on day `number`."""
    at, key = START + timedelta(days=number), f"e{number}"
    match draw(st.integers(0, 8)):
        case 0:
            return [posting.capital(cash(Money(draw(positive), USD)), key=key, at=at)]
        case 1:
            bought, paid = draw(st.integers(-50, 50)), Money(draw(amounts), USD)
            return [
                posting.entry_for(
                    fill(
                        key,
                        held(PUT, bought),
                        cash(paid),
                        fees={"commission": Money(draw(positive), USD), "exchange": Money(draw(positive), USD)},
                        slippage=Money(draw(amounts), USD),
                        at=at,
                    )
                )
            ]
        case 2:
            seen = fill(
                key,
                held(DEBT, -draw(wide), Sleeve.DEFI, "aave-v3"),
                cash(Money(draw(wide), USDC), Sleeve.DEFI, "safe"),
                fees={"gas": Money(draw(positive), ETH)},
                at=at,
                final=False,
                evidence={"block_hash": "0xa"},
            )
            entry = posting.entry_for(seen)
            return [entry, reversal.void(entry, at=at, reason="reorg")] if draw(st.booleans()) else [entry]
        case 3:
            return [posting.gas(draw(positive), chain_id=1, transaction_hash=key, at=at)]
        case 4:
            grown = held(SUPPLY, draw(wide), Sleeve.DEFI, "aave-v3")
            return [lending.accrual(grown, at.date(), at=at, evidence={"block": "1"})]
        case 5:
            lots = draw(st.integers(-20, 20).filter(bool))
            paid = settlement.payout(PUT, held(PUT, lots).held, Decimal(draw(st.integers(3000, 4500))))
            return [settlement.settled(held(PUT, lots), paid, at=at, key=key, cost=usd(1))]
        case 6:
            sent = Money(draw(positive), USDC)
            move = transfer.Transfer(key, sent, Sleeve.DEFI, "safe", Sleeve.CONDOR, "paper", at)
            arrived = transfer.arrived(move, Money(draw(positive), USD), fee=usd(draw(st.integers(0, 9))), at=at)
            return [transfer.sent(move, at=at), arrived][: draw(st.integers(1, 2))]
        case 7:
            crossing = fill(
                key,
                cash(Money(-draw(positive), USDC), Sleeve.DEFI, "safe"),
                cash(Money(draw(positive), USD), Sleeve.TRANSIT, "offramp"),
                at=at,
            )
            return [posting.entry_for(crossing)]
        case _:
            first = posting.entry_for(fill(key, held(PUT, 2), cash(usd(-500)), at=at))
            second = fill(key, held(PUT, 1), cash(usd(-250)), at=at)
            made = [first, *reversal.correction(first, second, revision="02", posted=[first])]
            bust = draw(st.booleans())
            return [*made, reversal.reversed_entry(first, at=at, reason="bust", posted=made)] if bust else made


@st.composite
def one_carry(draw, number):
    """The entries of one event that is no exchange, on day `number`."""
    at, key = START + timedelta(days=number), f"e{number}"
    day, price = at.date(), Decimal(draw(st.integers(1, 4000)))
    dollars = cash(Money(draw(amounts), USD))
    match draw(st.integers(0, 11)):
        case 0:
            due = variation.variation_due(VX, carried=draw(st.integers(-9, 9)), last=Decimal("17.05"), settles=price)
            return [variation.variation_entry(held(VX, 1), due, day, at=at)]
        case 1:
            long = held(PERP, draw(wide), Sleeve.DEFI, "perp-v2")
            due = costs.funding_due(PERP, long.held, price=price, rate=Decimal("0.0001"))
            return [costs.funding(long, due, at=at, cash_venue="safe")]
        case 2:
            return [costs.broker_interest(dollars, day, at=at)]
        case 3:
            return [costs.venue_fee("wire", dollars, key=key, at=at)]
        case 4:
            announced = dividends.Dividend(REIT, day, Decimal("0.87"), Decimal("0.15"))
            shares = held(REIT, draw(st.integers(-500, 500).filter(bool)))
            declared = dividends.dividend(announced, shares, at=at, paid=False)
            paid = dividends.dividend(announced, shares, at=at, paid=True)
            return [declared, *reversal.finalised(paid, [declared])][: draw(st.sampled_from([1, 3]))]
        case 5:
            tokens = [Money(draw(positive), ETH), Money(draw(positive), USDC)]
            owner = held(POOL, 1, Sleeve.DEFI, "uni")
            return [liquidity_fees.liquidity_fees(owner, tokens, key=key, at=at, cash_venue="safe")]
        case 6:
            taken = draw(positive)
            return [
                liquidation.liquidated(
                    held(SUPPLY, -taken, Sleeve.DEFI, "aave-v3"),
                    held(DEBT, draw(positive), Sleeve.DEFI, "aave-v3"),
                    bonus=liquidation.liquidation_bonus(Money(taken, ETH), 10_500),
                    key=liquidation.foreign_key(1, key, 0),
                    at=at,
                    evidence={},
                )
            ]
        case 7:
            stable = cash(Money(draw(amounts), USDC), Sleeve.DEFI, "safe")
            marked = depeg.depeg_mark(stable, Decimal("0.97"), day, at=at, marked=usd(0))
            return [marked] if marked else []
        case 8:
            return [
                emissions.claimed(cash(Money(draw(positive), RWD), Sleeve.DEFI, "safe"), key=key, at=at, evidence={})
            ]
        case 9:
            to, draw_down = (Sleeve.CONDOR, "paper"), Money(draw(st.integers(1, 10**9)), USD)
            interest, fee = credit_line.charges(LINE, {day: draw_down}, day)
            return [
                credit_line.drawn(LINE, draw_down, owed=usd(0), to=to, at=at, key=key),
                credit_line.charged(LINE, interest, fee, day, sleeve=to[0], venue=to[1], at=at),
            ]
        case 10:
            measured = slippage.Markout(key, 1, Decimal("1.01"), Decimal(1), price, Decimal(0), Decimal(0))
            return [slippage.leakage_entry(measured, Sleeve.DEFI, USDC, fill_key=key, at=at)]
        case _:
            return [transfer.moved(held(PUT, draw(st.integers(1, 9))), Sleeve.DEFI, "safe", key=key, at=at)]


@st.composite
def one_sighting(draw, number):
    """The entries of one thing found at a venue, on day `number`."""
    at, key = START + timedelta(days=number), f"e{number}"
    match draw(st.integers(0, 4)):
        case 0:
            return [settlement.variation(Money(draw(amounts), USD), held(VX, 1), key=key, at=at)]
        case 1:
            return [suspense.adopted(cash(Money(draw(amounts), USD)), at=at, evidence={"why": "a fee of the exchange"})]
        case 2:
            owed = -draw(st.integers(10**6, 10**12))
            book = Book((held(DEBT, owed, Sleeve.DEFI, "aave-v3"),))
            stated = {DEBT.id: owed - draw(st.integers(1, 10**4))}
            return [*lending.accruals(book, stated, at.date(), at=at, block=number)]
        case 3:
            change, block = held(SUPPLY, draw(wide), Sleeve.DEFI, "aave-v3"), {"block_hash": "0xa"}
            seen = posting.entry_for(fill(key, change, at=at, final=False, evidence=block))
            return [seen, *reversal.resolved(fill(key, change, at=at), [seen])]
        case _:
            earned = cash(Money(draw(positive), USDC), Sleeve.DEFI, "safe")
            collected = fill(key, earned, at=at, evidence={"instrument": POOL.id})
            return [liquidity_fees.of_fill(collected, RANGE_ORDER)]


@st.composite
def journals(draw, most=12):
    """Any sequence of events, as one list of entries with distinct keys."""
    count = draw(st.integers(0, most))
    return [
        entry
        for number in range(count)
        for entry in draw(st.one_of(one_event(number), one_carry(number), one_sighting(number)))
    ]


def days(*offsets):
    return [date(2025, 1, 1) + timedelta(days=offset) for offset in offsets]
