"""The VIX layers: how much of each stands, over which tenors, in which listed months (S21-S24)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import floor

import numpy as np

from engine.errors import ConfigError, InputError, InvalidStructure
from engine.instruments import Future, Right, VanillaOption
from engine.orders import OrderLeg
from engine.policy.bounds import within
from engine.pricing.ddm import TENORS_DAYS, bucket_weights

FUTURE_MULTIPLIER = Decimal(1000)
"""USD per point of a VIX future (S18)."""


@dataclass(frozen=True, slots=True)
class CashFlow:
    """USD that the condors are expected to bring, `days` from now; not negative."""

    days: float
    usd: float


@dataclass(frozen=True, slots=True)
class RollOff:
    """
    The first layer's life: days since its condor was opened against the share that stands, straight between.

    It stands whole for 21 days (S22); that it is gone a week later is this policy's own choice.
    """

    points: tuple[tuple[float, float], ...] = ((21.0, 1.0), (28.0, 0.0))  # S22

    def __post_init__(self) -> None:
        rises = all(before[0] < after[0] and before[1] > after[1] for before, after in pairwise(self.points))
        if not (self.points and rises and self.points[0][1] == 1.0 and self.points[-1][1] == 0.0):
            raise ConfigError(
                f"layers.vix-first.roll_off = {self.points}",
                why="days must rise and shares fall from 1 to 0 (S22)",
                todo="write points such as (21, 1) and (28, 0)",
            )
        within("layers.vix-first.roll_off.days", self.points[0][0], 1, 60, rule="S22")

    def share(self, age: float) -> float:
        """
        Share that stands so many calendar days after the open. Raises `InputError` before it.

        >>> [RollOff().share(age) for age in (0, 21, 24.5, 28, 60)]
        [1.0, 1.0, 0.5, 0.0, 0.0]
        """
        if not age >= 0:
            raise InputError(f"age of {age} days refused", why="the condor is not open yet", todo="give its open date")
        days, shares = zip(*self.points, strict=True)
        return float(np.interp(age, days, shares))


def first_layer(needs: Sequence[tuple[float, float]], roll_off: RollOff = RollOff()) -> float:
    """
    Units of the first layer that stand now, each condor's need by its own age.

    Parameters
    ----------
    needs : (age in days, units that its hedge takes by D10) of each condor open

    Source: S22.

    >>> first_layer([(3.0, 4.0), (24.5, 4.0), (40.0, 4.0)])
    6.0
    """
    return sum(units * roll_off.share(age) for age, units in needs)


def tenor_weights(flows: Sequence[CashFlow], *, rate: float) -> Mapping[float, float]:
    """
    Shares of the 30-, 60- and 90-day buckets: those of the present value of the condors' expected cash (D30, S21).

    `rate` is continuously compounded, decimal per year. Raises `InputError` where nothing is expected.
    """
    return bucket_weights([flow.days for flow in flows], [flow.usd for flow in flows], rate=rate, tenors=TENORS_DAYS)


@dataclass(frozen=True, slots=True)
class ListedMonth:
    """
    A VIX expiry that may be held: `days` to its settlement and the legs of one unit, positive = bought.

    A unit is one future, or one call spread.
    """

    days: float
    legs: tuple[OrderLeg, ...]


def future_month(future: Future, days: float) -> ListedMonth:
    """A month held by its future."""
    return ListedMonth(days, (OrderLeg(future, Decimal(1)),))


def call_spread_month(lower: VanillaOption, upper: VanillaOption, days: float) -> ListedMonth:
    """
    A month held by a bought call spread: long the lower strike, short the upper (S19).

    Raises `InvalidStructure` unless both are VIX calls of one expiry with rising strikes.
    """
    calls = all(option.underlying == "VIX" and option.right is Right.CALL for option in (lower, upper))
    if not (calls and lower.expiry == upper.expiry and lower.multiplier == upper.multiplier):
        raise InvalidStructure("a VIX call spread has two VIX calls of one expiry")
    if not lower.strike < upper.strike:
        raise InvalidStructure(f"a bought call spread has rising strikes, got {lower.strike} and {upper.strike}")
    return ListedMonth(days, (OrderLeg(lower, Decimal(1)), OrderLeg(upper, Decimal(-1))))


def month_units(units: float, weights: Mapping[float, float], days: Sequence[float]) -> tuple[float, ...]:
    """
    Units of each listed month that together hold a constant maturity per bucket.

    A bucket's units go to the two months around its tenor, by time, so that their mean days to expiry are the
    tenor; before the first listed month and after the last to that one alone, as in `bucket_weights`.

    Parameters
    ----------
    units : of the whole layer
    weights : by tenor in days, from `tenor_weights`
    days : to each listed settlement, rising

    Source: S21, D08.

    >>> [round(units, 3) for units in month_units(10.0, {30.0: 0.5, 60.0: 0.5}, [20.0, 48.0, 83.0])]
    [3.214, 5.071, 1.714]
    """
    listed = np.asarray(days, float)
    if not len(listed) or not (np.diff(listed) > 0).all() or not (listed > 0).all() or not np.isfinite(listed).all():
        raise InputError("VIX months refused", why=f"days {list(days)} do not rise above 0", todo="list live months")
    tenors, shares = np.array(list(weights), float), np.array(list(weights.values()), float)
    at = np.clip(tenors, listed[0], listed[-1])
    split = np.array([np.interp(at, listed, column) for column in np.eye(len(listed))])
    return tuple((units * (split @ shares)).tolist())


def whole_lots(units: Sequence[float]) -> tuple[int, ...]:
    """
    Whole lots whose sum is that of the units, rounded: each is its own floor or one more, largest remainders first.

    >>> whole_lots([3.214, 5.072, 1.714])
    (3, 5, 2)
    """
    floors = [floor(one) for one in units]
    spare = round(sum(units)) - sum(floors)
    by_remainder = sorted(range(len(floors)), key=lambda at: (floors[at] - units[at], at))
    return tuple(lots + (at in by_remainder[:spare]) for at, lots in enumerate(floors))


def layer_legs(units: float, weights: Mapping[float, float], months: Sequence[ListedMonth]) -> tuple[OrderLeg, ...]:
    """
    The target of a VIX layer as contracts of the listed months, whole lots, empty months left out.

    Parameters
    ----------
    units : futures, or call spreads, of the whole layer
    months : listed, by rising days; all futures or all call spreads
    """
    lots = whole_lots(month_units(units, weights, [month.days for month in months]))
    return tuple(
        OrderLeg(leg.instrument, leg.quantity * count)
        for month, count in zip(months, lots, strict=True)
        for leg in month.legs
        if count
    )


def fund_shares(units: float, future: float, *, share_price: float, leverage: float) -> int:
    """
    Whole shares of a fund that move like `units` futures today, for an account without futures (X11, S20).

    A daily reset keeps the leverage for one session only; D08 models the drag beyond it.

    Parameters
    ----------
    future : level of the constant-maturity future the fund holds, points
    share_price : USD
    leverage : daily, > 0, such as 1.5

    >>> fund_shares(2.0, 18.0, share_price=24.0, leverage=1.5)
    1000
    """
    if not (future > 0 and share_price > 0 and leverage > 0):
        raise InputError("fund shares refused", why="a price or leverage is not positive", todo="give positive terms")
    return floor(units * future * float(FUTURE_MULTIPLIER) / (share_price * leverage) + 1e-9)
