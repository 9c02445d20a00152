"""The variance strip: published vectors, Cboe's zero-bid rule, and the thirty-day interpolation."""

import numpy as np
import pytest

from engine.pricing.black import forward_value
from engine.pricing.variance import Term, index_level, nearest_terms, strip_variance

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
