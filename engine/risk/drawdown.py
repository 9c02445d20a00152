"""The two-standard-deviation rule: its scenarios, the drawdown, and the cell that binds (D11)."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.market import Floats
from engine.positions import Book
from engine.risk.scenarios import Scenarios
from engine.risk.smile import atm_vol_at
from engine.risk.valuation import PricingView, book_values

VOL_RESPONSE = -1.2
"""Change of 30-day ATM volatility, in points per percent of ln spot (D11; recorded 1999-2023: -1.16)."""

_VOL_CLIP = (-0.05, 0.25)
_VOL_OF_VOL = 0.90  # per square root of a year, relative (D11)
_SIGMAS = 2.0
_SESSIONS_A_YEAR = 252.0
_THIRTY_DAYS = 30.0 / 365.0


@dataclass(frozen=True, slots=True)
class Drawdown:
    """
    The worst loss over the rule's scenarios.

    `share` is of committed capital, positive for a loss (0.06 = 6 %); `cell` names the horizon, sign,
    volatility variant and correlation that give it; `by_horizon` is the worst share of each horizon.
    """

    share: float
    cell: str
    by_horizon: tuple[tuple[str, float], ...]


def two_sd_scenarios(
    view: PricingView, *, next_expiry: datetime, crypto_beta: float, crypto_idiosyncratic_vol: float
) -> Scenarios:
    """
    The scenarios of D11: four horizons, two signs, three volatility responses, two correlations.

    Parameters
    ----------
    next_expiry : the first settlement instant of an option in the book
    crypto_beta : change of ln ether per change of ln SPX
    crypto_idiosyncratic_vol : annual volatility of ether not explained by the index, decimal
    """
    to_expiry = max((next_expiry - view.asof).total_seconds() / 86_400.0, 1.0)
    horizons = [("1 session", 1.0, 1.0), ("5 sessions", 5.0, 7.0), ("21 sessions", 21.0, 30.0)]
    horizons = [h for h in horizons if h[2] < to_expiry]
    horizons.append(("to expiry", to_expiry * _SESSIONS_A_YEAR / 365.0, to_expiry))
    sigma = atm_vol_at(view.smiles, _THIRTY_DAYS)
    rows: list[tuple[str, float, float, float, float]] = []
    for name, sessions, days in horizons:
        root_tau = np.sqrt(sessions / _SESSIONS_A_YEAR)
        for sign in (-1.0, 1.0):
            spot = sign * _SIGMAS * sigma * root_tau
            response = float(np.clip(VOL_RESPONSE * spot, *_VOL_CLIP))
            idiosyncratic = _SIGMAS * crypto_idiosyncratic_vol * root_tau
            for variant, factor in (("mid vol", 0.0), ("high vol", 1.0), ("low vol", -1.0)):
                stressed = (sigma + response) * (1.0 + factor * min(_VOL_OF_VOL * root_tau, 0.9)) - sigma
                vol = float(np.clip(stressed, *_VOL_CLIP))
                for link, eth in (
                    ("model corr", crypto_beta * spot - idiosyncratic),
                    ("corr 1", sign * (abs(crypto_beta * spot) + idiosyncratic)),
                ):
                    cell = f"{name}, {'-' if sign < 0 else '+'}2 SD, {variant}, {link}"
                    rows.append((cell, spot, vol, days, eth))
    spots, vols, times, ethers = np.array([row[1:] for row in rows]).T
    return Scenarios.of(spots, vols, times, crypto=ethers, names=[row[0] for row in rows])


def drawdown(losses: Floats, scenarios: Scenarios, capital: float) -> Drawdown:
    """The worst of `losses` (USD, positive = loss, one per scenario) as a share of `capital`."""
    shares = np.asarray(losses) / capital
    worst = int(np.argmax(shares))
    horizons: dict[str, float] = {}
    for name, share in zip(scenarios.names, shares, strict=True):
        horizon = name.split(",")[0]
        horizons[horizon] = max(horizons.get(horizon, -np.inf), float(share))
    return Drawdown(float(shares[worst]), scenarios.names[worst], tuple(horizons.items()))


def book_drawdown(book: Book, view: PricingView, scenarios: Scenarios, capital: float) -> Drawdown:
    """The drawdown of a whole book, fully revalued in every scenario."""
    before = book_values(book, view, Scenarios.now())[0]
    return drawdown(before - book_values(book, view, scenarios), scenarios, capital)
