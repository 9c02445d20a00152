"""The laws D13 names: infinity typed, monotone haircuts, and money that has to travel."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.positions import Sleeve
from engine.risk.quick_ratio import Due, Liquid, pool_ratio, portfolio_ratio, treasury_ratio


@pytest.mark.requirement("D13")
def test_no_holdings_and_no_dues_have_an_infinite_ratio():
    assert portfolio_ratio([], {}, days=1.0).worst.ratio == math.inf


@pytest.mark.requirement("D13")
def test_a_rich_vault_does_not_meet_a_brokers_call_today():
    vault = Liquid(Sleeve.DEFI, "USDC", 1_000_000.0, transfer=2.0)
    due = {Sleeve.CONDOR: Due(margin_call=10_000.0), Sleeve.DEFI: Due(gas=50.0)}

    today, later = (portfolio_ratio([vault], due, days=days) for days in (0.0, 2.0))

    assert today.consolidated.ratio == 0.0
    assert later.consolidated.ratio == pytest.approx(1_000_000 / 10_050)
    assert later.worst.of == "condor"


amounts, lags = st.floats(0, 1e9), st.sampled_from([0.0, 1.0, 2.0, 3.0])
holdings = st.lists(
    st.builds(
        Liquid, st.sampled_from([Sleeve.CONDOR, Sleeve.DEFI]), st.just("x"), amounts, st.floats(0, 1), lags, lags
    ),
    max_size=6,
)
due = st.builds(Due, margin_call=amounts, debt=amounts, gas=amounts, pending=amounts)


@pytest.mark.requirement("D13")
@given(holdings, due, due, lags)
def test_both_together_are_never_better_than_the_better_and_pay_all_only_when_all_arrives(rows, one, two, days):
    found = portfolio_ratio(rows, {Sleeve.CONDOR: one, Sleeve.DEFI: two}, days=days)
    at_home = sum(ratio.liquid for ratio in found.by_engine)

    assert found.consolidated.liquid <= at_home * (1 + 1e-12)
    late = [row for row in rows if row.paid(days) > 0 and row.days + row.transfer > days]
    assert (found.consolidated.liquid == pytest.approx(at_home, rel=1e-12, abs=1e-300)) or late
    assert not late or found.consolidated.liquid < at_home or sum(r.paid(days) for r in late) < 1e-9 * at_home
    assert found.consolidated.ratio <= max(ratio.ratio for ratio in found.by_engine) * (1 + 1e-9)


@pytest.mark.requirement("D13")
@given(holdings, due, st.floats(0, 1), st.data())
def test_a_larger_haircut_never_raises_a_ratio(rows, owed, more, data):
    if not rows:
        return
    at = data.draw(st.integers(0, len(rows) - 1))
    row = rows[at]
    cut = Liquid(row.sleeve, row.what, row.usd, max(row.haircut, more), row.days, row.transfer)
    dues = {Sleeve.CONDOR: owed, Sleeve.DEFI: owed}

    before = portfolio_ratio(rows, dues, days=2.0)
    after = portfolio_ratio([*rows[:at], cut, *rows[at + 1 :]], dues, days=2.0)

    assert after.consolidated.ratio <= before.consolidated.ratio
    assert after.worst.ratio <= before.worst.ratio


@pytest.mark.requirement("D13")
def test_a_pool_is_judged_by_the_99th_percentile_of_a_days_outflow():
    outflows = np.arange(1, 102, dtype=float)  # the 99th percentile of 1..101 is 100

    assert pool_ratio(250.0, outflows).ratio == pytest.approx(2.5)
    assert pool_ratio(250.0, -outflows).ratio == math.inf


@pytest.mark.requirement("D13")
def test_a_treasury_pays_a_years_burn_with_stables_and_discounted_ether():
    stables, ether = Liquid(Sleeve.DEFI, "USDC", 500.0), Liquid(Sleeve.DEFI, "WETH", 1000.0, haircut=0.4)

    assert treasury_ratio(stables, ether, burn_12m=400.0, bad_debt=100.0).ratio == pytest.approx(1100 / 500)
    assert treasury_ratio(stables, ether, burn_12m=0.0, bad_debt=0.0).ratio == math.inf


@pytest.mark.parametrize(
    "broken", [{"usd": -1.0}, {"haircut": 1.1}, {"haircut": float("nan")}, {"days": -1.0}, {"usd": float("nan")}]
)
def test_liquidity_without_meaning_is_refused(broken):
    with pytest.raises(InputError):
        Liquid(Sleeve.DEFI, "USDC", **({"usd": 1.0} | broken))


def test_a_pool_without_history_and_negative_dues_are_refused():
    with pytest.raises(InputError):
        pool_ratio(1.0, [])
    with pytest.raises(InputError):
        treasury_ratio(Liquid(Sleeve.DEFI, "a", 1.0), Liquid(Sleeve.DEFI, "b", 1.0), burn_12m=-1.0, bad_debt=0.0)


@pytest.mark.parametrize("wrong", [{"margin_call": math.nan}, {"debt": -1.0}, {"shortfall": math.nan}])
def test_what_is_due_is_never_negative_nor_no_number(wrong):
    """A call that is not a number once read as nothing due, hence as an infinite ratio."""
    with pytest.raises(InputError, match="due refused"):
        Due(**wrong)


@pytest.mark.fault("F76")
def test_a_burn_that_is_no_number_is_no_infinite_ratio():
    with pytest.raises(InputError, match="treasury"):
        treasury_ratio(Liquid(Sleeve.DEFI, "s", 1.0), Liquid(Sleeve.DEFI, "e", 1.0), burn_12m=math.nan, bad_debt=0.0)
