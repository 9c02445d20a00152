"""From a market, a book and a policy to what we want: condors, hedges, a loan, a put, each with its reason."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from engine.instruments import LendingDebt, LendingSupply
from engine.market import LendingMarket, MarketSnapshot
from engine.policy.allocate import Capacity, allocate
from engine.policy.allocation import Allocation
from engine.policy.candidates import Candidate, Columns, Kind
from engine.policy.deleverage import Relief, mending
from engine.policy.funding import funded, idle_tokens, loan_offer, placeable
from engine.policy.mean_cvar import Infeasible
from engine.policy.menu import capacity, menu, tradable_slices
from engine.policy.outcomes import Law, Returns, real_world, risk_neutral
from engine.policy.ruling import Ruling
from engine.policy.selection import Score
from engine.policy.settings import Policy
from engine.policy.sleeve import LoanDecision, LoopCase, PutDecision, eth_put, loan_decision
from engine.policy.sleeve_cut import SleeveCut, sleeve_cut
from engine.positions import Book, Sleeve
from engine.risk.arb_packages import Carry, arb_packages
from engine.risk.concentration import Stands
from engine.risk.drawdown import two_sd_scenarios
from engine.risk.limits import LimitSet, first_expiry
from engine.risk.liquidity import Funding
from engine.risk.scenarios import Scenarios
from engine.risk.smile import atm_vol_at
from engine.risk.valuation import PricingView, book_values

_UNRESTRAINED = Ruling()
_PLACED = frozenset({"USDC", "WETH"})
"""Tokens that are supplied where a loan is drawn."""

MarginalCost = Callable[[LendingMarket, float], float]
"""All-in effective annual rate of borrowing so many USD from a market (D14)."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """
    What any book is measured in on one snapshot: committed capital, the two-sigma scenarios, the limits.

    `funding` is what bounds and burdens liquidity (D13); `ruling` says which limits bind now; `session_outer` is
    USD of maximum loss of outer layers that the session opened or has working already (D12).
    """

    scenarios: Scenarios
    limits: LimitSet
    funding: Funding
    ruling: Ruling
    session_outer: float = 0.0

    @property
    def high_vol(self) -> bool:
        """Whether the session cap binds (D12)."""
        return self.ruling.high_vol


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """
    What the policy asks for.

    `core` are the holdings of the condor engine on own margin, None where no holdings keep the limits; `case` is
    what borrowed margin would add; `loans` holds every market's decision and `loan` the chosen one; `supplies` are
    tokens to supply to that market; `reasons` says in words what binds and what it costs, or why nothing was done;
    `conflict` is the smallest set of limits that exclude each other, where no holdings keep them all. `cut` is what
    must leave the sleeve, None while it keeps its hard cap (X05), and `reliefs` mend loans that are short of health
    (D17). `ranking` are the condors on offer, the best first
    by expected result per tail loss (S12).
    """

    core: Allocation | None
    case: LoopCase
    loans: tuple[LoanDecision, ...]
    loan: LoanDecision | None
    supplies: Mapping[str, float]
    put: PutDecision | None
    reasons: tuple[str, ...]
    conflict: tuple[str, ...] = ()
    cut: SleeveCut | None = None
    reliefs: tuple[Relief, ...] = ()
    ranking: tuple[Score, ...] = ()


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
        stands={
            Stands.PROTOCOL: float(policy.limits.protocol_cap),
            Stands.ORACLE: float(policy.limits.oracle_cap),
            Stands.CHAIN: float(policy.limits.chain_cap),
        },
    )


def frame(
    snapshot: MarketSnapshot,
    view: PricingView,
    book: Book,
    policy: Policy,
    ruling: Ruling = _UNRESTRAINED,
    *,
    session_outer: float = 0.0,
) -> Frame:
    """
    Limits and scenarios for this book and whatever may be added to it now.

    Committed capital is the lesser of net asset value and the policy's risk capital, fixed before the trade;
    scenarios to expiry run to the first settlement of the book, but no nearer than the first tradable one.
    """
    nav = float(book_values(book, view, Scenarios.now())[0])
    nearest = min((quotes.expiry for quotes, _ in tradable_slices(snapshot, view, policy)), default=None)
    default = nearest or snapshot.spx.slices[-1].expiry
    held = first_expiry(Book(tuple(p for p in book if p.sleeve is Sleeve.CONDOR)), default)
    scenarios = two_sd_scenarios(
        view,
        next_expiry=held,
        crypto_beta=snapshot.crypto_beta,
        crypto_idiosyncratic_vol=_idiosyncratic(snapshot, view),
        borrow_rise=max((_to_kink(market) for market in snapshot.chain.lending), default=0.0),
    )
    limits = limit_set(policy, min(nav, float(policy.book.risk_capital)))
    bound = replace(ruling, high_vol=ruling.high_vol or policy.layering.cap_always)
    return Frame(scenarios, limits, funding_of(snapshot, policy), bound, session_outer)


def funding_of(snapshot: MarketSnapshot, policy: Policy) -> Funding:
    """What the chain says of withdrawals, and what closing loans costs (D13)."""
    markets = snapshot.chain.lending
    return Funding(
        free={(market.name, market.asset): market.liquidity for market in markets}
        | {(market.name, market.collateral): market.withdrawable for market in markets if market.collateral},
        thresholds={(market.name, code): market.counts(code) for market in markets for code in snapshot.chain.prices},
        health_factor=policy.limits.health_factor_min,
        transfer_days=float(policy.loop.ramp_days),
        gas_usd=float(policy.loop.gas_usd),
    )


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
    reinvested: float = 0.0,
    law: Law = Law.REAL_WORLD,
    premium: float | None = None,
    without: Collection[str] = (),
) -> Target:
    """
    What to hold, decided from this snapshot alone.

    Parameters
    ----------
    borrowed_cash : USD of the broker's cash that a loan brought, margin beyond the own-funded budget (S46)
    reinvested : USD of proceeds that widen the own-funded margin (S38)
    law : the measure expectations are taken under; `premium` is the variance premium a year, for its name
    without : hard limits to lift, by name: a what-if, never a plan
    """
    scenarios = measure.scenarios
    choice = menu(snapshot, view, book, policy, measure.ruling.meetings)
    options = [*choice.options, *choice.held.kept_options(view)]
    series = {(option.root, option.expiry) for option in options}
    real = law is Law.REAL_WORLD
    beliefs = real_world(view, series, returns, premium=premium) if real else risk_neutral(view, series)
    columns = Columns(view, scenarios, beliefs, options, fee=fee_per_contract)
    candidates = choice.candidates(columns, measure.limits.capital)
    idle = idle_tokens(book, view)
    mended = mending(book, view, scenarios, measure.limits, measure.funding, policy)
    bounds = capacity(
        book,
        choice.held,
        columns,
        measure.limits,
        replace(measure.ruling, may_add=measure.ruling.may_add and not mended),
        borrowed_cash=borrowed_cash + reinvested,
        session_bought=measure.session_outer,
    )
    core, reasons, conflict = _allocated(candidates, bounds, policy, without)
    reasons = (*reasons, *choice.widened)
    put = _sleeve_put(snapshot, view, arb_packages(book, Carry(snapshot.asof)).rest, scenarios, policy)
    taken = _taken(mended)
    supplies = {code: idle[code] - taken.get(code, 0.0) for code in _PLACED & idle.keys()}
    if put and mended:
        put, reasons = None, (*reasons, "no put on ether now: the vault's coins are for the loan first (D17)")
    if put and put.quantity:
        spend = 1.5 * put.quantity * put.unit_cost
        supplies["USDC"] = max(supplies.get("USDC", 0.0) - spend, 0.0)
    cut = sleeve_cut(book, supplies, view, measure.funding, policy) if not mended else None
    spent = core.cost if core is not None else 0.0
    placed = {
        market.name: placeable(market, supplies, book, view, measure.limits, spent=spent)
        for market in snapshot.chain.lending
    }
    eth_low = float(scenarios.crypto.min())
    grown = {market.name: _growth(market, scenarios) for market in snapshot.chain.lending}
    markets = [market for market in snapshot.chain.lending if market.asset == policy.loop.asset]
    offers = [
        loan_offer(market, placed[market.name], view, eth_low, policy, marginal_cost, growth=grown[market.name])
        for market in markets
    ]
    has_debt = any(isinstance(p.instrument, LendingDebt | LendingSupply) for p in book)
    extra = funded(candidates, columns, bounds, core, offers, policy, new_debt=not has_debt)
    loans = tuple(
        loan_decision(
            offer.market,
            extra.case,
            cost=offer.cost,
            collateral=placed[offer.market.name],
            prices=view.token_usd,
            eth_low=eth_low,
            growth=grown[offer.market.name],
            ruling=measure.ruling,
            policy=policy,
            sleeve_share=bounds.sleeve_share,
        )
        for offer in offers
    )
    loan = None if has_debt else next((d for d in loans if d.accepted and d.market == extra.market), None)
    if cut is not None:
        reasons = (cut.words, *reasons)
    reasons = (*(one.words for one in mended), *reasons)
    if has_debt:
        reasons = (*reasons, "a loan is open already; no second draw while it stands")
    return Target(
        core=core,
        case=extra.case,
        loans=loans,
        loan=loan,
        supplies=placed[loan.market] if loan else {},
        put=put,
        reasons=reasons,
        conflict=conflict,
        cut=cut,
        reliefs=mended,
        ranking=choice.ranking(candidates),
    )


def _allocated(
    candidates: Sequence[Candidate], bounds: Capacity, policy: Policy, without: Collection[str]
) -> tuple[Allocation | None, tuple[str, ...], tuple[str, ...]]:
    """The core on own margin, why it is what it is, and the limits in conflict where nothing keeps them."""
    if not candidates:
        return None, ("no condor of the policy's tenor and distance has a two-sided market",), ()
    try:
        core = allocate(candidates, bounds, policy, without=without)
    except Infeasible as stuck:
        return None, (str(stuck),), stuck.conflict
    if not core.lots(Kind.CONDOR):
        stopped = "no condor with its hedge has a positive expected result inside the limits"
        return core, (stopped if bounds.may_add else "no condor may be added", *core.words()), ()
    return core, core.words(), ()


def _idiosyncratic(snapshot: MarketSnapshot, view: PricingView) -> float:
    index_vol = atm_vol_at(view.smiles, 30.0 / 365.0)
    return float(np.sqrt(max(snapshot.crypto_vol**2 - (snapshot.crypto_beta * index_vol) ** 2, 0.0)))


def _taken(mended: Sequence[Relief]) -> dict[str, float]:
    """Idle tokens that go into loans, by code."""
    taken: dict[str, float] = {}
    for relief in mended:
        for code, tokens in relief.used.items():
            taken[code] = taken.get(code, 0.0) + tokens
    return taken


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


def _to_kink(market: LendingMarket) -> float:
    """What the borrow rate rises by to stand at the kink of its model, decimal per year."""
    return max(market.base_rate + market.slope1 - market.borrow_rate, 0.0)


def _growth(market: LendingMarket, scenarios: Scenarios) -> float:
    """The most interest grows a debt by until the end of any scenario."""
    return float(np.exp(np.max((market.borrow_rate + scenarios.borrow) * scenarios.days) / 365.0))


def _years(asof: datetime, expiry: datetime) -> float:
    return (expiry - asof).total_seconds() / (365.0 * 86_400)
