"""Money-weighted and time-weighted returns side by side, and the rule that the first stays positive (D15, S50)."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np

from engine.errors import InputError
from engine.ledger.irr import CashFlow, Return, irr, margin_flows, mirr, modified_dietz, time_weighted

_NOISE = 1e-12  # the accuracy of a root: no more than rounding makes of zero


class Convention(StrEnum):
    """What capital is: all of NAV, or the margin a trade ties up."""

    NAV = "nav"
    MARGIN_AS_OUTFLOW = "margin_as_outflow"


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Four answers over one span; they agree where no money came or went in between."""

    convention: Convention
    irr: Return
    mirr: Return
    modified_dietz: Return
    time_weighted: Return


def side_by_side(
    values: Sequence[tuple[date, float]],
    flows: Iterable[CashFlow],
    *,
    finance_rate: float,
    reinvestment_rate: float,
) -> SideBySide:
    """
    Returns from the first valuation to the last, on NAV.

    Parameters
    ----------
    values : USD at each day's valuation point, after that day's flows, rising days; the first is the
        capital at the start, the last at liquidation value
    flows : owner's sign, each on a valued day after the first (those of the first are in its value)
    finance_rate, reinvestment_rate : k of debt (D14) and the bill rate, decimal per year

    >>> from datetime import date
    >>> year = [(date(2025, 1, 1), 100.0), (date(2026, 1, 1), 110.0)]
    >>> found = side_by_side(year, [], finance_rate=0.06, reinvestment_rate=0.04)
    >>> {round(r.rate, 9) for r in (found.irr, found.mirr, found.modified_dietz, found.time_weighted)}
    {0.1}
    """
    if len(values) < 2:
        raise InputError("returns over one valuation", why="a span has two ends", todo="value the book twice")
    (start, opening), (end, closing) = values[0], values[-1]
    inside = [flow for flow in flows if flow.day > start]
    cash = [CashFlow(start, -opening), *inside, CashFlow(end, closing)]
    return SideBySide(
        Convention.NAV,
        irr(cash, finance_rate=finance_rate, reinvestment_rate=reinvestment_rate),
        mirr(cash, finance_rate=finance_rate, reinvestment_rate=reinvestment_rate),
        modified_dietz(opening, closing, inside, start, end),
        time_weighted(values, inside),
    )


def return_on_margin(
    margin: Mapping[date, float], gains: Mapping[date, float], *, finance_rate: float, reinvestment_rate: float
) -> Return:
    """Money-weighted return where margin posted is the outflow; its note names the convention."""
    found = irr(margin_flows(margin, gains), finance_rate=finance_rate, reinvestment_rate=reinvestment_rate)
    return replace(found, note="; ".join(filter(None, (found.note, Convention.MARGIN_AS_OUTFLOW.value))))


def in_numeraire(flows: Iterable[CashFlow], usd_per_unit: Callable[[date], float]) -> tuple[CashFlow, ...]:
    """
    Flows counted in another unit, each at its own day's rate.

    Parameters
    ----------
    usd_per_unit : USD per unit of the numeraire on a day, > 0; a stablecoin at its market price, not at 1

    >>> [flow.usd for flow in in_numeraire([CashFlow(date(2025, 1, 1), -6000.0)], lambda day: 3000.0)]
    [-2.0]
    """
    converted = []
    for flow in flows:
        rate = usd_per_unit(flow.day)
        if not (math.isfinite(rate) and rate > 0.0):
            raise InputError(f"rate of {rate} on {flow.day}", why="a price is positive", todo="add that day's rate")
        converted.append(CashFlow(flow.day, flow.usd / rate))
    return tuple(converted)


@dataclass(frozen=True, slots=True)
class PositiveIrr:
    """Whether the net IRR is above zero where open positions close no better than at `confidence`."""

    holds: bool
    confidence: float
    closing: float
    net: Return


def positive_irr(
    flows: Iterable[CashFlow],
    end: date,
    closings: Sequence[float],
    *,
    confidence: float,
    finance_rate: float,
    reinvestment_rate: float,
) -> PositiveIrr:
    """
    The positive-IRR rule at a confidence of the marks of open positions.

    Parameters
    ----------
    flows : net of every cost, opening value included as paid in; the value at the end is not in them
    closings : USD, draws or cases of what liquidating the open book would bring
    confidence : share of the draws that bring at least the closing used, above 0 and below 1, or 1 for
        the worst of them

    Returns
    -------
    `holds` is False for a rate of zero or less, and for one that is undefined (beyond 10,000 %
    too): what cannot be shown to be positive fails. With several roots the headline, MIRR, decides.
    """
    marks = np.asarray(closings, float)
    if not 0.0 < confidence <= 1.0 or not marks.size or not np.isfinite(marks).all():
        raise InputError(
            f"positive-IRR rule at {confidence} over {marks.size} marks",
            why="it needs a confidence in (0, 1] and finite closing values",
            todo="correct the setting or the marks",
        )
    worse = min(math.floor(marks.size * (1.0 - confidence) + _NOISE), marks.size - 1)
    closing = float(np.sort(marks)[worse])
    net = irr([*flows, CashFlow(end, closing)], finance_rate=finance_rate, reinvestment_rate=reinvestment_rate)
    return PositiveIrr(net.rate is not None and net.rate > _NOISE, confidence, closing, net)
