"""Which of the layers proposed the book bears: what each costs against what the whole earns (S57)."""

import math
from collections.abc import Iterable, Mapping

from engine.market import MarketSnapshot
from engine.policy.allocation import Allocation
from engine.policy.candidates import Kind
from engine.policy.capital_cost import cost_of_capital
from engine.policy.condors import CondorOffer
from engine.policy.layer_cost import LayerCase, LayerVerdict, bear
from engine.policy.layer_proposals import LayerProposal
from engine.policy.layers import Arming
from engine.policy.outcomes import ROLL_OFF_DAYS
from engine.policy.settings import Policy
from engine.positions import Book
from engine.risk.pricing_view import PricingView

_YEAR = 365.0
_QUARTER = 0.25  # years: the bill whose rate capital earns
_HORIZON = ROLL_OFF_DAYS / _YEAR


def borne(
    proposals: Iterable[LayerProposal],
    wanted: Allocation,
    snapshot: MarketSnapshot,
    book: Book,
    view: PricingView,
    policy: Policy,
) -> Mapping[str, LayerVerdict]:
    """
    By layer, whether the book wanted bears what the layer would buy; layers that buy nothing are left out.

    The horizon is the roll-off of hedges, financing is charged at WACC on the cash paid. The layer by age buys only
    what the hedges wanted leave of h*, which is a limit, so a limit needs it.

    Source
    ------
    S57, X06, D10, D14 (i).
    """
    capital, wacc = wanted.capital, cost_of_capital(snapshot, book, view, policy).rate
    cases = [
        LayerCase(
            one.layer.name,
            decay=one.trade.carry * _HORIZON,
            financing=max(-one.trade.cash, 0.0) * wacc * _HORIZON,
            needed=one.layer.arming is Arming.AGE,
        )
        for one in proposals
        if one.trade.legs and one.trade.carry > 0
    ]
    verdicts = bear(
        cases,
        capital=capital,
        years=_HORIZON,
        earns=project_return(wanted, rate=math.expm1(snapshot.rates.rate(_QUARTER))),
        wacc=wacc,
        carried=wanted.carry / capital,
        carry_budget=float(policy.hedge.carry_budget),
    )
    return {verdict.layer: verdict for verdict in verdicts}


def project_return(wanted: Allocation, *, rate: float) -> float:
    """
    Expected return on capital of the book wanted before its financing, decimal per year (D14 (i)).

    Its results are discounted, so they come beside the bill rate that the capital itself earns; they are spread over
    the days of its condors, weighted by margin.

    Parameters
    ----------
    rate : of bills, decimal per year
    """
    condors = [
        (line.wanted * line.terms.margin, line.terms.days)
        for line in wanted.lines
        if line.kind is Kind.CONDOR and isinstance(line.terms, CondorOffer)
    ]
    margin = sum(weight for weight, _ in condors)
    if not margin > 0:
        return rate
    days = sum(weight * each for weight, each in condors) / margin
    return rate + (wanted.expected - wanted.cost) / wanted.capital * _YEAR / days
