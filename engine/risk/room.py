"""How many more units fit below the drawdown limit, by closed integer search (D11)."""

from dataclasses import dataclass

import numpy as np

from engine.market import Floats
from engine.positions import Book
from engine.pricing.admitted import finite, not_negative
from engine.risk.drawdown import cell_losses, positive_capital
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios


@dataclass(frozen=True, slots=True)
class Room:
    """
    How many units fit below a limit: `units` is the most, None where no scenario ever bounds it.

    `holds` is False when no number of units keeps the limit, `units` is 0 then. `cell` names the scenario that
    stops the next unit.
    """

    units: int | None
    holds: bool
    cell: str


def most_units(carried: Floats, unit: Floats, *, capital: float, limit: float, names: tuple[str, ...] = ()) -> Room:
    """
    The largest n for which the worst of `carried + n * unit` stays within `limit * capital`.

    Each scenario bounds n in closed form; the answer is then tried on the drawdown itself, so that
    rounding never admits a unit too many.

    Parameters
    ----------
    carried, unit : USD lost per scenario by the book and by one unit, positive = loss
    capital : USD, > 0; limit : share of it, >= 0

    >>> most_units(np.zeros(2), np.array([115.0, 4424.0]), capital=1e6, limit=0.06).units
    13
    """
    held, each = np.broadcast_arrays(np.asarray(carried, float), np.asarray(unit, float))
    positive_capital(capital)
    finite("loss", held + each)
    allowed = float(not_negative("limit", limit)) * capital

    def within(n: int) -> bool:
        return bool(np.all((held + n * each) / capital <= limit))

    costs, helps = each > 0, each < 0
    broken = held > allowed
    if not costs.any():
        if broken[~helps].any():
            return Room(0, False, _named(names, int(np.argmax(np.where(~helps, held, -np.inf)))))
        return Room(None, True, "")
    ceilings = np.full(each.shape, np.inf)
    ceilings[costs] = (allowed - held[costs]) / each[costs]
    ceilings[broken & (each == 0)] = -1.0
    binding = int(np.argmin(ceilings))
    n = max(int(np.floor(ceilings[binding])), -1)
    while within(n + 1):
        n += 1
    if n > 0 and not within(n) and within(n - 1):  # rounding moves the bound by one at most
        n -= 1
    if n < 0 or not within(n):
        return Room(0, False, _named(names, binding))
    return Room(n, True, _named(names, int(np.argmax(held + (n + 1) * each))))


def most_lots(
    book: Book, lot: Book, held: int, view: PricingView, scenarios: Scenarios, *, capital: float, limit: float
) -> Room:
    """
    How many lots of a structure the book may hold below the drawdown limit, all else as it is.

    Parameters
    ----------
    lot : the positions of one lot; `held` >= 1 of them are in the book
    capital : committed, USD; limit : share of it
    """
    now, names = cell_losses(book, view, scenarios)
    each = cell_losses(book.plus(lot), view, scenarios)[0] - now
    return most_units(now - held * each, each, capital=capital, limit=limit, names=names)


def _named(names: tuple[str, ...], at: int) -> str:
    return names[at] if names else str(at)
