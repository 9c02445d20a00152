"""Butterflies, calendars and wings: the counter-example of the paper, and surfaces known to be sound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pricing.ssvi import Ssvi
from engine.pricing.surface_checks import butterfly_g, crossings, wings_hold, worst_butterfly
from engine.pricing.svi import RawSvi, flat

VOGT = RawSvi(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, s=0.4153)


@pytest.mark.requirement("D04")
def test_the_counter_example_of_the_paper_holds_a_butterfly() -> None:
    worst = worst_butterfly(VOGT, -1.5, 1.5)

    assert worst.level == pytest.approx(-0.0329, abs=5e-5)
    assert worst.k == pytest.approx(0.879, abs=5e-4)
    assert wings_hold(VOGT)  # Lee's bound alone does not see it


@pytest.mark.requirement("D04")
def test_the_density_is_negative_exactly_where_prices_are_concave() -> None:
    import py_lets_be_rational as rational

    strikes = np.exp(np.array([0.5, 0.85, 0.9, 1.1, 1.4])[:, None] + np.array([-1e-3, 0.0, 1e-3]))
    sd = np.sqrt(VOGT.total_variance(np.log(strikes)))
    calls = np.array(
        [
            [rational.black(1.0, k, v, 1.0, 1) for k, v in zip(*row, strict=True)]
            for row in zip(strikes, sd, strict=True)
        ]
    )

    slopes = np.diff(calls, axis=1) / np.diff(strikes, axis=1)

    assert (np.sign(np.diff(slopes, axis=1)[:, 0]) == np.sign(butterfly_g(VOGT, np.log(strikes[:, 1])))).all()


@pytest.mark.requirement("D04")
@given(rho=st.floats(-0.95, 0.95), eta=st.floats(0.1, 1.0), gamma=st.floats(0.0, 0.5), theta=st.floats(1e-4, 0.5))
def test_a_surface_that_meets_the_sufficient_conditions_holds_no_butterfly(
    rho: float, eta: float, gamma: float, theta: float
) -> None:
    shape = Ssvi(rho, eta, gamma)
    assert shape.holds(theta)

    assert worst_butterfly(shape.slice(theta), -1.5, 1.0).level >= 0


@pytest.mark.requirement("D04")
@given(rho=st.floats(-0.95, 0.95), eta=st.floats(0.1, 1.0), gamma=st.floats(0.0, 1.0), theta=st.floats(1e-3, 0.2))
def test_such_a_surface_holds_no_calendar_either(rho: float, eta: float, gamma: float, theta: float) -> None:
    shape = Ssvi(rho, eta, gamma)

    assert crossings(shape.slice(theta), shape.slice(1.3 * theta), low=-3.0, high=3.0) == ()


@pytest.mark.requirement("D04")
def test_a_crossing_is_found_with_its_interval() -> None:
    near = RawSvi(a=0.0, b=0.1, rho=0.0, m=0.0, s=0.1)  # 0.1 sqrt(k^2 + 0.01), above 0.02 where k^2 > 0.03
    gaps = crossings(near, flat(0.02), low=-1.0, high=1.0)

    assert [(gap.low, gap.high) for gap in gaps] == [
        (-np.inf, pytest.approx(-(0.03**0.5), abs=2e-3)),
        (pytest.approx(0.03**0.5, abs=2e-3), np.inf),
    ]
    assert gaps[0].excess == pytest.approx(0.1 * 1.01**0.5 - 0.02, abs=1e-12)
    assert crossings(flat(0.02), flat(0.02), low=-1.0, high=1.0) == ()


@pytest.mark.requirement("D04")
def test_wings_may_reach_two_on_the_left_and_not_on_the_right() -> None:
    left = RawSvi(a=0.1, b=1.25, rho=-0.6, m=0.0, s=0.1)
    right = RawSvi(a=0.1, b=1.25, rho=0.6, m=0.0, s=0.1)

    assert left.left_wing == pytest.approx(2.0)
    assert wings_hold(left)
    assert not wings_hold(right)
