"""What belongs together in a series: bars that no hole parts, and the last so many days, months or quarters."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.market import Floats
from engine.signals.observations import Instants, Known

_ENOUGH = 0.5  # of a window's periods


class Period(StrEnum):
    """How often a quantity counts, however often it is published."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"

    def numbers(self, as_of: Instants) -> NDArray[np.int64]:
        """The period of each instant, counted from 1970."""
        if self is Period.DAY:
            return as_of.astype("datetime64[D]").astype(np.int64)
        months = as_of.astype("datetime64[M]").astype(np.int64)
        return months // 3 if self is Period.QUARTER else months


def run_starts(as_of: Instants, hole_days: float) -> NDArray[np.intp]:
    """
    The first bar of the run that each bar belongs to; a longer pause than `hole_days` begins another (F86).

    >>> run_starts(np.array(["2023-01-02", "2023-01-03", "2023-03-01"], "datetime64[m]"), 10.0).tolist()
    [0, 0, 2]
    """
    begins = np.append(True, np.diff(as_of) / np.timedelta64(1, "D") > hole_days)[: len(as_of)]
    return np.maximum.accumulate(np.where(begins, np.arange(len(as_of)), 0))


def by_run(as_of: Instants, change: Callable[..., Floats], *columns: NDArray[Any], hole_days: float) -> Floats:
    """`change` of each run of bars: those on two sides of a hole are not neighbours (F86)."""
    cuts = np.unique(run_starts(as_of, hole_days))[1:]
    parts = zip(*(np.split(column, cuts) for column in columns), strict=True)
    return np.concatenate([change(*part) for part in parts])


def over(count: int, period: Period, measure: Callable[[Floats], float]) -> Callable[[Known], float]:
    """
    `measure` of the last `count` periods, the running one included, each by its last value.

    Rows do not count: three payments a day are one day. NaN where the series does not reach back to the first
    period, or fewer than half of them have a value.
    """

    def change(known: Known) -> float:
        numbers = period.numbers(known.as_of)
        if numbers[0] > numbers[-1] - count + 1:
            return float("nan")
        first = np.searchsorted(numbers, numbers[-1] - count, side="right")
        recent = numbers[first:]
        values = known.values[first:][np.append(recent[1:] != recent[:-1], True)]
        return measure(values) if len(values) >= _ENOUGH * count else float("nan")

    return change
