"""Many options on one forward, summed scenario by scenario: what a book's revaluation spends its time in."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

_BLOCK = 8192
_LEAST_SD = 1e-30


def legs_value(
    forward: Floats,
    years: Floats,
    strikes: Floats,
    signs: Floats,
    weights: Floats,
    vol_at: Callable[[Floats], Floats],
    *,
    shift: Floats | float = 0.0,
    least_vol: float = 0.0,
) -> Floats:
    """
    Weighted sum of undiscounted option values in each scenario.

    Parameters
    ----------
    forward, years : per scenario, forward > 0 and ACT/365F years >= 0
    strikes, signs, weights : per leg; sign +1 for a call, -1 for a put
    vol_at : volatility (decimal) at ln(K / F), any array
    shift : added to it, per scenario
    least_vol : never below this

    Returns
    -------
    One sum per scenario. Calls and puts of one strike are joined by parity and valued once, on the side
    that is out of the money in the middle scenario; a pair that nets to a forward is never valued.
    Intrinsic where no time is left. Nothing is checked here: see `engine.pricing.black.forward_value`.

    Notes
    -----
    Scenarios that rise or fall in `forward` are looked up on the smile several times faster.

    Source
    ------
    F. Black (1976).

    >>> legs_value(np.array([100.0]), np.array([1.0]), np.array([100.0, 100.0]), np.array([1.0, -1.0]),
    ...     np.array([1.0, 1.0]), lambda k: np.full_like(k, 0.2)).round(4).tolist()
    [15.9311]
    """
    levels = np.unique(strikes)
    at = np.searchsorted(levels, strikes)
    calls = np.bincount(at, np.where(signs > 0, weights, 0.0), levels.size)
    puts = np.bincount(at, np.where(signs < 0, weights, 0.0), levels.size)
    middle = np.partition(forward, forward.size // 2)[forward.size // 2]
    side = np.where(levels >= middle, 1.0, -1.0)
    # a call is a put plus the forward less the strike: what is on the other side becomes forwards
    forwards = np.where(side > 0, -puts, calls)
    joined = np.asarray(calls + puts, dtype=np.float64)
    valued = np.flatnonzero(joined)
    strike, w = levels[valued, None], side[valued, None]
    log_strike, w_weight = np.log(strike), w * joined[valued, None]
    shifts = np.broadcast_to(shift, forward.shape)
    total = np.empty_like(forward)
    for begin in range(0, forward.size, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        f, root = forward[block], np.sqrt(years[block])
        summed = float(forwards.sum()) * f - float(forwards @ levels)
        log_f, moved = np.log(f), shifts[block]
        together = max(1, _BLOCK // f.size)
        for first in range(0, valued.size, together):
            legs = slice(first, first + together)
            moneyness = log_strike[legs] - log_f
            sd = np.maximum(vol_at(moneyness) + moved, least_vol)
            sd *= root
            np.maximum(sd, _LEAST_SD, out=sd)
            d = moneyness
            d /= sd
            sd *= 0.5
            upper, lower = ndtr(w[legs] * (sd - d)), ndtr(-w[legs] * (sd + d))
            upper *= f
            lower *= strike[legs]
            upper -= lower
            upper *= w_weight[legs]
            for leg in upper:
                summed += leg
        total[block] = summed
    return total
