"""Model-free variance of one expiry, and the volatility index from two of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MINUTES_PER_YEAR = 525_600.0
INDEX_MINUTES = 43_200.0  # thirty days
_MINUTES_PER_DAY = 1_440.0
_WINDOW_DAYS = (22.0, 38.0)  # 23 to 37 whole calendar days; a settlement hour may reach over by a part
_DEAD_BIDS = 2


class StripVariance(NamedTuple):
    """
    What one strip of out-of-the-money options says.

    `variance` is annualised (0.04 is 20 %); `floor_strike` is K0, the highest listed strike at or
    below the forward; `strikes_used` counts them, K0 included.
    """

    variance: float
    floor_strike: float
    strikes_used: int

    @property
    def vol(self) -> float:
        """Square root of the variance, decimal per year."""
        return float(np.sqrt(self.variance))


class Term(NamedTuple):
    """One side of the thirty-day interpolation: minutes to settlement and annualised variance."""

    minutes: float
    variance: float


def strip_variance(
    strikes: Floats,
    call_bid: Floats,
    call_ask: Floats,
    put_bid: Floats,
    put_ask: Floats,
    *,
    years: float,
    rate: float,
    forward: float,
) -> StripVariance | None:
    """
    Annualised variance of one expiry by Cboe's sum over strikes.

    Parameters
    ----------
    strikes : strictly rising, index points
    call_bid, call_ask, put_bid, put_ask : index points; NaN or 0.0 is no bid
    years : minutes to settlement over 525,600, > 0
    rate : continuously compounded, decimal
    forward : index points

    Returns
    -------
    None where the strip cannot be built: no strike at or below the forward, K0 without both asks, or
    fewer than three strikes. Going outward from K0, strikes without a bid are skipped, and two of
    them in a row end the strip.

    Source
    ------
    D05; Cboe VIX white paper (2019), steps 1 and 2.
    """
    below = int(np.searchsorted(strikes, forward, side="right")) - 1
    if below < 0:
        return None
    central = 0.25 * (call_bid[below] + call_ask[below] + put_bid[below] + put_ask[below])
    puts = _outward(put_bid[:below][::-1])[::-1]
    calls = _outward(call_bid[below + 1 :])
    used = np.concatenate([puts, [True], calls])
    bid = np.concatenate([put_bid[:below], [central], call_bid[below + 1 :]])[used]
    ask = np.concatenate([put_ask[:below], [central], call_ask[below + 1 :]])[used]
    k, quote = strikes[used], 0.5 * (bid + ask)
    if k.size < 3 or not np.isfinite(quote).all():
        return None
    total = float(np.sum(_widths(k) / (k * k) * quote)) * float(np.exp(rate * years))
    floor = float(strikes[below])
    variance = (2.0 * total - (forward / floor - 1.0) ** 2) / years
    return StripVariance(variance, floor, int(k.size)) if variance > 0 else None


def nearest_terms(minutes: Floats) -> tuple[int, int] | None:
    """
    Positions of the last expiry at or before thirty days and of the first after it.

    `minutes` are those of the weekly expiries that qualify, any order. None where either side is
    missing between 23 and 37 days.

    >>> nearest_terms(np.array([24.0, 31.0, 38.5]) * 1440.0)
    (0, 1)
    """
    days = np.asarray(minutes, float) / _MINUTES_PER_DAY
    inside = (days > _WINDOW_DAYS[0]) & (days < _WINDOW_DAYS[1])
    near = np.where(inside & (days <= 30.0), days, -np.inf)
    after = np.where(inside & (days > 30.0), days, np.inf)
    if not np.isfinite(near).any() or not np.isfinite(after).any():
        return None
    return int(np.argmax(near)), int(np.argmin(after))


def index_level(near: Term, after: Term) -> float:
    """
    Thirty-day volatility index in points (18.0 is 18 %).

    Total variance is linear in time between the two terms.

    Source
    ------
    D05; Cboe VIX white paper (2019), step 3.

    >>> round(index_level(Term(28 * 1440, 0.04), Term(35 * 1440, 0.04)), 10)
    20.0
    """
    span = after.minutes - near.minutes
    weight = (after.minutes - INDEX_MINUTES) / span
    total = (weight * near.minutes * near.variance + (1.0 - weight) * after.minutes * after.variance) / MINUTES_PER_YEAR
    return 100.0 * float(np.sqrt(total * MINUTES_PER_YEAR / INDEX_MINUTES))


def _outward(bids: Floats) -> NDArray[np.bool_]:
    """Which strikes stay when walking away from the money."""
    with np.errstate(invalid="ignore"):
        live = np.asarray(bids > 0)
    dead = ~live
    ends = np.flatnonzero(dead[_DEAD_BIDS - 1 :] & dead[: dead.size - (_DEAD_BIDS - 1)])
    if ends.size:
        live[ends[0] :] = False
    return live


def _widths(strikes: Floats) -> Floats:
    inner = 0.5 * (strikes[2:] - strikes[:-2])
    return np.concatenate([[strikes[1] - strikes[0]], inner, [strikes[-1] - strikes[-2]]])
