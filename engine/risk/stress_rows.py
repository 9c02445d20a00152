"""Each scenario as an operator reads it: the loss, who bears it, and whether margin and loans stand (F83)."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from engine.instruments import VanillaOption
from engine.positions import Book, Sleeve
from engine.risk.limits import health_by_scenario
from engine.risk.liquidity import Funding, payout_requirement, ratio_by_scenario
from engine.risk.scenarios import Scenarios
from engine.risk.stress import Progress, StressResult, stress
from engine.risk.structures import Leg, expiry_payoff
from engine.risk.valuation import PricingView, book_values


@dataclass(frozen=True, slots=True)
class StressRow:
    """
    One scenario of a book.

    `loss` is USD, positive = lost, and `share` of committed capital; `by_sleeve` adds up to it. `margin` is what
    the broker holds then, USD; `quick_ratio` is infinite where nothing is due; `health` is the least health
    factor, infinite without debt. `options_loss` is what the listed options lose at mid, and `stated_loss` the
    most they can lose at settlement from today's marks.
    """

    name: str
    loss: float
    share: float
    by_sleeve: Mapping[str, float]
    margin: float
    quick_ratio: float
    health: float
    options_loss: float
    stated_loss: float

    @property
    def within_stated(self) -> bool | None:
        """Whether the options lose no more than was stated; None with a bare short call."""
        if math.isinf(self.stated_loss):
            return None
        return self.options_loss <= self.stated_loss + 1e-6 * max(abs(self.stated_loss), 1.0)

    @property
    def unwound(self) -> bool:
        """True when something has to be sold: a call not met in time, or a loan past its threshold."""
        return self.quick_ratio < 1.0 or self.health < 1.0


@dataclass(frozen=True, slots=True, eq=False)
class StressTable:
    """The rows of one set of scenarios, in their order, and the result they were read off."""

    rows: tuple[StressRow, ...]
    result: StressResult

    @property
    def worst(self) -> StressRow:
        """The binding cell."""
        return self.rows[self.result.worst]


def stress_table(
    book: Book,
    view: PricingView,
    scenarios: Scenarios,
    *,
    capital: float,
    funding: Funding,
    progress: Progress | None = None,
) -> StressTable:
    """Every scenario as a row; scenarios must have names."""
    result = stress(book, view, scenarios, progress=progress)
    sleeves = {name: -gains for name, gains in result.by_sleeve().items()}
    health = list(health_by_scenario(book, view, scenarios, funding.thresholds).values())
    options = Book(tuple(p for p in book.of(Sleeve.CONDOR) if isinstance(p.instrument, VanillaOption)))
    optional = float(book_values(options, view, Scenarios.now())[0]) - book_values(options, view, scenarios)
    margins, stated = payout_requirement(book, view, scenarios), stated_loss(options, view)
    ratios = ratio_by_scenario(book, view, scenarios, funding)
    rows = []
    for at, name in enumerate(scenarios.names):
        rows.append(
            StressRow(
                name=name,
                loss=float(-result.total[at]),
                share=float(-result.total[at]) / capital,
                by_sleeve={sleeve: float(losses[at]) for sleeve, losses in sleeves.items()},
                margin=float(margins[at]),
                quick_ratio=float(ratios[at]),
                health=min((float(market[at]) for market in health), default=math.inf),
                options_loss=float(optional[at]),
                stated_loss=stated,
            )
        )
    return StressTable(tuple(rows), result)


def stated_loss(options: Book, view: PricingView) -> float:
    """
    USD that listed options can lose at most from today's marks: largest payout plus what they are worth (D03).

    Each underlying, root and expiry by itself; infinite with a bare short call.
    """
    groups: defaultdict[tuple[object, ...], list[Leg]] = defaultdict(list)
    for position in options:
        option = position.instrument
        if isinstance(option, VanillaOption) and position.quantity:
            groups[position.venue, option.root, option.expiry, option.settlement].append((option, position.quantity))
    worth = book_values(options, view, Scenarios.now())[0]
    return float(worth) - math.fsum(
        expiry_payoff(legs).worst * float(legs[0][0].multiplier) for legs in groups.values()
    )
