"""Returns day by day: linked, drawn down, by month, and as the table that other programs read."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from engine.ledger.irr import CashFlow
from engine.money import Money
from engine.positions import Sleeve
from engine.report.performance import NavPoint


@dataclass(frozen=True, slots=True)
class DayReturn:
    """The return of one marked day on the value before it, decimal; money that came or went is taken out."""

    on: date
    rate: float


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall from a peak of linked returns: a decimal, zero or negative, and the days of its two ends."""

    depth: float
    peak: date
    trough: date


def daily_returns(points: Sequence[NavPoint]) -> tuple[DayReturn, ...]:
    """
    One return for every marked day after the first, and for the first where all began on it: on what was paid in.

    None after a day on which nothing was worth anything. Linked, they are the time-weighted return.
    """
    began = [
        DayReturn(first.on, first.total.to_float() / first.external.to_float() - 1.0)
        for first in points[:1]
        if first.external.units > 0
    ]
    return (
        *began,
        *(
            DayReturn(after.on, ((after.total - after.external).to_float() / before.total.to_float()) - 1.0)
            for before, after in pairwise(points)
            if before.total.units > 0
        ),
    )


def drawdown(returns: Iterable[DayReturn], start: date) -> Drawdown:
    """
    The deepest drawdown of linked daily returns that begin at the close of `start`.

    >>> days = [DayReturn(date(2025, 1, 2), 0.10), DayReturn(date(2025, 1, 3), -0.05)]
    >>> drawdown(days, date(2025, 1, 1))
    Drawdown(depth=-0.050..., peak=datetime.date(2025, 1, 2), trough=datetime.date(2025, 1, 3))
    """
    level = top = 1.0
    peak, deepest = start, Drawdown(0.0, start, start)
    for each in returns:
        level *= 1.0 + each.rate
        if level >= top:
            top, peak = level, each.on
        elif level / top - 1.0 < deepest.depth:
            deepest = Drawdown(level / top - 1.0, peak, each.on)
    return deepest


def monthly(returns: Iterable[DayReturn]) -> dict[tuple[int, int], float]:
    """Linked return of each year and month that has a day, decimal."""
    grown: dict[tuple[int, int], float] = {}
    for each in returns:
        key = each.on.year, each.on.month
        grown[key] = grown.get(key, 1.0) * (1.0 + each.rate)
    return {key: growth - 1.0 for key, growth in grown.items()}


def returns_csv(returns: Iterable[DayReturn]) -> str:
    """
    RFC 4180 text with a column of dates and one of daily returns.

    `pandas.read_csv(F, index_col=0, parse_dates=True)["return"]` is the series that quantstats takes.

    >>> returns_csv([DayReturn(date(2025, 1, 2), 0.125)]).splitlines()
    ['date,return', '2025-01-02,0.125']
    """
    return "".join(["date,return\r\n", *(f"{each.on.isoformat()},{each.rate!r}\r\n" for each in returns)])


def values_of(points: Sequence[NavPoint], sleeve: Sleeve | None) -> list[tuple[date, Money]]:
    """Value by day of one engine, or of all."""
    return [(point.on, point.total if sleeve is None else part_of(point, sleeve)) for point in points]


def part_of(point: NavPoint, sleeve: Sleeve) -> Money:
    """One engine's share of a value."""
    return {Sleeve.CONDOR: point.condor, Sleeve.DEFI: point.defi, Sleeve.TRANSIT: point.transit}[sleeve]


def flows_on(days: Sequence[date], paid_in: Mapping[date, Money]) -> list[CashFlow]:
    """Capital put in as owner's flows, each on the first valued day not before it; those of the first day left out."""
    found = []
    for day, usd in paid_in.items():
        at = bisect_left(days, day)
        if 0 < at < len(days):
            found.append(CashFlow(days[at], -usd.to_float()))
    return found
