from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ledger.capital_sensitivity import cost_of_next_dollar, sensitivities
from engine.ledger.wacc import Capm, Cost, Source, borrow_apr, wacc
from engine.market import LendingMarket
from tests.engine.ledger.events import steady

pytestmark = pytest.mark.requirement("D14")
H = 1e-5


def rate(capm, equity, debts):
    return wacc(capm, equity, debts).rate


@steady
@given(
    st.floats(0, 0.1),
    st.floats(0, 0.1),
    st.floats(0.1, 2),
    st.floats(-0.1, 0.5),
    st.floats(0.2, 1),
    st.floats(0.0, 0.3),
)
def test_each_sensitivity_is_the_slope_of_wacc(risk_free, premium, beta, beta_debt, drawn, k):
    capm, equity = Capm(risk_free, premium, beta, beta_debt), 1.0
    debts = [Source("chain", drawn, Cost(rate=k)), Source("line", 0.3, Cost(rate=0.065))]

    found = sensitivities(capm, equity, debts)

    def slope(up, down):
        return pytest.approx((rate(*up) - rate(*down)) / (2 * H), rel=1e-6, abs=1e-9)

    for name in ("risk_free", "premium", "beta_unlevered", "beta_debt"):
        up, down = (replace(capm, **{name: getattr(capm, name) + sign * H}) for sign in (1, -1))
        assert getattr(found, name) == slope((up, equity, debts), (down, equity, debts))
    dearer, cheaper = ([replace(debts[0], cost=Cost(rate=k + sign * H)), debts[1]] for sign in (1, -1))
    assert found.k["chain"] == slope((capm, equity, dearer), (capm, equity, cheaper))
    more, less = ([replace(debts[0], usd=drawn + sign * H), debts[1]] for sign in (1, -1))
    assert found.usd["chain"] == slope((capm, equity, more), (capm, equity, less))
    assert found.usd["equity"] == slope((capm, equity + H, debts), (capm, equity - H, debts))


def test_the_next_dollar_of_the_worked_vector_costs_its_k_and_what_equity_then_asks():
    capm = Capm(0.042, 0.05, 0.42)
    debts = [Source("chain", 200_000, Cost(0.055, gas=0.004, ramp=0.006)), Source("line", 100_000, Cost(rate=0.065))]

    found = cost_of_next_dollar(capm, debts, marginal_k={"chain": 0.09})

    assert found == pytest.approx({"equity": 0.063, "chain": 0.09 + 0.021, "line": 0.065 + 0.021})


def test_past_the_kink_wacc_rises_by_exactly_the_slope2_term():
    terms = {"borrow_rate": 0.05, "supply_rate": 0.03, "threshold": 0.8, "ltv": 0.75, "liquidity": 200.0}
    market = LendingMarket("m", "USDC", **terms, utilisation=0.8, base_rate=0.01, slope1=0.04, slope2=0.6, kink=0.9)
    capm = Capm(0.042, 0.05, 0.42)

    def at(tokens):
        return rate(capm, 700.0, [Source("chain", 300.0, Cost(rate=borrow_apr(market, tokens)))])

    assert at(150.0) - at(100.0) == pytest.approx(0.3 * 0.6 * 0.05 / 0.1, abs=1e-12)  # 85 % is below, 90 % at the kink
