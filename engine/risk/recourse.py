"""Who bears what collateral no longer covers: each liability with or without recourse (S45)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.market import Floats
from engine.positions import Position
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values


@dataclass(frozen=True, slots=True)
class Liability:
    """Something owed, in USD at mid, > 0; `recourse` says whether the lender may reach beyond its collateral."""

    name: str
    usd: float
    recourse: bool

    @property
    def words(self) -> str:
        """The liability and its flag."""
        return f"{self.name} {self.usd:,.0f} USD {'with' if self.recourse else 'without'} recourse"


def liabilities(positions: Iterable[Position], view: PricingView) -> tuple[Liability, ...]:
    """
    Everything a book owes. A debit at a broker or a line has recourse, and so has a loan of a market that does not
    say otherwise, or that a default elsewhere calls (S45).
    """
    now, found = Scenarios.now(), []
    for position in positions:
        if isinstance(position.instrument, LendingDebt | Cash) and position.held.units < 0:
            usd = -float(position.quantity) * float(unit_values(position.instrument, view, now)[0])
            debit = f"{position.venue} debit in {position.instrument.id}"
            name = debit if isinstance(position.instrument, Cash) else position.instrument.id
            found.append(Liability(name, usd, not _fenced(position, view)))
    return tuple(found)


def lenders_bear(positions: Iterable[Position], view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD of debt that collateral does not cover and no lender can claim elsewhere, in each scenario, >= 0.

    Our equity in a market without recourse is worth nothing at worst: the loss beyond it is the lender's (S45).
    """
    equity: defaultdict[str, Floats] = defaultdict(lambda: np.zeros(len(scenarios)))
    for position in positions:
        instrument = position.instrument
        if isinstance(instrument, LendingSupply | LendingDebt) and _fenced(position, view):
            shocks = scenarios.as_debtor() if isinstance(instrument, LendingDebt) else scenarios
            equity[instrument.market] += float(position.quantity) * unit_values(instrument, view, shocks)
    borne = np.zeros(len(scenarios))
    for each in equity.values():
        borne += np.maximum(-each, 0.0)
    return borne


def _fenced(position: Position, view: PricingView) -> bool:
    """Whether a supply or debt stands in a market whose lender can reach nothing else; every row must say so."""
    name = getattr(position.instrument, "market", None)
    rows = [row for row in view.lending.values() if row.name == name]
    return bool(rows) and all(row.ring_fenced for row in rows)
