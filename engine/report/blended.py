"""What the report shows, as numbers and words: one frozen record, no files and no formatting."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from engine.errors import InputError
from engine.money import USD, Money

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

SCHEMA = "blended-report/1"


class BookState(StrEnum):
    """Whether the figures still depend on marks of open positions."""

    OPEN = "open book"
    SETTLED = "settled"
    HALTED = "halted"


class Unit(StrEnum):
    """The unit in which a limit is set and read."""

    USD = "USD"
    SHARE = "%"
    RATIO = "x"
    BP = "bp"
    PLAIN = ""


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
            raise _refused("headline", f"the engines add up to {parts}, the total is {self.nav}")


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
    """Returns of one engine, or of the blend: money-weighted before and after costs, and time-weighted."""

    engine: str
    gross: PeriodReturn
    net: PeriodReturn
    time_weighted: PeriodReturn
    wedges: tuple[Wedge, ...] = ()


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


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit, in its own unit. `floor` is True where the reading must not fall below the level."""

    limit: str
    source: str
    level: float
    reading: float
    unit: Unit
    floor: bool = False

    @property
    def headroom(self) -> float:
        """What is left before the limit, in its unit; negative = breached."""
        return self.reading - self.level if self.floor else self.level - self.reading

    @property
    def holds(self) -> bool:
        """Whether the limit is kept; False for a reading that is not a number."""
        return self.headroom >= 0

    @property
    def used(self) -> float:
        """Share of the limit in use, from 0; above 1 = breached."""
        part, whole = (self.level, self.reading) if self.floor else (self.reading, self.level)
        if math.isinf(whole):
            return 0.0
        return max(part / whole, 0.0) if whole > 0 else (0.0 if self.holds else math.inf)


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A signed quantity, its mark per unit in its quote currency, and its value; `share` is of total NAV."""

    sleeve: str
    venue: str
    instrument: str
    quantity: Decimal
    mark: str
    value: Money
    share: float


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
            raise _refused("pay-off curve", "levels and results differ in number, or are fewer than two")
        if not all(map(math.isfinite, (*self.spots, *self.at_expiry, *self.today, *self.one_sd, *self.two_sd))):
            raise _refused("pay-off curve", "a level or a result is not finite")
        if not all(low < high for low, high in pairwise(self.spots)):
            raise _refused("pay-off curve", "index levels must rise")


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
            raise _refused("heat map", "the matrix does not have one result per pair of shocks")


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """What a named episode would do to NAV: result in USD and as a share of NAV."""

    name: str
    shock: str
    pnl: Money
    share: float


@dataclass(frozen=True, slots=True)
class LendingRow:
    """
    One lending market. `collateral` and `debt` in USD, both positive.

    `health_factor` is inf without debt; `distance` is the fall of the collateral's price, as a positive
    decimal, at which it is liquidated. `short_by_bp` says by how much the return on borrowed money misses
    its cost; None or not above zero = it borrows.
    """

    market: str
    collateral: Money
    debt: Money
    health_factor: float
    distance: float
    borrow_rate: float
    short_by_bp: float | None = None

    @property
    def borrows(self) -> bool:
        """Whether the gate lets this market borrow."""
        return self.short_by_bp is None or self.short_by_bp <= 0


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One step of the plan: signed quantity in words, least cash accepted, and where it stands."""

    step: str
    venue: str
    quantity: str
    limit: Money
    state: str


@dataclass(frozen=True, slots=True)
class FillRow:
    """
    Execution quality of one fill.

    `cash` received (+) or paid (-), `at_mid` the cash at the arrival mid, `fees` and `gas` paid as
    positive amounts in USD; `evidence` is where it was seen.
    """

    at: datetime
    step: str
    venue: str
    cash: Money
    at_mid: Money
    fees: Money
    gas: Money
    evidence: str
    final: bool = True

    @property
    def slippage(self) -> Money:
        """Cash against the arrival mid; negative = cost."""
        return self.cash - self.at_mid

    @property
    def slippage_bp(self) -> float | None:
        """Slippage in basis points of the cash at mid; None where that is zero."""
        return self.slippage.units / abs(self.at_mid.units) * 1e4 if self.at_mid else None


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """One owner of the vault and whether they signed this plan; `at` is None until they do."""

    owner: str
    address: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountTotal:
    """The balance of one account of the ledger, and its worth in USD where it has a mark."""

    account: str
    held: Money
    worth: Money | None = None


@dataclass(frozen=True, slots=True)
class BreakRow:
    """A difference between the ledger and a venue that nobody has explained yet."""

    account: str
    ledger: Money
    venue: Money
    since: date
    note: str

    @property
    def difference(self) -> Money:
        """What the ledger has more (+) or less (-) than the venue."""
        return self.ledger - self.venue


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
    plan: tuple[PlanRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    threshold: int = 0
    approvals: tuple[ApprovalRow, ...] = ()
    ledger: tuple[AccountTotal, ...] = ()
    breaks: tuple[BreakRow, ...] = ()
    method: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.asof.tzinfo is None:
            raise _refused(self.title, "its instant has no time zone")
        if not all(before.on < after.on for before, after in pairwise(self.nav)):
            raise _refused(self.title, "dates of the NAV series must rise")

    def to_json(self) -> dict[str, Json]:
        """
        The report as JSON values with stable keys, field by field in the order above.

        Amounts are `{"amount": "12.50", "currency": "USD"}`, so that nothing is rounded; an infinite
        figure is the string `"inf"`, one that is not a number is null.
        """
        plain = _json(self)
        assert isinstance(plain, dict)
        return {"schema": SCHEMA, **plain}


def _json(value: object) -> Json:
    match value:
        case Money():
            return {"amount": f"{value.amount:f}", "currency": value.currency.code}
        case Decimal():
            return f"{value:f}"
        case date():  # an instant is a date too
            return value.isoformat()
        case StrEnum():
            return value.value
        case float() if not math.isfinite(value):
            return None if math.isnan(value) else str(value)
        case None | bool() | int() | float() | str():
            return value
        case tuple():
            return [_json(each) for each in value]
        case Mapping():
            return {str(key): _json(each) for key, each in value.items()}
    if is_dataclass(value):
        return {each.name: _json(getattr(value, each.name)) for each in fields(value)}
    raise _refused(type(value).__name__, "it has no JSON form")


def _refused(what: str, why: str) -> InputError:
    return InputError(f"report of {what} refused", why=why, todo="correct what the report is made from")
