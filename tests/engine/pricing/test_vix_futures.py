"""VIX options stand on their own future and nothing else; futures have a ceiling and betas that history shows."""

from itertools import pairwise

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.vix_futures import (
    MONTHLY_BETA,
    FutureLevel,
    SpotLevel,
    constant_maturity,
    forward_variance,
    future_bound,
    spx_delta,
    vix_beta,
    vix_option_value,
)
from tests.engine.pricing.recorded_futures import column, settlements, settles

POINTS, YEARS, VOLS = st.floats(9.0, 90.0), st.floats(1 / 365, 0.75), st.floats(0.2, 2.5)


@pytest.mark.requirement("D06")
@given(POINTS, POINTS, YEARS, VOLS, st.sampled_from([1, -1]))
def test_an_option_on_the_future_is_black_76(future, strike, years, vol, sign):
    kind = QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put
    expected = QuantLib.blackFormula(kind, strike, future, vol * years**0.5, np.exp(-0.03 * years))

    value = vix_option_value(FutureLevel(future, years), strike, vol, sign=sign, rate=0.03)

    assert float(value) == pytest.approx(expected, abs=1e-12 * max(future, strike))


@pytest.mark.requirement("D06")
@given(POINTS, POINTS, YEARS, VOLS)
def test_call_less_put_is_the_discounted_future_less_strike(future, strike, years, vol):
    level = FutureLevel(future, years)
    call, put = (float(vix_option_value(level, strike, vol, sign=sign, rate=0.04)) for sign in (1, -1))

    assert call - put == pytest.approx(np.exp(-0.04 * years) * (future - strike), abs=1e-11)


@pytest.mark.requirement("D06")
@pytest.mark.requirement("S19")
@pytest.mark.parametrize("level", [SpotLevel(18.0), 18.0, np.float64(18.0), None])
def test_spot_vix_is_refused_by_its_type(level):
    with pytest.raises(InputError, match="never spot VIX"):
        vix_option_value(level, 20.0, 0.9, sign=1)
    with pytest.raises(InputError, match="never spot VIX"):
        spx_delta(level, 4000.0)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("points", [np.nan, np.inf, 0.0, -1.0])
def test_a_future_without_a_level_is_refused(points):
    with pytest.raises(InputError, match="VIX future"):
        FutureLevel(points, 0.1)


@pytest.mark.requirement("D06")
@pytest.mark.requirement("D19")
def test_betas_are_those_of_recorded_settlements_of_the_same_contract():
    days, prices = settlements()
    spx = column("equity/spx-daily-1999-2023.csv", *_spx_names())
    moves = [[] for _ in MONTHLY_BETA]
    for before, after in pairwise(days):
        if before not in spx or after not in spx:
            continue
        live = sorted(c for c in prices[before] if settles(c) > after)
        for month, contract in enumerate(live[: len(MONTHLY_BETA)]):
            if contract in prices[after]:
                moves[month].append(
                    (np.log(spx[after] / spx[before]), np.log(prices[after][contract] / prices[before][contract]))
                )

    betas = [np.cov(*np.array(pairs).T)[0, 1] / np.var(np.array(pairs)[:, 0], ddof=1) for pairs in moves]

    assert MONTHLY_BETA == (-2.87, -2.02, -1.62, -1.40, -1.24, -1.06)
    assert betas == pytest.approx(MONTHLY_BETA, abs=0.021)


@pytest.mark.requirement("D06")
def test_a_future_hedges_by_its_maturitys_beta():
    months = (np.arange(6) + 0.5) / 12

    assert vix_beta(months).tolist() == list(MONTHLY_BETA)
    assert vix_beta([0.0, 2.0]).tolist() == [MONTHLY_BETA[0], MONTHLY_BETA[-1]]
    assert float(spx_delta(FutureLevel(16.0, 1.5 / 12), 4000.0)) == pytest.approx(-2.02 * 16 * 1000 / 4000)


@pytest.mark.requirement("D06")
@pytest.mark.requirement("S18")
def test_forward_variance_adds_up_to_total_variance():
    tenors, variances = np.array([30, 60, 90]) / 365, np.array([0.04, 0.05, 0.045])

    between = forward_variance(tenors, variances, np.array([30, 60]) / 365)

    assert between == pytest.approx([0.05 * 2 - 0.04, 0.045 * 3 - 0.05 * 2])
    assert future_bound(tenors, variances, 30 / 365) == pytest.approx(100 * 0.06**0.5)


@pytest.mark.requirement("D06")
def test_a_window_beyond_the_strips_or_falling_total_variance_is_refused():
    tenors = np.array([30, 60]) / 365

    with pytest.raises(InputError, match="ends at"):
        future_bound(tenors, np.array([0.04, 0.04]), 40 / 365)
    with pytest.raises(InputError, match="calendar arbitrage"):
        future_bound(tenors, np.array([0.09, 0.04]), 30 / 365)


@pytest.mark.requirement("D06")
def test_recorded_futures_stand_below_the_bound_in_the_middle_of_history():
    days, prices = settlements()
    vix = column("volatility/vix-daily-1990-2026.csv", "CLOSE", "DATE")
    vix3m = column("volatility/vix3m-close-to-2023.csv")
    gaps = []
    for day in days:
        if day in vix and day in vix3m and 93 * vix3m[day] ** 2 > 30 * vix[day] ** 2:
            live = sorted((settles(c), level) for c, level in prices[day].items() if settles(c) > day)
            years = np.array([(end - day).astype(int) for end, _ in live]) / 365
            if years[0] < 46 / 365 < years[-1]:
                future = constant_maturity(years, np.array([level for _, level in live]), 46 / 365)
                strips = np.array([vix[day], vix3m[day]]) / 100
                gaps.append(np.log(future / future_bound(np.array([30, 93]) / 365, strips**2, 46 / 365)))

    assert len(gaps) > 2500
    assert np.median(gaps) < 0.0
    assert np.quantile(gaps, 0.25) < -0.03  # vol of vol is worth points, not rounding


@pytest.mark.requirement("S21")
def test_constant_maturity_weighs_the_two_listed_futures_around_it_by_time():
    years, levels = np.array([20, 48, 83, 111]) / 365, np.array([15.0, 17.0, 18.0, 18.6])

    found = constant_maturity(years, levels, np.array([30, 60, 90]) / 365)

    near = [(48 - 30) / 28 * 15 + (30 - 20) / 28 * 17, (83 - 60) / 35 * 17 + 12 / 35 * 18, 21 / 28 * 18 + 7 / 28 * 18.6]
    assert found == pytest.approx(near)


@pytest.mark.requirement("S21")
@pytest.mark.parametrize("target", [10 / 365, 120 / 365])
def test_a_maturity_beyond_what_is_listed_is_refused(target):
    with pytest.raises(InputError, match="span"):
        constant_maturity(np.array([20, 48]) / 365, np.array([15.0, 17.0]), target)


def _spx_names():
    from tests.engine.pricing.recorded_futures import rows

    first = rows("equity/spx-daily-1999-2023.csv")[0]
    named = {key.lower(): key for key in first}
    return named["close"], named["date"]
