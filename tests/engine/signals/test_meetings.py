from datetime import date

import numpy as np
import pytest

from engine.signals.columns import Axis, read
from engine.signals.meetings import meeting_signals
from engine.signals.observations import Observations

SESSIONS = np.array([np.datetime64("2023-01-23") + n for n in range(60)])
SESSIONS = SESSIONS[np.is_busday(SESSIONS)]
MEETINGS = [date(2022, 12, 14), date(2023, 2, 1), date(2023, 3, 22)]


CLOSES = SESSIONS.astype("datetime64[m]") + np.timedelta64(21 * 60 + 15, "m")


def told(day: str) -> dict[str, float]:
    table = read(Observations({}), Axis(CLOSES), meeting_signals(MEETINGS, SESSIONS))
    row = int(np.flatnonzero(table.axis.days == np.datetime64(day))[0])
    return {name: float(table[name][row]) for name in table.signals}


@pytest.mark.requirement("X08", "S75")
@pytest.mark.parametrize(
    ("day", "stopped"),
    [("2023-01-30", 0), ("2023-01-31", 1), ("2023-02-01", 1), ("2023-02-02", 1), ("2023-02-03", 0)],
)
def test_new_risk_is_frozen_one_session_around_the_meeting(day, stopped):
    assert told(day)["fomc_window"] == stopped


@pytest.mark.requirement("X08", "D23")
@pytest.mark.parametrize(("day", "out"), [("2023-02-21", 0), ("2023-02-22", 1), ("2023-03-21", 0), ("2023-03-22", 0)])
def test_minutes_are_out_three_weeks_after_the_meeting_until_the_next_freeze(day, out):
    assert told(day)["fomc_minutes"] == out


@pytest.mark.requirement("S75", "D23")
@pytest.mark.parametrize(("day", "seen"), [("2023-01-24", 0), ("2023-01-25", 1), ("2023-02-01", 1), ("2023-02-02", 0)])
def test_the_five_sessions_before_a_meeting_are_watched(day, seen):
    assert told(day)["fomc_watch"] == seen


def test_without_meetings_the_calendar_is_unseen():
    table = read(Observations({}), Axis(CLOSES), meeting_signals((), SESSIONS))

    assert not table.panel()["fomc_window"].seen
