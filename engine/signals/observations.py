"""What was known when: every observed quantity with all its vintages, read as of an instant."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, StaleQuote
from engine.market import Floats

Instants = NDArray[np.datetime64]
"""UTC instants, `datetime64[m]`."""


def instant(at: datetime) -> np.datetime64:
    """
    An aware instant as the store keeps it, in whole minutes, never rounded up.

    >>> from datetime import UTC
    >>> str(instant(datetime(2023, 2, 7, 21, 15, 59, tzinfo=UTC)))
    '2023-02-07T21:15'
    """
    if at.tzinfo is None:
        raise InputError(f"instant {at} refused", why="it has no time zone", todo="give an aware instant")
    return np.datetime64(int(at.timestamp() // 60), "m")


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """
    One quantity as it stood at an instant: the last vintage of each period that was out by then.

    `as_of` rises strictly; `values` and `released` go with it.
    """

    name: str
    unit: str
    as_of: Instants
    values: Floats
    released: Instants
    source: str

    def __len__(self) -> int:
        return len(self.values)

    @property
    def days(self) -> NDArray[np.datetime64]:
        """The calendar days of `as_of`."""
        return self.as_of.astype("datetime64[D]")


def first_fault(as_of: Instants, released: Instants, values: Floats) -> tuple[int, str] | None:
    """The first row that no series may hold, counted from 0, and why; None where all may stand."""
    apart, anew = np.diff(as_of).astype(np.int64), np.diff(released).astype(np.int64)
    tests = (
        (~np.isfinite(values), "its value is not finite"),
        (released < as_of, "it was released before its period began"),
        (np.append(False, (apart < 0) | ((apart == 0) & (anew <= 0))), "it repeats or precedes the row before"),
    )
    found = [(int(np.flatnonzero(broken)[0]), why) for broken, why in tests if broken.any()]
    return min(found, default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """
    Every vintage of one observed quantity.

    Parameters
    ----------
    name : what rules call it
    unit : of the values, "points", "%", "USD", "1" for a ratio
    as_of : the instant each value describes (the start of its day, month or quarter for a period)
    released : when it became known, never before `as_of`
    values : finite numbers; what is missing is simply not there
    source : where it comes from, in words
    vintages : a label per value ("first", "2023-03"); empty where there is one vintage only

    Rows rise by (as_of, released). Raises `InputError` for rows out of order, a period released twice at
    one instant, a value that is not finite, or a release before the period began.
    """

    name: str
    unit: str
    as_of: Instants
    released: Instants
    values: Floats
    source: str
    vintages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.as_of) == len(self.released) == len(self.values) or (
            self.vintages and len(self.vintages) != len(self.values)
        ):
            raise self._refused(0, "its columns differ in length")
        fault = first_fault(self.as_of, self.released, self.values)
        if fault:
            raise self._refused(*fault)

    def known(self, at: datetime) -> Known:
        """What was out at `at`: the latest release of each period, and nothing released after."""
        out = np.flatnonzero(self.released <= instant(at))
        periods = self.as_of[out]
        last = np.append(periods[1:] != periods[:-1], True) if len(out) else np.zeros(0, bool)
        rows = out[last]
        return Known(self.name, self.unit, self.as_of[rows], self.values[rows], self.released[rows], self.source)

    def _refused(self, row: int, why: str) -> InputError:
        when = self.as_of[row] if len(self.as_of) > row else "-"
        return InputError(
            f"series {self.name} row {row + 1} of {when} refused", why=why, todo="correct the file; nothing was read"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Observations(Mapping[str, Series]):
    """
    Every series a decision may read, by name.

    A series that is absent, or has nothing out yet, is unseen: `known` answers None and a signal that
    needs it casts no vote.
    """

    series: Mapping[str, Series]

    @classmethod
    def of(cls, parts: Iterable[Series]) -> "Observations":
        """A store of these series; raises `InputError` when two have one name."""
        found: dict[str, Series] = {}
        for part in parts:
            if part.name in found:
                raise InputError(
                    f"series {part.name} refused", why="two sources give that name", todo="keep one of them"
                )
            found[part.name] = part
        return cls(dict(sorted(found.items())))

    def __getitem__(self, name: str) -> Series:
        return self.series[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    def known(self, name: str, at: datetime) -> Known | None:
        """The series as it stood at `at`, None where it is unseen."""
        if name not in self.series:
            return None
        known = self.series[name].known(at)
        return known if len(known) else None

    def fresh(self, name: str, at: datetime, *, max_age_days: float) -> Known:
        """
        The series as it stood at `at`, if its last value is not older than `max_age_days`.

        Raises `StaleQuote` where it is unseen or too old; the reason is meant for a reader.
        """
        known = self.known(name, at)
        if known is None:
            raise StaleQuote(f"{name} unseen", why="no source gives it", todo="add a file for it")
        age = float((instant(at) - known.as_of[-1]) / np.timedelta64(1, "D"))
        if age > max_age_days:
            raise StaleQuote(
                f"{name} stale",
                why=f"its last value is of {known.as_of[-1]}, {age:.1f} days old; {max_age_days:g} are allowed",
                todo="update its file",
            )
        return known

    def without(self, name: str) -> "Observations":
        """The store as if `name` had never been observed."""
        return Observations({other: series for other, series in self.series.items() if other != name})
