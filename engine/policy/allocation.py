"""What the allocator answers: lots wanted, what they are expected to bring and risk, and what each limit costs."""

from dataclasses import dataclass

from engine.policy.candidates import Kind, LoanOffer
from engine.policy.condors import CondorOffer
from engine.policy.hedges import HedgeOffer


@dataclass(frozen=True, slots=True)
class Line:
    """One instrument: lots held before and wanted after, or borrowed dollars; signs are positive for both."""

    terms: CondorOffer | HedgeOffer | LoanOffer
    kind: Kind
    held: float
    wanted: float

    @property
    def change(self) -> float:
        return self.wanted - self.held


@dataclass(frozen=True, slots=True)
class LimitCost:
    """
    What one limit costs: the objective re-solved without it, less the objective, in basis points of capital.

    `room` is what is left of it at the answer, USD or the limit's own unit; a limit in whole lots can bind with
    room left, if the next lot needs more.
    """

    limit: str
    cost_bps: float
    room: float

    @property
    def binds(self) -> bool:
        return self.cost_bps > 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """
    The holdings worth most, expected result less a charge on their tail and on getting there (D33).

    `expected`, `shortfall` (97.5 %) and `cost` (half spreads and fees of the changes) are USD to each instrument's
    own settlement, discounted, under `measure`; `objective` is expected - aversion x shortfall - cost, proven best
    to within `gap`. `hedge_ratio` is h of D10, None without a loss to hedge; `drawdown` the rule's worst share of
    `capital` in `cell`; `margin` USD by the linear bound; `carry` what hedges are expected to cost a year, USD.
    `quick_ratio` is free cash over what the broker may call in D13's cells, infinite where nothing may be called.
    `waived` are limits lifted because no holdings kept them and protection comes first (S57).
    """

    lines: tuple[Line, ...]
    expected: float
    shortfall: float
    cost: float
    objective: float
    gap: float
    capital: float
    hedge_ratio: float | None
    drawdown: float
    cell: str
    margin: float
    carry: float
    limits: tuple[LimitCost, ...]
    measure: str
    waived: tuple[str, ...] = ()
    quick_ratio: float = float("inf")

    @property
    def changes(self) -> tuple[Line, ...]:
        """Lines whose lots change."""
        return tuple(line for line in self.lines if line.change)

    @property
    def binding(self) -> tuple[LimitCost, ...]:
        """Limits that cost something, the dearest first."""
        return tuple(sorted((limit for limit in self.limits if limit.binds), key=lambda limit: -limit.cost_bps))

    def lots(self, kind: Kind) -> float:
        """Lots wanted of one kind, over all its instruments."""
        return sum(line.wanted for line in self.lines if line.kind is kind)

    def words(self) -> tuple[str, ...]:
        """Each binding limit with its cost, and each limit that was waived."""
        binds = tuple(
            f"{limit.limit} binds: without it the answer would be worth {limit.cost_bps:.2f} bp of capital more"
            for limit in self.binding
        )
        return binds + tuple(
            f"{name} waived: no holdings keep it, protection comes first (S57)" for name in self.waived
        )
