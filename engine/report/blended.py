"""What the report of a desk shows, as numbers and words: one frozen record, no files and no formatting."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise

from engine.money import Money
from engine.report.book_rows import AccountTotal, ApprovalRow, BreakRow, FillRow, LendingRow, PlanRow, PositionRow
from engine.report.performance import Attribution, EngineReturn, NavPoint, PeriodReturn, WaccRow
from engine.report.plain_values import Json, plain_value, refused
from engine.report.risk_rows import GreekRow, HeatMap, LimitRow, LiquidityRow, PayoffCurve, QuickRatioRow, ScenarioRow

__all__ = ["SCHEMA", "BlendedReport", "BookState", "EngineNav", "Headline", "HeatMap", "Json", "Provenance"]

SCHEMA = "blended-report/1"


class BookState(StrEnum):
    """Whether the figures still depend on marks of open positions."""

    OPEN = "open book"
    SETTLED = "settled"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class EngineNav:
    """Net asset value of one engine at the report's instant."""

    engine: str
    nav: Money


@dataclass(frozen=True, slots=True)
class Headline:
    """
    The figures a reader sees first.

    `wacc` is a decimal per year; `sleeve_share` and `sleeve_cap` are shares of risk capital.
    """

    nav: Money
    by_engine: tuple[EngineNav, ...]
    irr: PeriodReturn
    irr_note: str
    wacc: float
    sleeve_share: float
    sleeve_cap: float

    def __post_init__(self) -> None:
        parts = sum((part.nav for part in self.by_engine), Money.zero(self.nav.currency))
        if self.by_engine and parts != self.nav:
            raise refused("headline", f"the engines add up to {parts}, the total is {self.nav}")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a reader needs to make the same report again; `plan` is None where nothing was planned."""

    snapshot: str
    policy: str
    plan: str | None
    ledger: str
    software: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendedReport:
    """
    Everything one report shows.

    `modelled` names each figure that was computed from a model where a venue's own would be expected;
    it is shown before anything else. `method` lists assumptions in the order a reader needs them.
    """

    title: str
    asof: datetime
    since: date
    state: BookState
    status: str
    headline: Headline
    provenance: Provenance
    modelled: tuple[str, ...] = ()
    nav: tuple[NavPoint, ...] = ()
    returns: tuple[EngineReturn, ...] = ()
    attribution: tuple[Attribution, ...] = ()
    wacc: tuple[WaccRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    positions: tuple[PositionRow, ...] = ()
    greeks: tuple[GreekRow, ...] = ()
    payoff: PayoffCurve | None = None
    heat: HeatMap | None = None
    scenarios: tuple[ScenarioRow, ...] = ()
    lending: tuple[LendingRow, ...] = ()
    liquidity: tuple[LiquidityRow, ...] = ()
    quick_ratios: tuple[QuickRatioRow, ...] = ()
    plan: tuple[PlanRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    threshold: int = 0
    approvals: tuple[ApprovalRow, ...] = ()
    ledger: tuple[AccountTotal, ...] = ()
    breaks: tuple[BreakRow, ...] = ()
    method: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.asof.tzinfo is None:
            raise refused(self.title, "its instant has no time zone")
        if not all(before.on < after.on for before, after in pairwise(self.nav)):
            raise refused(self.title, "dates of the NAV series must rise")

    def to_json(self) -> dict[str, Json]:
        """
        The report as JSON values with stable keys, field by field in the order above.

        Amounts are `{"amount": "12.50", "currency": "USD"}`, so that nothing is rounded; an infinite
        figure is the string `"inf"`, one that is not a number is null.
        """
        plain = plain_value(self)
        assert isinstance(plain, dict)
        return {"schema": SCHEMA, **plain}
