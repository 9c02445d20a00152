"""Net asset value and returns per sleeve and blended, with what each kind of cost took."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from engine.entries import Entry
from engine.instruments import Instrument
from engine.ledger.accounts import kind_and_sleeve
from engine.ledger.balances import capital_flows, valuation_day
from engine.ledger.irr import CashFlow, Return, irr
from engine.positions import Book, Position, Sleeve

Mark = Callable[[Position], float]
"""Worth of a position in USD at its conservative side; negative for what we owe."""

Rate = Callable[[Instrument, date], float]
"""USD per one whole unit (token, dollar, contract) of an instrument on a day; a stable is not 1."""

WEDGES = ("fees", "gas", "slippage", "mev", "interest", "funding")
"""Kinds of cost between gross and net, in the order they are taken off; other kinds are fees (D15)."""

_NO_WEDGE = frozenset({"depeg", "dividends"})  # a mark, and what a short share owes: results, not costs
_SAME = {"commitment": "interest"}

Nav = Mapping[Sleeve, float]


@dataclass(frozen=True, slots=True)
class Performance:
    """
    One sleeve, or all of them, over a span.

    `opening`, `closing` and `gain` are USD. `put_in` is capital added less taken out; `costs` are USD paid
    by kind of wedge, positive; `earned` is interest received. gain = closing - opening - put_in, and
    it is after all costs. `wedges_bp` lead from gross to net in the order of `WEDGES` and
    sum to their difference exactly; they are empty where either return is undefined.
    """

    sleeve: Sleeve | None
    opening: float
    closing: float
    put_in: float
    gain: float
    earned: float
    costs: Mapping[str, float]
    gross: Return
    net: Return
    wedges_bp: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Statement:
    """Performance of each sleeve and of the whole; the whole is the sum of the sleeves."""

    start: date
    end: date
    sleeves: Mapping[Sleeve, Performance]
    blended: Performance


@dataclass(frozen=True, slots=True)
class _Dated:
    sleeve: Sleeve
    kind: str
    flow: CashFlow


def nav(book: Book, mark: Mark) -> Nav:
    """Value in USD of every sleeve, zero where it holds nothing."""
    worth: dict[Sleeve, list[float]] = {sleeve: [] for sleeve in Sleeve}
    for position in book:
        worth[position.sleeve].append(mark(position))
    return {sleeve: math.fsum(values) for sleeve, values in worth.items()}


def total(by_sleeve: Nav) -> float:
    """NAV of the portfolio: the sum over sleeves, money in transit included."""
    return math.fsum(by_sleeve.values())


def statement(
    entries: Iterable[Entry],
    *,
    start: date,
    end: date,
    opening: Nav,
    closing: Nav,
    rate: Rate,
    finance_rate: float,
    reinvestment_rate: float,
) -> Statement:
    """
    Returns over the span after `start`'s valuation point up to and including `end`'s.

    Parameters
    ----------
    entries : any superset of the span's; entries in flight count with their voids
    opening, closing : NAV per sleeve at the two valuation points (`nav`), the closing one at
        liquidation value; an opening of zero everywhere is a portfolio that starts within the span
    rate : converts each flow and cost at its own day's rate
    finance_rate, reinvestment_rate : decimal per year, for MIRR where IRR has several roots

    Source: D15; gross adds every cost back on the day it was paid.
    """
    posted = [entry for entry in entries if start < valuation_day(entry.at) <= end]
    flows = [
        _Dated(f.sleeve, "capital", CashFlow(f.day, float(f.paid.amount) * rate(f.instrument, f.day)))
        for f in capital_flows(posted)
    ]
    costs, earned = _borne(posted, "expenses", rate), _borne(posted, "income", rate)

    def perform(sleeves: Sequence[Sleeve], of: Sleeve | None) -> Performance:
        return _performance(
            of,
            (start, end),
            math.fsum(opening.get(s, 0.0) for s in sleeves),
            math.fsum(closing.get(s, 0.0) for s in sleeves),
            [row for row in flows if row.sleeve in sleeves],
            [row for row in costs if row.sleeve in sleeves],
            [row for row in earned if row.sleeve in sleeves],
            lambda cash: irr(cash, finance_rate=finance_rate, reinvestment_rate=reinvestment_rate),
        )

    return Statement(start, end, {sleeve: perform([sleeve], sleeve) for sleeve in Sleeve}, perform(list(Sleeve), None))


def _borne(entries: Iterable[Entry], root: str, rate: Rate) -> list[_Dated]:
    found = []
    for entry in entries:
        day = valuation_day(entry.at)
        for leg in entry.legs:
            if (named := kind_and_sleeve(leg.account, root)) is not None:
                kind, sleeve = _SAME.get(named[0], named[0]), named[1]
                if root == "expenses" and kind in _NO_WEDGE:
                    continue
                usd = _sign(root) * float(leg.amount.amount) * rate(leg.instrument, day)
                found.append(_Dated(sleeve, kind if kind in WEDGES else "fees", CashFlow(day, usd)))
    return found


def _performance(
    sleeve: Sleeve | None,
    span: tuple[date, date],
    opening: float,
    closing: float,
    flows: Sequence[_Dated],
    costs: Sequence[_Dated],
    earned: Sequence[_Dated],
    solve: Callable[[Iterable[CashFlow]], Return],
) -> Performance:
    start, end = span
    put_in = -math.fsum(row.flow.usd for row in flows)
    cash = [CashFlow(start, -opening), *(row.flow for row in flows), CashFlow(end, closing)]
    steps = [solve([*cash, *_back(costs, WEDGES[kept:])]) for kept in range(len(WEDGES) + 1)]
    rates = [step.rate for step in steps if step.rate is not None and step.basis is steps[-1].basis]
    wedges = (
        {kind: 1e4 * (rates[i] - rates[i + 1]) for i, kind in enumerate(WEDGES)} if len(rates) == len(steps) else {}
    )
    return Performance(
        sleeve=sleeve,
        opening=opening,
        closing=closing,
        put_in=put_in,
        gain=closing - opening - put_in,
        earned=math.fsum(row.flow.usd for row in earned),
        costs={kind: math.fsum(row.flow.usd for row in costs if row.kind == kind) for kind in WEDGES},
        gross=steps[0],
        net=steps[-1],
        wedges_bp=wedges,
    )


def _back(costs: Sequence[_Dated], kinds: Sequence[str]) -> Iterable[CashFlow]:
    return (row.flow for row in costs if row.kind in kinds)


def _sign(root: str) -> int:
    """Income accounts carry what was earned as a negative balance, expenses what was paid as a positive."""
    return -1 if root == "income" else 1
