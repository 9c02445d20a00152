"""Implied volatility by moneyness for each expiry, read off a chain's usable quotes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

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
