"""Which layers the rules would have had on at each recorded close, against the stress that came (S58)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, MissingQuote
from engine.market import Floats
from engine.policy.bounds import within
from engine.policy.rule import Act, Rule, standing
from engine.signals.columns import Axis, SignalTable
from engine.signals.observations import Observations

Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stress:
    """
    What counts as realised stress after a close, within so many `sessions`.

    SPX closes `fall` below it, or VIX `rise` above it (decimals of that close's level). Which falls and rises
    count is this policy's own choice.
    """

    sessions: int = 21
    fall: float = 0.05
    rise: float = 0.50

    def __post_init__(self) -> None:
        within("stress.sessions", self.sessions, 1, 252, rule="S58")
        within("stress.fall", self.fall, 0.001, 0.99, rule="S58")
        within("stress.rise", self.rise, 0.001, 100, rule="S58")


@dataclass(frozen=True, slots=True)
class Interval:
    """A layer on from the close of `first` to that of `last`, both included; `hit` if stress followed the first."""

    first: date
    last: date
    sessions: int
    hit: bool | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """
    Closes at which a layer was on or off, by whether stress followed.

    `unseen` are those at which its rules could not be told: they count neither as on nor as off. A layer that could
    be seen on and never off, one of several signs being unseen, has no share of either.
    """

    on_stressed: int
    on_calm: int
    off_stressed: int
    off_calm: int
    unseen: int = 0

    @property
    def seen(self) -> int:
        """Closes that count."""
        return self.on_stressed + self.on_calm + self.off_stressed + self.off_calm

    @property
    def over_hedged(self) -> float | None:
        """Share of the calm closes seen at which it was on: false breakdowns; None where none was calm."""
        return None if self._only_on else _share(self.on_calm, self.on_calm + self.off_calm)

    @property
    def under_hedged(self) -> float | None:
        """Share of the stressed closes seen at which it was off: real shifts missed; None where none was stressed."""
        return None if self._only_on else _share(self.off_stressed, self.on_stressed + self.off_stressed)

    @property
    def precision(self) -> float | None:
        """Share of the closes with it on that stress followed; None where it was never on."""
        return _share(self.on_stressed, self.on_stressed + self.on_calm)

    @property
    def _only_on(self) -> bool:
        return self.unseen > 0 and self.off_stressed + self.off_calm == 0


@dataclass(frozen=True, slots=True)
class LayerReplay:
    """
    One layer over the history.

    `unseen` counts all closes at which its rules could not be told: then it is not on, since a vote not cast arms
    nothing, and the matrix leaves them out. `lacking` are the signals that no source supplied at any close.
    """

    layer: str
    rules: tuple[str, ...]
    intervals: tuple[Interval, ...]
    confusion: Confusion
    unseen: int
    lacking: tuple[str, ...]

    @property
    def hit_rate(self) -> float | None:
        """Share of activations that stress followed within the window; None where none can be told."""
        told = [interval.hit for interval in self.intervals if interval.hit is not None]
        return _share(sum(told), len(told))


@dataclass(frozen=True, slots=True)
class Replay:
    """
    Every layer over the closes from `first` to `last`.

    `labelled` of the `closes` have a whole window after them, `stressed` of those were followed by stress;
    `base_rate` is what a layer that says nothing would hit.
    """

    first: date
    last: date
    closes: int
    labelled: int
    stressed: int
    layers: tuple[LayerReplay, ...]

    @property
    def base_rate(self) -> float | None:
        """Share of labelled closes that stress followed."""
        return _share(self.stressed, self.labelled)


def arming_rules(rules: Sequence[Rule]) -> Mapping[str, tuple[Rule, ...]]:
    """The rules that arm each layer, by layer in the order of first mention; layers no rule arms are absent."""
    found: dict[str, tuple[Rule, ...]] = {}
    for rule in rules:
        for effect in rule.then:
            if effect.act is Act.ARM:
                found[effect.what] = (*found.get(effect.what, ()), rule)
    return found


def session_closes(observations: Observations, axis: Axis, name: str) -> Floats:
    """
    The level at each session close of an axis, as first released by then; the one before where a session has none.

    Raises `MissingQuote` where nobody supplies the series, or the axis begins before it.
    """
    series = observations.get(name)
    at = np.searchsorted(series.released, axis.closes, side="right") - 1 if series is not None else np.array([-1])
    if series is None or at.min() < 0:
        raise MissingQuote(
            f"{name} not replayed",
            why=f"it begins {series.as_of[0].astype('datetime64[D]')}" if series is not None else "no source gives it",
            todo="give a history that covers the sessions",
        )
    return np.asarray(series.values[at])


def stress_follows(spx: Floats, vix: Floats, stress: Stress = Stress()) -> Floats:
    """
    Whether stress followed each close: 1, 0, or NaN for the last closes, whose window is not over.

    Parameters
    ----------
    spx, vix : one close per session, same length

    >>> stress_follows(np.array([100.0, 99.0, 94.0]), np.array([15.0, 15.0, 20.0]), Stress(sessions=1)).tolist()
    [0.0, 1.0, nan]
    """
    if len(spx) != len(vix):
        raise InputError("stress not told", why=f"{len(spx)} and {len(vix)} closes", todo="give both for each session")
    found = np.full(len(spx), np.nan)
    if (told := len(spx) - stress.sessions) > 0:
        windows = np.lib.stride_tricks.sliding_window_view
        lowest = windows(spx[1:], stress.sessions).min(axis=1)
        highest = windows(vix[1:], stress.sessions).max(axis=1)
        found[:told] = (lowest <= (1.0 - stress.fall) * spx[:told]) | (highest >= (1.0 + stress.rise) * vix[:told])
    return found


def replay(rules: Sequence[Rule], table: SignalTable, spx: Floats, vix: Floats, stress: Stress = Stress()) -> Replay:
    """
    When each layer was switched on and off, and whether stress followed.

    Parameters
    ----------
    table : signals over the session closes, each reading only what was out by then
    spx, vix : closes of the same sessions, from `session_closes`; the outcome alone is read from them

    Source: S58.
    """
    follows = stress_follows(spx, vix, stress)
    told = np.isfinite(follows)
    days = table.axis.days
    layers = tuple(_layer(name, arms, table, days, follows) for name, arms in arming_rules(rules).items())
    return Replay(days[0].item(), days[-1].item(), len(days), int(told.sum()), int((follows == 1.0).sum()), layers)


def intervals(days: NDArray[np.datetime64], on: Truths, follows: Floats) -> tuple[Interval, ...]:
    """The runs of closes with a layer on; a layer still on at the end ends there."""
    edges = np.diff(np.concatenate([[0], on.astype(int), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return tuple(
        Interval(
            days[start].item(),
            days[end].item(),
            int(end - start) + 1,
            None if np.isnan(follows[start]) else bool(follows[start]),
        )
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def confusion(on: Truths, unseen: Truths, follows: Floats) -> Confusion:
    """The matrix over closes whose outcome is told."""
    stressed, calm = follows == 1.0, follows == 0.0
    off = ~on & ~unseen
    parts = ((on, stressed), (on, calm), (off, stressed), (off, calm), (unseen, stressed | calm))
    return Confusion(*(int((one & other).sum()) for one, other in parts))


def _layer(
    name: str, rules: Sequence[Rule], table: SignalTable, days: NDArray[np.datetime64], follows: Floats
) -> LayerReplay:
    stands = np.array([standing(rule, table) for rule in rules])
    on = (stands == 1.0).any(axis=0)
    unseen = np.isnan(stands).any(axis=0) & ~on
    asked = dict.fromkeys(signal for rule in rules for signal in rule.signals)
    return LayerReplay(
        layer=name,
        rules=tuple(rule.id for rule in rules),
        intervals=intervals(days, on, follows),
        confusion=confusion(on, unseen, follows),
        unseen=int(unseen.sum()),
        lacking=tuple(signal for signal in asked if not np.isfinite(table[signal]).any()),
    )


def _share(part: int, of: int) -> float | None:
    return part / of if of else None
