"""Distance in standard deviations: inverse to each other, symmetric, and never nearer than asked."""

import numpy as np
import py_lets_be_rational as rational
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, MissingQuote
from engine.pricing.distance import (
    Basis,
    Deviation,
    atmf_deviation,
    deviations,
    expected_move,
    listed_strike,
    straddle_deviation,
    strike_at,
    vix_deviation,
)
from engine.pricing.ssvi import Ssvi
from engine.pricing.svi import RawSvi, flat

SMILE = Ssvi(-0.7, 0.9, 0.4).slice(0.003)
LISTED = np.arange(3000.0, 5001.0, 25.0)
distances = st.floats(0.0, 6.0)


@pytest.mark.requirement("D02")
@given(n=distances, sign=st.sampled_from([-1, 1]), sd=st.floats(0.005, 0.5))
def test_a_strike_at_n_deviations_is_n_deviations_away(n: float, sign: int, sd: float) -> None:
    by = Deviation(sd, Basis.ATMF)

    assert float(deviations(strike_at(n, 4000.0, by, sign=sign), 4000.0, by)) == pytest.approx(n, abs=1e-10)
    assert float(deviations(strike_at(n, 4000.0, SMILE, sign=sign), 4000.0, SMILE)) == pytest.approx(n, abs=1e-10)


@pytest.mark.requirement("D02")
@given(n=distances, more=st.floats(1e-6, 2.0), sign=st.sampled_from([-1, 1]))
def test_farther_is_more_deviations_on_either_basis(n: float, more: float, sign: int) -> None:
    for by in (atmf_deviation(SMILE), SMILE):
        near, far = (abs(strike_at(d, 4000.0, by, sign=sign) - 4000.0) for d in (n, n + more))
        assert far > near
    strikes = np.linspace(4000.0, 5000.0, 200)
    assert (np.diff(deviations(strikes, 4000.0, SMILE)) > 0).all()


@pytest.mark.requirement("D02")
@given(n=distances)
def test_put_and_call_lie_symmetric_in_logarithms(n: float) -> None:
    by = atmf_deviation(SMILE)

    put, call = (strike_at(n, 4000.0, by, sign=sign) for sign in (-1, 1))

    assert np.log(put / 4000.0) == pytest.approx(-np.log(call / 4000.0), abs=1e-12)


@pytest.mark.requirement("D02")
@pytest.mark.fault("F77")
@given(n=st.floats(0.0, 4.0), sign=st.sampled_from([-1, 1]))
def test_the_listed_strike_is_never_nearer_than_asked(n: float, sign: int) -> None:
    by = atmf_deviation(SMILE)
    target = strike_at(n, 4000.0, by, sign=sign)

    found = listed_strike(target, 4000.0, LISTED)

    assert found in LISTED
    assert float(deviations(found, 4000.0, by)) >= n - 1e-12
    assert abs(found - target) < 25.0


@pytest.mark.fault("F77")
@pytest.mark.parametrize("target", [2999.0, 5001.0])
def test_where_strikes_end_too_early_the_answer_is_a_refusal_not_a_nearer_strike(target: float) -> None:
    with pytest.raises(MissingQuote):
        listed_strike(target, 4000.0, LISTED)


@pytest.mark.fault("F77")
def test_a_gap_in_the_listing_is_bridged_outward() -> None:
    gappy = LISTED[(LISTED < 3500.0) | (LISTED > 3700.0)]

    assert listed_strike(3690.0, 4000.0, gappy) == 3475.0


@pytest.mark.requirement("D02")
@given(sd=st.floats(0.001, 3.0))
def test_a_straddle_priced_by_an_independent_library_gives_back_its_deviation(sd: float) -> None:
    straddle = 0.98 * sum(rational.black(4000.0, 4000.0, sd, 1.0, sign) for sign in (1, -1))

    found = straddle_deviation(straddle, 4000.0, 0.98)

    assert found == (pytest.approx(sd, abs=1e-9), Basis.STRADDLE)


@pytest.mark.requirement("D02")
def test_the_straddle_rule_of_thumb_is_the_small_limit_and_the_expected_move_two_thirds_of_a_deviation() -> None:
    sd = 0.02
    straddle = sum(rational.black(100.0, 100.0, sd, 1.0, sign) for sign in (1, -1))

    found = straddle_deviation(straddle, 100.0, 1.0)

    assert np.sqrt(np.pi / 2) * straddle / 100.0 == pytest.approx(found.sd, rel=1e-4)
    assert expected_move(straddle) / 100.0 / sd == pytest.approx(0.68, abs=0.005)


@pytest.mark.requirement("D02")
def test_the_index_measures_thirty_days_only() -> None:
    assert vix_deviation(18.0, 30 / 365).sd == pytest.approx(0.18 * np.sqrt(30 / 365))

    for years in (7 / 365, 60 / 365):
        with pytest.raises(InputError):
            vix_deviation(18.0, years)
    with pytest.raises(InputError):
        vix_deviation(0.0, 30 / 365)


@pytest.mark.parametrize("straddle", [0.0, -1.0, 200.0, float("nan")])
def test_a_straddle_no_volatility_prices_is_refused(straddle: float) -> None:
    with pytest.raises(InputError):
        straddle_deviation(straddle, 100.0, 1.0)


@pytest.mark.parametrize(("n", "forward", "sign"), [(-1.0, 100.0, 1), (1.0, 0.0, 1), (1.0, 100.0, 0), (np.inf, 1.0, 1)])
def test_a_distance_without_meaning_is_refused(n: float, forward: float, sign: int) -> None:
    with pytest.raises(InputError):
        strike_at(n, forward, flat(0.01), sign=sign)


def test_a_wing_at_its_bound_still_reaches_any_sensible_distance() -> None:
    steep = RawSvi(a=0.01, b=1.25, rho=-0.6, m=0.0, s=0.1)

    strike = strike_at(3.0, 100.0, steep, sign=-1)

    assert float(deviations(strike, 100.0, steep)) == pytest.approx(3.0, abs=1e-10)
