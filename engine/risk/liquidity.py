"""Quick ratios of a live book: what its positions can pay in time, and what its broker and lenders may ask (D13)."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from engine.errors import MissingQuote
from engine.instruments import Cash, FundShare, Future, LendingDebt, LendingSupply, VanillaOption
from engine.market import Floats
from engine.money import USD
from engine.positions import Book, Position, Sleeve
from engine.risk.drawdown import GAS_STRESS, STABLE_HAIRCUT
from engine.risk.margin import same_expiry_margin
from engine.risk.quick_ratio import Due, Liquid, PortfolioRatio, portfolio_ratio
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import STABLES, PricingView, book_values, unit_values

HOUSE_MULTIPLE = 1.3
"""What the broker may ask beyond the exchange's increase of margin (D13)."""

BILL_FUNDS = frozenset({"BIL", "SGOV", "SHV"})
"""Funds of Treasury bills, paid for the day after they are sold."""

Thresholds = Mapping[tuple[str, str], float]
"""Share of a supplied token's worth that secures debt, by lending market and token code (D17)."""

Requirement = Callable[[Book, PricingView, Scenarios], Floats]
"""USD of margin the broker holds against a book in each scenario (D32)."""


@dataclass(frozen=True, slots=True)
class Funding:
    """
    What bounds and burdens liquidity beside the positions.

    `free` are tokens a lending market can pay out now, by market and token code; a market that is not named pays
    nothing. `cap` is the most USD one transaction moves. `transfer_days` is the way from chain to broker.
    `gas_usd` is today's cost of leaving the sleeve, due while it holds anything; `debt` and `pending` fall due
    within the horizon, USD.
    """

    free: Mapping[tuple[str, str], float] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=dict)
    health_factor: float = 1.5
    peg_haircut: float = STABLE_HAIRCUT
    cap: float = math.inf
    transfer_days: float = 3.0
    gas_usd: float = 0.0
    debt: float = 0.0
    pending: float = 0.0


def liquid_holdings(book: Book, view: PricingView, funding: Funding) -> tuple[Liquid, ...]:
    """
    Everything the book could pay with: free dollars, bills, idle and withdrawable stablecoins.

    Posted margin and the collateral that keeps the health factor at its floor are not in it; a withdrawal is
    bounded by what the pool can pay out and by what one transaction may move.
    """
    found = [Liquid(Sleeve.CONDOR, "cash beyond margin", max(_free_cash(book), 0.0))]
    for position in book:
        if not position.held.units > 0:
            continue
        match position.instrument:
            case FundShare(symbol=symbol) if symbol in BILL_FUNDS:
                found.append(Liquid(position.sleeve, f"{symbol} share", _worth(position, view), days=1.0))
            case Cash(currency=token) if token.code in STABLES:
                found.append(_stable(position, min(_worth(position, view), funding.cap), funding))
    found += [_stable(position, usd, funding) for position, usd in withdrawable(book, view, funding)]
    return tuple(found)


def margin_calls(
    book: Book, view: PricingView, scenarios: Scenarios, *, requirement: Requirement | None = None
) -> Floats:
    """
    USD the broker may call in each scenario: the increase of margin times the house multiple, and the futures'
    loss, which is paid in cash each day. Never negative.

    `requirement` is the margin rule; without one, the largest payout of what has not settled by then, which no
    move of the index raises. A requirement without bound is a call without bound, whatever is posted.
    """
    rule = requirement or payout_requirement
    held = book.of(Sleeve.CONDOR)
    needed, posted = rule(held, view, scenarios), rule(held, view, Scenarios.now())[0]
    rise = np.maximum(np.subtract(needed, posted, out=needed.copy(), where=np.isfinite(needed)), 0.0)
    futures = Book(tuple(p for p in held if isinstance(p.instrument, Future)))
    lost = np.maximum(-book_values(futures, view, scenarios), 0.0)
    return np.asarray(HOUSE_MULTIPLE * rise + lost)


def payout_requirement(book: Book, view: PricingView, scenarios: Scenarios) -> Floats:
    """USD of margin by the rule of the largest payout, for what lives beyond each scenario's days."""
    required: dict[float, float] = {}
    for days in set(map(float, scenarios.days)):
        ends = view.asof + timedelta(days=days)
        alive = (p for p in book if not isinstance(p.instrument, VanillaOption) or p.instrument.expiry > ends)
        required[days] = same_expiry_margin(Book(tuple(alive)))
    return np.array([required[float(days)] for days in scenarios.days])


def book_ratio(
    book: Book,
    view: PricingView,
    cells: Scenarios,
    funding: Funding,
    *,
    days: float = 1.0,
    requirement: Requirement | None = None,
) -> PortfolioRatio:
    """
    The quick ratios of a live book in the worst of `cells`.

    Parameters
    ----------
    cells : the stressed cells, of which the one that calls most counts (D11's -2 SD)
    days : calendar days within which a call must be met
    """
    call = float(margin_calls(book, view, cells, requirement=requirement).max())
    return portfolio_ratio(liquid_holdings(book, view, funding), dues(book, funding, call), days=days)


def ratio_by_scenario(
    book: Book, view: PricingView, scenarios: Scenarios, funding: Funding, *, days: float = 1.0
) -> Floats:
    """The worst quick ratio in each scenario; a stablecoin that falls below its haircut pays that much less."""
    haircuts = np.maximum(funding.peg_haircut, 1.0 - scenarios.peg)
    liquid = {cut: liquid_holdings(book, view, replace(funding, peg_haircut=cut)) for cut in map(float, set(haircuts))}
    calls = margin_calls(book, view, scenarios)
    found = (
        portfolio_ratio(liquid[float(cut)], dues(book, funding, float(call)), days=days).worst.ratio
        for cut, call in zip(haircuts, calls, strict=True)
    )
    return np.fromiter(found, float, len(scenarios))


def dues(book: Book, funding: Funding, call: float) -> dict[Sleeve, Due]:
    """What each engine may have to pay when the broker calls so many USD."""
    free = _free_cash(book)
    on_chain = any(position.sleeve is Sleeve.DEFI for position in book)
    return {
        Sleeve.CONDOR: Due(margin_call=call, pending=funding.pending, shortfall=max(-free, 0.0)),
        Sleeve.DEFI: Due(debt=funding.debt, gas=funding.gas_usd * GAS_STRESS if on_chain else 0.0),
    }


def threshold_of(supply: LendingSupply, thresholds: Thresholds) -> float:
    """The liquidation threshold of what is supplied, 0 for what is no collateral; raises `MissingQuote` without one."""
    found = thresholds.get((supply.market, supply.currency.code), math.nan)
    if not found >= 0:
        raise MissingQuote(
            f"no liquidation threshold for {supply.currency} in {supply.market}",
            why="the chain gave none, so what its debt pledges is not known",
            todo="read the lending market or give its threshold",
        )
    return found


def _worth(position: Position, view: PricingView) -> float:
    """USD at mid now."""
    return float(position.quantity) * float(unit_values(position.instrument, view, Scenarios.now())[0])


def _free_cash(book: Book) -> float:
    """Dollars at the broker beyond posted margin; negative where margin is not covered."""
    return book.held(Cash(USD), sleeve=Sleeve.CONDOR).to_float() - same_expiry_margin(book)


def _stable(position: Position, usd: float, funding: Funding) -> Liquid:
    lag = 0.0 if position.sleeve is Sleeve.CONDOR else funding.transfer_days
    return Liquid(position.sleeve, position.instrument.id, usd, funding.peg_haircut, 0.0, lag)


def withdrawable(book: Book, view: PricingView, funding: Funding) -> list[tuple[Position, float]]:
    """
    Stablecoins that can leave each lending market, USD, largest first, its health factor kept.

    What a pool pays out to one position it cannot pay to the next of its token.
    """
    supplied: defaultdict[str, list[tuple[Position, LendingSupply, float]]] = defaultdict(list)
    owed: defaultdict[str, float] = defaultdict(float)
    for position in book:
        instrument = position.instrument
        if isinstance(instrument, LendingSupply):
            supplied[instrument.market].append((position, instrument, _worth(position, view)))
        elif isinstance(instrument, LendingDebt):
            owed[instrument.market] -= _worth(position, view)
    free, found = dict(funding.free), []
    for market, rows in supplied.items():
        secures = {of: threshold_of(of, funding.thresholds) if owed[market] > 0 else 0.0 for _, of, _ in rows}
        spare = sum(worth * secures[of] for _, of, worth in rows) - funding.health_factor * owed[market]
        for position, of, worth in sorted(rows, key=lambda row: -row[2]):
            token, share = of.currency.code, secures[of]
            if token in STABLES and (spare > 0 or not share):
                pays = free.get((market, token), 0.0) * view.token_usd[token]
                usd = min(worth, spare / share if share else math.inf, pays, funding.cap)
                spare -= usd * share
                free[market, token] = (pays - usd) / view.token_usd[token]
                found.append((position, usd))
    return found
