"""The credit a condor was opened for, from its fills: sold whole, averaged, and nothing else."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from engine.instruments import Cash
from engine.ledger.openings import opening_credits
from engine.ledger.posting import entry_for
from engine.money import USD, Money, usd
from engine.orders import Fill, OrderId
from engine.positions import Position, Sleeve
from tests.engine.terms import condor, spx

HELD = condor(3885, 3935, 4400, 4450)
SOLD = tuple(zip(HELD.legs, HELD.quantities, strict=True))
AT = datetime(2023, 2, 7, 20, tzinfo=UTC)


def fill(number, lots, cash, legs=SOLD, fee="0"):
    """A fill of signed lots and the cash that came with it."""
    contracts = [Position(leg, Money.of(Decimal(sign * lots), leg.unit), Sleeve.CONDOR, "paper") for leg, sign in legs]
    paid = Position(Cash(USD), usd(cash), Sleeve.CONDOR, "paper")
    fees = {"commission": usd(fee)} if Decimal(fee) else {}
    return entry_for(
        Fill(f"fill:paper:{number}", OrderId("o"), AT, (*contracts, paid), fees, usd(0), "sold", {}, final=True)
    )


@pytest.mark.requirement("D31")
def test_the_mean_credit_of_two_fills_has_its_fees_taken_off():
    # 2 x 4.00 and 1 x 5.50 points of 100 USD, less 4.60 of fees: (800 + 550 - 4.60) / 100 / 3
    entries = [fill(1, 2, 800, fee="4.60"), fill(2, 1, 550)]

    assert opening_credits(entries) == {frozenset(HELD.legs): pytest.approx(1_345.40 / 100 / 3)}


@pytest.mark.requirement("D31")
def test_buying_back_changes_no_mean():
    assert opening_credits([fill(1, 2, 800), fill(2, -1, -150)]) == {frozenset(HELD.legs): pytest.approx(4.0)}


@pytest.mark.parametrize(
    "legs",
    [
        SOLD[:2],
        (*SOLD, (spx(3800, "P"), 1)),
        tuple((leg, -sign) for leg, sign in SOLD),
    ],
    ids=["one side", "five legs", "a long condor"],
)
def test_what_is_no_condor_sold_has_no_credit_of_its_own(legs):
    assert opening_credits([fill(1, 1, 400, legs=legs)]) == {}
