"""Signals as columns over session closes: each row knows only what was released by that close."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.market import Floats
from engine.signals.observations import Instants, Known, Observations, Series
from engine.signals.panel import Family, Reading, SignalPanel
from engine.signals.windows import by_run


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Session closes, rising, as `datetime64[m]` UTC instants: the moments at which decisions are made."""

    closes: Instants

    def __post_init__(self) -> None:
        if not len(self.closes) or not np.all(self.closes[1:] > self.closes[:-1]):
            raise InputError("session axis refused", why="closes must rise and not be empty", todo="give sessions")

    def __len__(self) -> int:
        return len(self.closes)

    @property
    def days(self) -> NDArray[np.datetime64]:
        """Calendar days of the closes."""
        return self.closes.astype("datetime64[D]")

    def last(self) -> datetime:
        """The last close, aware UTC."""
        return moment(self.closes[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """
    A signal over an axis: `values` are NaN where it is unseen; `as_of` and `released` say of what and since when.

    `as_of` is NaT where unseen.
    """

    values: Floats
    as_of: Instants
    released: Instants

    @classmethod
    def unseen(cls, axis: Axis) -> "Column":
        """Nothing, at every close."""
        never = np.full(len(axis), np.datetime64("NaT", "m"))
        return cls(np.full(len(axis), np.nan), never, never.copy())

    def map(self, change: Callable[[Floats], Floats]) -> "Column":
        """The same rows with other numbers; NaN stays NaN."""
        return Column(np.where(np.isnan(self.values), np.nan, change(self.values)), self.as_of, self.released)


Compute = Callable[[Observations, Axis], Column]


@dataclass(frozen=True, slots=True)
class Way:
    """
    One way to a signal: the observations it reads and how.

    `compute` must be causal: a row may use only what was out at its close. A way that is `one_sided` says yes or
    nothing, so that its silence is no feed that went.
    """

    inputs: tuple[str, ...]
    compute: Compute
    one_sided: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """
    What a rule may ask about: name, family, unit, definition, and the ways to it, the best first.

    A truth is 1 or 0 in unit "yes". At each close the first way that gives a number is taken.
    """

    name: str
    family: Family
    unit: str
    ways: tuple[Way, ...]
    source: str
    meaning: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every observation that some way reads."""
        return tuple(dict.fromkeys(name for way in self.ways for name in way.inputs))


@dataclass(frozen=True, slots=True, eq=False)
class SignalTable:
    """Every signal at every close of an axis; `reasons` says what some lack throughout, `supplied` what is there."""

    axis: Axis
    signals: Mapping[str, Signal]
    columns: Mapping[str, Column]
    ways: Mapping[str, NDArray[np.int8]]
    reasons: Mapping[str, str]
    supplied: Mapping[str, Series] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name].values

    def panel(self, row: int = -1) -> SignalPanel:
        """The readings of one close."""
        return SignalPanel.of(moment(self.axis.closes[row]), (self._reading(name, row) for name in self.signals))

    def dropped(self, name: str, row: int = -1) -> bool:
        """Whether a signal that was seen at an earlier close of the axis is unseen at this one: its feed went."""
        values = self[name][: len(self.axis) + row + 1 if row < 0 else row + 1]
        return bool(name not in self.reasons and np.isnan(values[-1]) and np.isfinite(values).any())

    def _reading(self, name: str, row: int) -> Reading:
        signal, column = self.signals[name], self.columns[name]
        value = float(column.values[row])
        seen = np.isfinite(value)
        return Reading(
            signal=name,
            family=signal.family,
            value=value if seen else None,
            unit=signal.unit,
            inputs=signal.ways[self.ways[name][row]].inputs if seen else signal.inputs,
            source=signal.source,
            as_of=moment(column.as_of[row]) if seen else None,
            released=moment(column.released[row]) if seen else None,
            why=signal.meaning if seen else self.reasons.get(name) or self._lost(signal, row),
            lost=not seen and name not in self.reasons,
        )

    def _lost(self, signal: Signal, row: int) -> str:
        """Which observation fails a signal that somebody supplies: the one that is oldest at this close."""
        close = self.axis.closes[row]
        oldest: tuple[np.datetime64, str, int] | None = None
        for name in signal.inputs:
            if name not in self.supplied:
                continue
            out = self.supplied[name].as_of[self.supplied[name].released <= close]
            if not len(out):
                return f"nothing of {name} was out at this close"
            ended = (out[-1], name, _in_a_row(out))
            oldest = min(ended, oldest or ended)
        if oldest is None:
            return "too few or too old at this close"
        last, name, count = oldest
        return f"too few or too old: the last of {count:,} {name} in a row is of {last.astype('datetime64[D]')}"


def read(observations: Observations, axis: Axis, signals: Iterable[Signal]) -> SignalTable:
    """Every signal over the axis; where no way has all its inputs, with the reason why it may be unseen."""
    columns: dict[str, Column] = {}
    reasons: dict[str, str] = {}
    ways: dict[str, NDArray[np.int8]] = {}
    known = {signal.name: signal for signal in signals}
    for name, signal in known.items():
        columns[name], ways[name] = column_of(signal, observations, axis)
        whole = [way for way in signal.ways if not way.one_sided]
        lacking: list[list[str]] = [[part for part in way.inputs if part not in observations] for way in whole]
        if all(lacking):
            fewest: list[str] = min(lacking, key=len)
            reasons[name] = f"no source gives {', '.join(fewest)}"
    supplied = {name: observations[name] for signal in known.values() for name in signal.inputs if name in observations}
    return SignalTable(axis, known, columns, ways, reasons, supplied)


def column_of(signal: Signal, observations: Observations, axis: Axis) -> tuple[Column, NDArray[np.int8]]:
    """A signal over the axis, and at each close which of its ways gave the number."""
    merged = Column.unseen(axis)
    which = np.zeros(len(axis), np.int8)
    for number, way in enumerate(signal.ways):
        if not all(name in observations for name in way.inputs):
            continue
        column = way.compute(observations, axis)
        take = np.isnan(merged.values) & np.isfinite(column.values)
        which[take] = number
        merged = Column(
            np.where(take, column.values, merged.values),
            np.where(take, column.as_of, merged.as_of),
            np.where(take, column.released, merged.released),
        )
    return merged, which


def on_bars(series: Series, axis: Axis, change: Callable[[Floats], Floats], *, max_age_days: float) -> Column:
    """
    An indicator of one series' completed bars, as it stood at each close.

    Parameters
    ----------
    change : array of values, oldest first, to one answer per bar; causal
    max_age_days : an older last bar is unseen; after a hole of more than twice that the bars begin anew

    A series that came out in order is worked out once; one that was revised, or with a bar that came out after
    its successor, anew from what was out at each close.
    """
    if np.all(series.as_of[1:] > series.as_of[:-1]) and np.all(series.released[1:] >= series.released[:-1]):
        return in_order(series.as_of, series.released, [series.values], axis, change, max_age_days=max_age_days)

    def last(known: Known) -> float:
        return float(by_run(known.as_of, change, known.values, hole_days=2.0 * max_age_days)[-1])

    return at_closes(series, axis, last, max_age_days=max_age_days)


def in_order(
    as_of: Instants,
    released: Instants,
    columns: Sequence[NDArray[Any]],
    axis: Axis,
    change: Callable[..., Floats],
    *,
    max_age_days: float,
) -> Column:
    """
    An indicator of columns in step, worked out once for all bars; `change` gets each run of them (`on_bars`).

    Parameters
    ----------
    as_of : rises strictly: no bar is revised
    """
    if not len(as_of):
        return Column.unseen(axis)
    answers = by_run(as_of, change, *columns, hole_days=2.0 * max_age_days)
    return as_released(as_of, released, answers, axis, max_age_days=max_age_days)


def as_released(as_of: Instants, released: Instants, answers: Floats, axis: Axis, *, max_age_days: float) -> Column:
    """Answers, one per bar, at the closes: none counts before it and every bar ahead of it were out."""
    if not len(as_of):
        return Column.unseen(axis)
    out = np.maximum.accumulate(released)
    at = np.searchsorted(out, axis.closes, side="right") - 1
    there, rows = at >= 0, np.maximum(at, 0)
    never = np.datetime64("NaT", "m")
    column = Column(
        np.where(there, answers[rows], np.nan),
        np.where(there, as_of[rows], never),
        np.where(there, out[rows], never),
    )
    return _bounded(axis, column, max_age_days)


def at_closes(series: Series, axis: Axis, change: Callable[[Known], float], *, max_age_days: float) -> Column:
    """
    A number worked out from everything known of one series, recomputed only when something was released.

    `change` gets the series as it stood and answers NaN where it cannot say.
    """
    values = np.full(len(axis), np.nan)
    as_of = np.full(len(axis), np.datetime64("NaT", "m"))
    released = as_of.copy()
    moments = np.unique(series.released)
    latest = np.searchsorted(moments, axis.closes, side="right") - 1
    for event in np.unique(latest[latest >= 0]):
        known = series.known(moment(moments[event]))
        rows = latest == event
        values[rows], as_of[rows], released[rows] = change(known), known.as_of[-1], moments[event]
    return _bounded(axis, Column(values, as_of, released), max_age_days)


def joined(parts: Sequence[Series], combine: Callable[..., Floats], name: str, unit: str) -> Series:
    """
    A series worked out from several, on the periods that all have, out when the last of them is.

    Of a value that was revised the first release counts.
    """
    common, released, values = in_step(parts)
    sources = " and ".join(dict.fromkeys(part.source for part in parts))
    return Series(name, unit, common, released, combine(*values), sources)


def in_step(parts: Sequence[Series]) -> tuple[Instants, Instants, list[Floats]]:
    """The periods that several series share, when the last of each came out, and each one's first-released values."""
    firsts = [np.unique(part.as_of, return_index=True) for part in parts]
    common = firsts[0][0]
    for periods, _ in firsts[1:]:
        common = np.intersect1d(common, periods)
    rows = [first[np.searchsorted(periods, common)] for periods, first in firsts]
    released = np.maximum.reduce([part.released[row] for part, row in zip(parts, rows, strict=True)])
    return common, released, [part.values[row] for part, row in zip(parts, rows, strict=True)]


def together(columns: Sequence[Column], change: Callable[..., Floats]) -> Column:
    """A number from several columns: unseen where any is; as old as the oldest of them."""
    values = change(*(column.values for column in columns))
    hidden = np.any([np.isnan(column.values) for column in columns], axis=0)
    as_of = np.min([column.as_of for column in columns], axis=0)
    released = np.max([column.released for column in columns], axis=0)
    return Column(np.where(hidden, np.nan, values), as_of, released)


def moment(at: np.datetime64) -> datetime:
    """An instant of the store as an aware datetime."""
    written: datetime = at.astype("datetime64[s]").item()
    return written.replace(tzinfo=UTC)


def _in_a_row(as_of: Instants) -> int:
    """How many of the last instants stand without a hole, ten times the usual distance, among them."""
    apart = np.diff(as_of)
    holes = np.flatnonzero(apart > 10 * np.median(apart)) if len(apart) else np.empty(0, int)
    return len(as_of) - (int(holes[-1]) + 1 if len(holes) else 0)


def _bounded(axis: Axis, column: Column, max_age_days: float) -> Column:
    age = (axis.closes - column.as_of) / np.timedelta64(1, "D")
    with np.errstate(invalid="ignore"):
        old = ~(age <= max_age_days)
    return Column(np.where(old, np.nan, column.values), column.as_of, column.released)
