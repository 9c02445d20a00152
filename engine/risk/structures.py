"""What a book of European options that settle together pays: kinks, break-evens, extremes, all exact."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InvalidStructure
from engine.instruments import IronCondor, VanillaOption
from engine.market import Floats

Leg = tuple[VanillaOption, int | float | Decimal]
"""A contract and its signed quantity: positive = we own."""


@dataclass(frozen=True, slots=True, eq=False)
class Payoff:
    """
    Profit and loss at settlement, linear between kinks, in points of the underlying.

    `levels` are zero and every strike, rising; `results` the profit and loss there, net premium included;
    `slope` is its change per point beyond the last strike.
    """

    levels: Floats
    results: Floats
    slope: float

    @property
    def worst(self) -> float:
        """Lowest result over all settlement levels from zero up; minus infinity if it falls without end."""
        return -math.inf if self.slope < 0 else float(self.results.min())

    @property
    def best(self) -> float:
        """Highest result over all settlement levels; infinite if it rises without end."""
        return math.inf if self.slope > 0 else float(self.results.max())

    @property
    def max_loss(self) -> float:
        """Largest loss, >= 0; infinite for an uncovered short call."""
        return max(0.0, -self.worst)

    @property
    def break_evens(self) -> tuple[float, ...]:
        """Levels, rising, at which the result is zero; of a stretch at zero its two ends (the last may be inf)."""
        found: set[float] = set()
        zero = self.results == 0.0
        found.update(
            float(level)
            for i, level in enumerate(self.levels)
            if zero[i] and not (0 < i < len(zero) - 1 and zero[i - 1] and zero[i + 1])
        )
        crossed = np.flatnonzero(self.results[:-1] * self.results[1:] < 0)
        for i in crossed:
            span, rise = self.levels[i + 1] - self.levels[i], self.results[i + 1] - self.results[i]
            found.add(float(self.levels[i] - self.results[i] * span / rise))
        if self.results[-1] * self.slope < 0:
            found.add(float(self.levels[-1] - self.results[-1] / self.slope))
        elif zero[-1] and self.slope == 0:
            if len(zero) > 1 and zero[-2]:
                found.discard(float(self.levels[-1]))
            found.add(math.inf)
        return tuple(sorted(found))

    def at(self, level: ArrayLike) -> Floats:
        """Result at settlement levels >= 0."""
        s = np.asarray(level, float)
        beyond = np.maximum(s - self.levels[-1], 0.0)
        return np.asarray(np.interp(s, self.levels, self.results) + self.slope * beyond)

    def less(self, cost: float) -> "Payoff":
        """The same payoff after paying `cost` points more."""
        return Payoff(self.levels, self.results - cost, self.slope)


def expiry_payoff(legs: Sequence[Leg], *, premium: float = 0.0) -> Payoff:
    """
    Profit and loss of `legs` at their common settlement, points.

    Parameters
    ----------
    legs : contracts with signed quantities, whole or fractional, never zero
    premium : points received (+) or paid (-) for all legs together, costs included

    Errors
    ------
    `InvalidStructure` for no legs, legs that do not settle together (root, underlying, expiry instant,
    settlement style, multiplier or currency differ), coin-margined legs, and quantities or strikes that
    are zero, negative (strikes) or not finite; the message names the legs.

    Source
    ------
    D03: the payoff is piecewise linear, so its extremes lie at zero, at a strike or at infinity.

    >>> from datetime import datetime, timezone
    >>> from engine.instruments import Right, Settlement
    >>> when = datetime(2026, 1, 16, 21, tzinfo=timezone.utc)
    >>> put = VanillaOption("SPXW", "SPX", when, Decimal(5475), Right.PUT, Decimal(100), Settlement.PM)
    >>> sold = expiry_payoff([(put, -1)], premium=12.5)
    >>> sold.max_loss, sold.best, sold.break_evens
    (5462.5, 12.5, (5462.5,))
    """
    settle_together(legs)
    if not math.isfinite(premium):
        raise InvalidStructure(f"premium {premium:g} of {_names(legs)} is not finite")
    strikes = np.array([float(option.strike) for option, _ in legs])
    signs = np.array([option.right.sign for option, _ in legs])
    held = np.array([float(quantity) for _, quantity in legs])
    levels = np.concatenate([[0.0], np.unique(strikes)])
    paid = (held * np.maximum(signs * (levels[:, None] - strikes), 0.0)).sum(axis=1)
    return Payoff(levels, paid + premium, float(held[signs > 0].sum()))


def condor_payoff(condor: IronCondor, credit: float) -> Payoff:
    """Profit and loss at settlement of one condor sold for `credit` points net of costs (D03)."""
    return expiry_payoff(list(zip(condor.legs, condor.quantities, strict=True)), premium=credit)


def settle_together(legs: Sequence[Leg]) -> None:
    """Nothing; raises `InvalidStructure`, naming the legs, unless they are sound and settle as one (I5)."""
    if not legs:
        raise InvalidStructure("a structure has at least one leg")
    for option, quantity in legs:
        if not Decimal(option.strike).is_finite() or not option.strike > 0:
            raise InvalidStructure(f"{option.root} strike {option.strike} is not a positive number")
        if not math.isfinite(quantity) or quantity == 0:
            raise InvalidStructure(f"{option.id} has quantity {quantity}; give a finite number other than zero")
        if option.inverse:
            raise InvalidStructure(f"{option.id} is margined in its coin: its payoff is not linear between strikes")
    for terms, words in (
        ({option.underlying for option, _ in legs}, "underlyings"),
        ({option.expiry for option, _ in legs}, "expiry instants"),
        ({option.settlement for option, _ in legs}, "settlement styles"),
        ({(option.root, option.multiplier, option.currency) for option, _ in legs}, "roots, multipliers or currencies"),
    ):
        if len(terms) > 1:
            raise InvalidStructure(f"{_names(legs)} have {len(terms)} {words}; legs that settle apart bound nothing")


def _names(legs: Sequence[Leg]) -> str:
    return ", ".join(option.id for option, _ in legs)
