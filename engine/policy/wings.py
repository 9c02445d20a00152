"""Where the long wings of a band go: a rule gives a range of levels, or says why it does not apply."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.instruments import IronCondor, Right


class WingBasis(StrEnum):
    """What "beyond the break-even" is a share of: the way from the index to it, or its price (finding 3)."""

    DISTANCE = "distance"
    PRICE = "price"


class WingsRefused(ConfigError):
    """A range of wings that does not run outward, or reaches past the whole of what it is a share of."""


def _rising(near: float, far: float) -> None:
    if not (math.isfinite(near) and math.isfinite(far) and 0 < near <= far < 1):
        raise WingsRefused(
            f"wings from {100 * near:g}% to {100 * far:g}% refused",
            why="shares run outward, above 0% and under 100% (X03)",
            todo='write the nearer first, as in "5% to 7% out of the money"',
        )


@dataclass(frozen=True, slots=True)
class OutOfTheMoney:
    """Wings between two shares of the index away from it, decimals: 0.05 and 0.07 (S10)."""

    near: float
    far: float

    def __post_init__(self) -> None:
        _rising(self.near, self.far)

    def levels(self, right: Right, *, spot: float, break_even: float) -> tuple[float, float]:  # noqa: ARG002
        """Nearest and furthest level permitted."""
        return spot * (1.0 + right.sign * self.near), spot * (1.0 + right.sign * self.far)


@dataclass(frozen=True, slots=True)
class BeyondBreakEven:
    """
    Wings between two shares beyond the break-even, decimals: 0.15 and 0.20 (S09).

    By `distance` the share is of the way from the index to the break-even, which makes a defining wing; by
    `price` of the break-even level itself, which makes a separate tail layer.
    """

    near: float
    far: float
    basis: WingBasis

    def __post_init__(self) -> None:
        _rising(self.near, self.far)

    def levels(self, right: Right, *, spot: float, break_even: float) -> tuple[float, float]:
        """Nearest and furthest level permitted."""
        unit = abs(break_even - spot) if self.basis is WingBasis.DISTANCE else break_even
        return break_even + right.sign * self.near * unit, break_even + right.sign * self.far * unit


WingRule = OutOfTheMoney | BeyondBreakEven


@dataclass(frozen=True, slots=True)
class WingBand:
    """A named band of days to expiry with its rule (X03)."""

    name: str
    rule: WingRule
    source: str


BANDS = (
    WingBand("0-7", OutOfTheMoney(0.05, 0.07), "S10: seed C line 6"),
    WingBand("15-45", BeyondBreakEven(0.15, 0.20, WingBasis.DISTANCE), "S09: seed C line 4"),
    WingBand("tail", BeyondBreakEven(0.15, 0.20, WingBasis.PRICE), "S09: seed C line 4"),
)
"""The articles' three wing rules; the core condor uses that of 15-45 days (X03)."""


@dataclass(frozen=True, slots=True)
class Wing:
    """A listed strike the rule permits, with its distance from the short in points and the permitted levels."""

    strike: float
    width: float
    near: float
    far: float


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The rule yields no wing; `reason` says why in numbers."""

    reason: str


def wing_strike(
    rule: WingRule,
    right: Right,
    *,
    spot: float,
    short: float,
    break_even: float,
    listed: Sequence[float] | NDArray[np.float64],
    min_width: float,
) -> Wing | NotApplicable:
    """
    The listed strike nearest to the short that the rule permits, never one moved to fit.

    A wing lies outside its short by at least `min_width` points. Where the whole range lies inside that
    (5-7 % out of the money is inside the shorts of a 45-day condor, finding 2), or no listed strike lies
    in the range, the rule does not apply.

    Parameters
    ----------
    right : put for the lower wing, call for the upper one
    spot, short, break_even : index level, short strike and its break-even, points, > 0
    listed : strikes of the expiry, any order, points

    Source: X03, S09, S10; faults F77.

    >>> wing_strike(BANDS[0].rule, Right.PUT, spot=6000.0, short=5475.0, break_even=5469.24,
    ...             listed=[5400.0, 5600.0], min_width=25.0)
    NotApplicable(reason='levels 5700.00 to 5580.00 lie inside the short put 5475 or within 25 points of it')
    """
    if not all(math.isfinite(x) and x > 0 for x in (spot, short, break_even, min_width)):
        return NotApplicable(f"index {spot}, short {short}, break-even {break_even} or width {min_width} is no level")
    if right.sign * (short - spot) <= 0:
        return NotApplicable(f"short {right.name.lower()} {short:g} is in the money with the index at {spot:g}")
    near, far = rule.levels(right, spot=spot, break_even=break_even)
    innermost = short + right.sign * min_width
    words = f"levels {near:.2f} to {far:.2f}"
    if right.sign * (far - innermost) < 0:
        return NotApplicable(
            f"{words} lie inside the short {right.name.lower()} {short:g} or within {min_width:g} points of it"
        )
    if right is Right.PUT and far <= 0:
        return NotApplicable(f"{words} reach below zero")
    strikes = np.unique(np.asarray(listed, float))
    outward = right.sign * strikes
    permitted = strikes[(outward >= right.sign * near) & (outward <= right.sign * far)]
    permitted = permitted[right.sign * (permitted - innermost) >= 0]
    if not len(permitted):
        return NotApplicable(f"no strike is listed at {words}, {min_width:g} points or more outside {short:g}")
    strike = float(permitted[np.argmin(np.abs(permitted - short))])
    return Wing(strike, abs(strike - short), near, far)


def both_wings(
    rule: WingRule,
    *,
    spot: float,
    shorts: tuple[float, float],
    break_evens: tuple[float, float],
    listed: Sequence[float] | NDArray[np.float64],
    min_width: float,
) -> tuple[Wing, Wing] | NotApplicable:
    """Put wing and call wing, or why one of them is missing: one-sided wings are refused, not widened (F77)."""
    found: list[Wing] = []
    for right, short, even in zip((Right.PUT, Right.CALL), shorts, break_evens, strict=True):
        wing = wing_strike(rule, right, spot=spot, short=short, break_even=even, listed=listed, min_width=min_width)
        if isinstance(wing, NotApplicable):
            return NotApplicable(f"no {right.name.lower()} wing: {wing.reason}")
        found.append(wing)
    return found[0], found[1]


def is_tighter(second: IronCondor, first: IronCondor) -> bool:
    """
    True when the 15-20 day condor is strictly narrower than the 45-day one (S06).

    Equal widths are not tighter.
    """
    return second.width < first.width
