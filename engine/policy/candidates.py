"""What may be held, as columns: each condor, hedge and loan with its outcomes, losses, margin, cash and costs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

import numpy as np

from engine.errors import InputError
from engine.instruments import Instrument, Settlement, VanillaOption
from engine.market import Floats, LendingMarket
from engine.money import Money
from engine.policy.condors import CondorOffer
from engine.policy.hedges import HedgeOffer
from engine.policy.outcomes import ROLL_OFF_DAYS, Measure
from engine.positions import Book, Position, Sleeve
from engine.risk.drawdown import rule_losses, soq_losses
from engine.risk.pricing_view import PricingView
from engine.risk.recourse import lenders_bear
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values

MULTIPLIER = 100.0


class Kind(StrEnum):
    """What a candidate does for the book."""

    CONDOR = "condor"
    HEDGE = "hedge"
    LOAN = "loan"


@dataclass(frozen=True, slots=True)
class LoanOffer:
    """
    A market that would lend now: `most` USD, at `cost` a year all parts included (D14), for `years`.

    `health_cap` is the debt in USD that keeps the health floor under the joint stress; `brings` is what of a
    borrowed dollar arrives at the broker.
    """

    market: LendingMarket
    cost: float
    years: float
    most: float
    health_cap: float
    brings: float

    @property
    def id(self) -> str:
        return f"loan {self.market.name} {self.market.asset}"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """
    One thing that may be held; every figure is USD per unit (lot, or borrowed dollar).

    `outcomes` are results in the measure's scenarios before the cost of trading, `losses` those of the drawdown
    rule's cells, `stress` the plain change of value in the cell that sizes hedges (positive = loss). `cost` is
    half the spread and fees; `paid` and `paid_back` are cash that one unit more and one unit less take; `carry`
    is what holding it is expected to cost a year.
    """

    kind: Kind
    terms: CondorOffer | HedgeOffer | LoanOffer
    outcomes: Floats
    losses: Floats
    stress: float
    cost: float
    held: float
    most: float
    margin: float = 0.0
    paid: float = 0.0
    paid_back: float = 0.0
    carry: float = 0.0

    @property
    def id(self) -> str:
        return self.terms.id


class Columns:
    """
    Makes candidates on one market: each contract is valued once, structures are sums of their contracts.

    `cells` name the rows of every candidate's losses: the drawdown rule's scenarios, then the opening settlement of
    each expiry of `options` that settles in the morning. `fee` is USD per contract.
    """

    def __init__(
        self,
        view: PricingView,
        scenarios: Scenarios,
        measure: Measure,
        options: Iterable[VanillaOption],
        *,
        fee: float,
    ) -> None:
        self.view, self.scenarios, self.measure, self.fee = view, scenarios, measure, fee
        named = {o.expiry: o for o in options if o.settlement is Settlement.AM and o.underlying == "SPX"}
        self._openings = [named[expiry] for expiry in sorted(named)]
        self._losses: dict[tuple[Instrument, int], Floats] = {}
        self._stress: dict[Instrument, float] = {}
        at_open = (name for option in self._openings for name, _ in soq_losses(Book((_lot(option, 1),)), view))
        self.cells = (*scenarios.names, *at_open)
        self.reference = scenarios.take([_reference(scenarios)])

    def condor(self, offer: CondorOffer, *, held: float = 0.0, most: float) -> Candidate:
        """A condor sold at the mid of its quotes, the crossing of four spreads as its cost."""
        legs = list(zip(offer.condor.legs, offer.condor.quantities, strict=True))
        crossing = (offer.mid_credit - offer.credit) * MULTIPLIER + 4 * self.fee
        return Candidate(
            kind=Kind.CONDOR,
            terms=offer,
            outcomes=self._sum(self.measure.outcome, legs) + offer.mid_credit * MULTIPLIER,
            losses=np.sum([self._loss(leg, sign) for leg, sign in legs], axis=0),
            stress=sum(sign * self._moved(leg) for leg, sign in legs),
            cost=crossing,
            held=held,
            most=most,
            margin=offer.margin,
            paid_back=offer.mid_credit * MULTIPLIER + crossing,
        )

    def hedge(self, offer: HedgeOffer, *, held: float = 0.0, most: float) -> Candidate:
        """An option bought at its mid, half its spread as its cost, and once more where it is sold on the way."""
        crossing = (offer.ask - offer.mid) * MULTIPLIER + self.fee
        outcomes = self.measure.hedge_outcome(offer.option) - offer.mid * MULTIPLIER
        days = (offer.option.expiry - self.view.asof) / timedelta(days=1)
        if self.measure.rolls(offer.option):
            outcomes = outcomes - crossing
            days = ROLL_OFF_DAYS
        return Candidate(
            kind=Kind.HEDGE,
            terms=offer,
            outcomes=outcomes,
            losses=self._loss(offer.option, 1),
            stress=self._moved(offer.option),
            cost=crossing,
            held=held,
            most=most,
            paid=offer.ask * MULTIPLIER + self.fee,
            carry=max(crossing - float(outcomes.mean()), 0.0) * 365.0 / days,
        )

    def loan(self, offer: LoanOffer) -> Candidate:
        """A borrowed dollar: it costs its rate whatever happens, and frees margin."""
        return Candidate(
            kind=Kind.LOAN,
            terms=offer,
            outcomes=np.full(len(self.measure), -offer.cost * offer.years),
            losses=np.zeros(len(self.cells)),
            stress=0.0,
            cost=0.0,
            held=0.0,
            most=offer.most,
            margin=-offer.brings,
        )

    def losses(self, positions: Iterable[Position]) -> Floats:
        """USD that these positions lose in each cell, positive = loss; a lender without recourse bears his (S45)."""
        held, total = tuple(positions), np.zeros(len(self.cells))
        for position in held:
            total += self._rows(position)
        now = lenders_bear(held, self.view, Scenarios.now())
        total[: len(self.scenarios)] -= lenders_bear(held, self.view, self.scenarios) - now
        return total

    def carried(self, positions: Iterable[Position]) -> Floats:
        """
        USD that the options among these bring at settlement in each of the measure's scenarios, less their marks.

        Options of a series the measure does not know, and everything else, count nothing.
        """
        total, now = np.zeros(len(self.measure)), Scenarios.now()
        for position in positions:
            option = position.instrument
            if isinstance(option, VanillaOption) and (option.root, option.expiry) in self.measure.levels:
                mark = unit_values(option, self.view, now)[0]
                total += float(position.quantity) * (self.measure.outcome(option) - mark)
        return total

    def stress(self, positions: Iterable[Position]) -> float:
        """USD that these options lose in the cell that sizes hedges."""
        held = ((p.instrument, float(p.quantity)) for p in positions if isinstance(p.instrument, VanillaOption))
        return sum(quantity * self._moved(option) for option, quantity in held)

    def _sum(self, what: Callable[[VanillaOption], Floats], legs: Sequence[tuple[VanillaOption, int]]) -> Floats:
        return np.asarray(np.sum([sign * what(leg) for leg, sign in legs], axis=0))

    def _loss(self, option: VanillaOption, sign: int) -> Floats:
        if (option, sign) not in self._losses:
            self._losses[option, sign] = self._rows(_lot(option, sign))
        return self._losses[option, sign]

    def _rows(self, position: Position) -> Floats:
        book = Book((position,))
        rows = [rule_losses(book, self.view, self.scenarios)]
        for option in self._openings:
            if _settles_with(position.instrument, option):
                rows.append(np.array([loss for _, loss in soq_losses(book, self.view)]))
            else:
                days = (option.expiry - self.view.asof) / timedelta(days=1)
                still = Scenarios.of(days=days, gas=0.0, liquidity=0.0)
                rows.append(np.repeat(rule_losses(book, self.view, still), 2))
        return np.concatenate(rows)

    def _moved(self, option: VanillaOption) -> float:
        """USD that one contract owned loses in the reference cell, spreads apart."""
        if option not in self._stress:
            now, then = Scenarios.now(), self.reference
            change = unit_values(option, self.view, then)[0] - unit_values(option, self.view, now)[0]
            self._stress[option] = -float(change)
        return self._stress[option]


def _lot(option: VanillaOption, sign: int) -> Position:
    return Position(option, Money.of(Decimal(sign), option.unit), Sleeve.CONDOR, "candidate")


def _settles_with(instrument: Instrument, option: VanillaOption) -> bool:
    """Whether an instrument is an index option fixed by the same opening auction."""
    if not isinstance(instrument, VanillaOption) or instrument.underlying != "SPX":
        return False
    return instrument.expiry == option.expiry and instrument.settlement is Settlement.AM


def _reference(scenarios: Scenarios) -> int:
    """The cell that sizes hedges: one session, -2 SD, volatility as it responds (D10)."""
    named = (at for at, name in enumerate(scenarios.names) if name.startswith("1 session, -2 SD, mid vol"))
    found = next(named, None)
    if found is None:
        raise InputError(
            "hedge ratio refused", why="no scenario is named 1 session, -2 SD, mid vol", todo="use the rule's scenarios"
        )
    return found
