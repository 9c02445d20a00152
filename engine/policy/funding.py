"""What borrowed margin would add, and which market lends it: the allocator asked with the loan as a column (D16)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.instruments import Cash, LendingSupply
from engine.market import LendingMarket
from engine.money import USD
from engine.policy.allocate import Capacity, allocate
from engine.policy.allocation import Allocation
from engine.policy.candidates import Candidate, Columns, Kind, LoanOffer
from engine.policy.condors import CondorOffer
from engine.policy.settings import Policy
from engine.policy.sleeve import LoopCase, stressed_health
from engine.positions import Book, Sleeve
from engine.risk.concentration import Stands, exposures, stands_on
from engine.risk.limits import LimitSet
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values

_NOTHING = LoopCase(0, 0.0, 0.0, 45.0)


@dataclass(frozen=True, slots=True)
class Funded:
    """What borrowed margin would do, and the market that would lend it."""

    case: LoopCase
    market: str = ""


def funded(
    candidates: Sequence[Candidate],
    columns: Columns,
    bounds: Capacity,
    core: Allocation | None,
    offers: Sequence[LoanOffer],
    policy: Policy,
    *,
    new_debt: bool,
) -> Funded:
    """
    What more could be held if a market paid its margin, at the loan's price; if no loan pays, at none (D16).

    The second answer lends nothing: it says what the extra condors would earn, beside what the loan would cost.
    """
    if core is None or not offers:
        return Funded(_NOTHING)
    best: tuple[Allocation, LoanOffer] | None = None
    for offer in offers if new_debt else ():
        levered = allocate((*candidates, columns.loan(offer)), bounds, policy, priced=False)
        if best is None or levered.objective > best[0].objective:
            best = levered, offer
    if best is not None and best[0].lots(Kind.LOAN) > 0:
        return Funded(_loop_case(core, *best), best[1].market.name)
    free = replace(max(offers, key=lambda offer: min(offer.most, offer.health_cap)), cost=0.0)
    levered = allocate(
        (*candidates, columns.loan(free)),
        bounds,
        policy,
        without=("borrow_rate", "leverage", "recourse"),
        priced=False,
    )
    return Funded(_loop_case(core, levered, free))


def _loop_case(core: Allocation, levered: Allocation, offer: LoanOffer) -> LoopCase:
    """What the borrowed margin adds, before every financing flow (D14)."""
    own = {line.terms.id: line.wanted for line in core.lines}
    more = [
        (line.wanted - own.get(line.terms.id, 0.0), line.terms)
        for line in levered.lines
        if isinstance(line.terms, CondorOffer)
    ]
    extra, margin = levered.lots(Kind.CONDOR) - core.lots(Kind.CONDOR), levered.margin - core.margin
    weight = sum(count * terms.margin for count, terms in more if count > 0)
    if extra <= 0 or margin <= 0 or weight <= 0:
        return _NOTHING
    days = sum(count * terms.margin * terms.days for count, terms in more if count > 0) / weight
    financing = offer.cost * offer.years * levered.lots(Kind.LOAN)
    expected = levered.expected + financing - levered.cost - (core.expected - core.cost)
    return LoopCase(int(extra), margin, expected, days, levered.drawdown, levered.quick_ratio)


def idle_tokens(book: Book, view: PricingView) -> dict[str, float]:
    """Priced tokens that lie in the vault, by code."""
    return {
        position.instrument.currency.code: float(position.quantity)
        for position in book.of(Sleeve.DEFI)
        if isinstance(position.instrument, Cash)
        and position.venue == "vault"
        and position.instrument.currency.code in view.token_usd
        and position.quantity > 0
    }


def placeable(
    market: LendingMarket,
    idle: Mapping[str, float],
    book: Book,
    view: PricingView,
    limits: LimitSet,
    *,
    spent: float = 0.0,
) -> Mapping[str, float]:
    """
    Tokens of `idle` that may be supplied to a market: all of them, or as much of each as its protocol and oracle
    still bear under their caps (S55).

    `spent` is USD of net asset value that the decision's other trades cost.
    """
    worth = sum(tokens * view.token_usd[code] for code, tokens in idle.items())
    room = supply_room(market.name, book, view, limits, spent=spent)
    share = min(room / worth, 1.0) if worth > 0 else 0.0
    return {code: tokens * share for code, tokens in idle.items()}


def supply_room(market: str, book: Book, view: PricingView, limits: LimitSet, *, spent: float = 0.0) -> float:
    """USD more that a market's protocol and oracle bear under their caps, infinite where nothing caps them (S55)."""
    nav = float(book_values(book, view, Scenarios.now())[0]) - spent
    names = stands_on(LendingSupply(market, USD), view)
    used = {(one.on, one.name): one.usd for one in exposures(book, view)}
    room = (
        limits.stands[on] * nav - used.get((on, name), 0.0)
        for on, name in names.items()
        if on in limits.stands and on is not Stands.CHAIN
    )
    return max(min(room, default=math.inf), 0.0)


def loan_offer(
    market: LendingMarket,
    supplies: Mapping[str, float],
    view: PricingView,
    eth_low: float,
    policy: Policy,
    marginal_cost: Callable[[LendingMarket, float], float],
    *,
    growth: float = 1.0,
) -> LoanOffer:
    """
    What a market would lend against these tokens, at the cost of the largest loan it could make.

    `growth` is the factor by which interest grows the debt until the last stress scenario.
    """
    secured = stressed_health(supplies, market, 1.0, view.token_usd, eth_low, growth=growth)
    health_cap = secured / policy.limits.health_factor_min
    liquid = market.liquidity * view.token_usd[market.asset]
    return LoanOffer(
        market=market,
        cost=marginal_cost(market, min(health_cap, liquid)),
        years=policy.loop.horizon_days / 365.0,
        most=liquid,
        health_cap=health_cap,
        brings=1.0 - float(policy.loop.ramp_fee),
    )
