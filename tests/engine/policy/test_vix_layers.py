from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InputError, InvalidStructure
from engine.instruments import Future, Right, Settlement, VanillaOption
from engine.policy.vix_layers import (
    CashFlow,
    RollOff,
    call_spread_month,
    first_layer,
    fund_shares,
    future_month,
    layer_legs,
    month_units,
    tenor_weights,
    whole_lots,
)
from engine.pricing.vix_futures import constant_maturity
from tests.adapters.files.chains import recorded

EXPIRIES = [datetime(2024, 6, 18, 13, tzinfo=UTC), datetime(2024, 7, 17, 13, tzinfo=UTC)]
WEIGHTS = {30.0: 0.25, 60.0: 0.25, 90.0: 0.5}


def vx(expiry):
    return Future("VX", "VIX", expiry, Decimal(1000))


def call(strike, expiry=EXPIRIES[0], right=Right.CALL):
    return VanillaOption("VIX", "VIX", expiry, Decimal(strike), right, Decimal(100), Settlement.AM)


months = st.lists(st.integers(20, 40), min_size=2, max_size=7).map(lambda gaps: np.cumsum(gaps).astype(float) - 15.0)


@pytest.mark.requirement("S22")
def test_the_first_layer_stands_whole_for_21_days_and_then_rolls_off():
    shares = [RollOff().share(age) for age in range(36)]

    assert shares[:22] == [1.0] * 22
    assert all(before > after for before, after in pairwise(shares[21:29]))
    assert shares[28:] == [0.0] * 8


@pytest.mark.requirement("S22")
def test_each_condor_of_a_ladder_is_hedged_by_its_own_age():
    assert first_layer([(0.0, 2.0), (21.0, 3.0), (28.0, 100.0)]) == 5.0


@pytest.mark.parametrize("points", [(), ((21.0, 1.0),), ((21.0, 1.0), (20.0, 0.0)), ((21.0, 0.9), (28.0, 0.0))])
def test_a_schedule_that_does_not_fall_from_all_to_nothing_is_refused(points):
    with pytest.raises(ConfigError, match=r"layers\.vix-first\.roll_off.*S22"):
        RollOff(points)


@pytest.mark.requirement("D30", "S21")
def test_bucket_weights_are_the_present_values_of_expected_cash():
    # by hand: half of what comes on day 45 belongs to 30 and half to 60 days; at 4.2 % a year
    near, far = np.exp(-0.042 * 45 / 365), np.exp(-0.042 * 90 / 365)

    weights = tenor_weights([CashFlow(45.0, 100.0), CashFlow(90.0, 100.0)], rate=0.042)

    assert weights == pytest.approx(
        {30.0: near / 2 / (near + far), 60.0: near / 2 / (near + far), 90.0: far / (near + far)}
    )
    assert sum(weights.values()) == pytest.approx(1.0)


@pytest.mark.requirement("S21", "D08")
def test_thirty_days_between_months_of_20_and_48_are_18_parts_to_10():
    assert month_units(28.0, {30.0: 1.0}, [20.0, 48.0]) == pytest.approx((18.0, 10.0))


@pytest.mark.requirement("S21")
@given(months)
def test_the_listed_months_hold_the_units_and_the_mean_maturity(days):
    weights = {tenor: share for tenor, share in WEIGHTS.items() if days[0] <= tenor <= days[-1]}
    units = month_units(10.0, weights, days)

    assert min(units) >= 0
    assert sum(units) == pytest.approx(10.0 * sum(weights.values()))
    assert np.dot(units, days) == pytest.approx(10.0 * sum(share * tenor for tenor, share in weights.items()))


@pytest.mark.requirement("S21", "S18")
def test_on_recorded_settlements_the_target_is_worth_the_constant_maturity_future():
    from adapters.files.series import read_vix_settlements

    settled = read_vix_settlements(
        recorded("volatility/vx-settle-2004-2017.csv"), symbols=recorded("volatility/vx-symbols-2004-2017.csv")
    )
    for day in list(settled)[1000:1200:20]:
        close = datetime.combine(day, datetime.min.time(), UTC)
        listed = [future for future in settled[day] if future.expires > close and future.price > 0]
        days = [(future.expires - close).total_seconds() / 86_400.0 for future in listed]
        levels = np.array([future.price for future in listed])
        weights = {tenor: 1.0 for tenor in WEIGHTS if days[0] <= tenor <= days[-1]}
        for tenor in weights:
            units = month_units(1.0, {tenor: 1.0}, days)

            expected = constant_maturity(np.array(days) / 365.0, levels, tenor / 365.0)
            assert np.dot(units, levels) == pytest.approx(float(expected), rel=1e-12)


def test_before_the_first_month_the_front_is_held_alone():
    assert month_units(4.0, {30.0: 1.0}, [34.0, 62.0]) == (4.0, 0.0)


@given(st.lists(st.floats(0.0, 50.0), min_size=1, max_size=8))
def test_whole_lots_keep_the_rounded_sum_and_stay_within_one(units):
    lots = whole_lots(units)

    assert sum(lots) == round(sum(units))
    assert all(abs(lot - one) < 1.0 + 1e-9 for lot, one in zip(lots, units, strict=True))


@pytest.mark.requirement("S18", "S21")
def test_a_layer_of_futures_is_whole_contracts_of_two_months():
    listed = [future_month(vx(expiry), days) for expiry, days in zip(EXPIRIES, (20.0, 48.0), strict=True)]

    legs = layer_legs(28.0, {30.0: 1.0}, listed)

    assert [(leg.instrument.expiry, leg.quantity) for leg in legs] == [(EXPIRIES[0], 18), (EXPIRIES[1], 10)]


@pytest.mark.requirement("S19")
def test_a_layer_of_call_spreads_buys_the_lower_and_sells_the_upper_strike():
    legs = layer_legs(3.0, {30.0: 1.0}, [call_spread_month(call(20), call(30), 20.0)])

    assert [(leg.instrument.strike, leg.quantity) for leg in legs] == [(20, 3), (30, -3)]


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (call(30), call(20)),
        (call(20), call(20)),
        (call(20), call(30, EXPIRIES[1])),
        (call(20, right=Right.PUT), call(30)),
    ],
)
def test_two_options_that_are_no_bought_call_spread_are_refused(lower, upper):
    with pytest.raises(InvalidStructure, match="call spread"):
        call_spread_month(lower, upper, 20.0)


@pytest.mark.requirement("X11", "S20")
def test_a_leveraged_fund_takes_fewer_shares_for_the_same_exposure():
    plain = fund_shares(2.0, 18.0, share_price=24.0, leverage=1.0)
    levered = fund_shares(2.0, 18.0, share_price=24.0, leverage=1.5)

    assert (plain, levered) == (1500, 1000)  # 2 * 18 * 1000 USD of exposure


@pytest.mark.parametrize("days", [[], [0.0, 30.0], [48.0, 20.0], [20.0, float("nan")]])
def test_months_that_are_not_live_and_rising_are_refused(days):
    with pytest.raises(InputError, match="VIX months refused"):
        month_units(1.0, {30.0: 1.0}, days)
