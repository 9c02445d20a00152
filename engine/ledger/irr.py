"""Money-weighted and time-weighted returns, or a plain statement that there is none (D15)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.ledger.roots import rate_roots

YEAR = 365.0
SHORTEST = 30
"""Spans of fewer days are stated as holding-period returns, never annualised."""


@dataclass(frozen=True, slots=True)
class CashFlow:
    """
    One payment between the owner and the portfolio, in USD of its day.

    Positive = the owner receives (a withdrawal, or the value at the end), negative = the owner pays in.
    """

    day: date
    usd: float


class Basis(StrEnum):
    """What a rate is."""

    ANNUAL = "annual"
    HOLDING_PERIOD = "holding period"
    UNDEFINED = "undefined"


@dataclass(frozen=True, slots=True)
class Return:
    """
    A rate of return and what it stands on.

    Parameters
    ----------
    rate : decimal; per year if `basis` is annual, over the whole span if holding period, and None
        exactly if it is undefined
    days : length of the span
    method : `IRR`, `MIRR`, `TWR` or `Modified Dietz`
    roots : every rate that solves the equation, on the same basis; more than one makes the headline MIRR
    note : `not annualised (N days)`, the list of roots, or why it is undefined
    """

    rate: float | None
    basis: Basis
    days: int
    method: str
    roots: tuple[float, ...] = ()
    note: str = ""

    @property
    def defined(self) -> bool:
        """Whether there is a rate."""
        return self.rate is not None

    @classmethod
    def undefined(cls, method: str, days: int, why: str) -> "Return":
        """The explicit absence of a rate."""
        return cls(None, Basis.UNDEFINED, days, method, note=why)


def irr(flows: Iterable[CashFlow], *, finance_rate: float, reinvestment_rate: float) -> Return:
    """
    Money-weighted return: the rate R with sum(CF * (1 + R) ** (-days / 365)) = 0.

    Parameters
    ----------
    flows : at least one of each sign, the value at the end included as if it were paid out
    finance_rate, reinvestment_rate : decimal per year; used for MIRR, the headline where there is more
        than one root (D14's k of debt, and the bill rate)

    Returns
    -------
    One root: that. Several: MIRR, with the roots listed. None in (-0.9999, 100]: undefined. A span under
    30 days is solved and stated per holding period, so that a good week does not leave the scanned range.

    >>> from datetime import date
    >>> year = [CashFlow(date(2025, 1, 1), -100.0), CashFlow(date(2026, 1, 1), 110.0)]
    >>> round(irr(year, finance_rate=0.06, reinvestment_rate=0.04).rate, 12)
    0.1
    """
    merged = _merged(flows)
    days = _span(merged)
    if refusal := _unsolvable(merged, days):
        return Return.undefined("IRR", days, refusal)
    unit = YEAR if days >= SHORTEST else float(days)
    roots = rate_roots(_times(merged) / unit, np.array([flow.usd for flow in merged]))
    if len(roots) == 1:
        return _stated_as(roots[0], days, "IRR", roots)
    listed = ", ".join(f"{root:.4%}" for root in roots)
    if not roots:
        return Return.undefined("IRR", days, "no rate in (-99.99 %, 10,000 %] makes the flows worth zero")
    other = mirr(merged, finance_rate=finance_rate, reinvestment_rate=reinvestment_rate)
    why = f"{len(roots)} roots: {listed}; headline is MIRR"
    return Return(other.rate, other.basis, days, other.method, roots, _joined(other.note, why))


def mirr(flows: Iterable[CashFlow], *, finance_rate: float, reinvestment_rate: float) -> Return:
    """
    Modified internal rate: receipts compounded to the end over payments discounted to the start.

    Parameters
    ----------
    finance_rate, reinvestment_rate : decimal per year, > -1; both are printed in the note

    Raises
    ------
    InputError for a rate at which money would vanish.
    """
    if not min(finance_rate, reinvestment_rate) > -1.0:
        raise InputError(
            f"MIRR at {finance_rate} and {reinvestment_rate}", why="a rate is above -100 %", todo="correct the rates"
        )
    merged = _merged(flows)
    days = _span(merged)
    if refusal := _unsolvable(merged, days):
        return Return.undefined("MIRR", days, refusal)
    years = _times(merged) / YEAR
    usd = np.array([flow.usd for flow in merged])
    paid = -float((np.minimum(usd, 0.0) * (1.0 + finance_rate) ** -years).sum())
    received = float((np.maximum(usd, 0.0) * (1.0 + reinvestment_rate) ** (days / YEAR - years)).sum())
    found = _stated(received / paid, days, "MIRR")
    rates = f"financing at {finance_rate:.2%}, reinvesting at {reinvestment_rate:.2%}"
    return replace(found, note=_joined(found.note, rates))


def modified_dietz(opening: float, closing: float, flows: Iterable[CashFlow], start: date, end: date) -> Return:
    """
    Gain over average capital, each flow weighted by the share of the span it was in.

    Parameters
    ----------
    opening, closing : value in USD at the end of `start` and of `end`, flows of that day included
    flows : strictly after `start`, not after `end`; owner's sign
    """
    days = (end - start).days
    inside = _merged(flows)
    if days <= 0 or any(not start < flow.day <= end for flow in inside):
        raise InputError(
            f"Modified Dietz from {start} to {end}",
            why="the span is empty or a flow lies outside it",
            todo="pass the flows of that span",
        )
    put_in = -math.fsum(flow.usd for flow in inside)
    average = opening - math.fsum(flow.usd * (end - flow.day).days / days for flow in inside)
    if average <= 0.0:
        return Return.undefined("Modified Dietz", days, f"average capital is {average:,.2f} USD")
    return _stated(1.0 + (closing - opening - put_in) / average, days, "Modified Dietz")


def time_weighted(values: Sequence[tuple[date, float]], flows: Iterable[CashFlow]) -> Return:
    """
    Growth of one dollar that stayed in throughout: daily returns linked, flows at the valuation point.

    Parameters
    ----------
    values : USD at the valuation point of each day, after that day's flows, strictly rising days
    flows : owner's sign, each on a day that has a value; those of the first day are already in it

    Returns
    -------
    Undefined, with the day, where the value before a link is not positive. GIPS links sub-periods
    geometrically in the same way.
    """
    paid = {flow.day: flow.usd for flow in _merged(flows)}
    days = [day for day, _ in values]
    if len(values) < 2 or any(a >= b for a, b in pairwise(days)) or not paid.keys() <= set(days):
        raise InputError(
            "time-weighted return",
            why="it needs two or more rising valuation days and a value on every day of a flow",
            todo="value the portfolio on those days too",
        )
    span, growth = (days[-1] - days[0]).days, 1.0
    for (before, base), (day, value) in pairwise(values):
        if not base > 0.0:
            return Return.undefined("TWR", span, f"value on {before} is {base:,.2f} USD")
        growth *= (value + paid.get(day, 0.0)) / base
    return _stated(growth, span, "TWR")


def margin_flows(margin: Mapping[date, float], gains: Mapping[date, float]) -> tuple[CashFlow, ...]:
    """
    Flows of the `margin_as_outflow` convention: what was posted is paid in, what it earned is received.

    Parameters
    ----------
    margin : USD posted as of each day, >= 0; whatever is posted on the last day comes back that day
    gains : USD earned (+) or lost (-) on each day, after costs
    """
    days = sorted(margin.keys() | gains.keys())
    flows, posted = [], 0.0
    for day in days:
        now = margin.get(day, posted) if day != days[-1] else 0.0
        flows.append(CashFlow(day, posted - now + gains.get(day, 0.0)))
        posted = now
    return tuple(flows)


def holding_period(rate: float, days: int) -> float:
    """An annual rate over `days` of 365: (1 + rate) ** (days / 365) - 1."""
    return math.expm1(math.log1p(rate) * days / YEAR)


def _merged(flows: Iterable[CashFlow]) -> tuple[CashFlow, ...]:
    by_day: dict[date, list[float]] = {}
    for flow in flows:
        if not math.isfinite(flow.usd):
            raise InputError(f"flow of {flow.usd} on {flow.day}", why="it is not finite", todo="check its marks")
        by_day.setdefault(flow.day, []).append(flow.usd)
    netted = ((day, math.fsum(by_day[day])) for day in sorted(by_day))
    return tuple(CashFlow(day, usd) for day, usd in netted if usd != 0.0)


def _span(merged: Sequence[CashFlow]) -> int:
    return (merged[-1].day - merged[0].day).days if merged else 0


def _times(merged: Sequence[CashFlow]) -> NDArray[np.float64]:
    return np.array([(flow.day - merged[0].day) / timedelta(days=1) for flow in merged])


def _unsolvable(merged: Sequence[CashFlow], days: int) -> str:
    if len({flow.usd > 0 for flow in merged}) < 2:
        return "the flows do not change sign"
    return "" if days > 0 else "all flows fall on one day"


def _stated(growth: float, days: int, method: str) -> Return:
    """A growth factor over the span as a rate on the basis its length allows."""
    if days < SHORTEST:
        return _stated_as(growth - 1.0, days, method, ())
    if growth <= 0.0:
        return Return.undefined(method, days, "everything was lost, or more")
    return _stated_as(math.expm1(math.log(growth) * YEAR / days), days, method, ())


def _stated_as(rate: float, days: int, method: str, roots: tuple[float, ...]) -> Return:
    short = days < SHORTEST
    note = f"not annualised ({days} days)" if short else ""
    return Return(rate, Basis.HOLDING_PERIOD if short else Basis.ANNUAL, days, method, roots, note)


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
