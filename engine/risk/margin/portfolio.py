"""Portfolio margin: the worst of ten moves of the index, and never less than a minimum per contract."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from engine.errors import InputError
from engine.market import Floats
from engine.pricing.black import forward_value
from engine.risk.grounds import ground_of
from engine.risk.margin.legs import MarginLeg
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios

MOVES: Mapping[str, tuple[float, float]] = MappingProxyType({"SPX": (-0.08, 0.06), "XSP": (-0.08, 0.06)})
"""Lowest and highest move by underlying; -8 % and +6 % for a high-capitalisation broad-based index."""

MINIMUM_PER_CONTRACT = 0.375
"""USD per unit of multiplier: USD 37.50 for a contract of 100."""

_POINTS_A_SIDE = 5


@dataclass(frozen=True, slots=True)
class Scan:
    """
    One product group's scan, USD.

    `moves` are the ten changes of the index (decimals, rising), `results` profit and loss in each; `minimum` is
    the sum over contracts; the requirement is the greater of it and the worst loss.
    """

    venue: str
    underlying: str
    moves: tuple[float, ...]
    results: tuple[float, ...]
    minimum: float

    @property
    def worst(self) -> float:
        """Largest loss over the moves, USD, >= 0."""
        return max(0.0, -min(self.results))

    @property
    def requirement(self) -> float:
        """USD."""
        return max(self.worst, self.minimum)


def valuation_points(low: float, high: float) -> tuple[float, ...]:
    """
    The ten moves: five equal steps down to `low` and five up to `high`, rising.

    >>> [round(move, 3) for move in valuation_points(-0.08, 0.06)]
    [-0.08, -0.064, -0.048, -0.032, -0.016, 0.012, 0.024, 0.036, 0.048, 0.06]
    """
    if not -1.0 < low < 0.0 < high < math.inf:
        raise InputError("valuation range refused", why=f"[{low}, {high}]", todo="give a fall > -1 and a rise > 0")
    steps = np.arange(1, _POINTS_A_SIDE + 1) / _POINTS_A_SIDE
    return (*map(float, low * steps[::-1]), *map(float, high * steps))


def portfolio_scans(
    legs: Sequence[MarginLeg],
    view: PricingView,
    *,
    moves: Mapping[str, tuple[float, float]] = MOVES,
    minimum: float = MINIMUM_PER_CONTRACT,
) -> tuple[Scan, ...]:
    """
    The scan of each broker and underlying; contracts of one underlying offset each other in full.

    Each option keeps its own implied volatility and its forward moves with the index. A long contract's
    minimum is at most its market value.

    Source: Cboe Rule 10.4; SEC Release 34-46576 for the range; OCC's theoretical values at ten price points.

    Errors: `InputError` for an underlying without a range, `MissingQuote` without a smile.
    """
    groups: dict[tuple[str, str], list[MarginLeg]] = defaultdict(list)
    for leg in legs:
        groups[leg.venue, leg.option.underlying].append(leg)
    return tuple(_scan(venue, name, held, view, moves, minimum) for (venue, name), held in sorted(groups.items()))


def _scan(
    venue: str,
    underlying: str,
    legs: Sequence[MarginLeg],
    view: PricingView,
    ranges: Mapping[str, tuple[float, float]],
    minimum: float,
) -> Scan:
    if underlying not in ranges:
        raise InputError(
            f"no portfolio margin for options on {underlying}",
            why="no valuation range is given for it",
            todo="give the range its rule states, or margin it by strategy",
        )
    points = valuation_points(*ranges[underlying])
    results = sum((_result(leg, view, np.array(points)) for leg in legs), start=np.zeros(len(points)))
    return Scan(venue, underlying, points, tuple(map(float, results)), math.fsum(_floor(leg, minimum) for leg in legs))


def _floor(leg: MarginLeg, minimum: float) -> float:
    points = min(minimum, leg.mark) if leg.quantity > 0 else minimum
    return abs(leg.quantity) * points * leg.multiplier


def _result(leg: MarginLeg, view: PricingView, moves: Floats) -> Floats:
    ground = ground_of(leg.option, view, Scenarios.now())
    strike = leg.strike * ground.strike_unit
    vol = ground.vol(np.log(strike / ground.forward))
    forwards = ground.forward * np.append(1.0 + moves, 1.0)
    values = ground.worth * forward_value(forwards, strike, ground.years, vol, sign=leg.sign)
    return np.asarray(leg.quantity * leg.multiplier / ground.strike_unit * (values[:-1] - values[-1]))
