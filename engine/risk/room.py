"""How many more units fit below the drawdown limit, by closed integer search (D11)."""

from dataclasses import dataclass

import numpy as np

from engine.market import Floats
from engine.pricing.admitted import finite, not_negative
from engine.risk.drawdown import positive_capital


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


def _named(names: tuple[str, ...], at: int) -> str:
    return names[at] if names else str(at)
