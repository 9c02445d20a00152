from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.ledger import balances, posting
from engine.ledger.slippage import Execution, Markout, leakage_entry, slippage
from engine.ledger.wacc import Evidence, mev_funding
from engine.money import USD, Money, usd
from engine.positions import Sleeve
from tests.engine.ledger.events import PUT, START, USDC, cash, fill, held, steady

HUNDRED = Decimal(100)


def points(low, high):
    return st.integers(low, high).map(lambda cents: Decimal(cents) / 100)


@pytest.mark.requirement("D35")
@pytest.mark.parametrize(
    ("quantity", "filled", "cost"),
    [(1, "2.60", "10.00"), (1, "2.40", "-10.00"), (-3, "2.45", "15.00"), (-3, "2.55", "-15.00")],
)
def test_paying_above_mid_or_selling_below_it_costs(quantity, filled, cost):
    order = Execution("put", Decimal(quantity), Decimal(filled), Decimal("2.50"), HUNDRED)

    assert slippage(order, currency=USD).cost == usd(cost)


@pytest.mark.requirement("D35")
def test_a_combo_is_measured_against_its_own_mid_and_its_legs_only_inform():
    condor = Execution("condor", Decimal(-2), Decimal("2.45"), Decimal("2.60"), HUNDRED)
    legs = [
        Execution("short put", Decimal(-2), Decimal("4.00"), Decimal("4.30"), HUNDRED),
        Execution("put wing", Decimal(2), Decimal("1.55"), Decimal("1.60"), HUNDRED),
    ]

    found = slippage(condor, legs, currency=USD)

    assert found.cost == usd(30)
    assert found.legs == {"short put": Decimal("60.00"), "put wing": Decimal("-10.00")}


@pytest.mark.requirement("D35")
@steady
@given(st.integers(-50, 50).filter(bool), points(1, 10_000), points(1, 10_000))
def test_a_trade_at_mid_and_its_slippage_are_what_was_paid(quantity, filled, mid):
    order = Execution("put", Decimal(quantity), filled, mid, HUNDRED)
    paid = Money.rounded(-quantity * filled * HUNDRED, USD)

    entry = posting.entry_for(fill("f", held(PUT, quantity), cash(paid), slippage=-slippage(order, currency=USD).cost))
    accounts = {(leg.account, leg.instrument.id): 0 for leg in entry.legs}
    for leg in entry.legs:
        accounts[leg.account, leg.instrument.id] += leg.amount.units

    assert accounts["equity:trading", "USD"] == quantity * mid * HUNDRED * 100


@pytest.mark.requirement("D14b")
def test_what_fee_and_impact_do_not_explain_is_leakage_and_may_be_a_rebate():
    sold = Markout("0x1", -1, Decimal("1990"), Decimal("2000"), Decimal(5), Decimal(15), Decimal(20))
    better = Markout("0x2", -1, Decimal("1999"), Decimal("2000"), Decimal(5), Decimal(15), Decimal(0))

    assert (sold.leakage, better.leakage) == (15, -10)


@pytest.mark.requirement("D14b")
def test_leakage_leaves_the_cost_of_a_trade_as_it_was():
    sold = Markout("0x1", -1, Decimal("1990"), Decimal("2000"), Decimal(5), Decimal(15), Decimal(20))

    entry = leakage_entry(sold, Sleeve.DEFI, USDC, fill_key="chain:1:x:0", at=START)

    assert [(leg.account, leg.amount) for leg in entry.legs] == [
        ("expenses:mev:defi", Money.of(15, USDC)),
        ("expenses:slippage:defi", Money.of(-15, USDC)),
    ]
    assert balances.book([entry]).positions == ()


@pytest.mark.requirement("D14b")
def test_thirty_transactions_make_a_measurement():
    few, enough = [5.0] * 29, [5.0] * 30

    assert mev_funding(few, debt_usd=1e5, years=0.5, assumed=0.001) == (0.001, Evidence.ASSUMED)
    assert mev_funding(enough, debt_usd=1e5, years=0.5, assumed=0.001) == (pytest.approx(0.003), Evidence.MEASURED)
    with pytest.raises(InputError, match="needs debt and time"):
        mev_funding(enough, debt_usd=0.0, years=0.5, assumed=0.001)


def test_an_execution_or_a_markout_without_meaning_is_refused():
    with pytest.raises(InputError, match="is not one"):
        Execution("x", Decimal(0), Decimal(1), Decimal(1))
    with pytest.raises(InputError, match="a side is"):
        Markout("0x", 2, Decimal(1), Decimal(1), Decimal(1), Decimal(0), Decimal(0))
