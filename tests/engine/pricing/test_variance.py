"""The variance strip: published vectors, Cboe's zero-bid rule, and the thirty-day interpolation."""

import numpy as np
import py_lets_be_rational as rational
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from engine.errors import ArbitrageInChain, InputError
from engine.pricing.black import forward_value
from engine.pricing.ssvi import Ssvi
from engine.pricing.svi import flat
from engine.pricing.variance import (
    Term,
    forward_variance,
    index_level,
    nearest_terms,
    replicated_variance,
    strip_variance,
    variance_swap,
)

YEARS, RATE, DIVIDEND = 30 / 365, 0.042, 0.013
FORWARD = 6000.0 * float(np.exp((RATE - DIVIDEND) * YEARS))


def _quotes(strikes: np.ndarray, vol: float = 0.18) -> dict[str, np.ndarray]:
    discount = np.exp(-RATE * YEARS)
    call, put = (discount * forward_value(FORWARD, strikes, YEARS, vol, sign=sign) for sign in (1, -1))
    return {"call_bid": call, "call_ask": call.copy(), "put_bid": put, "put_ask": put.copy()}


@pytest.mark.requirement("D05")
@pytest.mark.parametrize(
    ("low", "high", "step", "expected"),
    [(1800.0, 12000.0, 5.0, 18.0004), (3600.0, 8400.0, 25.0, 18.0098), (5100.0, 6850.0, 50.0, 18.0313)],
)
def test_a_flat_surface_gives_the_worked_figures(low: float, high: float, step: float, expected: float) -> None:
    strikes = np.arange(low, high + 1.0, step)

    strip = strip_variance(strikes, **_quotes(strikes), years=YEARS, rate=RATE, forward=FORWARD)

    assert strip is not None
    assert 100 * strip.vol == pytest.approx(expected, abs=6e-5)


@pytest.mark.requirement("D05")
@pytest.mark.fault("F76")
def test_single_zero_bids_are_skipped_and_two_in_a_row_end_the_strip() -> None:
    strikes = np.arange(5800.0, 6201.0, 10.0)
    quotes = _quotes(strikes)
    dead = {5950.0: "put", 5900.0: "put", 5890.0: "put", 6100.0: "call", 6120.0: "call", 6130.0: "call"}
    for strike, side in dead.items():
        quotes[f"{side}_bid"][strikes == strike] = 0.0

    strip = strip_variance(strikes, **quotes, years=YEARS, rate=RATE, forward=FORWARD)

    assert strip is not None
    puts = {k for k in strikes if 5890 < k < 6010} - {5950.0, 5900.0}
    calls = {k for k in strikes if 6010 < k < 6120} - {6100.0}
    assert strip.floor_strike == 6010.0
    assert strip.strikes_used == len(puts) + len(calls) + 1


def test_a_missing_bid_counts_as_no_bid_and_quotes_beyond_the_end_have_no_say() -> None:
    strikes = np.arange(5800.0, 6201.0, 10.0)
    quotes = _quotes(strikes)
    quotes["put_bid"][(strikes == 5890.0) | (strikes == 5900.0)] = np.nan
    before = strip_variance(strikes, **quotes, years=YEARS, rate=RATE, forward=FORWARD)
    quotes["put_ask"][strikes < 5890.0] *= 100.0

    after = strip_variance(strikes, **quotes, years=YEARS, rate=RATE, forward=FORWARD)

    assert before == after


def test_widths_follow_the_strikes_used_not_the_strikes_listed() -> None:
    dense = np.arange(5000.0, 7001.0, 25.0)
    quotes = _quotes(dense)
    for side in ("call", "put"):
        quotes[f"{side}_bid"][(dense % 50 == 25) & (np.abs(dense - FORWARD) > 30)] = 0.0
    keep = (dense % 50 == 0) | (np.abs(dense - FORWARD) <= 30)

    skipped = strip_variance(dense, **quotes, years=YEARS, rate=RATE, forward=FORWARD)
    sparse = strip_variance(
        dense[keep], **{name: column[keep] for name, column in quotes.items()}, years=YEARS, rate=RATE, forward=FORWARD
    )

    assert skipped == sparse


@pytest.mark.parametrize("forward", [5000.0, 5100.0])
def test_no_strike_below_the_forward_or_no_wings_gives_no_strip(forward: float) -> None:
    strikes = np.array([5100.0, 5110.0])

    strip = strip_variance(strikes, **_quotes(strikes), years=YEARS, rate=RATE, forward=forward)

    assert strip is None


@pytest.mark.requirement("D05")
def test_the_index_interpolates_total_variance_to_thirty_days() -> None:
    # Cboe's white paper (2014), worked example: 25 and 32 days, published as 13.69.
    near, after = Term(35924.0, 0.01846292), Term(46394.0, 0.01882101)

    assert round(index_level(near, after), 2) == 13.69


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([24.0, 31.0, 38.5], (0, 1)),
        ([22.99, 29.99, 36.99], (1, 2)),
        ([36.9, 29.0, 27.0], (1, 0)),
        ([31.0, 36.0], None),
        ([10.0, 31.0], None),
    ],
)
def test_the_two_terms_lie_on_either_side_of_thirty_days(days: list[float], expected: object) -> None:
    assert nearest_terms(np.array(days) * 1440.0) == expected


@pytest.mark.requirement("D05")
@given(vol=st.floats(0.05, 1.0), years=st.floats(0.005, 3.0))
def test_replication_of_a_flat_smile_is_its_variance(vol: float, years: float) -> None:
    assert replicated_variance(flat(vol * vol * years), years) == pytest.approx(vol * vol, rel=1e-9)


@pytest.mark.requirement("D05")
@pytest.mark.parametrize("theta", [0.0005, 0.01, 0.1])
def test_replication_agrees_with_an_independent_quadrature_of_an_independent_pricer(theta: float) -> None:
    smile = Ssvi(-0.7, 0.9, 0.4).slice(theta)

    def option_over_square(k: float, sign: int) -> float:
        sd = float(np.sqrt(smile.total_variance(k)))
        return rational.black(1.0, float(np.exp(k)), sd, 1.0, sign) * float(np.exp(-k))

    unit = theta**0.5
    puts = [
        quad(option_over_square, -b * unit, -a * unit, args=(-1,), epsabs=1e-14)[0]
        for a, b in ((0, 5), (5, 30), (30, 90))
    ]
    calls = [
        quad(option_over_square, a * unit, b * unit, args=(1,), epsabs=1e-14)[0] for a, b in ((0, 5), (5, 30), (30, 90))
    ]

    assert replicated_variance(smile, 0.5) == pytest.approx(2.0 * (sum(puts) + sum(calls)) / 0.5, rel=1e-7)


@pytest.mark.requirement("D05")
def test_the_strip_of_a_dense_listing_comes_near_the_replication() -> None:
    smile = Ssvi(-0.7, 0.9, 0.4).slice(0.18**2 * YEARS)
    strikes = np.arange(1800.0, 12000.0, 5.0)
    vols = np.sqrt(smile.total_variance(np.log(strikes / FORWARD)) / YEARS)
    discount = np.exp(-RATE * YEARS)
    call, put = (discount * forward_value(FORWARD, strikes, YEARS, vols, sign=sign) for sign in (1, -1))

    strip = strip_variance(strikes, call, call, put, put, years=YEARS, rate=RATE, forward=FORWARD)

    assert strip is not None
    assert strip.vol == pytest.approx(np.sqrt(replicated_variance(smile, YEARS)), abs=2e-5)


@pytest.mark.requirement("D05")
@given(near=st.floats(0.01, 0.2), ahead=st.floats(0.0, 0.3), t1=st.floats(0.01, 1.0), gap=st.floats(0.01, 1.0))
def test_variance_to_a_date_and_from_it_adds_up(near: float, ahead: float, t1: float, gap: float) -> None:
    after = (near * t1 + ahead * gap) / (t1 + gap)

    assert forward_variance(near, t1, after, t1 + gap) == pytest.approx(ahead, abs=1e-9)


@pytest.mark.fault("F78")
def test_less_total_variance_later_is_arbitrage_not_a_negative_number() -> None:
    with pytest.raises(ArbitrageInChain):
        forward_variance(0.09, 0.1, 0.04, 0.2)
    with pytest.raises(InputError):
        forward_variance(0.04, 0.2, 0.04, 0.1)


@pytest.mark.requirement("D05")
def test_a_variance_swap_pays_realised_over_strike_in_the_days_it_counts() -> None:
    rng = np.random.default_rng(11)
    marks = 2000.0 * np.exp(np.cumsum(np.concatenate([[0.0], 0.03 * rng.standard_normal(30)])))
    squares = np.square(np.diff(np.log(marks))).sum()

    around_the_clock = variance_swap(marks, strike_variance=0.25, notional=-1e4, per_year=365, years=30 / 365)
    by_sessions = variance_swap(marks, strike_variance=0.25, notional=-1e4, per_year=252, years=30 / 365)

    assert around_the_clock.realised == pytest.approx(365 / 30 * squares)
    assert around_the_clock.payoff == pytest.approx(-1e4 * (365 / 30 * squares - 0.25))
    assert around_the_clock.mismatch == pytest.approx(0.0, abs=1e-12)
    assert by_sessions.mismatch == pytest.approx(252 / 365 - 1.0)
    assert by_sessions.realised / around_the_clock.realised == pytest.approx(252 / 365)


@pytest.mark.parametrize(
    ("levels", "per_year", "years"),
    [([100.0], 365, 0.1), ([100.0, 0.0], 365, 0.1), ([100.0, 101.0], 360, 0.1), ([100.0, 101.0], 365, 0.0)],
)
def test_a_swap_without_marks_time_or_a_known_year_is_refused(levels: list[float], per_year: int, years: float) -> None:
    with pytest.raises(InputError):
        variance_swap(np.array(levels), strike_variance=0.04, notional=1.0, per_year=per_year, years=years)
    with pytest.raises(InputError):
        replicated_variance(flat(0.01), 0.0)
