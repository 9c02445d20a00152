"""Implied volatility: two independent libraries as oracles, laws as properties, a reason for every gap."""

import numpy as np
import py_lets_be_rational as rational
import pytest
import QuantLib
from hypothesis import example, given
from hypothesis import strategies as st

from engine.pricing.black import forward_value
from engine.pricing.implied import VolStatus, implied_vol

RNG_SEED = 7


def _grid(count: int, spread: float) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(RNG_SEED)
    years = np.exp(rng.uniform(np.log(1 / 8760), np.log(2.0), count))
    vols = rng.uniform(0.05, 1.5, count)
    strikes = 6000.0 * np.exp(rng.uniform(-spread, spread, count) * vols * np.sqrt(years))
    return years, vols, strikes, np.where(strikes > 6000.0, 1.0, -1.0)


def test_prices_an_independent_library_made_are_inverted_to_machine_precision(fast: bool) -> None:
    years, vols, strikes, sign = _grid(4000, 6.0)
    prices = np.array(
        [rational.black(6000.0, k, v, t, int(s)) for k, v, t, s in zip(strikes, vols, years, sign, strict=True)]
    )

    result = implied_vol(prices, 6000.0, strikes, years, sign=sign, fast=fast)

    assert (result.status == VolStatus.OK).all()
    np.testing.assert_allclose(result.vol, vols, rtol=0, atol=1e-12)


def test_agrees_with_the_rational_inverse_far_beyond_any_market(fast: bool) -> None:
    rng = np.random.default_rng(RNG_SEED)
    sds = np.exp(rng.uniform(np.log(1e-3), np.log(6.0), 4000))
    strikes = np.exp(-rng.uniform(-30.0, 0.0, 4000) * sds)
    prices = np.array([rational.black(1.0, k, v, 1.0, 1) for k, v in zip(strikes, sds, strict=True)])
    carried = (prices > 1e-290) & (prices < 0.99)

    result = implied_vol(prices[carried], 1.0, strikes[carried], 1.0, sign=1, fast=fast)

    oracle = [
        rational.implied_volatility_from_a_transformed_rational_guess(p, 1.0, k, 1.0, 1)
        for p, k in zip(prices[carried], strikes[carried], strict=True)
    ]
    assert (result.status == VolStatus.OK).all()
    np.testing.assert_allclose(result.vol, oracle, rtol=1e-11)


def test_agrees_with_quantlib_away_from_the_tails(fast: bool) -> None:
    years, vols, strikes, sign = _grid(500, 2.0)
    sides = [QuantLib.Option.Call if s > 0 else QuantLib.Option.Put for s in sign]
    prices = np.array(
        [
            QuantLib.blackFormula(side, k, 6000.0, v * t**0.5)
            for side, k, v, t in zip(sides, strikes, vols, years, strict=True)
        ]
    )

    result = implied_vol(prices, 6000.0, strikes, years, sign=sign, fast=fast)

    np.testing.assert_allclose(result.vol, vols, rtol=1e-9)


@pytest.mark.parametrize(
    ("price", "strike", "years", "sign", "expected"),
    [
        (0.0, 110.0, 0.5, 1, VolStatus.NO_TIME_VALUE),
        (20.0, 80.0, 0.5, 1, VolStatus.NO_TIME_VALUE),
        (19.9, 80.0, 0.5, 1, VolStatus.BELOW_INTRINSIC),
        (100.0, 80.0, 0.5, 1, VolStatus.ABOVE_BOUND),
        (120.0, 120.0, 0.5, -1, VolStatus.ABOVE_BOUND),
        (5.0, 100.0, 0.0, 1, VolStatus.NO_TIME),
        (5.0, 100.0, -0.1, 1, VolStatus.NO_TIME),
        (float("nan"), 100.0, 0.5, 1, VolStatus.NOT_A_NUMBER),
        (float("inf"), 100.0, 0.5, 1, VolStatus.NOT_A_NUMBER),
        (-1.0, 100.0, 0.5, 1, VolStatus.BAD_TERMS),
        (5.0, 0.0, 0.5, 1, VolStatus.BAD_TERMS),
        (5.0, 100.0, 0.5, 0, VolStatus.BAD_TERMS),
    ],
)
def test_a_price_without_a_volatility_says_why(
    price: float, strike: float, years: float, sign: int, expected: VolStatus, fast: bool
) -> None:
    result = implied_vol(price, 100.0, strike, years, sign=sign, fast=fast)

    assert VolStatus(int(result.status)) is expected
    assert np.isnan(result.vol)


@given(
    price=st.floats(allow_nan=True, allow_infinity=True),
    forward=st.floats(allow_nan=True, allow_infinity=True),
    strike=st.floats(allow_nan=True, allow_infinity=True),
    years=st.floats(allow_nan=True, allow_infinity=True),
    sign=st.sampled_from([1.0, -1.0, 0.0, float("nan")]),
)
@example(price=1e-300, forward=1.0, strike=1.0, years=1.0, sign=1.0)
@example(price=5e-324, forward=1e300, strike=1e-300, years=1e-300, sign=-1.0)
def test_a_volatility_is_missing_exactly_where_a_reason_is_given(
    price: float, forward: float, strike: float, years: float, sign: float
) -> None:
    result = implied_vol(price, forward, strike, years, sign=sign)

    assert np.isfinite(result.vol) == (result.status == VolStatus.OK)
    assert not result.vol <= 0


@given(
    vol=st.floats(0.02, 3.0),
    years=st.floats(1e-4, 3.0),
    distance=st.floats(-5.0, 5.0),
    sign=st.sampled_from([1.0, -1.0]),
)
def test_repricing_at_the_implied_volatility_gives_the_price_back(
    vol: float, years: float, distance: float, sign: float
) -> None:
    strike = 5000.0 * float(np.exp(distance * vol * np.sqrt(years)))
    price = forward_value(5000.0, strike, years, vol, sign=sign)

    result = implied_vol(price, 5000.0, strike, years, sign=sign)

    if result.status == VolStatus.OK:
        again = forward_value(5000.0, strike, years, result.vol, sign=sign)
        np.testing.assert_allclose(again, price, rtol=1e-9, atol=1e-9)
    else:
        assert result.status == VolStatus.NO_TIME_VALUE


def test_shape_and_chunks_do_not_change_a_single_bit() -> None:
    years, vols, strikes, sign = _grid(20_000, 4.0)
    prices = forward_value(6000.0, strikes, years, vols, sign=sign)

    whole = implied_vol(prices, 6000.0, strikes, years, sign=sign).vol
    folded = implied_vol(
        prices.reshape(4, -1), 6000.0, strikes.reshape(4, -1), years.reshape(4, -1), sign=sign.reshape(4, -1)
    ).vol

    assert folded.shape == (4, 5000)
    np.testing.assert_allclose(folded.reshape(-1), whole, rtol=1e-15)
