from datetime import date

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.regime import (
    LeverageCurve,
    Zone,
    ZoneLevels,
    leverage,
    regime,
    zones,
)
from engine.signals.catalogue import names
from engine.signals.columns import read
from engine.signals.meetings import meeting_signals
from tests.engine.signals.stores import axis, store, weekdays

CURVE, LEVELS = LeverageCurve(), ZoneLevels()
vix_paths = st.lists(st.floats(9.0, 80.0), min_size=1, max_size=40).map(np.array)


@pytest.mark.requirement("X07", "S77")
@pytest.mark.parametrize(
    ("vix", "multiplier"), [(9, 0), (12, 0), (14, 0.5), (16, 1), (18, 1), (20, 1), (22.5, 0.5), (25, 0), (60, 0)]
)
def test_leverage_stands_around_eighteen_and_is_gone_at_twelve_and_twenty_five(vix, multiplier):
    assert CURVE.multiplier(float(vix)) == pytest.approx(multiplier)


@pytest.mark.requirement("X07")
def test_leverage_waits_for_a_whole_point_but_falls_at_once():
    standing = leverage(np.array([14.0, 14.9, 15.0, 14.2, 13.9]), CURVE)

    assert standing.tolist() == pytest.approx([0.5, 0.5, 0.75, 0.55, 0.475])


@given(vix_paths)
@pytest.mark.requirement("X07")
def test_leverage_never_stands_above_the_curve(vix):
    assert np.all(leverage(vix, CURVE) <= CURVE.multiplier(vix))


@given(vix_paths)
@pytest.mark.requirement("X07")
def test_leverage_rises_only_after_a_whole_point(vix):
    standing = leverage(vix, CURVE)

    anchor = vix[0]
    for at in range(1, len(vix)):
        if standing[at] > standing[at - 1]:
            assert abs(vix[at] - anchor) >= CURVE.step
        if standing[at] != standing[at - 1]:
            anchor = vix[at]


@pytest.mark.requirement("S77")
def test_a_zone_is_left_only_a_point_below_where_it_was_entered():
    path = np.array([15.0, 18.0, 25.0, 24.5, 24.0, 23.9, 19.5, 18.9, 12.0])

    assert zones(path, LEVELS) == (
        Zone.CALM,
        Zone.GOLDILOCKS,
        Zone.HIGH,
        Zone.HIGH,
        Zone.HIGH,
        Zone.STRAINED,
        Zone.STRAINED,
        Zone.GOLDILOCKS,
        Zone.CALM,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ZoneLevels(calm=26.0),
        lambda: ZoneLevels(back=5.0),
        lambda: LeverageCurve(levels=((16.0, 1.0), (12.0, 0.0))),
        lambda: LeverageCurve(levels=((12.0, 0.0), (16.0, 1.2))),
    ],
)
def test_levels_that_contradict_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()


@pytest.mark.requirement("X07")
@given(st.lists(st.floats(9.0, 40.0), min_size=2, max_size=60).map(np.array))
@example(np.array([18.0, 19.2, 22.5, 21.6]))  # once measured from 19.2, where nothing had changed
def test_a_change_of_leverage_is_a_whole_point_from_the_change_before_or_a_fall_to_the_curve(vix):
    standing, asked = leverage(vix, CURVE), CURVE.multiplier(vix)

    last = vix[0]
    for at in range(1, len(vix)):
        if standing[at] != standing[at - 1]:
            assert abs(vix[at] - last) >= 1.0 or standing[at - 1] > asked[at]
            last = vix[at]
        else:
            assert abs(vix[at] - last) < 1.0 or standing[at] == asked[at]


@pytest.mark.requirement("S75", "X08")
@pytest.mark.parametrize(
    ("meetings", "said"),
    [
        ([date(2015, 2, 16)], "next 2015-02-16, in 6 sessions"),
        ([date(2015, 2, 9)], "new risk frozen (X08), next 2015-02-09, in 1 session"),
        ([date(2015, 2, 6)], "new risk frozen (X08), 2015-02-06 is today"),
        ([date(2015, 2, 5), date(2015, 2, 18)], "new risk frozen (X08), next 2015-02-18, in 8 sessions"),
        ([date(2015, 6, 17)], "next 2015-06-17, in 131 days"),  # beyond the sessions that are known
        ([date(2015, 1, 28)], "none scheduled"),
        ([], "no calendar"),
    ],
)
def test_the_next_meeting_is_said_with_how_far_off_it_is(meetings, said):
    last, sessions = axis(25), weekdays(60)  # Friday 6 February 2015, and eight weeks on
    signals = [names()["vix"], names()["backwardation"], *meeting_signals(meetings, sessions)]

    found = regime(
        read(store(vix=np.full(25, 18.0)), last, signals), LEVELS, CURVE, meetings=meetings, sessions=sessions
    )

    assert found.reasons[-1] == f"policy meeting: {said}"
