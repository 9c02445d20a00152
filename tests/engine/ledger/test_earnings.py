"""What the books earned since an instant, by hand-made entries."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from engine.entries import Entry, Leg
from engine.instruments import Cash, LendingDebt
from engine.ledger.accounts import assets, cash_leg, expenses
from engine.ledger.earnings import NOTHING, earnings
from engine.ledger.posting import entry_for
from engine.money import ETH, USD, Currency, Money, usd
from engine.orders import Fill, OrderId
from engine.positions import Position, Sleeve
from tests.engine.terms import spx

DAI = Currency("DAI", 18)
OPENED = datetime(2023, 2, 7, 21, tzinfo=UTC)
LATER = OPENED + timedelta(days=10)
PUT = spx(3900, "P")


def traded(key, at, lots, cash, fee=0):
    """A fill of one contract at mid, its fee beside it."""
    held = Position(PUT, Money.of(Decimal(lots), PUT.unit), Sleeve.CONDOR, "paper")
    money = Position(Cash(USD), usd(cash), Sleeve.CONDOR, "paper")
    fees = {"commission": usd(fee)} if fee else {}
    return entry_for(Fill(key, OrderId(key), at, (held, money), fees, usd(0), key, {}))


def price(coin):
    return 2_000.0 if coin == Cash(ETH) else 1.01


@pytest.mark.requirement("X13")
def test_gains_count_when_they_are_closed_and_costs_and_interest_apart():
    gas, owed = Money.of("0.01", ETH), Money.of(30, DAI)
    debt = LendingDebt("aave", DAI)
    interest = Money(owed.units, debt.unit)
    books = [
        traded("sold", OPENED, -2, 1_000, fee=3),  # two puts sold for 500 each
        traded("bought back", LATER, 1, -200, fee=1),
        Entry(
            "gas", LATER, "gas", (cash_leg(expenses("gas", Sleeve.DEFI), gas), cash_leg(assets(Sleeve.DEFI, "x"), -gas))
        ),
        Entry(
            "night",
            LATER,
            "interest",
            (
                Leg(expenses("interest", Sleeve.DEFI), interest, debt),
                Leg(assets(Sleeve.DEFI, "aave"), -interest, debt),
            ),
        ),
    ]

    found = earnings(books, OPENED + timedelta(days=1), price)

    assert found.realised == Money.of("297.50", USD)  # 500 - 3 / 2 less 200 + 1
    assert found.fees == usd(20)  # 0.01 x 2,000
    assert found.interest == Money.of("30.30", USD)  # 30 x 1.01
    assert earnings(books, LATER, price) == NOTHING
    assert earnings(books, None, price) == NOTHING
