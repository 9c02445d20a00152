"""Terms of a book that is priced along scenario paths: columns of legs, a smile, what discounts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PathSmile(NamedTuple):
    """
    Volatility by strike, from the level that a path of volatility gives.

    vol = level * v * (1 + skew * k + curvature * k^2), held between `floor` and `cap`, where v is the
    path's volatility (decimal), k = ln(K / F) / sqrt(years left). `skew` is usually negative.
    """

    level: float = 1.0
    skew: float = 0.0
    curvature: float = 0.0
    floor: float = 0.01
    cap: float = 5.0


Smile = PathSmile | Callable[[Floats, Floats, Floats], Floats]
"""
A parametric smile, or a function of k and the path's volatility, both days x scenarios, and of the
years left, a column of days, that returns volatilities.
"""


@dataclass(frozen=True, slots=True, eq=False)
class OptionLegs:
    """
    European options, one element per leg.

    `underlying` counts into the paths; `years` to expiry at the start, ACT/365F; `sign` +1 for a call,
    -1 for a put; `quantity` in units of the underlying (contracts times multiplier), positive when owned.
    """

    underlying: Ints
    strike: Floats
    years: Floats
    sign: Floats
    quantity: Floats

    @classmethod
    def of(
        cls, strike: ArrayLike, years: ArrayLike, *, sign: ArrayLike, quantity: ArrayLike, underlying: ArrayLike = 0
    ) -> "OptionLegs":
        """Legs from numbers and arrays of one length; `InputError` where a term has no meaning."""
        found = np.broadcast_arrays(*(np.atleast_1d(np.asarray(p, float)) for p in (strike, years, sign, quantity)))
        legs = cls(np.broadcast_to(np.asarray(underlying, np.int64), found[0].shape), *found)
        _refuse(~(legs.strike > 0) | ~np.isfinite(legs.strike), "strike", "a number above zero")
        _refuse(~(legs.years >= 0) | ~np.isfinite(legs.years), "years", "a number from zero")
        _refuse(np.abs(legs.sign) != 1.0, "option sign", "+1 for a call and -1 for a put")
        _refuse(~np.isfinite(legs.quantity), "quantity", "a number")
        return legs


@dataclass(frozen=True, slots=True, eq=False)
class FutureLegs:
    """
    Futures marked against what they were traded at, one element per leg.

    A future with `years` left stands at anchor + (path - anchor) * exp(-speed * years): the expectation
    of a mean-reverting index such as the VIX; with `speed` zero it stands at its path.
    """

    underlying: Ints
    years: Floats
    quantity: Floats
    entry: Floats
    anchor: Floats
    speed: Floats

    @classmethod
    def of(
        cls,
        years: ArrayLike,
        *,
        quantity: ArrayLike,
        entry: ArrayLike,
        underlying: ArrayLike = 0,
        anchor: ArrayLike = 0.0,
        speed: ArrayLike = 0.0,
    ) -> "FutureLegs":
        """Legs from numbers and arrays of one length; `InputError` where a term has no meaning."""
        parts = (years, quantity, entry, anchor, speed)
        found = np.broadcast_arrays(*(np.atleast_1d(np.asarray(part, float)) for part in parts))
        legs = cls(np.broadcast_to(np.asarray(underlying, np.int64), found[0].shape), *found)
        _refuse(~(legs.years >= 0), "years", "a number from zero")
        for name in ("years", "quantity", "entry", "anchor", "speed"):
            _refuse(~np.isfinite(getattr(legs, name)), name, "a number")
        return legs


class Day(NamedTuple):
    """Where every scenario stands on one day: `years` since the start, and one row per underlying."""

    years: float
    spots: Sequence[Floats]
    vols: Sequence[Floats]


@dataclass(frozen=True, slots=True, eq=False)
class PathBook:
    """
    Legs with what pricing them needs.

    `smiles` and `carry` (rate less yield, decimal) count like the paths; `rate` discounts.
    """

    options: OptionLegs
    smiles: Sequence[Smile]
    futures: FutureLegs | None = None
    rate: float = 0.0
    carry: Sequence[float] = ()


def _refuse(wrong: NDArray[np.bool_], name: str, rule: str) -> None:
    if wrong.any():
        raise InputError(f"{name} refused", why=f"leg {int(np.argmax(wrong))} is not {rule}", todo="correct the term")
