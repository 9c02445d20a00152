"""What a VIX layer would buy: the cheapest relief its account may hold, sized to the hedge ratio, over three tenors."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import floor

import numpy as np

from engine.instruments import Cash, FundShare, Future
from engine.money import USD
from engine.orders import Breach, OrderLeg
from engine.policy.candidates import MULTIPLIER
from engine.policy.hedge_ratio import HedgeNeed, Relief, hedge_need, rank_by_relief, stress_grid
from engine.policy.hedge_sizing import HedgeRules, HedgeStatus, size_lots
from engine.policy.hedges import HedgeOffer
from engine.policy.layers import Kind, Layer
from engine.policy.neutrality import neutrality
from engine.policy.outcomes import ROLL_OFF_DAYS
from engine.policy.outer_proposal import OuterMarket, Trade
from engine.policy.scaling import addition
from engine.policy.vix_layers import CashFlow, RollOff, first_layer, tenor_weights
from engine.policy.vix_means import as_position, condor_book, means_of, worth
from engine.policy.waterfall import post_trade_breaches
from engine.positions import Book, Sleeve
from engine.risk.book_greeks import book_greeks
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values

_MOST_RATIO = 1.3  # S53: a layer beyond the first lifts protection to the top of its range
_YEAR, _THIRTY = 365.0, 30.0 / 365.0
_ONE = Decimal(1)


def vix_trade(
    layer: Layer,
    market: OuterMarket,
    view: PricingView,
    kinds: Sequence[Kind],
    hedges: Sequence[tuple[HedgeOffer, int]],
    *,
    ratio: float,
    target_dte: float,
    favoured: frozenset[str],
    budget: float,
    proceeds: float = 0.0,
) -> Trade:
    """
    What the layer would add to the hedges wanted, or in words why nothing.

    The layer by age closes what the hedges leave of h*, each condor's part by its own age; one that a rule arms
    lifts protection to the top of its range, in steps. Of the means on the menu the one whose relief costs least is
    bought, spread over the tenors by the condors' expected cash.

    Parameters
    ----------
    kinds : what the account may hold: listed funds only where there are no futures (X11)
    hedges : those the decision wants, with their lots
    ratio : h* of the judgement; `target_dte` is the tenor condors are opened at, from which their age is read
    budget : USD of carry a year (S57)
    proceeds : USD of realised gains that pay for it beside the budget, if the book stays near-neutral and earns time
        after the trade (S25)

    Source
    ------
    D10, S18-S24, S48, S53, X11.
    """
    if not market.condors:
        return _nothing("no condor to protect is held or wanted")
    grid = stress_grid(view)
    need = hedge_need(condor_book(market.condors), view, grid)
    if need.reference_loss <= 0:
        return _nothing(f"the condors gain {-need.reference_loss:,.0f} USD in the reference scenario (D10)")
    weights = _leaning(_weights(market), favoured)
    means = means_of(layer, market.snapshot, view, grid, kinds, weights)
    relieved = _relieved(market, hedges, view, grid)
    wanted = (_MOST_RATIO if layer.paced else ratio * _standing(market, view, grid, target_dte)) - (
        relieved / need.reference_loss
    )
    ranked = rank_by_relief(need, [each.unit for each in means])
    said = f"{_said(ranked, relieved, need)}; {_tenors(weights)}"
    if wanted <= 0:
        return _nothing(f"the hedges wanted reach it already; {said}")
    if not ranked or not np.isfinite(ranked[0].cost_per_relief):
        return _nothing(f"nothing of its menu is listed in its days ({', '.join(kinds)}); {said}")
    chosen = next(each for each in means if each.unit is ranked[0].unit)
    found = size_lots(need, [chosen.unit], HedgeRules(target=wanted))
    if found.status is not HedgeStatus.SIZED:
        return _nothing(found.reason)
    affordable = floor((budget * ROLL_OFF_DAYS / _YEAR + proceeds) / chosen.unit.cost + 1e-9)
    whole = int(found.quantities[0])
    pace = addition(layer, whole, 0, 0, max_loss=0.0, room=0.0, regime=market.regime, rules=market.rules)
    lots = min(pace.lots, affordable)
    why = [said, *pace.bound_by]
    if affordable < pace.lots:
        why.append(f"budget bears {affordable} of {pace.lots} units (S57)")
    if not lots:
        return _nothing("; ".join(why))
    legs = chosen.legs(lots)
    if proceeds and (breaches := _after(market, hedges, legs, view)):
        return _nothing("; ".join((*why, *map(str, breaches))))
    cash = 0.0 if chosen.unit.name == Kind.VIX_FUTURE else -worth(legs, view)
    carry = lots * chosen.unit.cost * _YEAR / ROLL_OFF_DAYS
    return Trade(tuple((leg.instrument, int(leg.quantity)) for leg in legs), cash, "; ".join(why), carry)


def _after(
    market: OuterMarket, hedges: Sequence[tuple[HedgeOffer, int]], legs: Sequence[OrderLeg], view: PricingView
) -> tuple[Breach, ...]:
    """What stands against protection bought from gains: the condors with all their hedges, and these legs (S25)."""
    bought = [*(OrderLeg(offer.option, _ONE * lots) for offer, lots in hedges), *legs]
    dollars = Book(tuple(position for position in market.book if position.instrument == Cash(USD)))
    book = dollars.plus([*condor_book(market.condors), *map(as_position, bought)])
    capital = float(book_values(market.book, view, Scenarios.now())[0])
    found = neutrality(book, view, capital=capital, crypto_beta=0.0)
    theta = sum(greeks.theta for greeks in book_greeks(book, view).values())
    return () if found is None else post_trade_breaches(found.reading, theta)


def _nothing(why: str) -> Trade:
    return Trade((), 0.0, why)


def _said(ranked: Sequence[Relief], relieved: float, need: HedgeNeed) -> str:
    """What is covered, and what a dollar of relief costs by each means (X11)."""
    costs = ", ".join(
        f"{one.unit.name} {one.cost_per_relief:.3f}" for one in ranked if np.isfinite(one.cost_per_relief)
    )
    covered = f"hedges relieve {relieved:,.0f} of {need.reference_loss:,.0f} USD (D10)"
    return f"{covered}; USD a dollar of relief for {ROLL_OFF_DAYS:.0f} days: {costs} (X11)" if costs else covered


def _tenors(weights: Mapping[float, float]) -> str:
    """How the layer is spread over tenors (S21)."""
    return ", ".join(f"{share:.0%} at {days:.0f} days" for days, share in weights.items() if share) + " (S21, D30)"


def _weights(market: OuterMarket) -> Mapping[float, float]:
    flows = [CashFlow(offer.days, offer.credit * MULTIPLIER * lots) for offer, lots in market.condors]
    return tenor_weights(flows, rate=market.snapshot.rates.rate(_THIRTY))


def _leaning(weights: Mapping[float, float], favoured: frozenset[str]) -> Mapping[float, float]:
    """The tenors of the end of the curve that is cheap, all of them where neither is (S48)."""
    nearest = min(weights)
    if "far-vix" in favoured:
        kept = {days: share for days, share in weights.items() if days > nearest}
    elif "near-vix" in favoured:
        kept = {nearest: 1.0}
    else:
        kept = dict(weights)
    total = sum(kept.values())
    return {days: share / total for days, share in kept.items()} if total > 0 else weights


def _standing(market: OuterMarket, view: PricingView, grid: Scenarios, target_dte: float) -> float:
    """Share of the first layer that stands, each condor's loss by its own age (S22)."""
    losses = [
        (offer, hedge_need(condor_book([(offer, lots)]), view, grid).reference_loss) for offer, lots in market.condors
    ]
    parts = [(max(target_dte - offer.days, 0.0), max(loss, 0.0)) for offer, loss in losses]
    return first_layer(parts, RollOff()) / sum(loss for _, loss in parts)


def _relieved(
    market: OuterMarket, hedges: Sequence[tuple[HedgeOffer, int]], view: PricingView, grid: Scenarios
) -> float:
    """USD that the hedges wanted, and VIX futures and funds held, gain in the reference scenario."""
    bought = [as_position(OrderLeg(offer.option, _ONE * lots)) for offer, lots in hedges]
    held = [p for p in market.book if isinstance(p.instrument, Future | FundShare) and p.sleeve is Sleeve.CONDOR]
    book, first = Book((*bought, *held)), grid.take([0])
    return float(book_values(book, view, first)[0] - book_values(book, view, Scenarios.now())[0])
