"""Implied volatility by moneyness for each expiry, read off a chain's usable quotes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.errors import MissingQuote
from engine.market import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Smile:
    """
    One expiry's forward, discount rate and out-of-the-money volatilities.

    `moneyness` is ln(K / F), rising; `vols` are decimals per year; `years` is time to expiry at
    the snapshot. Between quotes the volatility is linear in moneyness, beyond them flat.
    """

    expiry: datetime
    years: float
    forward: float
    rate: float
    moneyness: Floats
    vols: Floats

    def vol(self, moneyness: Floats) -> Floats:
        """Volatility at ln(K / F)."""
        return np.interp(moneyness, self.moneyness, self.vols)

    @property
    def atm_vol(self) -> float:
        """Volatility at the forward."""
        return float(self.vol(np.zeros(1))[0])


Smiles = Mapping[tuple[str, datetime], Smile]
"""Smiles by contract root and expiry instant."""


def smile_between(smiles: Smiles, root: str, expiry: datetime, years: float) -> Smile:
    """
    The smile of an expiry that a root does not list, between the two it lists around it.

    Log forward and discount run straight in time; at each moneyness of either neighbour, so does total
    variance, which keeps the surface free of calendar arbitrage if its neighbours are.

    Raises `MissingQuote` beyond the first or last listed expiry.
    """
    listed = sorted((s for (name, _), s in smiles.items() if name == root), key=lambda s: s.years)
    after = next((at for at, smile in enumerate(listed) if smile.years >= years), None)
    if not after:
        raise MissingQuote(
            f"no smile for {root} {expiry:%Y-%m-%d}",
            why="it lies outside the expiries with usable quotes",
            todo="use a chain that lists an expiry on either side",
        )
    near, far = listed[after - 1], listed[after]
    share = (years - near.years) / (far.years - near.years)

    moneyness = np.union1d(near.moneyness, far.moneyness)
    weights = np.array([1.0 - share, share])
    total = np.stack([smile.vol(moneyness) ** 2 * smile.years for smile in (near, far)])
    forward = float(np.exp(weights @ np.log([near.forward, far.forward])))
    rate = float(weights @ [near.rate * near.years, far.rate * far.years]) / years
    return Smile(expiry, years, forward, rate, moneyness, np.sqrt(weights @ total / years))


def atm_vol_at(smiles: Smiles, years: float) -> float:
    """
    At-the-money volatility interpolated to `years` in total variance, flat beyond the ends.

    Raises `ValueError` on an empty surface.
    """
    rows = sorted((s.years, s.atm_vol**2 * s.years) for s in smiles.values() if s.years > 0)
    tenors, variances = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if years <= tenors[0]:
        return float(np.sqrt(variances[0] / tenors[0]))
    if years >= tenors[-1]:
        return float(np.sqrt(variances[-1] / tenors[-1]))
    return float(np.sqrt(np.interp(years, tenors, variances) / years))
