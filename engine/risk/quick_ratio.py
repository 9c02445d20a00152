"""Quick ratios: what can be paid with, in time and after haircuts, over what may have to be paid (D13)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.positions import Sleeve

_OUTFLOW_QUANTILE = 0.99


@dataclass(frozen=True, slots=True)
class Liquid:
    """Something to pay with: `usd` before its `haircut`, paid at home after `days`, at the call `transfer` later."""

    sleeve: Sleeve
    what: str
    usd: float
    haircut: float = 0.0
    days: float = 0.0
    transfer: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.haircut <= 1.0 and self.usd >= 0.0 and self.days >= 0.0 and self.transfer >= 0.0):
            raise InputError(
                f"liquidity {self.what!r} refused",
                why=f"{self.usd:,.2f} USD, haircut {self.haircut:g}, after {self.days:g} + {self.transfer:g} days",
                todo="give a sum and days that are not negative, and a haircut between 0 and 1",
            )

    def paid(self, days: float, *, moved: bool = False) -> float:
        """USD it pays within `days`: at home, or where the call is if it has to be moved there."""
        arrives = self.days + (self.transfer if moved else 0.0)
        return self.usd * (1.0 - self.haircut) if arrives <= days else 0.0


@dataclass(frozen=True, slots=True)
class Due:
    """
    What may have to be paid by one engine, USD, each >= 0, infinite where nothing bounds it.

    `shortfall` is margin that is not covered already. Raises `InputError` for a sum that is negative or no number.
    """

    margin_call: float = 0.0
    debt: float = 0.0
    gas: float = 0.0
    pending: float = 0.0
    shortfall: float = 0.0

    def __post_init__(self) -> None:
        parts = (self.margin_call, self.debt, self.gas, self.pending, self.shortfall)
        if not all(part >= 0.0 for part in parts):
            raise InputError("due refused", why=f"{self}", todo="give sums from zero up, infinite if unbounded")

    @property
    def usd(self) -> float:
        """All of it."""
        return self.margin_call + self.debt + self.gas + self.pending + self.shortfall


@dataclass(frozen=True, slots=True)
class QuickRatio:
    """Liquid over due, both USD and >= 0; raises `InputError` for anything else, since no number is no liquidity."""

    of: str
    liquid: float
    due: float

    def __post_init__(self) -> None:
        if not (self.liquid >= 0.0 and self.due >= 0.0):
            raise InputError(
                f"{self.of} ratio refused",
                why=f"{self.liquid:,.2f} USD over {self.due:,.2f} USD",
                todo="give sums from zero up",
            )

    @property
    def ratio(self) -> float:
        """The ratio; infinite where nothing is due."""
        return self.liquid / self.due if self.due > 0 else math.inf


@dataclass(frozen=True, slots=True)
class PortfolioRatio:
    """The ratio of each engine by itself, and of both together counting only what reaches the call in time."""

    by_engine: tuple[QuickRatio, ...]
    consolidated: QuickRatio

    @property
    def worst(self) -> QuickRatio:
        """The least of them: what the limit is held against."""
        return min((*self.by_engine, self.consolidated), key=lambda ratio: ratio.ratio)


def portfolio_ratio(holdings: Sequence[Liquid], owed: Mapping[Sleeve, Due], *, days: float) -> PortfolioRatio:
    """
    The ratio of each engine, and the consolidated one.

    A rich vault does not meet a broker's call today: what has to be moved counts only once it has arrived.

    >>> vault = Liquid(Sleeve.DEFI, "USDC", 900.0, transfer=2.0)
    >>> portfolio_ratio([vault], {Sleeve.CONDOR: Due(margin_call=100.0)}, days=1.0).worst.ratio
    0.0
    """
    sleeves = sorted(owed.keys() | {holding.sleeve for holding in holdings})
    engines = tuple(
        QuickRatio(
            sleeve.value,
            math.fsum(holding.paid(days) for holding in holdings if holding.sleeve is sleeve),
            owed.get(sleeve, Due()).usd,
        )
        for sleeve in sleeves
    )
    moved = math.fsum(holding.paid(days, moved=True) for holding in holdings)
    return PortfolioRatio(engines, QuickRatio("both", moved, math.fsum(due.usd for due in owed.values())))


def pool_ratio(free: float, net_outflows: ArrayLike) -> QuickRatio:
    """
    A lending pool's free liquidity over the 99th percentile of its net outflow in 24 hours (D13b).

    Nothing is due where the percentile is an inflow. Both in one unit; outflows positive.
    """
    flows = np.asarray(net_outflows, float)
    if not flows.size or not np.isfinite(flows).all() or not free >= 0:
        raise InputError("pool ratio refused", why="no outflows, or free liquidity < 0", todo="give the pool's history")
    return QuickRatio("pool", free, max(float(np.quantile(flows, _OUTFLOW_QUANTILE)), 0.0))


def treasury_ratio(stables: Liquid, ether: Liquid, *, burn_12m: float, bad_debt: float) -> QuickRatio:
    """A protocol treasury's stablecoins and ether after haircuts over a year's burn and its bad debt, USD (D13d)."""
    if not (burn_12m >= 0 and bad_debt >= 0):
        raise InputError("treasury ratio refused", why="burn or bad debt < 0", todo="give what is owed as positive USD")
    return QuickRatio("treasury", stables.paid(math.inf) + ether.paid(math.inf), burn_12m + bad_debt)
