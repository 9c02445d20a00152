"""A book revalued in full over any scenarios: each position's share of the result, and the cell that hurts most."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.market import Floats
from engine.positions import Book, Position
from engine.risk.drawdown import rule_losses
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, book_values

Progress = Callable[[int, int], None]
"""Told how many of how many pieces are done."""


@dataclass(frozen=True, slots=True, eq=False)
class StressResult:
    """
    What each position gains in each scenario when it is left there, USD, losses negative.

    `gains` has one row per position of the book and one column per scenario; `before` is the book's value at mid.
    """

    scenarios: Scenarios
    positions: tuple[Position, ...]
    gains: Floats
    before: float

    @property
    def total(self) -> Floats:
        """USD the whole book gains in each scenario."""
        return np.asarray(self.gains.sum(axis=0))

    @property
    def worst(self) -> int:
        """Place of the scenario with the largest loss."""
        return int(np.argmin(self.total))

    @property
    def loss(self) -> float:
        """USD lost there; negative where the book gains in every scenario."""
        return float(-self.total[self.worst])

    def by_sleeve(self) -> Mapping[str, Floats]:
        """Gain of each sleeve in each scenario; the sleeves add up to the total."""
        return self._by(position.sleeve.value for position in self.positions)

    def by_instrument(self) -> Mapping[str, Floats]:
        """Gain of each instrument in each scenario; the instruments add up to the total."""
        return self._by(position.instrument.id for position in self.positions)

    def shortfall(self, tail: float) -> float:
        """Mean USD loss in the worst `tail` of equally likely scenarios (0.025 = 97.5 % expected shortfall)."""
        if not 0 < tail <= 1:
            raise InputError("shortfall refused", why=f"a tail of {tail:g}", todo="give a share above 0, at most 1")
        losses = np.sort(-self.total)[::-1]
        return float(losses[: max(1, int(np.ceil(tail * len(losses) - 1e-9)))].mean())

    def _by(self, keys: Iterable[str]) -> dict[str, Floats]:
        parts: dict[str, Floats] = {}
        for key, row in zip(keys, self.gains, strict=True):
            parts[key] = parts[key] + row if key in parts else row
        return parts


def stress(book: Book, view: PricingView, scenarios: Scenarios, *, progress: Progress | None = None) -> StressResult:
    """
    The book in every scenario, each position by itself, as the rule of D11 values it.

    Raises `InputError` where some scenario's value is not a number, naming instrument and scenario.
    """
    positions = tuple(book)
    gains = np.zeros((len(positions), len(scenarios)))
    for done, position in enumerate(positions):
        with np.errstate(invalid="ignore"):  # what is no number is named below
            gains[done] = -rule_losses(Book((position,)), view, scenarios)
        if progress is not None:
            progress(done + 1, len(positions))
    if not np.isfinite(gains).all():
        row, column = np.argwhere(~np.isfinite(gains))[0]
        cell = scenarios.names[column] if scenarios.names else f"scenario {column}"
        raise InputError(
            f"stress of {positions[row].instrument.id} refused",
            why=f"its value in {cell} is not a number",
            todo="check the shock and the instrument's market",
        )
    return StressResult(scenarios, positions, gains, float(book_values(book, view, Scenarios.now())[0]))
