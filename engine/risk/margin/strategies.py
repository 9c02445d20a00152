"""The strategies a rule set recognises among an account's legs, with what one unit of each requires."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType

from engine.instruments import Right
from engine.risk.margin.legs import MarginLeg
from engine.risk.margin.naked import naked_points

Legs = Sequence[MarginLeg]
Side = list[tuple[int, int, float]]


class Strategy(StrEnum):
    """A name in a margin rule; the words an operator reads."""

    NAKED = "naked short"
    SPREAD = "spread"
    STRANGLE = "short put and call"
    CONDOR = "iron condor"
    LONG_CONDOR = "long condor"
    BUTTERFLY = "long butterfly"
    BOX = "short box"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One unit of a strategy: positions of legs with contracts each (signed), and points required."""

    strategy: Strategy
    legs: tuple[tuple[int, int], ...]
    points: float


def candidates(legs: Legs, menu: frozenset[Strategy]) -> tuple[Candidate, ...]:
    """
    Every strategy of `menu` that the legs of one account can form, one unit each.

    Source: Cboe Rule 10.3: an iron condor, butterfly or condor has equal intervals and one expiry, and is
    held against one of them; a spread's long leg expires no earlier than its short one.
    """
    return tuple(found for strategy in Strategy if strategy in menu for found in _FINDERS[strategy](legs))


def _naked(legs: Legs) -> Iterator[Candidate]:
    for i, leg in enumerate(legs):
        if leg.quantity < 0:
            yield Candidate(Strategy.NAKED, ((i, -1),), naked_points(leg))


def _spreads(legs: Legs) -> Iterator[Candidate]:
    for i, short in enumerate(legs):
        for j, long in enumerate(legs):
            covers = short.quantity < 0 < long.quantity and short.option.right is long.option.right
            if covers and long.option.expiry >= short.option.expiry:
                points = max(short.sign * (long.strike - short.strike), 0.0)
                yield Candidate(Strategy.SPREAD, ((i, -1), (j, 1)), points)


def _strangles(legs: Legs) -> Iterator[Candidate]:
    shorts = [(i, leg) for i, leg in enumerate(legs) if leg.quantity < 0]
    for (i, first), (j, second) in combinations(shorts, 2):
        if first.option.right is not second.option.right:
            one, other = naked_points(first), naked_points(second)
            points = one + second.mark if one >= other else other + first.mark
            yield Candidate(Strategy.STRANGLE, ((i, -1), (j, -1)), points)


def _condors(legs: Legs) -> Iterator[Candidate]:
    for (puts, calls), width in _credit_sides(legs):
        for short_put, long_put, put_strike in puts:
            for short_call, long_call, call_strike in calls:
                if put_strike <= call_strike:
                    four = ((long_put, 1), (short_put, -1), (short_call, -1), (long_call, 1))
                    yield Candidate(Strategy.CONDOR, four, width)


def _boxes(legs: Legs) -> Iterator[Candidate]:
    for (puts, calls), width in _credit_sides(legs):
        by_strike = {(strike, width): (short, long) for short, long, strike in calls}
        for short_put, long_put, put_strike in puts:
            if found := by_strike.get((put_strike - width, width)):
                four = ((long_put, 1), (short_put, -1), (found[0], -1), (found[1], 1))
                yield Candidate(Strategy.BOX, four, width)


def _credit_sides(legs: Legs) -> Iterator[tuple[tuple[Side, Side], float]]:
    """Credit spreads of puts and of calls with one expiry and width: (short, long, strike of the short)."""
    sides: dict[tuple[datetime, float], tuple[Side, Side]] = defaultdict(lambda: ([], []))
    for short, long in _verticals(legs):
        width = legs[short].sign * (legs[long].strike - legs[short].strike)
        if width > 0:
            side = sides[legs[short].option.expiry, width][legs[short].sign > 0]
            side.append((short, long, legs[short].strike))
    for (_, width), pair in sides.items():
        yield pair, width


def _long_condors(legs: Legs) -> Iterator[Candidate]:
    """Bought wings around two sold strikes at equal intervals; with one sold strike it is a butterfly."""
    lower: dict[tuple[datetime, Right, float], list[tuple[int, int]]] = defaultdict(list)
    upper: dict[tuple[datetime, Right, float], list[tuple[int, int]]] = defaultdict(list)
    for short, long in _verticals(legs):
        gap = legs[long].strike - legs[short].strike
        key = (legs[short].option.expiry, legs[short].option.right, abs(gap))
        (upper if gap > 0 else lower)[key].append((short, long))
    for key, below in lower.items():
        for low_short, low_long in below:
            for high_short, high_long in upper.get(key, ()):
                if low_short == high_short:
                    three = ((low_long, 1), (low_short, -2), (high_long, 1))
                    yield Candidate(Strategy.BUTTERFLY, three, 0.0)
                elif legs[low_short].strike < legs[high_short].strike:
                    four = ((low_long, 1), (low_short, -1), (high_short, -1), (high_long, 1))
                    yield Candidate(Strategy.LONG_CONDOR, four, 0.0)


def _verticals(legs: Legs) -> Iterator[tuple[int, int]]:
    """Short and long of one right and expiry at different strikes."""
    for i, short in enumerate(legs):
        for j, long in enumerate(legs):
            if (
                short.quantity < 0 < long.quantity
                and short.option.right is long.option.right
                and short.option.expiry == long.option.expiry
                and short.strike != long.strike
            ):
                yield i, j


def _only(finder: Callable[[Legs], Iterator[Candidate]], strategy: Strategy) -> Callable[[Legs], Iterator[Candidate]]:
    return lambda legs: (found for found in finder(legs) if found.strategy is strategy)


_FINDERS: Mapping[Strategy, Callable[[Legs], Iterator[Candidate]]] = MappingProxyType(
    {
        Strategy.NAKED: _naked,
        Strategy.SPREAD: _spreads,
        Strategy.STRANGLE: _strangles,
        Strategy.CONDOR: _condors,
        Strategy.LONG_CONDOR: _only(_long_condors, Strategy.LONG_CONDOR),
        Strategy.BUTTERFLY: _only(_long_condors, Strategy.BUTTERFLY),
        Strategy.BOX: _boxes,
    }
)
