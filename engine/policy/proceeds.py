"""Where what was earned since the last decision goes: the waterfall, and what each of its stages changes now (X13)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from engine.instruments import Cash
from engine.ledger.earnings import Earnings
from engine.money import USD, Money
from engine.orders import Breach
from engine.policy.allocation import Allocation
from engine.policy.hedges import HedgeOffer
from engine.policy.settings import Policy
from engine.policy.target import Frame
from engine.policy.waterfall import Claim, Payment, Stage, protect_then_route, waterfall
from engine.positions import Book, Position, Sleeve
from engine.risk.drawdown import down_cells
from engine.risk.limits import LimitReading
from engine.risk.liquidity import book_ratio
from engine.risk.pricing_view import PricingView

_BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Proceeds:
    """
    What was earned and what each stage got of it; no payments where nothing was gained.

    `routing` says where the last stage's premium goes, and what kept it from the sleeve.
    """

    earned: Money
    payments: tuple[Payment, ...] = ()
    routing: str = ""

    def of(self, stage: Stage) -> float:
        """USD that a stage got."""
        return sum(payment.paid.to_float() for payment in self.payments if payment.stage is stage)

    @property
    def words(self) -> tuple[str, ...]:
        """The distribution, and what was due and is not there."""
        if not self.payments:
            return (f"nothing to distribute: {self.earned} since the last decision (X13)",) if self.earned else ()
        shares = ", ".join(f"{payment.stage} {payment.paid}" for payment in self.payments)
        lacking = [f"{payment.stage} lacks {payment.lacking} (X13)" for payment in self.payments if payment.lacking]
        return (
            f"{self.earned} earned since the last decision: {shares} (X13)",
            *lacking,
            *filter(None, (self.routing,)),
        )


def distributed(earned: Earnings, book: Book, view: PricingView, policy: Policy, measure: Frame) -> Proceeds:
    """
    The waterfall over the realised gains since the last decision.

    Costs and interest that fell due are claims; so is what the quick ratio lacks of its floor (D13). The hedge budget
    takes up to its share and buys longer protection (S25); what is reinvested widens the margin of the next condors
    (S38), what is routed may go to the sleeve. A loss is posted to capital and distributes nothing.

    Source: X13, S25, S38.
    """
    if earned.realised.units <= 0:
        return Proceeds(earned.realised)
    none = Money.zero(USD)

    def due(amount: Money) -> Claim:
        owed = max(amount, none)
        return Claim(owed, owed)

    claims: Mapping[Stage, Claim] = {
        Stage.FEES: due(earned.fees),
        Stage.MARGIN: due(Money.rounded(_lacking(book, view, policy, measure), USD)),
        Stage.HEDGE: Claim(none, earned.realised),
        Stage.DEBT: due(earned.interest),
    }
    return Proceeds(earned.realised, waterfall(earned.realised, claims, policy.waterfall.shares()))


def routed(
    shared: Proceeds, wanted: Allocation | None, book: Book, readings: Callable[[Book], tuple[LimitReading, ...]]
) -> Proceeds:
    """
    The distribution with its premium routed to the sleeve, if every limit holds once the hedges wanted are bought
    and again once the dollars have moved (X06); else it stays at the broker.

    Dollars go by the owners' own hands: no venue of the desk takes them to the chain.
    """
    usd = next((payment.paid for payment in shared.payments if payment.stage is Stage.ROUTED), None)
    if not usd:
        return shared

    def protect(held: Book) -> Book:
        return held.plus(_bought(wanted))

    def stress(held: Book) -> tuple[Breach, ...]:
        return tuple(breach for reading in readings(held) if (breach := reading.breach()))

    def route(held: Book) -> Book:
        cash = Cash(USD)
        moved = Position(cash, -usd, Sleeve.CONDOR, _BROKER), Position(cash, usd, Sleeve.DEFI, _BROKER)
        return held.plus(moved)

    found = protect_then_route(book, protect=protect, stress=stress, route=route)
    said = f"send {usd} of premium to the sleeve (X06)"
    if not found.routed:
        said = f"{usd} of premium stays at the broker: {'; '.join(map(str, found.held_back_by))} (X06)"
    return replace(shared, routing=said)


def _bought(wanted: Allocation | None) -> list[Position]:
    """The hedges to buy, paid for at their mids."""
    found = []
    for line in wanted.changes if wanted is not None else ():
        if isinstance(line.terms, HedgeOffer):
            option = line.terms.option
            paid = Money.rounded(-line.change * line.terms.mid * float(option.multiplier), USD)
            found.append(Position(option, Money.of(int(line.change), option.unit), Sleeve.CONDOR, _BROKER))
            found.append(Position(Cash(USD), paid, Sleeve.CONDOR, _BROKER))
    return found


def _lacking(book: Book, view: PricingView, policy: Policy, measure: Frame) -> float:
    """USD that the worst engine lacks of the floor of its quick ratio."""
    cells = down_cells(measure.scenarios)
    worst = book_ratio(book, view, cells, measure.funding, days=float(cells.days.max())).worst
    return max(policy.limits.quick_ratio_min * worst.due - worst.liquid, 0.0)
