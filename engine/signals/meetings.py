"""Scheduled policy meetings as signals: inside the freeze, being watched, minutes out (S75, X08, D23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from engine.signals.columns import Axis, Column, Compute, Signal, Way
from engine.signals.observations import Observations
from engine.signals.panel import Family

Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class EventWindows:
    """Sessions around a meeting, and days after it until its minutes appear."""

    before: int = 1  # X08
    after: int = 1  # X08
    watch: int = 5  # D23
    minutes_days: int = 21  # D23


def session_distance(days: Days, meetings: Sequence[date], sessions: Days) -> NDArray[np.int64]:
    """
    Sessions from each day to each meeting, negative once past: shape (days, meetings).

    A day between sessions counts as the session before it.
    """
    at = np.searchsorted(sessions, days, side="right")
    when = np.searchsorted(sessions, np.array(meetings, "datetime64[D]"), side="right")
    return np.asarray(when[None, :] - at[:, None])


def frozen(days: Days, meetings: Sequence[date], sessions: Days, windows: EventWindows) -> NDArray[np.bool_]:
    """Whether each day lies in the freeze around some meeting."""
    away = session_distance(days, meetings, sessions)
    return np.asarray(((away <= windows.before) & (away >= -windows.after)).any(axis=1))


def watched(days: Days, meetings: Sequence[date], sessions: Days, windows: EventWindows) -> NDArray[np.bool_]:
    """Whether a meeting lies ahead within the watch window, its own session included."""
    away = session_distance(days, meetings, sessions)
    return np.asarray(((away >= 0) & (away <= windows.watch)).any(axis=1))


def minutes_out(days: Days, meetings: Sequence[date], sessions: Days, windows: EventWindows) -> NDArray[np.bool_]:
    """Whether the last meeting's minutes are out and no freeze has begun since."""
    since = days[:, None] - np.array(meetings, "datetime64[D]")[None, :]
    age = np.where(since >= np.timedelta64(0, "D"), since.astype(np.int64), np.iinfo(np.int64).max)
    out = (age.min(axis=1) >= windows.minutes_days) & (age.min(axis=1) < np.iinfo(np.int64).max)
    return np.asarray(out & ~frozen(days, meetings, sessions, windows))


def meeting_signals(
    meetings: Sequence[date], sessions: Days, windows: EventWindows = EventWindows()
) -> tuple[Signal, ...]:
    """
    The calendar as signals; unseen throughout where no meeting is known.

    Parameters
    ----------
    meetings : announcement days, past and scheduled
    sessions : session days around them, rising, future ones included
    """

    def told(fact: object) -> Compute:
        def compute(_: Observations, axis: Axis) -> Column:
            if not len(meetings):
                return Column.unseen(axis)
            values = fact(axis.days, meetings, sessions, windows)  # type: ignore[operator]
            return Column(values.astype(float), axis.closes, axis.closes)

        return compute

    def signal(name: str, source: str, meaning: str, fact: object) -> Signal:
        return Signal(name, Family.FUNDAMENTAL, "yes", (Way((), told(fact)),), source, meaning)

    return (
        signal("fomc_window", "S75, X08", "one session around a policy meeting", frozen),
        signal("fomc_watch", "S75, D23", "a policy meeting within five sessions", watched),
        signal("fomc_minutes", "S75, D23, X08", "the last meeting's minutes are out", minutes_out),
    )
