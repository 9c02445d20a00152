"""Small observation stores for the signal tests."""

from collections.abc import Sequence

import numpy as np

from engine.signals.columns import Axis
from engine.signals.observations import Observations, Series

CLOSE = np.timedelta64(21 * 60 + 15, "m")


def weekdays(count: int, first: str = "2015-01-05") -> np.ndarray:
    """So many weekdays from `first`."""
    return np.busday_offset(np.datetime64(first), np.arange(count), roll="forward")


def daily(name: str, values: Sequence[float] | np.ndarray, first: str = "2015-01-05", unit: str = "points") -> Series:
    """One value a weekday, out at that day's close."""
    days = weekdays(len(values), first).astype("datetime64[m]")
    return Series(name, unit, days, days + CLOSE, np.asarray(values, float), "test")


def axis(count: int, first: str = "2015-01-05") -> Axis:
    """The closes of so many weekdays."""
    return Axis(weekdays(count, first).astype("datetime64[m]") + CLOSE)


def store(**columns: Sequence[float] | np.ndarray) -> Observations:
    """Daily series by name."""
    return Observations.of(daily(name, values) for name, values in columns.items())


def walk(count: int, seed: int, level: float = 4000.0, sd: float = 0.01) -> np.ndarray:
    """A seeded geometric walk."""
    return level * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, sd, count)))
