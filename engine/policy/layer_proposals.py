"""For every layer whether it is armed, whether it may be opened, and what it would open now (S09-S11, S21-S24, X17)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.market import MarketSnapshot
from engine.policy.arming import armed_layers, openings
from engine.policy.condors import CondorOffer, condor_offers
from engine.policy.event_widths import event_widths
from engine.policy.hedges import HedgeOffer
from engine.policy.judgement import Judgement
from engine.policy.layers import Layer, Role, days_to_expiry
from engine.policy.outer_proposal import OuterMarket, Trade, outer_trade
from engine.policy.overlay import OverlayRules, choose_overlay
from engine.policy.priority import Domain, domain_order
from engine.policy.scaling import ScalingRules, room_left
from engine.policy.settings import Policy
from engine.policy.vix_proposal import vix_trade
from engine.positions import Book
from engine.risk.physical import FLOOR, variance_premium
from engine.risk.smile import atm_vol_at
from engine.risk.valuation import PricingView

_MULTIPLIER = 100.0


@dataclass(frozen=True, slots=True)
class LayerProposal:
    """
    How one layer stands and what it would trade now.

    `armed` is None where too much is unseen to tell; `reason` says why it may or may not be opened; `budget` is
    USD of premium a year; `room` USD of maximum loss the session still bears, None where its cap does not bind.
    """

    layer: Layer
    armed: bool | None
    allowed: bool
    reason: str
    budget: float
    room: float | None
    trade: Trade


def layer_proposals(
    snapshot: MarketSnapshot,
    view: PricingView,
    book: Book,
    policy: Policy,
    judged: Judgement,
    *,
    condors: Sequence[tuple[CondorOffer, int]],
    capital: float,
    hedges: Sequence[tuple[HedgeOffer, int]] = (),
    session_outer: float = 0.0,
    proceeds: float = 0.0,
) -> tuple[LayerProposal, ...]:
    """
    Every layer of the policy, the domain that is protected first before the others (S52).

    Parameters
    ----------
    condors : the core condors to protect, held or wanted, with their lots
    capital : committed, USD (D11)
    hedges : those that the decision wants, with their lots: layers add to them and never double them
    proceeds : USD of realised gains that buy longer protection beside the budget (S25)
    session_outer : USD of maximum loss that the session's orders so far have used of its cap (D12)

    Source
    ------
    S09-S11, S21-S24, S41, S52, S57, S80, X03, X04, X15, X17, D24b.
    """
    table, settings = policy.layer_table(), policy.layering
    rules = ScalingRules(float(settings.step), float(policy.limits.session_new_outer), settings.cap_always)
    defined_risk = float(policy.core.defined_risk) * capital
    room = room_left(session_outer, defined_risk=defined_risk, rules=rules)
    market = OuterMarket(
        snapshot,
        book,
        tuple(condors),
        judged.regime,
        settings,
        rules,
        room,
        judged.table.panel().value("iv_percentile"),
        event_widths(view.smiles, snapshot.asof, judged.meetings),
        table,
    )
    states = armed_layers(table, judged.findings)
    found = []
    for state, opening in zip(
        states, openings(table, states, decision=judged.verdict.decision, frozen=judged.frozen), strict=True
    ):
        layer = state.layer
        budget = float(policy.hedge.carry_budget) * capital * float(layer.share)
        capped = layer.role in {Role.OUTER, Role.TAIL} and (judged.regime.high_vol or settings.cap_always)
        trade = (
            _trade(layer, market, view, policy, judged, hedges, budget, proceeds)
            if opening.allowed
            else Trade((), 0.0, "")
        )
        found.append(
            LayerProposal(layer, state.armed, opening.allowed, opening.reason, budget, room if capped else None, trade)
        )
    first = domain_order(judged.findings)[0]
    return tuple(sorted(found, key=lambda one: _domain(one.layer) is not first))


def _domain(layer: Layer) -> Domain:
    return Domain.DEFI if layer.role is Role.DEFI else Domain.SPX


def _trade(
    layer: Layer,
    market: OuterMarket,
    view: PricingView,
    policy: Policy,
    judged: Judgement,
    hedges: Sequence[tuple[HedgeOffer, int]],
    budget: float,
    proceeds: float,
) -> Trade:
    match layer.role:
        case Role.CORE:
            return Trade((), 0.0, "the allocation chooses its lots (D33)")
        case Role.OUTER | Role.TAIL:
            return outer_trade(layer, market, budget=budget)
        case Role.OVERLAY:
            return _overlay(layer, market, view, policy)
        case Role.VIX:
            return vix_trade(
                layer,
                market,
                view,
                policy.layer_table().menu(layer.name, futures=policy.layering.futures),
                hedges,
                ratio=judged.hedge_ratio,
                target_dte=policy.core.dte_target,
                favoured=judged.favoured,
                budget=budget,
                proceeds=proceeds,
            )
        case Role.DEFI:
            return Trade((), 0.0, "the sleeve's put covers it (D10)")


def _overlay(layer: Layer, market: OuterMarket, view: PricingView, policy: Policy) -> Trade:
    """One condor of the overlay's days, tighter than the core's, if it expects more than its spreads cost (D24)."""
    snapshot = market.snapshot
    tenors = [days_to_expiry(snapshot.asof, offer.condor.put_short.expiry) for offer, _ in market.condors]
    longer = [pair for pair, days in zip(market.condors, tenors, strict=True) if not layer.dte.holds(days)]
    if len(longer) < len(tenors):
        return Trade((), 0.0, "a condor of its days is held already")
    if not longer:
        return Trade((), 0.0, "no core condor is held or wanted beside it")
    core = max(longer, key=lambda one: one[1])[0].condor
    offers = [
        offer
        for quotes in snapshot.spx.slices
        if (smile := view.smiles.get((quotes.root, quotes.expiry))) is not None
        and quotes.expiry > snapshot.asof
        and layer.dte.holds(days_to_expiry(snapshot.asof, quotes.expiry))
        for offer in condor_offers(quotes, smile, policy.core, wider=market.events.scale(quotes.expiry))
    ]
    longest = layer.dte.longest or np.inf
    chosen = choose_overlay(
        offers,
        core,
        view.smiles,
        realised=_realised(snapshot, view, policy),
        rules=OverlayRules(dte_min=layer.dte.shortest - 1.0, dte_max=longest + 1.0),
    )
    if chosen is None:
        why = "expects more than its spreads cost" if offers else "is listed in its days"
        return Trade((), 0.0, f"no condor tighter than the core's {why} (D24)")
    legs = zip(chosen.offer.condor.legs, chosen.offer.condor.quantities, strict=True)
    cash = chosen.offer.credit * _MULTIPLIER
    return Trade(tuple(legs), cash, f"expects {chosen.expected:,.0f} USD against {chosen.at_risk:,.0f} at risk (D24)")


def _realised(snapshot: MarketSnapshot, view: PricingView, policy: Policy) -> float:
    """The volatility expected to be realised: implied less the recorded variance premium (D33)."""
    implied = atm_vol_at(view.smiles, 30.0 / 365.0)
    premium = variance_premium(
        snapshot.histories["SPX"],
        snapshot.histories["VIX"],
        snapshot.asof.date(),
        shrink=policy.core.expectation_vrp_shrink,
    )
    return float(np.sqrt(max(implied**2 - premium, FLOOR * implied**2)))
