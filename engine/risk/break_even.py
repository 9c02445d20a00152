"""What the cost of the capital behind a structure does to its break-evens, and what a move beyond them costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError, InvalidStructure
from engine.market import Floats
from engine.positions import Book
from engine.risk.drawdown import positive_capital
from engine.risk.scenarios import Scenarios
from engine.risk.structures import Payoff
from engine.risk.valuation import PricingView, book_values

_SESSIONS = 252.0


def capital_charge(wacc: float, years: float, margin: float) -> float:
    """
    Points that the capital behind a structure costs until settlement: WACC * T * M.

    Parameters
    ----------
    wacc : decimal per year, >= 0
    years : ACT/365F time to settlement, >= 0
    margin : capital held against one structure, points, >= 0

    Source: S15.

    >>> round(capital_charge(0.07, 45 / 365, 50.0), 4)
    0.4315
    """
    if not all(math.isfinite(term) and term >= 0 for term in (wacc, years, margin)):
        raise InputError(
            "capital charge refused",
            why=f"wacc {wacc:g}, years {years:g} and margin {margin:g} must be finite and not negative",
            todo="a naked short call has no finite margin at expiry: give its broker's requirement",
        )
    return wacc * years * margin


def charged_break_evens(payoff: Payoff, charge: float) -> tuple[float, ...]:
    """
    Break-even levels after the capital charge, rising (S15).

    Both sides of a short condor move inward by `charge`. Raises `InvalidStructure` when no level is left:
    the capital costs more than the structure can earn.
    """
    charged = payoff.less(charge)
    if charged.best < 0:
        raise InvalidStructure(f"a charge of {charge:g} points leaves no level that gains; most is {charged.best:g}")
    return charged.break_evens


@dataclass(frozen=True, slots=True)
class BreakEvenStress:
    """The book's loss (USD, >= 0) with the index beyond one break-even, as a share of capital against its limit."""

    break_even: float
    level: float
    loss: float
    share: float
    limit: float

    @property
    def holds(self) -> bool:
        """True when the loss is within the limit; a loss that is not a number never is."""
        return self.share <= self.limit


def break_even_stress(
    book: Book,
    view: PricingView,
    break_evens: Sequence[float],
    *,
    vol: float,
    capital: float,
    limit: float,
    sessions: float = 5.0,
    deviations: float = 1.0,
) -> tuple[BreakEvenStress, ...]:
    """
    The book's loss with the index at each break-even and then `deviations` further out (S15, D11).

    A break-even below the index is moved down by exp(-k sigma sqrt tau), one above it up.

    Parameters
    ----------
    break_evens : finite index levels > 0
    vol : at-the-money volatility, decimal per year
    capital, limit : USD of committed capital, and the share of it that may be lost
    sessions : horizon tau in sessions of 1/252 year
    """
    positive_capital(capital)
    evens = np.asarray(break_evens, float)
    if not np.all(np.isfinite(evens) & (evens > 0)):
        raise InputError("break-evens refused", why=f"{break_evens} are not all finite levels", todo="give levels > 0")
    out = np.where(evens < view.spot, -1.0, 1.0) * deviations * vol * math.sqrt(sessions / _SESSIONS)
    levels: Floats = evens * np.exp(out)
    change = book_values(book, view, Scenarios.of(np.log(levels / view.spot))) - book_values(
        book, view, Scenarios.now()
    )
    return tuple(
        BreakEvenStress(float(even), float(level), max(0.0, -float(gain)), max(0.0, -float(gain)) / capital, limit)
        for even, level, gain in zip(evens, levels, change, strict=True)
    )
