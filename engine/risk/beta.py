"""The portfolio's beta to the index, at spot and after a fall (D20)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.positions import Book
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, book_values

BETA_MAX = 0.7
"""Largest absolute beta permitted at both points when GDP uncertainty is high (S42)."""

FALL = -0.05
"""The fall after which beta is read again: gamma moves it."""

_BUMP = 1e-4  # of ln spot, both ways


@dataclass(frozen=True, slots=True)
class PortfolioBeta:
    """
    Dollar delta times beta over net asset value, now and after the fall.

    `by_instrument` are the parts of both, and add up to them.
    """

    at_spot: float
    after_fall: float
    by_instrument: Mapping[str, tuple[float, float]]

    @property
    def reading(self) -> float:
        """The larger of both in size, what the rule is held against."""
        return max(abs(self.at_spot), abs(self.after_fall))

    def holds(self, level: float = BETA_MAX) -> bool:
        """True when beta is inside the level at both points."""
        return self.reading < level


def portfolio_beta(book: Book, view: PricingView, *, crypto_beta: float) -> PortfolioBeta:
    """
    Beta of the whole book to SPX.

    An index instrument has beta one on its dollar delta, a volatility future its beta of D06, a token
    `crypto_beta`; all three enter as one bump of ln spot that the token follows. NAV is taken at each point.

    Raises `InputError` where net asset value is not positive at one of them.
    """
    points = np.array([0.0, np.log1p(FALL)])
    moves = np.concatenate([points, points + _BUMP, points - _BUMP])
    scenarios = Scenarios.of(moves, crypto=crypto_beta * moves)
    nav = book_values(book, view, scenarios)[:2]
    if not (nav > 0).all():
        raise InputError(
            "portfolio beta refused",
            why=f"net asset value is {nav.min():,.0f} USD",
            todo="add equity or lower debt",
        )
    parts: dict[str, tuple[float, float]] = {}
    for position in book:
        values = book_values([position], view, scenarios)
        now, fallen = ((values[2:4] - values[4:6]) / (2.0 * _BUMP) / nav).tolist()
        before = parts.get(position.instrument.id, (0.0, 0.0))
        parts[position.instrument.id] = (before[0] + now, before[1] + fallen)
    totals = np.array(list(parts.values())).reshape(-1, 2).sum(axis=0)
    return PortfolioBeta(float(totals[0]), float(totals[1]), parts)
