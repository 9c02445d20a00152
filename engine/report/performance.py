"""Rows of what was earned: value by date, returns, where they came from, and what capital costs."""

from dataclasses import dataclass, field
from datetime import date

from engine.money import USD, Money


@dataclass(frozen=True, slots=True)
class PeriodReturn:
    """
    A return over `days`: per year if `annualised`, over the whole period if not.

    `rate` is a decimal (0.0421 is +4.21 %), or None where it is undefined and `why` says so.
    """

    rate: float | None
    days: int
    annualised: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class NavPoint:
    """Net asset value at one date; `external` is money put in (+) or taken out (-) on that date."""

    on: date
    condor: Money
    defi: Money
    transit: Money
    external: Money = field(default_factory=lambda: Money.zero(USD))

    @property
    def total(self) -> Money:
        """All engines and what is between them."""
        return self.condor + self.defi + self.transit


@dataclass(frozen=True, slots=True)
class Wedge:
    """One cost between the gross and the net return, in basis points; a cost is negative."""

    label: str
    bp: float


@dataclass(frozen=True, slots=True)
class EngineReturn:
    """
    Returns of one engine, or of the blend: money-weighted before and after costs, and time-weighted.

    `modified_dietz` and `mirr` stand beside them where the engine was valued at both ends of the period.
    """

    engine: str
    gross: PeriodReturn
    net: PeriodReturn
    time_weighted: PeriodReturn
    wedges: tuple[Wedge, ...] = ()
    modified_dietz: PeriodReturn | None = None
    mirr: PeriodReturn | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """What one source added to (+) or took from (-) NAV over the period."""

    label: str
    amount: Money


@dataclass(frozen=True, slots=True)
class CostPart:
    """One part of a source's cost, decimal per year."""

    label: str
    rate: float


@dataclass(frozen=True, slots=True)
class WaccRow:
    """One source of capital: its weight at market value and its effective annual cost, both decimals."""

    source: str
    weight: float
    cost: float
    parts: tuple[CostPart, ...] = ()

    @property
    def contribution(self) -> float:
        """Weight times cost, decimal per year; the rows sum to the WACC."""
        return self.weight * self.cost
