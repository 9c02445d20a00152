"""A loan short of health is mended by coins first, then out of its own collateral, and no more than it needs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import cycle
from engine.errors import LimitBreached
from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.plan.canonical import sealed
from engine.plan.sequence import vault_orders
from engine.policy.candidates import Kind
from engine.policy.deleverage import reliefs
from engine.pricing.health import HealthBand
from engine.risk.check import check
from engine.risk.limits import health_factors, loans_by_scenario
from engine.risk.liquidity import Funding
from engine.risk.scenarios import Scenarios
from engine.risk.view import pricing_view
from tests.engine.desk_cases import DAI, POLICY, USDC, VENUES, WETH, decided, funded, held, planned, pool, snapshot
from tests.engine.plans import plan

LOAN = "cheap"
THRESHOLDS = {"USDC": 0.80, "WETH": 0.825, "DAI": 0.78}
SEEN = snapshot(pool(LOAN, thresholds=THRESHOLDS), ether=500.0)
VIEW = pricing_view(SEEN)
HALVED = Scenarios.of(crypto=[-0.5, 0.0], names=["ether falls", "nothing"])
FUNDING = Funding(free={(LOAN, "USDC"): 1e9}, thresholds={(LOAN, code): share for code, share in THRESHOLDS.items()})
EVERYTHING = {LOAN: 1e9}


def loan(*, usdc=0.0, ether=0.0, dai, idle_usdc=0.0, idle_dai=0.0, idle_ether=0.0):
    supplied = held(LendingSupply(LOAN, USDC), usdc), held(LendingSupply(LOAN, WETH), ether)
    idle = held(Cash(USDC), idle_usdc), held(Cash(DAI), idle_dai), held(Cash(WETH), idle_ether)
    return funded(coins=0).plus([*supplied, held(LendingDebt(LOAN, DAI), -dai), *idle])


def mended(book, *, scenarios=HALVED, funding=FUNDING, room=EVERYTHING, policy=POLICY, **idle):
    return reliefs(book, idle, VIEW, scenarios, funding, policy, room)


@pytest.mark.requirement("D17")
def test_a_loan_inside_its_limit_is_left_alone():
    assert mended(loan(usdc=20_000, dai=10_000), USDC=50_000.0, DAI=50_000.0) == ()


@pytest.mark.requirement("D17", "S30")
def test_idle_coins_of_the_debt_repay_just_what_the_worst_scenario_lacks():
    """12,000 x 0.8 / 1.5 = 6,400 may be owed, 8,000 are."""
    (relief,) = mended(loan(usdc=12_000, dai=8_000), DAI=50_000.0, USDC=50_000.0)

    assert relief.repay == pytest.approx(1_600.0)
    assert (relief.supply, relief.rounds, relief.lacking) == ({}, (), 0.0)
    assert (relief.health, relief.after) == (pytest.approx(1.2), pytest.approx((1.5, 1.5)))


@pytest.mark.requirement("D17", "S30")
def test_then_other_idle_coins_are_supplied_stablecoins_first_each_at_its_own_threshold():
    """Owed 8,000 needs 12,000 at thresholds; 9,600 are there, 1,000 USDC bring 800, ether at 500 x e^-0.5 the rest."""
    (relief,) = mended(loan(usdc=12_000, dai=8_000), USDC=1_000.0, WETH=50.0)

    assert relief.supply["USDC"] == 1_000.0
    assert relief.supply["WETH"] == pytest.approx(1_600.0 / (500.0 * 0.6065306597 * 0.825))
    assert relief.after[1] == pytest.approx(1.5)
    assert relief.rounds == ()


@pytest.mark.requirement("S55", "S30")
def test_no_more_is_supplied_than_the_protocol_may_hold():
    (relief,) = mended(loan(usdc=12_000, dai=8_000), room={LOAN: 700.0}, USDC=1_000.0, WETH=50.0)

    assert relief.supply == {"USDC": 700.0}


@pytest.mark.requirement("D17")
def test_above_one_and_a_quarter_collateral_is_not_sold_and_the_shortfall_is_said():
    """10,240 / 8,000 = 1.28: no new debt, yet no forced sale; 10,240 / 1.5 = 6,826.67 may be owed."""
    (relief,) = mended(loan(usdc=12_800, dai=8_000))

    assert relief.band is HealthBand.NO_NEW_DEBT
    assert relief.rounds == ()
    assert relief.lacking == pytest.approx(8_000 - 10_240 / 1.5)
    assert "nothing idle can mend it; bring 1,173 USD to repay the rest" in relief.words


@pytest.mark.requirement("D17", "S30")
def test_below_one_and_a_quarter_the_collateral_repays_the_debt_round_by_round():
    """With 1 % slippage a withdrawn dollar repays 0.99: x = (1.5 D - 0.8 C) / (1.5 x 0.99 - 0.8)."""
    (relief,) = mended(loan(usdc=12_000, dai=8_000))

    assert relief.band is HealthBand.DELEVERAGE
    assert sum(one.withdrawn for one in relief.rounds) == pytest.approx((12_000 - 9_600) / (1.485 - 0.8))
    assert all(one.repaid == pytest.approx(0.99 * one.spent) and one.code == "USDC" for one in relief.rounds)
    assert relief.after == pytest.approx((1.5, 1.5))
    assert relief.lacking == pytest.approx(0.0, abs=1e-6)
    first = relief.rounds[0]
    assert (12_000 - first.withdrawn) * 0.8 / 8_000 == pytest.approx(1.02)  # what Aave sees before the repayment


@pytest.mark.requirement("D17")
def test_idle_stablecoins_that_may_not_be_supplied_are_swapped_before_any_collateral():
    (relief,) = mended(loan(usdc=12_000, dai=8_000), room={LOAN: 0.0}, USDC=500.0)

    assert (relief.rounds[0].withdrawn, relief.rounds[0].spent) == (0.0, pytest.approx(500.0))
    assert relief.used["USDC"] == pytest.approx(500.0)
    assert relief.rounds[1].withdrawn > 0


@pytest.mark.requirement("D17")
def test_a_pool_without_coins_pays_nothing_out():
    (relief,) = mended(loan(usdc=12_000, dai=8_000), funding=replace(FUNDING, free={(LOAN, "USDC"): 300.0}))

    assert [one.withdrawn for one in relief.rounds] == [300.0]
    assert relief.lacking > 0


@pytest.mark.requirement("D13", "D17")
def test_a_round_moves_no_more_than_one_transaction_may():
    (relief,) = mended(loan(usdc=12_000, dai=8_000), funding=replace(FUNDING, cap=500.0))

    assert [one.withdrawn for one in relief.rounds] == pytest.approx([500.0] * 7 + [2_400 / 0.685 - 3_500], abs=4.0)


@pytest.mark.requirement("D17")
def test_two_supplies_of_one_token_are_one_collateral():
    whole = loan(usdc=12_000, dai=8_000)
    supply = LendingSupply(LOAN, USDC)
    split = loan(usdc=11_000, dai=8_000).plus([replace(held(supply, 1_000), venue="second vault")])

    assert mended(split) == mended(whole)


TWO_DEBTS = loan(usdc=12_000, dai=4_000).plus([held(LendingDebt(LOAN, USDC), -4_000)])
BOTH_FREE = replace(FUNDING, free={(LOAN, "USDC"): 1e9, (LOAN, "DAI"): 1e9})


@pytest.mark.requirement("D17")
def test_two_debts_on_one_collateral_are_mended_once():
    """9,600 / 1.5 = 6,400 may be owed of 8,000 together: 1,000 DAI and, swapped into 600 DAI, USDC repay the rest."""
    (relief,) = mended(TWO_DEBTS, funding=BOTH_FREE, room={LOAN: 0.0}, DAI=1_000.0, USDC=50_000.0)

    assert (relief.asset, relief.repay) == (DAI, 1_000.0)
    assert [(one.withdrawn, one.repaid) for one in relief.rounds] == [(0.0, pytest.approx(600.0))]
    assert (relief.lacking, relief.after[1]) == (pytest.approx(0.0, abs=1e-6), pytest.approx(1.5))


@pytest.mark.requirement("D17")
def test_the_first_debts_cure_leaves_nothing_for_the_second():
    (relief,) = mended(TWO_DEBTS, funding=BOTH_FREE, DAI=50_000.0, USDC=50_000.0)

    assert (relief.asset, relief.repay, relief.after) == (DAI, pytest.approx(1_600.0), pytest.approx((1.5, 1.5)))


@pytest.mark.requirement("D17")
def test_what_a_market_lacks_is_said_once_for_all_its_debts():
    reliefs = mended(TWO_DEBTS, funding=replace(FUNDING, free={}), room={LOAN: 0.0}, DAI=100.0, USDC=0.0)

    assert [(one.asset, one.repay) for one in reliefs] == [(DAI, 100.0), (USDC, 0.0)]
    assert [one.lacking for one in reliefs] == [0.0, pytest.approx(1_500.0)]


@pytest.mark.requirement("D17")
def test_no_pool_is_drained_twice_for_two_debts():
    reliefs = mended(TWO_DEBTS, funding=replace(FUNDING, free={(LOAN, "USDC"): 2_000.0}))

    assert sum(one.withdrawn for relief in reliefs for one in relief.rounds) == pytest.approx(2_000.0)


def test_the_order_of_the_book_changes_no_relief():
    for book in (TWO_DEBTS, type(TWO_DEBTS)(TWO_DEBTS.positions[::-1])):
        reliefs = mended(book, funding=BOTH_FREE, room={LOAN: 0.0}, DAI=100.0, USDC=200.0)
        assert [one.asset.code for one in reliefs] == ["DAI"]


@pytest.mark.requirement("D17")
@pytest.mark.parametrize(("owed", "says"), [(9_000, "EMERGENCY: "), (9_800, "EMERGENCY, may be liquidated now: ")])
def test_below_one_and_a_tenth_it_is_an_emergency(owed, says):
    (relief,) = mended(loan(usdc=12_000, dai=owed))

    assert relief.words.startswith(says + "the loan at cheap has health")


@pytest.mark.requirement("D17")
def test_collateral_of_the_debts_own_kind_repays_it_without_a_swap():
    book = funded(coins=0).plus([held(LendingSupply(LOAN, DAI), 12_000), held(LendingDebt(LOAN, DAI), -8_000)])
    (relief,) = mended(book, funding=replace(FUNDING, free={(LOAN, "DAI"): 1e9}))

    assert all(one.spent == one.repaid for one in relief.rounds)
    orders = vault_orders(replace(decided(SEEN).target, put=None, loan=None, reliefs=(relief,)), None, VENUES, "t")
    assert {order.role for order in orders} == {"lending"}


amounts = st.floats(0.0, 30_000.0)


@pytest.mark.requirement("D17")
@given(amounts, st.floats(0.0, 40.0), st.floats(1_000.0, 20_000.0), amounts, amounts, st.floats(0.0, 20.0))
def test_no_relief_makes_a_loan_worse_and_the_limit_holds_or_something_is_lacking(usdc, ether, dai, iu, idai, iether):
    usdc, ether, dai = round(usdc, 2), round(ether, 4), round(dai, 2)
    book = loan(usdc=usdc, ether=ether, dai=dai)
    before = health_factors(book, VIEW, HALVED, FUNDING.thresholds)[LOAN]
    found = mended(book, USDC=iu, DAI=idai, WETH=iether)

    assert bool(found) == (before < 1.5 - 1e-9)
    for relief in found:
        assert relief.after[0] >= relief.health - 1e-9
        assert relief.after[1] >= relief.stressed - 1e-9
        assert relief.after[1] >= 1.5 - 1e-6 or relief.lacking > 0
        assert all(tokens <= {"USDC": iu, "DAI": idai, "WETH": iether}[code] for code, tokens in relief.used.items())
        repaid = relief.repay + sum(one.repaid for one in relief.rounds)
        assert repaid <= dai + 1e-6
        assert sum(one.withdrawn for one in relief.rounds) <= usdc + 1e-6


@pytest.mark.requirement("D17", "X05")
def test_a_decision_mends_the_loan_before_anything_else_and_adds_no_condor():
    book = loan(usdc=12_000, ether=4, dai=9_500, idle_usdc=300)
    decision = decided(SEEN, book)

    assert decision.target.reliefs
    assert "the loan at cheap has health" in decision.reasons[0]
    assert decision.target.core.lots(Kind.CONDOR) == 0
    assert decision.target.loan is None
    orders = planned(decision).orders
    assert {order.role for order in orders if order.sleeve == "defi"} == {"lending", "swap"}


@pytest.mark.requirement("D17", "X17")
def test_the_batch_that_mends_is_let_through_whole_while_its_parts_would_not_be():
    decision = decided(SEEN, loan(usdc=12_000, ether=4, dai=9_500, idle_usdc=300))
    orders = tuple(vault_orders(decision.target, None, VENUES, "t"))
    piecemeal = planned(decision)
    ids = tuple(order.id for order in orders)
    whole = sealed(replace(piecemeal, orders=orders, batches=(replace(plan().batches[0], order_ids=ids),), digest=""))

    cycle.checked(whole, SEEN, decision.book, POLICY)
    with pytest.raises(LimitBreached, match="health_factor"):
        cycle.checked(sealed(replace(whole, batches=(), digest="")), SEEN, decision.book, POLICY)


@pytest.mark.requirement("D17")
def test_after_the_orders_the_book_has_the_health_that_was_promised():
    decision = decided(SEEN, loan(usdc=12_000, ether=4, dai=9_500, idle_usdc=300))
    (relief,) = decision.target.reliefs
    seen, book = [], decision.book

    def readings(reached, outer):
        seen.append(reached)
        return ()

    check(sealed(replace(planned(decision), digest="")), book, readings)
    thresholds, cells = decision.frame.funding.thresholds, decision.frame.scenarios
    secured, owed = loans_by_scenario(seen[-1], decision.view, cells, thresholds)[LOAN]

    assert float((secured / owed).min()) == pytest.approx(relief.after[1], rel=1e-4)
