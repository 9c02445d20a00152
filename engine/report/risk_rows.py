"""Rows and curves of what may be lost: limits, sensitivities, scenarios, and what can be paid when."""

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from engine.money import Money
from engine.report.plain_values import refused


class Unit(StrEnum):
    """The unit in which a limit is set and read."""

    USD = "USD"
    SHARE = "%"
    RATIO = "x"
    BP = "bp"
    PLAIN = ""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """
    One limit, in its own unit. `floor` is True where the reading must not fall below the level.

    A limit that is not `binding` now is shown all the same; a reading beyond it is no breach. `subject` is whose
    reading it is where a limit holds for several: a market, a protocol.
    """

    limit: str
    source: str
    level: float
    reading: float
    unit: Unit
    floor: bool = False
    binding: bool = True
    subject: str = ""

    @property
    def headroom(self) -> float:
        """What is left before the limit, in its unit; negative = breached."""
        return self.reading - self.level if self.floor else self.level - self.reading

    @property
    def holds(self) -> bool:
        """Whether the reading is on the permitted side; False for one that is not a number."""
        return self.headroom >= 0

    @property
    def breached(self) -> bool:
        """Whether a limit that binds does not hold."""
        return self.binding and not self.holds

    @property
    def used(self) -> float:
        """Share of the limit in use, from 0; above 1 = breached."""
        part, whole = (self.level, self.reading) if self.floor else (self.reading, self.level)
        if math.isinf(whole):
            return 0.0
        return max(part / whole, 0.0) if whole > 0 else (0.0 if self.holds else math.inf)


@dataclass(frozen=True, slots=True)
class GreekRow:
    """
    Sensitivities of one tenor layer, in USD.

    `delta` per +1 % of spot, `gamma` change of that delta per further +1 %, `vega` per +1 vol point,
    `theta` per calendar day.
    """

    layer: str
    delta: float
    gamma: float
    vega: float
    theta: float


@dataclass(frozen=True, slots=True)
class PayoffCurve:
    """
    Profit and loss of the open condors against the index level, in USD.

    `one_sd` and `two_sd` are (low, high) index levels at expiry; `pop` is the probability of a profit
    at expiry, 0 to 1. `spots` rise and pair with `at_expiry` and `today`.
    """

    label: str
    spot: float
    spots: tuple[float, ...]
    at_expiry: tuple[float, ...]
    today: tuple[float, ...]
    break_evens: tuple[float, ...]
    one_sd: tuple[float, float]
    two_sd: tuple[float, float]
    pop: float

    def __post_init__(self) -> None:
        if not len(self.spots) == len(self.at_expiry) == len(self.today) >= 2:
            raise refused("pay-off curve", "levels and results differ in number, or are fewer than two")
        if not all(map(math.isfinite, (*self.spots, *self.at_expiry, *self.today, *self.one_sd, *self.two_sd))):
            raise refused("pay-off curve", "a level or a result is not finite")
        if not all(low < high for low, high in pairwise(self.spots)):
            raise refused("pay-off curve", "index levels must rise")


@dataclass(frozen=True, slots=True)
class HeatMap:
    """
    Profit and loss in USD: one row per volatility shock, one column per spot shock.

    Spot shocks are decimals of spot (-0.05 is -5 %), vol shocks decimals of volatility (0.10 is +10 points).
    """

    spot_shocks: tuple[float, ...]
    vol_shocks: tuple[float, ...]
    pnl: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        ragged = any(len(row) != len(self.spot_shocks) for row in self.pnl)
        if ragged or len(self.pnl) != len(self.vol_shocks) or not self.pnl or not self.spot_shocks:
            raise refused("heat map", "the matrix does not have one result per pair of shocks")


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """What a named episode would do to NAV: result in USD and as a share of NAV."""

    name: str
    shock: str
    pnl: Money
    share: float


@dataclass(frozen=True, slots=True)
class LiquidityRow:
    """
    What one venue, or an engine or the whole, can pay within 0, 1 and 3 days, in USD after haircuts.

    `at_home` is paid where it lies, `at_broker` what of it has reached the broker by then: a rich vault does not
    meet a broker's call today.
    """

    place: str
    at_home: tuple[float, ...]
    at_broker: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class QuickRatioRow:
    """A quick ratio within so many days: liquid over due in USD; infinite where nothing is due."""

    of: str
    days: float
    liquid: float
    due: float
    ratio: float
