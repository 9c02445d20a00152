"""From a market, a book and a policy to what we want: condors, hedges, a loan, a put, each with its reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.market import ExpiryQuotes, Floats, LendingMarket, MarketSnapshot
from engine.money import USD
from engine.policy.allocate import Capacity, HedgeOffer, Package, best_package
from engine.policy.condors import CondorOffer, condor_offers
from engine.policy.hedges import put_offers, vix_call_offers
from engine.policy.settings import Policy
from engine.policy.sleeve import LoanDecision, LoopCase, PutDecision, choose_loan, eth_put, loan_decision
from engine.positions import Book, Sleeve
from engine.risk.drawdown import two_sd_scenarios
from engine.risk.limits import LimitSet, first_expiry
from engine.risk.margin import same_expiry_margin
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile, atm_vol_at
from engine.risk.valuation import PricingView, book_values

HIGH_VOL = 25.0
"""VIX at and above which the regime counts as high-volatility (S77, D12)."""

_MOST_EXPIRIES = 3
"""Expiries nearest to the target tenor that compete."""

_VIX_EXPIRIES = 2
"""VIX expiries beyond the shortest core tenor whose calls compete as hedges."""

Returns = Callable[[float, float], Floats]
"""Sampled real-world ln(S_T / F), given days and the at-the-money volatility to them (D33)."""

MarginalCost = Callable[[LendingMarket, float], float]
"""All-in effective annual rate of borrowing so many USD from a market (D14)."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """
    What any book is measured in on one snapshot: committed capital, the two-sigma scenarios, the limits.

    `high_vol` is the regime in which the session cap binds (D12).
    """

    scenarios: Scenarios
    limits: LimitSet
    high_vol: bool


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """
    What the policy asks for.

    `core` is the condor package on own margin; `extra` is how many more would fit if borrowed cash paid
    their margin; `loans` holds every market's decision and `loan` the chosen one; `supplies` are tokens to
    supply to that market; `reasons` says in words why nothing was done where nothing was.
    """

    core: Package | None
    case: LoopCase
    loans: tuple[LoanDecision, ...]
    loan: LoanDecision | None
    supplies: Mapping[str, float]
    put: PutDecision | None
    reasons: tuple[str, ...]


def limit_set(policy: Policy, capital: float) -> LimitSet:
    """The policy's hard limits on this committed capital, in USD."""
    return LimitSet(
        capital=capital,
        sleeve_cap=float(policy.limits.sleeve_cap),
        drawdown_2sd=float(policy.limits.drawdown_2sd),
        session_new_outer=float(policy.limits.session_new_outer),
        defined_risk=float(policy.core.defined_risk) * capital,
        quick_ratio_min=policy.limits.quick_ratio_min,
        health_factor_min=policy.limits.health_factor_min,
        own_margin=float(policy.core.own_margin) * capital,
    )


def frame(snapshot: MarketSnapshot, view: PricingView, book: Book, policy: Policy) -> Frame:
    """
    Limits and scenarios for this book and whatever may be added to it now.

    Committed capital is the lesser of net asset value and the policy's risk capital, fixed before the trade;
    scenarios to expiry run to the first settlement of the book, but no nearer than the first tradable one.
    """
    nav = float(book_values(book, view, Scenarios.now())[0])
    nearest = min((quotes.expiry for quotes, _ in _tradable_slices(snapshot, view, policy)), default=None)
    default = nearest or snapshot.spx.slices[-1].expiry
    held = first_expiry(Book(tuple(p for p in book if p.sleeve is Sleeve.CONDOR)), default)
    scenarios = two_sd_scenarios(
        view,
        next_expiry=held,
        crypto_beta=snapshot.crypto_beta,
        crypto_idiosyncratic_vol=_idiosyncratic(snapshot, view),
    )
    return Frame(scenarios, limit_set(policy, min(nav, float(policy.book.risk_capital))), snapshot.vix >= HIGH_VOL)


def target(
    snapshot: MarketSnapshot,
    view: PricingView,
    book: Book,
    policy: Policy,
    measure: Frame,
    *,
    returns: Returns,
    marginal_cost: MarginalCost,
    fee_per_contract: float,
    borrowed_cash: float = 0.0,
) -> Target:
    """
    What to hold, decided from this snapshot alone.

    Parameters
    ----------
    borrowed_cash : USD of the broker's cash that a loan brought, margin beyond the own-funded budget (S46)
    """
    scenarios, limits = measure.scenarios, measure.limits
    slices = _tradable_slices(snapshot, view, policy)
    offers = [offer for quotes, smile in slices for offer in condor_offers(quotes, smile, policy.core)]
    put = _sleeve_put(snapshot, view, book, scenarios, policy)
    capacity = Capacity(
        capital=limits.capital,
        margin=max(limits.own_margin + borrowed_cash - same_expiry_margin(book), 0.0),
        cash=book.held(Cash(USD), sleeve=Sleeve.CONDOR).to_float(),
        defined_risk=limits.defined_risk,
        carried_loss=book_values(book, view, Scenarios.now())[0] - book_values(book, view, scenarios),
        high_vol=measure.high_vol,
        fee_per_contract=fee_per_contract,
    )
    hedges = _hedges(snapshot, view, policy)
    samples = {
        offer.days: returns(offer.days, smile.atm_vol) + np.log(smile.forward / view.spot)
        for offer, smile in {offer.days: (offer, smile) for offer, smile in _with_smile(offers, view)}.values()
    }
    core = best_package(offers, hedges, view, scenarios, samples, policy, capacity)
    case = _loop_case(core, hedges, view, scenarios, samples, policy, capacity)
    supplies = {code: tokens for code, tokens in _idle(book).items() if tokens > 0}
    if put and put.quantity:
        spend = 1.5 * put.quantity * put.unit_cost
        supplies["USDC"] = max(supplies.get("USDC", 0.0) - spend, 0.0)
    eth_low = float(scenarios.crypto.min())
    loans = tuple(
        loan_decision(
            market,
            case,
            cost=marginal_cost(market, case.margin),
            collateral=supplies,
            prices=view.token_usd,
            eth_low=eth_low,
            vix=snapshot.vix,
            policy=policy,
        )
        for market in snapshot.chain.lending
        if market.asset == policy.loop.asset
    )
    has_debt = any(isinstance(p.instrument, LendingDebt | LendingSupply) for p in book)
    loan = None if has_debt else choose_loan(loans)
    return Target(
        core=core,
        case=case,
        loans=loans,
        loan=loan,
        supplies=supplies if loan else {},
        put=put,
        reasons=_reasons(core, offers, has_debt=has_debt),
    )


def _loop_case(
    core: Package | None,
    hedges: Sequence[HedgeOffer],
    view: PricingView,
    scenarios: Scenarios,
    samples: Mapping[float, Floats],
    policy: Policy,
    capacity: Capacity,
) -> LoopCase:
    """What more margin would allow: the same structure resized with the margin bound lifted."""
    if core is None:
        return LoopCase(0, 0.0, 0.0, 45.0)
    wider = replace(capacity, margin=capacity.margin + capacity.capital)
    larger = best_package([core.offer], hedges, view, scenarios, samples, policy, wider)
    extra = larger.condors - core.condors if larger else 0
    if larger is None or extra <= 0:
        return LoopCase(0, 0.0, 0.0, core.offer.days)
    return LoopCase(extra, extra * core.offer.margin, larger.expected - core.expected, core.offer.days)


def _tradable_slices(snapshot: MarketSnapshot, view: PricingView, policy: Policy) -> list[tuple[ExpiryQuotes, Smile]]:
    rules = policy.core
    found = []
    for quotes in snapshot.spx.slices:
        smile = view.smiles.get((quotes.root, quotes.expiry))
        days = (quotes.expiry_date - snapshot.asof.astimezone(quotes.expiry.tzinfo).date()).days
        if smile is not None and rules.dte_min <= days <= rules.dte_max:
            found.append((abs(days - rules.dte_target), quotes, smile))
    found.sort(key=lambda row: (row[0], row[1].expiry, row[1].root))
    return [(quotes, smile) for _, quotes, smile in found[:_MOST_EXPIRIES]]


def _hedges(snapshot: MarketSnapshot, view: PricingView, policy: Policy) -> list[HedgeOffer]:
    offers = [
        offer
        for quotes, smile in _tradable_slices(snapshot, view, policy)
        for offer in put_offers(quotes, smile, policy.hedge)
    ]
    if snapshot.vix_options is not None:
        later = [q for q in snapshot.vix_options.slices if q.years(snapshot.asof) * 365.0 >= policy.core.dte_min]
        for quotes in later[:_VIX_EXPIRIES]:
            smile = view.vix_smiles.get((quotes.root, quotes.expiry))
            if smile is not None:
                offers.extend(vix_call_offers(quotes, smile))
    return offers


def _with_smile(offers: Sequence[CondorOffer], view: PricingView) -> list[tuple[CondorOffer, Smile]]:
    return [(offer, view.smiles[offer.condor.put_short.root, offer.condor.put_short.expiry]) for offer in offers]


def _idiosyncratic(snapshot: MarketSnapshot, view: PricingView) -> float:
    index_vol = atm_vol_at(view.smiles, 30.0 / 365.0)
    return float(np.sqrt(max(snapshot.crypto_vol**2 - (snapshot.crypto_beta * index_vol) ** 2, 0.0)))


def _idle(book: Book) -> dict[str, float]:
    return {
        position.instrument.currency.code: float(position.quantity)
        for position in book.of(Sleeve.DEFI)
        if isinstance(position.instrument, Cash)
        and position.venue == "vault"
        and position.instrument.currency.code in {"USDC", "WETH"}
    }


def _sleeve_put(
    snapshot: MarketSnapshot, view: PricingView, book: Book, scenarios: Scenarios, policy: Policy
) -> PutDecision | None:
    ether = sum(
        float(position.quantity)
        for position in book.of(Sleeve.DEFI)
        if getattr(position.instrument, "currency", None) is not None and position.instrument.currency.code == "WETH"
    )
    held = any(getattr(p.instrument, "underlying", "") == "WETH" for p in book)
    if held or ether <= 0:
        return None
    reference = next(i for i, name in enumerate(scenarios.names) if "-2 SD" in name)
    return eth_put(
        snapshot.chain.options,
        ether=ether,
        spot=view.token_usd["WETH"],
        years_of={o.listing: _years(snapshot.asof, o.expiry) for o in snapshot.chain.options},
        shocks=scenarios.crypto,
        reference=reference,
        ratio=policy.hedge.ratio,
    )


def _years(asof: datetime, expiry: datetime) -> float:
    return (expiry - asof).total_seconds() / (365.0 * 86_400)


def _reasons(core: Package | None, offers: Sequence[CondorOffer], *, has_debt: bool) -> tuple[str, ...]:
    reasons = []
    if not offers:
        reasons.append("no condor of the policy's tenor and distance has a two-sided market")
    elif core is None:
        reasons.append("no condor with its hedge has a positive expected result inside the limits")
    if has_debt:
        reasons.append("a loan is open already; no second draw while it stands")
    return tuple(reasons)
