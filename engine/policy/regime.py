"""Which market this is: volatility zone, term structure, leverage it bears, and what the calendar forbids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.market import Floats

Days = NDArray[np.datetime64]


class Zone(StrEnum):
    """Where VIX stands (S77, X07)."""

    CALM = "calm"
    GOLDILOCKS = "goldilocks"
    STRAINED = "strained"
    HIGH = "high volatility"


class TermStructure(StrEnum):
    """Which way the VIX curve runs (D09); unseen until either state has been entered."""

    UNSEEN = "unseen"
    CONTANGO = "contango"
    BACKWARDATION = "backwardation"


@dataclass(frozen=True, slots=True)
class ZoneLevels:
    """VIX levels between the zones and how far back VIX must come to leave a higher one, in points."""

    calm: float = 16.0  # X07: below it the multiplier falls
    strained: float = 20.0  # X07: end of the zone around 18
    high: float = 25.0  # S77
    back: float = 1.0  # X07: one point

    def __post_init__(self) -> None:
        if not 0 < self.calm < self.strained < self.high or not 0 <= self.back < self.strained - self.calm:
            raise InputError(
                f"zones {self.calm:g}, {self.strained:g}, {self.high:g} with {self.back:g} back refused",
                why="levels must rise, and the way back must be shorter than a zone",
                todo="correct the levels",
            )


@dataclass(frozen=True, slots=True)
class LeverageCurve:
    """Points (VIX, multiplier) between which leverage runs straight, and the move of VIX that changes it (X07)."""

    levels: tuple[tuple[float, float], ...] = ((12.0, 0.0), (16.0, 1.0), (20.0, 1.0), (25.0, 0.0))
    step: float = 1.0

    def __post_init__(self) -> None:
        rising = all(low[0] < high[0] for low, high in zip(self.levels, self.levels[1:], strict=False))
        if not rising or not all(0 <= m <= 1 for _, m in self.levels) or self.step < 0:
            raise InputError(
                "leverage curve refused", why="VIX must rise and multipliers lie in 0..1", todo="correct its points"
            )

    def multiplier(self, vix: Floats | float) -> Floats:
        """m(VIX), flat beyond the ends."""
        at, m = zip(*self.levels, strict=True)
        return np.asarray(np.interp(vix, at, m))


def zones(vix: Floats, levels: ZoneLevels) -> tuple[Zone, ...]:
    """
    The zone at each close: entered upward at its level, left downward once VIX is `back` points below it.

    Zones nest upward only: a fall may pass several at once.
    """
    entries = (-np.inf, levels.calm, levels.strained, levels.high)
    order = tuple(Zone)
    found, at = [], 0
    for level in vix.tolist():
        entered = max(number for number, entry in enumerate(entries) if level >= entry)
        while at > entered and level < entries[at] - levels.back:
            at -= 1
        at = max(at, entered)
        found.append(order[at])
    return tuple(found)


def leverage(vix: Floats, curve: LeverageCurve) -> Floats:
    """
    The multiplier in force at each close.

    It changes only when VIX has moved a whole `step` from where it last changed, except that it never stands
    above what the curve gives at the present VIX (X07).
    """
    asked = curve.multiplier(vix)
    standing = np.empty(len(vix))
    anchor, held = np.nan, 0.0
    for at, (level, m) in enumerate(zip(vix.tolist(), asked.tolist(), strict=True)):
        if not abs(level - anchor) < curve.step or held > m:
            anchor, held = level, m
        standing[at] = held
    return standing


class EventAction(StrEnum):
    """What a scheduled event does to new risk (X08)."""

    NONE = "none"
    FREEZE = "freeze"
    REDUCE = "reduce"
    INCREASE = "increase"


@dataclass(frozen=True, slots=True)
class EventWindows:
    """
    Sessions around a policy meeting in which new risk is frozen, and days after it to the minutes (X08, D23).

    `action` is what is done inside the freeze window; an increase is never one of them before the minutes.
    """

    before: int = 1
    after: int = 1
    watch_before: int = 5  # D23
    minutes_after_days: int = 21  # D23
    action: EventAction = EventAction.FREEZE


@dataclass(frozen=True, slots=True)
class EventState:
    """The nearest meeting, sessions to it (negative once past), and what follows."""

    meeting: date | None
    sessions: int | None
    action: EventAction
    watched: bool
    minutes_out: bool


def event_state(day: date, meetings: Sequence[date], sessions: Days, windows: EventWindows) -> EventState:
    """
    What the calendar says on `day`.

    Parameters
    ----------
    meetings : announcement days, past and scheduled
    sessions : all session days around them, rising

    Returns
    -------
    `minutes_out` is true from the day the last meeting's minutes appear until the next freeze begins.
    A day between sessions counts as the session before it.
    """
    if not meetings:
        return EventState(None, None, EventAction.NONE, watched=False, minutes_out=False)
    today = _position(day, sessions)
    distances = {meeting: _position(meeting, sessions) - today for meeting in meetings}
    nearest = min(distances, key=lambda meeting: (abs(distances[meeting]), distances[meeting] < 0))
    away = distances[nearest]
    inside = -windows.after <= away <= windows.before if away >= 0 else -away <= windows.after
    past = [meeting for meeting in meetings if meeting <= day]
    minutes = bool(past) and (day - max(past)).days >= windows.minutes_after_days
    return EventState(
        nearest,
        away,
        windows.action if inside else EventAction.NONE,
        watched=any(0 <= distance <= windows.watch_before for distance in distances.values()),
        minutes_out=minutes and not inside,
    )


def _position(day: date, sessions: Days) -> int:
    return int(np.searchsorted(sessions, np.datetime64(day), side="right")) - 1


@dataclass(frozen=True, slots=True)
class Regime:
    """
    The market's state at one close.

    `leverage` is the multiplier in force (X07), 0 to 1; `high_vol` switches the session cap on (D12);
    `reasons` say in words what each part came from, the unseen ones included.
    """

    day: date
    vix: float
    zone: Zone
    leverage: float
    term_structure: TermStructure
    event: EventState
    reasons: tuple[str, ...]

    @property
    def high_vol(self) -> bool:
        """Whether the rules of a high-volatility regime bind."""
        return self.zone is Zone.HIGH
