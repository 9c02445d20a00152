"""Many legs at once are worth what each is worth alone, to the last scenario and the furthest strike."""

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.pricing.black import forward_value
from engine.pricing.legs import legs_value

LEGS = st.lists(
    st.tuples(st.floats(500, 9000), st.sampled_from([1.0, -1.0]), st.floats(-100, 100)), min_size=1, max_size=8
)


def smile(moneyness):
    return 0.2 + 0.1 * moneyness**2


@given(LEGS, hnp.arrays(float, 40, elements=st.floats(1000, 8000)), st.floats(0.0, 1.0))
def test_the_sum_is_that_of_blacks_values_one_by_one(legs, forward, years):
    strikes, signs, weights = np.array(legs).T
    time = np.full(40, years)

    together = legs_value(forward, time, strikes, signs, weights, smile)

    alone = sum(q * forward_value(forward, k, time, smile(np.log(k / forward)), sign=s) for k, s, q in legs)
    assert together == pytest.approx(alone, abs=1e-9 * np.abs(weights).sum() + 1e-10)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("strike", [10.0, 900.0, 4000.0, 20_000.0, 4e6])
def test_deep_in_and_out_of_the_money_it_is_the_librarys_formula(sign, strike):
    kind = QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put
    expected = QuantLib.blackFormula(kind, strike, 4000.0, 0.2 * 0.25**0.5)

    value = legs_value(
        np.array([4000.0]), np.array([0.25]), np.array([strike]), np.array([sign]), np.ones(1), lambda k: 0.2 + 0 * k
    )

    assert value[0] == pytest.approx(expected, abs=1e-12 * max(4000.0, strike))


def test_a_call_less_a_put_is_a_forward_at_any_volatility():
    forward = np.linspace(2000, 6000, 30_000)

    value = legs_value(
        forward,
        np.full(30_000, 0.5),
        np.full(2, 4000.0),
        np.array([1.0, -1.0]),
        np.array([3.0, -3.0]),
        lambda k: k * np.nan,
    )

    assert value == pytest.approx(3 * (forward - 4000))


def test_shift_and_floor_reach_each_scenario():
    forward, shift = np.full(3, 100.0), np.array([-0.5, 0.0, 0.1])

    value = legs_value(
        forward,
        np.ones(3),
        np.array([100.0]),
        np.ones(1),
        np.ones(1),
        lambda k: 0.2 + 0 * k,
        shift=shift,
        least_vol=0.01,
    )

    assert value == pytest.approx(forward_value(100.0, 100.0, 1.0, np.array([0.01, 0.2, 0.3]), sign=1))


def test_where_no_time_is_left_intrinsic_remains():
    value = legs_value(
        np.array([90.0, 100.0, 110.0]),
        np.zeros(3),
        np.full(2, 100.0),
        np.array([1.0, -1.0]),
        np.array([2.0, 5.0]),
        smile,
    )

    assert value.tolist() == [50.0, 0.0, 20.0]
