"""Where each thing that prices stand on goes in a scenario: index, tokens, VIX futures, interest."""

from datetime import datetime

import numpy as np

from engine.errors import MissingQuote
from engine.instruments import LendingDebt, LendingSupply
from engine.market import Floats
from engine.pricing.vix_futures import INDEX_YEARS, FutureLevel, vix_beta
from engine.risk.pricing_view import STABLES, PricingView
from engine.risk.scenarios import Scenarios

YEAR_DAYS = 365.0
NATIVE = "ETH"
VOL_INDICES = frozenset({"VIX", "DVOL", "BVOL", "EVIV", "BVIV"})
"""Underlyings that are indices of implied volatility; a perpetual on one moves like VIX at thirty days."""


def years_to(instant: datetime, view: PricingView) -> float:
    """ACT/365F years from the snapshot; negative once past."""
    return (instant - view.asof).total_seconds() / (YEAR_DAYS * 86_400)


def years_left(years: float, scenarios: Scenarios) -> Floats:
    """Years to expiry once each scenario's days have passed, never below zero."""
    return np.maximum(years - scenarios.days / YEAR_DAYS, 0.0)


def token_usd(code: str, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD per token in each scenario: stablecoins by their peg, dollars unmoved, the rest with crypto.

    Raises `MissingQuote` for a token without a price.
    """
    if code == "USD":
        return np.ones(len(scenarios))
    try:
        price = view.token_usd[code]
    except KeyError:
        raise MissingQuote(
            f"no price for {code}",
            why="neither the market nor the chain gave one",
            todo="add a price source for this token",
        ) from None
    return price * (scenarios.peg if code in STABLES else np.exp(scenarios.crypto))


def vix_move(years: float, scenarios: Scenarios) -> Floats:
    """
    Factor on a VIX future `years` from settlement: its beta times spot, and the extra move of VIX.

    The extra move is stated at thirty days and reaches other tenors in proportion to their betas.
    """
    beta = float(vix_beta(years))
    return np.asarray(np.exp(beta * scenarios.spot + beta / float(vix_beta(INDEX_YEARS)) * scenarios.vix))


def vix_future(expiry: datetime, view: PricingView, scenarios: Scenarios) -> FutureLevel:
    """The VIX future of one settlement in each scenario; raises `MissingQuote` where none is listed."""
    try:
        level = view.vix_futures[expiry]
    except KeyError:
        raise MissingQuote(
            f"no VIX future for {expiry.date()}",
            why="the snapshot has no such settlement",
            todo="give a VIX futures file",
        ) from None
    years = years_to(expiry, view)
    return FutureLevel(level * vix_move(years, scenarios), years_left(years, scenarios))


def interest(instrument: LendingSupply | LendingDebt, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    Factor by which a loan or deposit grows over each scenario's days, compounded every second.

    The `borrow` shock is added to debts only. A token the market does not quote a rate for earns nothing
    and owes the shock alone: `engine.risk.exits.assumed` names such positions.
    """
    market = view.lending.get((instrument.market, instrument.asset.code))
    if isinstance(instrument, LendingDebt):
        rate = (market.borrow_rate if market else 0.0) + scenarios.borrow
    else:
        rate = np.full(len(scenarios), market.supply_rate if market else 0.0)
    return np.asarray(np.exp(rate * scenarios.days / YEAR_DAYS))
