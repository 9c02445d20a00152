import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.instruments import Right
from engine.policy.wings import (
    BANDS,
    BeyondBreakEven,
    NotApplicable,
    OutOfTheMoney,
    Wing,
    WingBasis,
    both_wings,
    is_tighter,
    wing_strike,
)
from tests.engine.terms import condor

SHORT_DATED, CORE, TAIL = (band.rule for band in BANDS)
GOLDEN = {"spot": 6000.0, "short": 5475.0, "break_even": 5469.24}
EVERY_FIVE = np.arange(3000.0, 9001.0, 5.0)


@pytest.mark.requirement("S09")
@pytest.mark.parametrize(("basis", "near", "far"), [(WingBasis.DISTANCE, 5390, 5363), (WingBasis.PRICE, 4649, 4375)])
def test_the_two_readings_of_beyond_break_even_are_finding_three(basis, near, far):
    levels = BeyondBreakEven(0.15, 0.20, basis).levels(Right.PUT, spot=6000.0, break_even=5469.24)

    assert [round(level) for level in levels] == [near, far]


@pytest.mark.requirement("S09")
def test_by_distance_the_wing_is_eighty_five_to_a_hundred_and_twelve_points_wide():
    wing = wing_strike(CORE, Right.PUT, **GOLDEN, listed=EVERY_FIVE, min_width=25.0)

    assert wing == Wing(5385.0, 90.0, pytest.approx(5389.626), pytest.approx(5363.088))


@pytest.mark.requirement("S10")
@pytest.mark.parametrize(("vol", "days", "deviations", "share"), [
    (0.18, 45, 1.5, 0.095), (0.18, 45, 2.0, 0.126), (0.18, 7, 1.5, 0.037), (0.18, 7, 2.0, 0.050),
    (0.18, 15, 1.5, 0.055), (0.18, 15, 2.0, 0.073), (0.35, 7, 1.5, 0.073), (0.35, 7, 2.0, 0.097),
])  # fmt: skip
def test_five_to_seven_per_cent_applies_only_where_it_lies_outside_the_short_strike(vol, days, deviations, share):
    distance = deviations * vol * math.sqrt(days / 365)
    short = 6000.0 * (1 - distance)

    wing = wing_strike(SHORT_DATED, Right.PUT, spot=6000.0, short=short, break_even=short, listed=EVERY_FIVE,
                       min_width=25.0)  # fmt: skip

    assert distance == pytest.approx(share, abs=6e-4)
    assert isinstance(wing, NotApplicable) == (distance + 25.0 / 6000.0 > 0.07)


@pytest.mark.requirement("X03")
def test_a_rule_inside_the_short_strikes_says_so_and_moves_nothing():
    wing = wing_strike(SHORT_DATED, Right.PUT, **GOLDEN, listed=EVERY_FIVE, min_width=25.0)

    assert isinstance(wing, NotApplicable)
    assert "inside the short put 5475" in wing.reason


@pytest.mark.fault("F77")
def test_a_gap_in_the_strikes_is_a_refusal_not_a_wider_wing():
    gap = [strike for strike in EVERY_FIVE if not 5300 < strike < 5400]

    wing = wing_strike(CORE, Right.PUT, **GOLDEN, listed=gap, min_width=25.0)

    assert isinstance(wing, NotApplicable)
    assert "no strike is listed" in wing.reason


@pytest.mark.fault("F77")
def test_one_sided_wings_are_refused_with_the_side_that_is_missing():
    puts_only = EVERY_FIVE[EVERY_FIVE < 6500]

    found = both_wings(CORE, spot=6000.0, shorts=(5475.0, 6625.0), break_evens=(5469.24, 6630.76), listed=puts_only,
                       min_width=25.0)  # fmt: skip

    assert isinstance(found, NotApplicable)
    assert found.reason.startswith("no call wing")


def test_unsorted_and_repeated_strikes_give_the_same_wing():
    mixed = np.random.default_rng(1).permutation(np.repeat(EVERY_FIVE, 2))

    assert wing_strike(CORE, Right.PUT, **GOLDEN, listed=mixed, min_width=25.0) == wing_strike(
        CORE, Right.PUT, **GOLDEN, listed=EVERY_FIVE, min_width=25.0
    )


@pytest.mark.requirement("X03")
@given(
    st.sampled_from([band.rule for band in BANDS]),
    st.sampled_from(list(Right)),
    st.floats(0.005, 0.3),
    st.floats(0.0, 60.0),
    st.floats(5.0, 200.0),
)
def test_a_wing_lies_in_its_range_and_outside_its_short_by_the_least_width(rule, right, away, credit, min_width):
    short = 6000.0 * (1 + right.sign * away)
    even = short + right.sign * credit

    wing = wing_strike(rule, right, spot=6000.0, short=short, break_even=even, listed=EVERY_FIVE, min_width=min_width)

    if isinstance(wing, Wing):
        near, far = rule.levels(right, spot=6000.0, break_even=even)
        assert min(near, far) <= wing.strike <= max(near, far)
        assert right.sign * (wing.strike - short) >= min_width
        assert wing.strike in EVERY_FIVE
    else:
        assert any(character.isdigit() for character in wing.reason)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("broken", [{"spot": float("nan")}, {"short": 0.0}, {"break_even": -1.0}, {"short": 6100.0}])
def test_levels_that_are_none_give_no_wing(broken):
    wing = wing_strike(CORE, Right.PUT, **(GOLDEN | broken), listed=EVERY_FIVE, min_width=25.0)

    assert isinstance(wing, NotApplicable)


@pytest.mark.parametrize(("near", "far"), [(0.2, 0.15), (0.0, 0.1), (0.1, float("nan")), (15.0, 20.0)])
def test_a_range_that_is_no_share_is_refused(near, far):
    with pytest.raises(ConfigError, match="shares run outward, above 0% and under 100%"):
        OutOfTheMoney(near, far)


@pytest.mark.requirement("S06")
def test_the_second_condor_is_strictly_narrower():
    first = condor(5400, 5475, 6625, 6700)

    assert is_tighter(condor(5450, 5475, 6625, 6650), first)
    assert not is_tighter(condor(5450, 5525, 6625, 6650), first)
