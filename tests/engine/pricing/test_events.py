"""Event variance: planted premia come back, missing ones have a name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.events import EventStatus, event_variances, wing_scale

DAILY = 0.0256  # 16 % a year
EXPIRIES = (7 / 365, 14 / 365, 30 / 365, 60 / 365)


def _variances(jumps: dict[float, float]) -> list[float]:
    return [DAILY * t + sum(jump for at, jump in jumps.items() if at <= t) for t in EXPIRIES]


@pytest.mark.requirement("D24b")
@given(move=st.floats(0.002, 0.05), at=st.floats(8 / 365, 13 / 365))
def test_a_planted_event_move_is_recovered(move: float, at: float) -> None:
    near, after = DAILY * EXPIRIES[0], DAILY * EXPIRIES[1] + move**2

    fit = event_variances(EXPIRIES[:2], [near, after], [at])

    assert np.sqrt(fit.premia[0].variance) == pytest.approx(move, rel=1e-9)
    assert fit.premia[0].variance == pytest.approx(after - near * EXPIRIES[1] / EXPIRIES[0], rel=1e-9)
    assert fit.diffusive == pytest.approx(DAILY, rel=1e-9)


@pytest.mark.requirement("D24b")
def test_less_variance_than_the_days_alone_would_bring_is_no_event_premium() -> None:
    fit = event_variances(EXPIRIES[:2], [DAILY * EXPIRIES[0], 0.9 * DAILY * EXPIRIES[1]], [10 / 365])

    premium = fit.premia[0]
    assert premium.status is EventStatus.NO_PREMIUM
    assert premium.status.value == "no_event_premium"
    assert premium.variance == 0.0
    assert premium.estimate < 0


@pytest.mark.requirement("D24b")
def test_two_events_in_one_gap_are_one_unknown() -> None:
    variances = _variances({20 / 365: 1e-4, 25 / 365: 2e-4})

    fit = event_variances(EXPIRIES, variances, [25 / 365, 20 / 365])

    assert len(fit.premia) == 1
    assert fit.premia[0].events == (20 / 365, 25 / 365)
    assert fit.premia[0].variance == pytest.approx(3e-4, rel=1e-9)


@pytest.mark.requirement("D24b")
def test_events_in_several_gaps_are_solved_at_once() -> None:
    variances = _variances({10 / 365: 1e-4, 20 / 365: 2e-4, 40 / 365: 4e-4})

    fit = event_variances(EXPIRIES, variances, [10 / 365, 20 / 365, 40 / 365])

    assert [premium.variance for premium in fit.premia] == pytest.approx([1e-4, 2e-4, 4e-4], rel=1e-9)
    assert fit.diffusive == pytest.approx(DAILY)
    assert fit.residual < 1e-12
    assert fit.total_variance(EXPIRIES[-1]) == pytest.approx(variances[-1])


@pytest.mark.requirement("D24b")
def test_an_event_without_premium_does_not_take_that_of_the_others() -> None:
    variances = _variances({10 / 365: 1e-4, 20 / 365: -2e-5, 40 / 365: 4e-4})

    fit = event_variances(EXPIRIES, variances, [10 / 365, 20 / 365, 40 / 365])

    assert [premium.status for premium in fit.premia] == [
        EventStatus.PRICED,
        EventStatus.NO_PREMIUM,
        EventStatus.PRICED,
    ]
    assert fit.premia[1].estimate == pytest.approx(-2e-5)
    assert fit.premia[1].variance == 0.0
    assert 0 < fit.residual < 2e-5


@pytest.mark.requirement("D24b")
def test_an_event_no_expiry_brackets_is_not_identified() -> None:
    fit = event_variances(EXPIRIES[:1], [DAILY * EXPIRIES[0]], [3 / 365, 90 / 365])

    assert {premium.status for premium in fit.premia} == {EventStatus.NOT_IDENTIFIED}
    assert all(np.isnan(premium.estimate) and premium.variance == 0.0 for premium in fit.premia)


@pytest.mark.requirement("D24b")
def test_wings_widen_by_the_events_share_of_variance() -> None:
    fit = event_variances(EXPIRIES[:2], [DAILY * EXPIRIES[0], 2.0 * DAILY * EXPIRIES[1]], [10 / 365])

    assert fit.wing_scale(EXPIRIES[0]) == 1.0
    assert fit.wing_scale(EXPIRIES[1]) == pytest.approx(np.sqrt(2.0))
    assert wing_scale(0.0, DAILY, 0.1) == 1.0
    with pytest.raises(InputError):
        wing_scale(-1e-4, DAILY, 0.1)
    with pytest.raises(InputError):
        wing_scale(1e-4, 0.0, 0.1)


@pytest.mark.parametrize(
    ("years", "variances", "events"),
    [
        ([0.1, 0.1], [0.01, 0.02], [0.05]),
        ([0.1], [0.0], [0.05]),
        ([], [], [0.05]),
        ([0.1], [0.01, 0.02], [0.05]),
        ([0.1], [0.01], [-0.05]),
        ([0.1], [0.01], [float("nan")]),
    ],
)
def test_terms_without_meaning_are_refused(years: list[float], variances: list[float], events: list[float]) -> None:
    with pytest.raises(InputError):
        event_variances(years, variances, events)
