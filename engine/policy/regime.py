"""Which market this is: the zone of VIX, the way its curve runs, and the leverage it bears."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from engine.errors import InputError, MissingQuote
from engine.market import Floats
from engine.signals.columns import SignalTable
from engine.signals.meetings import Days, session_distance


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

    It changes only when VIX has moved a whole `step` from where the multiplier last changed, except that it never
    stands above what the curve gives at the present VIX (X07).
    """
    asked = curve.multiplier(vix)
    standing = np.empty(len(vix))
    anchor, held = np.nan, np.nan
    for at, (level, m) in enumerate(zip(vix.tolist(), asked.tolist(), strict=True)):
        if held != m and (not abs(level - anchor) < curve.step or held > m):
            anchor, held = level, m
        standing[at] = held
    return standing


@dataclass(frozen=True, slots=True)
class Regime:
    """
    The market's state at one close.

    `leverage` is the multiplier in force (X07), 0 to 1; `high_vol` switches the session cap on (D12);
    `frozen` says that a policy meeting stops new risk (X08); `reasons` say in words what each part came from.
    """

    day: date
    vix: float
    zone: Zone
    leverage: float
    term_structure: TermStructure
    frozen: bool
    reasons: tuple[str, ...]

    @property
    def high_vol(self) -> bool:
        """Whether the rules of a high-volatility regime bind."""
        return self.zone is Zone.HIGH


def regime(
    table: SignalTable,
    levels: ZoneLevels,
    curve: LeverageCurve,
    *,
    meetings: Sequence[date] = (),
    sessions: Days | None = None,
) -> Regime:
    """
    The regime at the last close of a signal table.

    Parameters
    ----------
    meetings : policy announcement days, past and scheduled
    sessions : session days around them, by which they are counted; the table's own where not given

    Zone and leverage are worked out over the table's whole axis, since both remember. Raises `MissingQuote`
    where VIX is unseen at the last close: nothing is decided without it.
    """
    closes = table["vix"]
    if not np.isfinite(closes[-1]):
        raise MissingQuote(
            "no regime", why=table.panel()["vix"].why, todo="give a VIX close of the day that is decided on"
        )
    seen = closes[np.isfinite(closes)]
    panel = table.panel()
    inverted, meeting = panel.value("backwardation"), panel.value("fomc_window")
    structure = (
        TermStructure.UNSEEN
        if inverted is None
        else TermStructure.BACKWARDATION
        if inverted
        else TermStructure.CONTANGO
    )
    zone, multiplier, vix = zones(seen, levels)[-1], float(leverage(seen, curve)[-1]), float(seen[-1])
    curve_of = panel["backwardation"]
    reasons = (
        f"VIX {vix:.2f}: {zone}, leverage {multiplier:.2f} of full (X07)",
        f"curve in {structure} by {' and '.join(curve_of.inputs)} (D09)" if curve_of.seen else f"curve: {curve_of.why}",
        "policy meeting: "
        + ("new risk frozen (X08), " if meeting else "")
        + _next_meeting(panel.at.date(), meetings, table.axis.days if sessions is None else sessions),
    )
    return Regime(panel.at.date(), vix, zone, multiplier, structure, bool(meeting), reasons)


def _next_meeting(day: date, meetings: Sequence[date], sessions: Days) -> str:
    """The first meeting not yet past and how far off it is: in sessions, in days where the calendar ends before it."""
    ahead = min((meeting for meeting in meetings if meeting >= day), default=None)
    if ahead is None:
        return "none scheduled" if meetings else "no calendar"
    if ahead == day:
        return f"{ahead} is today"
    if np.datetime64(ahead) > sessions[-1]:
        count, unit = (ahead - day).days, "day"
    else:
        count, unit = int(session_distance(np.array([day], "datetime64[D]"), [ahead], sessions)[0, 0]), "session"
    return f"next {ahead}, in {count} {unit}{'' if count == 1 else 's'}"
