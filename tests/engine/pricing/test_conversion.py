"""Conversions priced against parity, which an independent library gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pricing.conversion import conversion_cost, conversion_edge, conversion_rate

rates = st.floats(-0.02, 0.15)


@pytest.mark.requirement("D27")
@pytest.mark.requirement("S31")
@pytest.mark.parametrize("strike", [5_000.0, 6_000.0, 7_500.0])
def test_european_prices_of_one_model_leave_no_edge_and_imply_its_rate(strike):
    ql = pytest.importorskip("QuantLib")
    s, r, q, t, vol = 6_000.0, 0.042, 0.013, 45 / 365, 0.18
    forward, sd = s * np.exp((r - q) * t), vol * np.sqrt(t)
    put = ql.blackFormula(ql.Option.Put, strike, forward, sd, np.exp(-r * t))
    call = ql.blackFormula(ql.Option.Call, strike, forward, sd, np.exp(-r * t))

    cost = conversion_cost(s, put, call, t, dividend=q)

    assert float(conversion_edge(cost, strike, t, r)) == pytest.approx(0.0, abs=1e-9)
    assert float(conversion_rate(cost, strike, t)) == pytest.approx(r, abs=1e-11)


@pytest.mark.requirement("D27")
@given(strike=st.floats(50, 200), years=st.floats(0.01, 2.0), rate=rates, paid=rates, fees=st.floats(0.0, 1.0))
def test_an_edge_is_the_present_value_of_earning_more_than_financing(strike, years, rate, paid, fees):
    cost = strike * np.exp(-rate * years)

    conversion = float(conversion_edge(cost, strike, years, paid, fees=fees))
    reversal = float(conversion_edge(cost, strike, years, paid, sign=-1, fees=fees))

    assert float(conversion_rate(cost, strike, years)) == pytest.approx(rate, abs=1e-11)
    assert conversion + fees == pytest.approx(strike * (np.exp(-paid * years) - np.exp(-rate * years)), abs=1e-9)
    assert conversion + reversal == pytest.approx(-2 * fees, abs=1e-9)


@pytest.mark.requirement("D27")
def test_a_stability_fee_below_the_implied_rate_is_an_edge():
    cost = conversion_cost(3_000.0, 90.0, 100.0, 0.25)  # 2,990 for 3,000: 1.336 % a year

    assert float(conversion_edge(cost, 3_000.0, 0.25, 0.01)) > 0
    assert float(conversion_edge(cost, 3_000.0, 0.25, 0.015)) < 0


def test_a_package_that_costs_nothing_or_expires_now_implies_no_rate():
    assert np.isnan(conversion_rate([0.0, -1.0, 99.0, 99.0], [100.0, 100.0, 100.0, 0.0], [1.0, 1.0, 0.0, 1.0])).all()
