"""Dividend discounting: the identities that hold whatever is reinvested, on both bases."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.ddm import (
    Basis,
    adjusted_funds,
    annual,
    bucket_weights,
    finite_value,
    growing_value,
    reit_value,
)

SHARES, RATES = st.floats(0.0, 1.0), st.floats(0.005, 0.3)


@pytest.mark.requirement("D30")
@given(st.floats(0.1, 1e6), RATES, RATES)
def test_with_nothing_reinvested_value_is_dividend_over_k(premium, roc, k):
    assert growing_value(premium, reinvested=0.0, roc=roc, k=k) == pytest.approx(premium / k)


@pytest.mark.requirement("D30")
@pytest.mark.requirement("S38")
@given(st.floats(0.0, 0.95), RATES)
def test_where_capital_earns_k_reinvesting_changes_nothing(reinvested, k):
    nav = 1000.0

    assert growing_value(k * nav, reinvested=reinvested, roc=k, k=k) == pytest.approx(nav)
    assert finite_value(nav, reinvested=reinvested, roc=k, k=k, periods=24) == pytest.approx(nav)


@pytest.mark.requirement("D30")
@given(RATES, RATES, st.floats(0.0, 0.9), st.floats(0.05, 0.8), st.floats(0.005, 0.2))
def test_firm_value_less_debt_is_equity_value_when_debt_keeps_its_share(roc, k_e, reinvested, share, debt_rate):
    wacc = (1 - share) * k_e + share * debt_rate
    growth = reinvested * roc
    assume(wacc > growth + 0.01)
    assume(k_e > growth + 0.01)
    firm = (1 - reinvested) * 10.0 / (wacc - growth)
    terms = {"reinvested": reinvested, "roc": roc, "debt": share * firm, "debt_rate": debt_rate}

    of_firm = growing_value(10.0, k=wacc, basis=Basis.FIRM, **terms)
    of_equity = growing_value(10.0, k=k_e, basis=Basis.EQUITY, **terms)

    assert of_firm == pytest.approx(of_equity, rel=1e-9)
    assert of_firm == pytest.approx((1 - share) * firm, rel=1e-9)


@pytest.mark.requirement("D30")
@given(RATES, RATES, st.integers(0, 60))
def test_reinvesting_everything_leaves_only_the_terminal_distribution(roc, k, periods):
    value = finite_value(1000.0, reinvested=1.0, roc=roc, k=k, periods=periods)

    assert value == pytest.approx(1000 * (1 + roc) ** periods / (1 + k) ** periods)


@pytest.mark.requirement("D30")
@given(SHARES, RATES, RATES)
def test_a_long_horizon_approaches_the_infinite_one(reinvested, roc, k):
    assume(k > reinvested * roc + 0.02)
    far = finite_value(1000.0, reinvested=reinvested, roc=roc, k=k, periods=3000)

    assert far == pytest.approx(growing_value(roc * 1000, reinvested=reinvested, roc=roc, k=k), rel=1e-9)


@pytest.mark.requirement("D30")
@pytest.mark.parametrize("k", [0.05, 0.04])
def test_an_infinite_horizon_without_k_above_growth_has_no_value(k):
    with pytest.raises(InputError, match="diverges"):
        growing_value(10.0, reinvested=0.5, roc=0.10, k=k)


@pytest.mark.requirement("D30")
def test_a_rate_per_cycle_is_annualised_by_its_days():
    assert annual(0.01, 45) == pytest.approx(1.01 ** (365 / 45) - 1)


@pytest.mark.requirement("D30")
@pytest.mark.requirement("S21")
@given(st.lists(st.tuples(st.floats(1, 200), st.floats(0.01, 1e4)), min_size=1, max_size=20), st.floats(0.0, 0.2))
def test_hedge_weights_are_shares_that_keep_the_date_of_every_flow_between_them(flows, rate):
    days, paid = np.array(flows).T

    weights = bucket_weights(days, paid, rate=rate)

    worth = paid * np.exp(-rate * days / 365)
    mean = np.clip(days, 30, 90) @ worth / worth.sum()
    assert sum(weights.values()) == pytest.approx(1.0)
    assert min(weights.values()) >= 0.0
    assert sum(tenor * share for tenor, share in weights.items()) == pytest.approx(mean)


@pytest.mark.requirement("D30")
@pytest.mark.requirement("S21")
def test_flows_on_a_tenor_belong_to_it_alone():
    assert bucket_weights([30, 60, 90], [1.0, 2.0, 1.0], rate=0.0) == {30.0: 0.25, 60.0: 0.5, 90.0: 0.25}
    assert bucket_weights([7, 400], [1.0, 3.0], rate=0.0) == {30.0: 0.25, 60.0: 0.0, 90.0: 0.75}


@pytest.mark.requirement("D30")
@pytest.mark.requirement("S35")
def test_a_reit_is_worth_its_paid_out_affo_over_k_less_growth():
    affo = adjusted_funds(5.2, maintenance=1.0, straight_line_rent=0.2)

    assert affo == pytest.approx(4.0)
    assert reit_value(affo, payout=0.8, growth=0.03, k=0.09) == pytest.approx(3.2 / 0.06)
    with pytest.raises(InputError, match="REIT"):
        reit_value(affo, payout=0.8, growth=0.09, k=0.09)


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    "broken",
    [
        lambda: growing_value(np.nan, reinvested=0.0, roc=0.1, k=0.1),
        lambda: growing_value(1.0, reinvested=1.5, roc=0.1, k=0.5),
        lambda: finite_value(1.0, reinvested=0.5, roc=0.1, k=0.1, periods=-1),
        lambda: bucket_weights([30], [0.0], rate=0.0),
        lambda: bucket_weights([30], [-1.0], rate=0.0),
        lambda: bucket_weights([np.inf], [1.0], rate=0.0),
    ],
)
def test_what_has_no_value_is_refused(broken):
    with pytest.raises(InputError):
        broken()
