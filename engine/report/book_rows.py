"""Rows of what is held and what was done: positions, loans, plan, fills, approvals, accounts and breaks."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from engine.money import Money


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
