"""What can be paid: the book's own quick ratio and the pools', and a short VIX future out of line (S47, S48, D13)."""

import numpy as np

from engine.signals.columns import Axis, Column, Compute, Signal, Way, at_closes, on_bars
from engine.signals.observations import Observations
from engine.signals.panel import Family

_FRESH = 2.0


def _level(name: str) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, lambda bars: bars, max_age_days=_FRESH)

    return compute


def _coverage(observations: Observations, axis: Axis) -> Column:
    """Free liquidity of the lending pool over the largest outflow of a day in a hundred (D13b)."""
    free = _level("pool_liquidity")(observations, axis)
    worst = at_closes(
        observations["pool_outflow_24h"],
        axis,
        lambda known: float(np.quantile(np.maximum(known.values, 0.0), 0.99)),
        max_age_days=_FRESH,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(worst.values > 0, free.values / worst.values, np.nan)
    return Column(ratio, np.minimum(free.as_of, worst.as_of), np.maximum(free.released, worst.released))


SIGNALS: tuple[Signal, ...] = (
    Signal(
        "quick_ratio",
        Family.LIQUIDITY,
        "x",
        (Way(("quick_ratio",), _level("quick_ratio")),),
        "S47, D13",
        "liquid means over stressed calls of the whole book",
    ),
    Signal(
        "pool_quick_ratio",
        Family.LIQUIDITY,
        "x",
        (Way(("pool_liquidity", "pool_outflow_24h"), _coverage),),
        "S47, D13",
        "free liquidity of the lending pool over its worst day in a hundred",
    ),
)
"""Every signal of liquidity."""
