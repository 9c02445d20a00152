import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.ledger.hurdle import TRADING_COSTS, Charged, Comparison, UnlikeComparison, compare
from engine.ledger.wacc import (
    COMPONENTS,
    Capm,
    ChainLoan,
    Cost,
    Evidence,
    Source,
    borrow_apr,
    effective,
    line_cost,
    marginal_cost,
    mev_funding,
    wacc,
    without,
)
from engine.market import LendingMarket
from tests.engine.ledger.events import steady

CAPM = Capm(risk_free=0.042, premium=0.05, beta_unlevered=0.42)
MARKET = LendingMarket(
    name="aave-v3",
    asset="USDC",
    borrow_rate=0.05,
    supply_rate=0.03,
    threshold=0.78,
    ltv=0.75,
    liquidity=2_000_000.0,
    utilisation=0.8,
    base_rate=0.0,
    slope1=0.055,
    slope2=0.60,
    kink=0.9,
)
LOAN = ChainLoan(
    years=45 / 365,
    transactions=4,
    gas_usd=20.0,
    ramp_in=0.001,
    ramp_out=0.001,
    liquidation_probability=0.002,
    penalty=0.05,
    hazard=0.01,
    loss_given_default=0.5,
    collateral_usd=1_500_000.0,
    peg_loss_usd=50.0,
    mev=0.001,
)
usd = st.floats(0, 1e9, allow_nan=False)
rates = st.floats(-0.05, 0.5, allow_nan=False)


@pytest.mark.requirement("D14")
@pytest.mark.requirement("S49")
def test_the_worked_vector_is_six_ninety_nine():
    chain = Source("chain", 200_000, Cost(rate=0.055, gas=0.004, ramp=0.006))

    found = wacc(CAPM, 700_000, [chain, Source("line", 100_000, Cost(rate=0.065))])

    assert found.beta_levered == pytest.approx(0.6, abs=1e-15)
    assert found.sources[0].cost.total == pytest.approx(0.072, abs=1e-15)
    assert found.rate == pytest.approx(0.0699, abs=1e-15)
    assert sum(found.parts().values()) == pytest.approx(found.rate, abs=1e-15)


@pytest.mark.requirement("D14")
@steady
@given(st.floats(1, 1e9), st.lists(st.tuples(usd, rates), max_size=5))
def test_weights_sum_to_one(equity, debts):
    sources = [Source(str(i), value, Cost(rate=rate)) for i, (value, rate) in enumerate(debts)]

    assert math.fsum(wacc(CAPM, equity, sources).weights) == pytest.approx(1.0, abs=1e-12)


def test_all_equity_costs_what_unlevered_equity_asks():
    assert wacc(CAPM, 1e6, []).rate == pytest.approx(0.042 + 0.42 * 0.05, abs=1e-15)


@pytest.mark.requirement("D14")
def test_the_limit_of_no_debt_is_finite_and_is_the_cost_of_equity():
    none = wacc(CAPM, 1e6, [Source("chain", 0.0, LOAN.cost(0.05, 0.0))])
    tiny = wacc(CAPM, 1e6, [Source("chain", 1e-6, LOAN.cost(0.05, 1e-6))])

    assert math.isfinite(none.sources[1].cost.total)
    assert none.rate == pytest.approx(0.063, abs=1e-15)
    assert tiny.rate == pytest.approx(none.rate, abs=1e-9)


def test_equity_that_is_gone_has_no_cost():
    with pytest.raises(InputError, match="no cost of capital"):
        wacc(CAPM, 0.0, [])
    with pytest.raises(InputError, match="negative"):
        wacc(CAPM, 1.0, [Source("line", -1.0, Cost(rate=0.05))])


def test_each_component_is_what_its_formula_says():
    cost, years = LOAN.cost(0.05, 200_000.0), 45 / 365

    assert cost.rate == pytest.approx(math.exp(0.05) - 1, abs=1e-8)
    assert cost.gas == pytest.approx(4 * 20 / (200_000 * years))
    assert cost.ramp == pytest.approx(0.002 / years)
    assert cost.liquidation == pytest.approx(0.002 * 0.5 * 0.05 / years)
    assert cost.protocol == pytest.approx(0.01 * 0.5 * 1_500_000 / 200_000)
    assert cost.peg == pytest.approx(50 / (200_000 * years))
    assert cost.total == pytest.approx(math.fsum([*(getattr(cost, name) for name in COMPONENTS)]))
    assert without(cost, "gas", "ramp").total == pytest.approx(cost.total - cost.gas - cost.ramp)


def test_tax_and_incentives_lower_the_rate_alone():
    helped = replace(LOAN, incentives=0.01, incentive_haircut=0.5).cost(0.05, 1e5, tax=0.2)

    assert helped.rate == pytest.approx((effective(0.05) - 0.005) * 0.8, abs=1e-12)
    assert helped.gas == LOAN.cost(0.05, 1e5).gas


def test_a_line_bears_its_commitment_fee_on_what_is_drawn():
    cost = line_cost(0.06, drawn_usd=100.0, limit_usd=300.0, commitment=0.005, tax=0.1)

    assert (cost.rate, cost.commitment) == pytest.approx((0.054, 0.01))


@pytest.mark.requirement("D14")
def test_past_the_kink_the_rate_rises_by_exactly_the_second_slope():
    supplied = 10_000_000.0
    at_kink, beyond = borrow_apr(MARKET, 1_000_000.0), borrow_apr(MARKET, 1_500_000.0)

    assert at_kink == pytest.approx(0.055, abs=1e-15)
    assert beyond - at_kink == pytest.approx(0.60 * (500_000 / supplied) / (1 - 0.9), abs=1e-14)
    weight = 0.2
    before, after = (
        wacc(CAPM, 800_000, [Source("chain", 200_000, Cost(rate=rate))]).rate for rate in (at_kink, beyond)
    )
    assert after - before == pytest.approx(weight * (beyond - at_kink), abs=1e-15)


def test_nobody_borrows_more_than_there_is():
    with pytest.raises(InputError, match="to lend"):
        borrow_apr(MARKET, 2_000_001.0)


@pytest.mark.requirement("D16")
def test_the_next_dollar_costs_what_the_whole_bill_rises_by():
    after = replace(LOAN, transactions=5)

    next_dollar = marginal_cost(MARKET, LOAN, after, debt_usd=500_000.0, extra_usd=1_200_000.0)

    bill = LOAN.cost(borrow_apr(MARKET), 500_000.0).total * 500_000.0
    following = after.cost(borrow_apr(MARKET, 1_200_000.0), 1_700_000.0)
    assert next_dollar.total == pytest.approx((following.total * 1_700_000.0 - bill) / 1_200_000.0)
    assert next_dollar.rate > following.rate
    with pytest.raises(InputError, match="must be positive"):
        marginal_cost(MARKET, LOAN, LOAN, debt_usd=0.0, extra_usd=0.0)


def test_mev_funding_is_measured_from_thirty_transactions_on():
    assert mev_funding([1.0] * 29, debt_usd=1e5, years=0.5, assumed=0.002) == (0.002, Evidence.ASSUMED)
    rate, evidence = mev_funding([1.0, -0.5] * 15, debt_usd=1e5, years=0.5, assumed=0.002)
    assert (rate, evidence) == (pytest.approx(7.5 / 5e4), Evidence.MEASURED)


class TestLikeWithLike:
    def test_a_project_is_charged_its_trading_costs_and_compared_with_k(self):
        verdict = compare(Comparison.PROJECT, Charged(0.10, TRADING_COSTS), Charged(0.07, COMPONENTS))

        assert verdict.clears
        assert verdict.margin == pytest.approx(0.03)
        assert verdict.borne_in["gas"] == "k"
        assert verdict.borne_in["fees"] == "flows"

    @pytest.mark.requirement("D14")
    @pytest.mark.parametrize(
        ("flows", "k", "named"),
        [
            (TRADING_COSTS | {"gas"}, COMPONENTS, "gas is borne in both"),
            (TRADING_COSTS, COMPONENTS - {"gas"}, "gas is borne in neither"),
            (TRADING_COSTS | {"gas"}, COMPONENTS - {"gas"}, "gas is not borne in k"),
            (frozenset({"slippage"}), COMPONENTS | {"fees"}, "fees is not borne in flows"),
        ],
    )
    def test_an_item_on_both_sides_or_on_neither_is_refused(self, flows, k, named):
        with pytest.raises(UnlikeComparison, match=named):
            compare(Comparison.PROJECT, Charged(0.1, frozenset(flows)), Charged(0.07, frozenset(k)))

    def test_equity_and_net_returns_are_charged_everything(self):
        everything = Charged(0.05, COMPONENTS | TRADING_COSTS)

        assert not compare(Comparison.EQUITY, everything, Charged(0.072, frozenset())).clears
        assert compare(Comparison.NET, everything, Charged(0.0, frozenset())).clears

    @pytest.mark.requirement("D14")
    def test_the_gate_has_the_sign_of_a_hand_computed_net_present_value(self):
        rng = np.random.default_rng(20260102)
        for _ in range(1000):
            debt, extra = rng.uniform(1e4, 1e6), rng.uniform(1e3, 1.5e6)
            loan = replace(LOAN, years=rng.uniform(0.05, 1.0), hazard=rng.uniform(0, 0.01))
            k = marginal_cost(MARKET, loan, loan, debt_usd=debt, extra_usd=extra).total
            irr = k + rng.normal(0, 0.05)
            worth = extra * (1 + irr) ** loan.years
            present = worth / (1 + k) ** loan.years - extra

            verdict = compare(Comparison.PROJECT, Charged(irr, TRADING_COSTS), Charged(k, COMPONENTS))

            assert verdict.clears == (present > 0)
