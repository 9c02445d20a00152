"""A liquidity range as an option: against the pool's own integers, its own differences, and the literature."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.amm import (
    TICK,
    fee_apr,
    lvr_rate,
    pool_vol,
    range_delta,
    range_factor,
    range_gamma,
    range_strike,
    range_value,
)

Q96 = 2**96


def pool_amounts(price, lower, upper, liquidity):
    """Token amounts as the pool's integer arithmetic gives them: root prices in 96-bit fixed point."""
    root, low, high = (isqrt(int(p * 10**24) * Q96**2 // 10**24) for p in (price, lower, upper))
    root = min(max(root, low), high)
    asset = liquidity * Q96 * (high - root) // high // root
    quote = liquidity * (root - low) // Q96
    return asset, quote


def integer_value(price, lower, upper, liquidity=10**24):
    asset, quote = pool_amounts(price, lower, upper, liquidity)
    return (asset * price + quote) / liquidity


@pytest.mark.requirement("D07")
@pytest.mark.parametrize("price", [0.5, 0.8, 0.9, 1.03, 1.2, 1.25, 3.0])
def test_value_is_that_of_the_pools_integers(price):
    assert float(range_value(price, 0.8, 1.25)) == pytest.approx(integer_value(price, 0.8, 1.25), rel=1e-12)


@pytest.mark.requirement("D07")
def test_delta_and_gamma_are_the_worked_figures_and_the_differences_of_the_integer_pool():
    h = 0.004  # the worked gamma carries its own step: 3e-6 away from the derivative
    low, mid, high = (integer_value(1.03 + step, 0.8, 1.25) for step in (-h, 0.0, h))

    assert float(range_delta(1.03, 0.8, 1.25)) == pytest.approx(0.0909021, abs=5e-8)
    assert float(range_gamma(1.03, 0.8, 1.25)) == pytest.approx(-0.478317, abs=3e-6)
    assert (high - low) / (2 * h) == pytest.approx(0.0909021, abs=2e-6)
    assert (high - 2 * mid + low) / h**2 == pytest.approx(-0.478317, abs=3e-6)


@pytest.mark.requirement("D07")
@given(st.floats(0.1, 10.0), st.floats(0.2, 1.0), st.floats(1.1, 5.0), st.floats(0.1, 100.0))
def test_delta_is_the_slope_of_value_everywhere(price, lower, upper, liquidity):
    h = 1e-5 * price
    slope = float(np.diff(range_value(np.array([price - h, price + h]), lower, upper, liquidity))[0] / (2 * h))

    kink = min(abs(price - lower), abs(price - upper)) < 2 * h
    assert float(range_delta(price, lower, upper, liquidity)) == pytest.approx(
        slope, abs=liquidity * (1e-4 if kink else 1e-7) / price**0.5
    )


@pytest.mark.requirement("D07")
@pytest.mark.requirement("S32")
@given(st.floats(0.05, 20.0), st.floats(0.2, 1.0), st.floats(1.1, 5.0))
def test_a_range_never_beats_holding_what_it_held_and_never_gains_above(price, lower, upper):
    entry = float(range_strike(lower, upper))
    asset = float(range_delta(entry, lower, upper))
    held = float(range_value(entry, lower, upper)) + asset * (price - entry)

    assert float(range_value(price, lower, upper)) <= held + 1e-12
    assert float(range_value(price, lower, upper)) <= upper**0.5 - lower**0.5 + 1e-12


@pytest.mark.requirement("D07")
def test_strike_and_factor_are_lamberts():
    assert float(range_strike(0.8, 1.25)) == pytest.approx(1.0)
    assert float(range_factor(0.8, 1.25)) == pytest.approx(1.25)


@pytest.mark.requirement("D07")
@given(st.floats(1e-4, 0.01), st.floats(1e3, 1e9), st.floats(1e3, 1e8))
def test_pool_vol_is_lamberts_where_the_spacing_is_twice_the_fee(fee, volume, value):
    lambert = 2 * fee * np.sqrt(volume / value) * np.sqrt(365)

    assert float(pool_vol(fee, 2 * fee / TICK, volume, value)) == pytest.approx(lambert, rel=1e-12)


@pytest.mark.requirement("D07")
def test_on_the_one_basis_point_tier_pool_vol_leaves_lamberts_formula():
    ratio = float(pool_vol(0.0001, 1, 1e8, 1e7)) / (2 * 0.0001 * np.sqrt(10 * 365))

    assert ratio == pytest.approx(np.sqrt(TICK / (2 * 0.0001)))
    assert ratio < 0.71


@pytest.mark.requirement("D07")
@given(st.floats(0.01, 100.0), st.floats(0.1, 2.0), st.floats(0.1, 10.0))
def test_full_range_loses_an_eighth_of_variance_to_arbitrage(price, vol, liquidity):
    ends = 1e-14 * price, 1e14 * price

    rate = float(lvr_rate(price, *ends, vol, liquidity))

    assert rate == pytest.approx(liquidity * vol**2 * price**0.5 / 4)
    assert rate == pytest.approx(vol**2 / 8 * float(range_value(price, *ends, liquidity)), rel=1e-6)
    assert float(lvr_rate(price, 2 * price, 3 * price, vol, liquidity)) == 0.0


@pytest.mark.requirement("D07")
@given(st.floats(0.85, 1.2), st.floats(0.1, 1.5))
def test_arbitrage_takes_half_gamma_times_variance(price, vol):
    expected = -0.5 * float(range_gamma(price, 0.8, 1.25)) * price**2 * vol**2

    assert float(lvr_rate(price, 0.8, 1.25, vol)) == pytest.approx(expected)


@pytest.mark.requirement("D07")
@pytest.mark.requirement("S32")
def test_fees_pay_for_arbitrage_exactly_at_the_pools_own_volatility():
    fee, spacing, volume, price, liquidity = 0.003, 60, 5e6, 2000.0, 3e4
    width = spacing * TICK
    tick_value = liquidity * price**0.5 * width / 2  # root prices a spacing apart, to first order
    vol = float(pool_vol(fee, spacing, volume, tick_value))

    lost = float(lvr_rate(price, 1000.0, 4000.0, vol, liquidity))

    assert fee * volume * 365 == pytest.approx(lost)
    assert float(fee_apr(fee, volume, 0.02, 1e5)) == pytest.approx(fee * volume * 0.02 * 365 / 1e5)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("ends", [(1.25, 0.8), (1.0, 1.0), (0.0, 1.0), (np.nan, 1.0)])
def test_a_range_that_does_not_rise_is_refused(ends):
    with pytest.raises(InputError):
        range_value(1.0, *ends)


def test_a_share_above_the_whole_is_refused():
    with pytest.raises(InputError, match="exceeds the whole"):
        fee_apr(0.003, 1e6, 1.1, 1e5)
