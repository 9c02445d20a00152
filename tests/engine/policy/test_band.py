"""The no-trade band: its width, its edges, and what it earns beside never and always."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.band import NoTradeBand, loyalty, motion, read_delta
from engine.simulation.hedging_paths import HedgedOptions, forward_paths, hedged_results

CAPITAL = 1_000_000.0
F, VOL, YEARS = 6_000.0, 0.18, 45 / 365


def book(strikes, signs, units):
    return HedgedOptions(np.array(strikes), np.array(signs), np.array(units), np.full(len(strikes), VOL), YEARS)


CONDORS = book([5425.0, 5475.0, 6625.0, 6675.0], [-1, -1, 1, 1], np.array([1, -1, -1, 1]) * 20 * 100.0)
STRADDLES = book([F, F], [-1, 1], [-300.0, -300.0])


@pytest.fixture(scope="module")
def paths():
    rng = np.random.default_rng(1997)
    return forward_paths(rng, forward=F, vol=VOL, years=YEARS, marks=45, paths=2_500)


@pytest.mark.requirement("D26")
@pytest.mark.requirement("S91")
@pytest.mark.parametrize("bps", [0.5, 1.0, 2.0, 5.0, 10.0, 20.0])
@pytest.mark.parametrize("options", [CONDORS, STRADDLES], ids=["condors", "straddles"])
def test_the_band_is_worth_no_less_than_loyalty_or_motion(paths, options, bps):
    cost = bps * 1e-4
    band = NoTradeBand.for_capital(CAPITAL, cost)
    worth = hedged_results(options, paths, band, cost).utility(band.risk_aversion)

    for baseline in (loyalty, motion):
        gap = worth - hedged_results(options, paths, baseline, cost).utility(band.risk_aversion)
        assert gap.mean() >= -2.0 * gap.std(ddof=1) / np.sqrt(len(gap))


@pytest.mark.requirement("D26")
def test_at_twenty_basis_points_the_band_is_clearly_better_than_motion(paths):
    cost = 20e-4
    band = NoTradeBand.for_capital(CAPITAL, cost)

    kept, moved = (hedged_results(STRADDLES, paths, rule, cost) for rule in (band, motion))

    gap = kept.utility(band.risk_aversion) - moved.utility(band.risk_aversion)
    assert gap.mean() > 5.0 * gap.std(ddof=1) / np.sqrt(len(gap))
    assert kept.costs.mean() < 0.5 * moved.costs.mean()
    assert kept.trades.mean() < moved.trades.mean()


@pytest.mark.requirement("D26")
def test_the_width_is_the_published_formula_in_index_units():
    band = NoTradeBand.for_capital(CAPITAL, 0.0005, rate=0.04)

    # 3/2 * e^(-0.01) * 0.0005 * 6000 * 4 / 5e-6 = 3.6e6 * 0.990050 units cubed
    assert float(band.half_width(-2.0, 6_000.0, 0.25)) == pytest.approx((3.6e6 * np.exp(-0.01)) ** (1 / 3), rel=1e-14)
    assert band.risk_aversion == pytest.approx(5e-6)


@pytest.mark.requirement("D26")
@given(cost=st.floats(1e-5, 1e-2), times=st.floats(1.0, 100.0), gamma=st.floats(-50.0, -0.01))
def test_the_width_grows_as_the_cube_root_of_cost(cost, times, gamma):
    narrow, wide = (NoTradeBand(c, 5e-6).half_width(gamma, F, YEARS) for c in (cost, cost * times))

    assert wide / narrow == pytest.approx(times ** (1 / 3), rel=1e-12)


@pytest.mark.requirement("D26")
@given(held=st.floats(-1e4, 1e4), target=st.floats(-1e4, 1e4), gamma=st.floats(0.01, 10.0))
def test_what_is_held_moves_to_the_nearest_edge_or_not_at_all(held, target, gamma):
    band = NoTradeBand(0.0005, 5e-6)
    half = float(band.half_width(gamma, F, YEARS))

    after = float(band(np.array(held), np.array(target), np.array(gamma), np.array(F), YEARS))

    if abs(held - target) <= half:
        assert after == held
    else:
        assert abs(after - target) == pytest.approx(half)
        assert (after - target) * (held - target) > 0


def test_without_costs_the_band_is_motion(paths):
    free, always = (hedged_results(CONDORS, paths[:, :50], rule) for rule in (NoTradeBand(0.0, 5e-6), motion))

    assert free.gain == pytest.approx(always.gain)


@pytest.mark.requirement("S16")
def test_a_condor_books_dollar_delta_is_compared_with_the_band_in_dollars():
    # 12 SPX contracts of delta -0.05 and 40 ether of beta 1.5 at USD 3,000
    band = NoTradeBand.for_capital(CAPITAL, 0.0005)
    dollars = [12 * -0.05 * 100 * 6_000.0, 40 * 3_000.0]

    reading = read_delta(dollars, [1.0, 1.5], gamma=-2.0, spot=6_000.0, years=0.0, band=band)

    assert reading.dollar_delta == pytest.approx(-360_000 + 180_000)
    assert reading.band_usd == pytest.approx(3.6e6 ** (1 / 3) * 6_000.0)
    assert reading.holds
    assert reading.trade_units == 0.0


@pytest.mark.requirement("S16")
def test_outside_the_band_the_trade_ends_on_its_edge():
    band = NoTradeBand.for_capital(CAPITAL, 0.0005)

    reading = read_delta([-1_500_000.0], [1.0], gamma=-2.0, spot=6_000.0, years=0.0, band=band)

    assert not reading.holds
    assert reading.dollar_delta + reading.trade_units * 6_000.0 == pytest.approx(-reading.band_usd)


@pytest.mark.parametrize("terms", [(-1e-4, 5e-6), (1e-4, 0.0), (np.nan, 5e-6), (1e-4, np.inf)])
def test_a_band_without_a_meaning_is_refused(terms):
    with pytest.raises(InputError, match="band of cost"):
        NoTradeBand(*terms)
    with pytest.raises(InputError, match="band of cost"):
        NoTradeBand.for_capital(0.0, 1e-4)


def test_a_delta_that_is_not_a_number_is_not_neutral():
    with pytest.raises(InputError, match="delta not read"):
        read_delta([np.nan], [1.0], gamma=1.0, spot=F, years=0.1, band=NoTradeBand(1e-4, 5e-6))
