"""Where today's level stands among the last sessions."""

import numpy as np

from engine.market import Floats

WINDOW = 90
"""Sessions, today's included (D18, X16)."""


def percentile_rank(values: Floats) -> float:
    """
    Share of `values` at or below the last one, 0 to 1.

    >>> percentile_rank(np.array([10.0, 30.0, 20.0]))
    0.6666666666666666
    """
    return float(np.mean(values <= values[-1]))


def range_rank(values: Floats) -> float:
    """
    The last value's place between the lowest and highest, 0 to 1; NaN where they are one.

    >>> range_rank(np.array([10.0, 30.0, 20.0]))
    0.5
    """
    low, high = float(values.min()), float(values.max())
    return (float(values[-1]) - low) / (high - low) if high > low else float("nan")


def z_of_last(values: Floats) -> float:
    """
    Standard deviations of the last value from the mean of them all; NaN where they do not vary.

    >>> round(z_of_last(np.array([1.0, 2.0, 3.0])), 6)
    1.0
    """
    spread = float(values.std(ddof=1))
    return float((values[-1] - values.mean()) / spread) if spread > 0 else float("nan")
