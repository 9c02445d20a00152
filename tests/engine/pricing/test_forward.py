"""Forward and implied rate by parity, on quotes made from known rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pricing.black import forward_value
from engine.pricing.forward import atm_vol, mid, parity_forward, parity_rate, usable

STRIKES = np.arange(4000.0, 8001.0, 25.0)


def _mids(forward: float, rate: float, years: float, vol: float = 0.18) -> tuple[np.ndarray, np.ndarray]:
    discount = np.exp(-rate * years)
    return tuple(discount * forward_value(forward, STRIKES, years, vol, sign=sign) for sign in (1, -1))  # type: ignore[return-value]


@pytest.mark.requirement("D01")
@given(rate=st.floats(-0.02, 0.12), dividend=st.floats(0.0, 0.04), years=st.floats(0.02, 2.0))
def test_known_rate_and_dividend_are_recovered_with_a_residual_under_a_tick(
    rate: float, dividend: float, years: float
) -> None:
    forward = 6000.0 * float(np.exp((rate - dividend) * years))
    calls, puts = _mids(forward, rate, years)

    found = parity_forward(STRIKES, calls, puts, years=years, rate=rate)
    assert found is not None
    fit = parity_rate(STRIKES, calls, puts, years=years, rate=rate, forward=found.forward)

    assert found.forward == pytest.approx(forward, abs=1e-8)
    assert fit.rate == pytest.approx(rate, abs=1e-8)
    assert fit.residual < 0.05


@pytest.mark.requirement("D01")
def test_the_forward_is_taken_where_call_and_put_are_closest_among_two_sided_strikes() -> None:
    calls, puts = _mids(6010.0, 0.04, 0.1)
    calls[STRIKES == 6000.0] = np.nan

    found = parity_forward(STRIKES, calls, puts, years=0.1, rate=0.04)

    assert found is not None
    assert found.strike == 6025.0
    assert found.forward == pytest.approx(6010.0, abs=1e-9)


def test_no_strike_with_both_sides_has_no_forward() -> None:
    calls, puts = _mids(6010.0, 0.04, 0.1)
    puts[:] = np.nan

    assert parity_forward(STRIKES, calls, puts, years=0.1, rate=0.04) is None


@pytest.mark.requirement("D01")
def test_the_standard_error_covers_the_noise_of_rounded_quotes() -> None:
    rng = np.random.default_rng(3)
    calls, puts = _mids(6010.0, 0.04, 0.25)
    inside = 0
    for _ in range(200):
        noisy = calls + rng.normal(0.0, 0.2, calls.size)
        fit = parity_rate(STRIKES, noisy, puts, years=0.25, rate=0.04, forward=6010.0)
        inside += abs(fit.rate - 0.04) <= 2.0 * fit.error

    assert 180 <= inside <= 200


def test_too_few_strikes_near_the_forward_give_no_rate() -> None:
    calls, puts = _mids(6010.0, 0.04, 0.25)

    fit = parity_rate(STRIKES[:50], calls[:50], puts[:50], years=0.25, rate=0.04, forward=6010.0)

    assert np.isnan(fit.rate)
    assert fit.strikes == 0


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        (1.0, 1.1, True),
        (1.0, 1.0, True),
        (0.0, 0.1, False),
        (1.2, 1.1, False),
        (np.nan, 1.0, False),
        (1.0, np.nan, False),
    ],
)
def test_a_side_is_a_market_only_with_a_bid_and_an_ask_not_below_it(bid: float, ask: float, expected: bool) -> None:
    assert bool(usable(np.array([bid]), np.array([ask]))[0]) is expected
    assert bool(np.isfinite(mid(np.array([bid]), np.array([ask]))[0])) is expected


def test_at_the_money_volatility_needs_a_quote_on_each_side() -> None:
    vols = np.array([0.2, 0.18, np.nan])

    assert np.isnan(atm_vol(np.array([90.0, 95.0, 105.0]), vols, forward=100.0))
    assert atm_vol(np.array([90.0, 101.0, 105.0]), vols, forward=101.0) == pytest.approx(0.18)
