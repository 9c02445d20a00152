"""What a decision does with the sleeve: what leaves it, what it lends on, whose loss is whose."""

import numpy as np
import pytest

from engine import cycle
from engine.errors import LimitBreached
from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.policy.candidates import Kind
from engine.positions import Sleeve
from engine.risk.drawdown import rule_losses
from engine.risk.recourse import liabilities
from engine.risk.valuation import unit_values
from tests.engine.desk_cases import DAI, POLICY, USDC, WETH, decided, funded, held, planned, pool, snapshot


def reading(decision, name):
    return next(one for one in decision.readings if one.limit == name)


@pytest.mark.requirement("X05", "S39")
def test_a_hard_breach_sends_what_is_above_the_soft_cap_to_the_broker_and_nothing_else_is_added():
    seen = snapshot()
    decision = decided(seen, funded(coins=350_000))  # 350 of 1,200 thousand

    (order,) = planned(decision).orders

    # (S - R) / (N - c R) = 15 %: R = (350,000 - 180,000) / (1 - 0.15 x 0.1 %)
    assert float(-order.limit.amount) == pytest.approx(170_000 / 0.99985, abs=1e-5)
    assert order.role == "ramp"
    assert "above its hard cap: 170,026 USD to leave it (X05)" in decision.target.reasons[0]
    assert decision.target.core.lots(Kind.CONDOR) == 0
    assert decision.target.loan is None
    cycle.checked(planned(decision), seen, decision.book, POLICY)


@pytest.mark.requirement("X05")
def test_collateral_that_no_debt_needs_is_freed_and_what_travels_is_not_sent_twice():
    seen = snapshot(pool("cheap", collateral="USDC", withdrawable=1e6))
    book = funded(coins=50_000).plus([held(LendingSupply("cheap", USDC), 300_000)])
    decision = decided(seen, book)

    withdrawn, sent = planned(decision).orders

    # 170,025.50 leave; 50,000 lie idle, the rest is withdrawn first
    assert float(withdrawn.legs[0].quantity) == pytest.approx(-(170_000 / 0.99985 - 50_000), abs=1e-5)
    assert float(sent.legs[0].quantity) == pytest.approx(170_000 / 0.99985, abs=1e-5)
    again = funded(coins=179_975).plus([held(Cash(USDC), 170_025, Sleeve.TRANSIT, "offramp")])
    assert decided(seen, again).target.cut.usd < 1.0


@pytest.mark.requirement("X05")
def test_between_soft_and_hard_cap_nothing_leaves_and_no_loan_is_drawn():
    target = decided(snapshot(), funded(coins=180_000)).target  # 17.5 % of NAV

    assert target.cut is None
    assert target.core.lots(Kind.CONDOR) > 0
    assert target.loan is None
    assert any("above its 15% target (S39, X05)" in reason for reason in target.loans[0].reasons)


@pytest.mark.requirement("X05", "S39")
def test_a_plan_that_takes_risk_on_is_refused_while_the_hard_cap_is_broken():
    seen = snapshot()
    sells = planned(decided(seen))

    with pytest.raises(LimitBreached, match="sleeve_cap"):
        cycle.checked(sells, seen, funded(coins=350_000), POLICY)


@pytest.mark.requirement("S44", "D16")
def test_a_loan_is_drawn_only_where_the_extra_condors_earn_more_than_it_costs():
    cheap = decided(snapshot(pool("cheap"))).target
    dear = decided(snapshot(pool("dear", rate=0.0599)), policy=with_loop(gas_usd="4000")).target

    assert cheap.loan is not None
    assert cheap.loan.project_return > cheap.loan.cost
    assert dear.loan is None
    (refused,) = dear.loans
    assert refused.edge_bps == pytest.approx((refused.project_return - refused.cost) * 1e4)
    assert refused.edge_bps < 0
    assert any(reason.endswith("bp (D16)") for reason in refused.reasons)


@pytest.mark.requirement("S44")
def test_every_limit_holds_in_every_state_that_the_drawn_loan_can_leave():
    seen = snapshot()
    decision = decided(seen, funded(coins=149_000))

    worst = cycle.checked(planned(decision), seen, decision.book, POLICY).worst

    assert decision.target.loan is not None
    assert worst["health_factor"] >= 1.5
    assert worst["drawdown_2sd"] <= 0.06
    assert worst["quick_ratio"] >= 1.0
    assert worst["sleeve_cap"] <= 0.20


@pytest.mark.requirement("S45")
@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"recourse": True}, "has recourse to the margin account (S45)"),
        ({"recourse": None}, "says neither with nor without recourse (S45)"),
        ({"recourse": False, "cross_default": True}, "a default elsewhere calls the loan of cheap (S45)"),
    ],
)
def test_a_loan_that_reaches_beyond_its_collateral_is_not_drawn_unless_the_policy_allows_it(terms, why):
    seen = snapshot(pool("cheap", **terms))

    refused, allowed = decided(seen).target, decided(seen, policy=with_loop(recourse=True)).target

    assert refused.loan is None
    assert any(why in reason for reason in refused.loans[0].reasons)
    assert allowed.loan is not None


@pytest.mark.requirement("S45")
def test_equity_in_a_vault_without_recourse_ends_at_nothing_and_with_recourse_the_rest_pays():
    # 200 ether at 700 secure 128,000 DAI: 14 % of equity, gone when ether falls by 9 %
    loan = [held(LendingSupply("cheap", WETH), 200), held(LendingDebt("cheap", DAI), -128_000)]
    book = funded(coins=10_000).plus(loan)
    fenced, reaching = (decided(snapshot(pool("cheap", recourse=flag)), book) for flag in (False, True))

    cells = fenced.frame.scenarios
    secured = 200 * unit_values(LendingSupply("cheap", WETH), fenced.view, cells)
    owed = 128_000 * unit_values(LendingDebt("cheap", DAI), fenced.view, cells.as_debtor())
    losses = rule_losses(book, fenced.view, cells)
    capital = 850_000 + 10_000 + 140_000 - 128_000

    assert reading(reaching, "drawdown_2sd").reading == pytest.approx(losses.max() / capital)
    lenders = np.maximum(owed - secured, 0.0)
    assert lenders.max() > 50_000
    assert reading(fenced, "drawdown_2sd").reading == pytest.approx((losses - lenders).max() / capital)
    assert [one.words for one in liabilities(book, fenced.view)] == ["cheap debt DAI 128,000 USD without recourse"]
    assert [one.recourse for one in liabilities(book, reaching.view)] == [True]


@pytest.mark.requirement("S36")
def test_a_loan_costs_more_the_faster_its_governance_may_change_it():
    # two days to leave: a delay of 48 h surprises nobody, 24 h half the time, none always; 0.25 % of collateral, 1/0.75
    costs = [decided(snapshot(pool("cheap", change_delay_hours=hours))).target.loans[0].cost for hours in (48, 24, 0)]

    assert costs[1] - costs[0] == pytest.approx(0.5 * 0.0025 / 0.75, abs=1e-9)
    assert costs[2] - costs[0] == pytest.approx(0.0025 / 0.75, abs=1e-9)


@pytest.mark.requirement("S55", "D22")
def test_no_more_is_supplied_than_protocol_and_oracle_bear_under_their_caps():
    seen = snapshot(pool("cheap", protocol="aave", oracle="feeds"))
    book = funded(860_000, 140_000)
    whole, capped = decided(seen, book).target, decided(seen, book, with_limits(oracle_cap="4%")).target

    assert whole.supplies["USDC"] == pytest.approx(140_000)  # all there is, 14 % of NAV
    assert capped.supplies["USDC"] == pytest.approx(0.04 * (1_000_000 - capped.core.cost))
    assert capped.loan.health == pytest.approx(
        whole.loan.health * capped.supplies["USDC"] / 140_000
    )  # as much debt on that much less


@pytest.mark.requirement("S55", "D22")
def test_two_pools_of_one_protocol_share_its_cap_and_a_plan_above_it_is_refused():
    seen = snapshot(pool("cheap", protocol="aave"), pool("dear", rate=0.05, protocol="aave"))
    book = funded(coins=0).plus([held(LendingSupply(name, USDC), 75_001) for name in ("cheap", "dear")])

    found = reading(decided(seen, book), "protocol_cap")

    # 150,002 of 1,000,002 USD
    assert found.reading == pytest.approx(150_002 / 1_000_002)
    assert "150,002 USD on aave" in found.detail
    assert found.breach() is not None
    assert reading(decided(seen, book), "oracle_cap").breach() is None  # each pool its own


@pytest.mark.requirement("S41", "D12")
def test_what_earlier_orders_of_the_session_opened_leaves_less_room_for_hedges():
    seen, policy = (
        snapshot(),
        POLICY.model_copy(update={"layering": POLICY.layering.model_copy(update={"cap_always": True})}),
    )
    free = decided(seen, policy=policy)
    paid = sum(-float(order.limit.amount) for order in planned(free).orders if order.role == "hedge")
    cap = 0.25 * 0.30 * 1_000_000  # of defined-risk capital

    full = decided(seen, policy=policy, session_outer=cap - paid / 2)

    assert paid > 0
    assert full.target.core.lots(Kind.HEDGE) < free.target.core.lots(Kind.HEDGE)
    with pytest.raises(LimitBreached, match="session_new_outer"):
        cycle.checked(planned(free), seen, free.book, policy, session_outer=cap - paid / 2)


def with_loop(**changed):
    return POLICY.model_validate(POLICY.model_dump() | {"loop": POLICY.loop.model_dump() | changed})


def with_limits(**changed):
    return POLICY.model_validate(POLICY.model_dump() | {"limits": POLICY.limits.model_dump() | changed})
