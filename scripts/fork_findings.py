"""What a simulation shows: the books at one moment, what became of each step, and one scenario as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from adapters.evm.chain import Reverted
from adapters.evm.shock import Effect, Shock, Verdict
from adapters.evm.shocks import Scenario
from engine import cycle
from engine.entries import Entry
from engine.errors import MarketDataError
from engine.ledger import balances
from engine.market import MarketSnapshot
from engine.policy.deleverage import mending
from engine.policy.target import frame
from engine.positions import Book, Position
from engine.risk.limits import LimitReading
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, unit_values
from engine.risk.view import pricing_view
from scripts.desk import Desk


@dataclass(frozen=True, slots=True)
class Held:
    """One position with its worth in USD at mid, None where the market could not be observed."""

    position: Position
    usd: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """
    The books at one moment: positions, health factors as the chain has them now, every limit.

    `mends` is what a decision made now would do for loans short of health (D17). `unseen` says why the market could
    not be observed; nothing is then valued and no limit read.
    """

    held: tuple[Held, ...]
    health: Mapping[str, float]
    limits: tuple[LimitReading, ...]
    unseen: str = ""
    mends: tuple[str, ...] = ()

    @property
    def nav_usd(self) -> float | None:
        """Assets less debts; None where the market could not be observed."""
        return None if self.unseen else sum(each.usd or 0.0 for each in self.held)


@dataclass(frozen=True, slots=True)
class Step:
    """
    What became of an order at the broker, or of a vault batch.

    `guard` refused it for the reason `why`, at `call` where it was one call of a batch; `on_chain` is what the chain
    alone makes of a batch that another guard kept from it.
    """

    what: str
    done: bool
    guard: str = ""
    why: str = ""
    call: str = ""
    on_chain: str = ""
    gas: int = 0
    gas_usd: float = 0.0


@dataclass(slots=True)
class Run:
    """Everything one scenario showed; `after` is the shocked book after the plan, `settled` after every expiry."""

    scenario: Scenario
    shock: Shock
    effects: list[Effect]
    verdicts: list[Verdict]
    before: Look
    after: Look | None = None
    settled: Look | None = None
    steps: list[Step] = field(default_factory=list)
    posted: Sequence[Entry] = ()
    settlement: Sequence[Entry] = ()
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def broken(self) -> tuple[str, ...]:
        """Every hard limit that breaks after the plan or after expiry, with where."""
        looks = (("after", self.after), ("after expiry", self.settled))
        return tuple(f"{when}: {breach}" for when, seen in looks if seen for r in seen.limits if (breach := r.breach()))

    @property
    def unseen(self) -> tuple[str, ...]:
        """Where limits could not be read, and why."""
        return tuple(seen.unseen for seen in (self.after, self.settled) if seen and seen.unseen)

    def summary(self) -> str:
        """One line on what came of it."""
        if not self.shock.applied:
            return f"cannot be applied here: {self.shock.why_not}"
        done = f"{sum(step.done for step in self.steps)} of {len(self.steps)} steps done" if self.steps else "no plan"
        refused = sorted({f"refused by {step.guard}" for step in self.steps if step.guard})
        held = f"{len(self.broken)} limit reading(s) broken" if self.broken else "every limit holds"
        return "; ".join([done, *refused, *self.unseen, *([] if self.unseen and not self.broken else [held])])


def look(desk: Desk) -> Look:
    """The desk's copy of the books, valued on its fork as it is now."""
    book = balances.book(desk.journal.entries())
    factors = {market.name: market.health(desk.vault.address) for market in desk.onchain.lending}
    health = {name: factor for name, factor in factors.items() if isfinite(factor)}
    positions = sorted(book, key=lambda p: (p.sleeve, p.venue, p.instrument.id))
    try:
        snapshot = desk.observe()
        view = pricing_view(snapshot)
        held = tuple(Held(position, worth(position, view)) for position in positions)
        return Look(held, health, *_judged(desk, snapshot, view, book))
    except (MarketDataError, Reverted) as unseen:
        return Look(tuple(Held(position, None) for position in positions), health, (), str(unseen))


def worth(position: Position, view: PricingView) -> float:
    """USD at mid."""
    return float(position.quantity) * float(unit_values(position.instrument, view, Scenarios.now())[0])


def _judged(
    desk: Desk, snapshot: MarketSnapshot, view: PricingView, book: Book
) -> tuple[tuple[LimitReading, ...], str, tuple[str, ...]]:
    ruling = cycle.judged_alone(snapshot, desk.policy).ruling
    measure = frame(snapshot, view, book, desk.policy, ruling)
    mends = mending(book, view, measure.scenarios, measure.limits, measure.funding, desk.policy)
    return cycle.limits_of(snapshot, view, measure)(book, 0.0), "", tuple(one.words for one in mends)
