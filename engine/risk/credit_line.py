"""A credit line against fund shares: what can be drawn, what it costs, and what a fall of the shares calls back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.instruments import FundShare
from engine.market import Floats
from engine.pricing.admitted import finite, not_negative
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values


@dataclass(frozen=True, slots=True)
class CreditLine:
    """
    Borrowing secured by shares, of a REIT as a rule.

    `rate` and `undrawn_fee` are decimals per year; `limit` is the most that is lent, USD; `haircut` of the
    shares' value is never lent; `covenant` is the most that may be owed per dollar of shares before the
    lender calls, and `call_days` how long he waits then. Without `recourse` he can reach the shares and nothing
    else (S45).

    Source: S35.
    """

    rate: float
    limit: float
    covenant: float
    collateral: FundShare
    haircut: float
    call_days: int
    undrawn_fee: float = 0.0
    recourse: bool = True

    def __post_init__(self) -> None:
        not_negative("limit of the line", self.limit)
        finite("rate of the line", self.rate)
        not_negative("fee on the undrawn part", self.undrawn_fee)
        if not 0.0 < 1.0 - self.haircut <= self.covenant <= 1.0 or self.call_days < 0:
            raise InputError(
                f"credit line on {self.collateral.id} refused",
                why="what is lent may not exceed the covenant, nor the covenant the shares",
                todo="correct haircut, covenant or call days",
            )

    def available(self, shares_usd: ArrayLike, drawn: ArrayLike = 0.0) -> Floats:
        """USD that can still be drawn against shares of this value; never negative."""
        base = np.minimum(self.limit, (1.0 - self.haircut) * not_negative("value of the shares", shares_usd))
        return np.maximum(base - not_negative("drawn", drawn), 0.0)

    def called(self, shares_usd: ArrayLike, drawn: ArrayLike) -> Floats:
        """
        USD to repay within `call_days` once the covenant is broken: down to what would be lent; else zero.

        Without recourse a call beyond what the shares are worth is answered by giving them up.
        """
        worth, owed = not_negative("value of the shares", shares_usd), not_negative("drawn", drawn)
        broken = owed > self.covenant * worth
        call = np.where(broken, owed - np.minimum(self.limit, (1.0 - self.haircut) * worth), 0.0)
        return np.asarray(call if self.recourse else np.minimum(call, worth))

    def cost(self, drawn: float, years: float) -> float:
        """USD of interest and commitment fee over `years`."""
        idle = max(self.limit - float(not_negative("drawn", drawn)), 0.0)
        return float(not_negative("years", years)) * (self.rate * drawn + self.undrawn_fee * idle)

    def stressed_call(self, shares: float, drawn: float, view: PricingView, scenarios: Scenarios) -> Floats:
        """USD called back in each scenario, the pledged `shares` at their scenario price."""
        return self.called(shares * unit_values(self.collateral, view, scenarios), drawn)
