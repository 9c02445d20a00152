"""Collateralised debt: its health factor, how far it is from liquidation, and what looping it adds up to."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.admitted import not_negative, positive

Floats = NDArray[np.float64]


class HealthBand(StrEnum):
    """What a health factor allows, worst first."""

    LIQUIDATABLE = "liquidatable"
    EMERGENCY = "emergency"
    DELEVERAGE = "deleverage"
    NO_NEW_DEBT = "no new debt"
    OPEN = "open"


_BANDS = (
    (1.0, HealthBand.LIQUIDATABLE),
    (1.1, HealthBand.EMERGENCY),
    (1.25, HealthBand.DELEVERAGE),
    (1.5, HealthBand.NO_NEW_DEBT),
)


def health_factor(collateral: ArrayLike, thresholds: ArrayLike, debt: ArrayLike) -> Floats:
    """
    Collateral at its liquidation thresholds over debt; infinite without debt.

    Parameters
    ----------
    collateral : value of each asset, last axis the assets
    thresholds : liquidation threshold of each, 0 to 1
    debt : value owed, the sum of all debts, same unit

    Source
    ------
    D17: HF = sum C P LT / sum D P.

    >>> float(health_factor([1000.0, 500.0], [0.8, 0.9], 1000.0))
    1.25
    """
    lt = not_negative("liquidation threshold", thresholds)
    if np.any(lt > 1.0):
        raise InputError("liquidation threshold refused", why="it exceeds one", todo="write 80 % as 0.8")
    secured = np.sum(not_negative("collateral", collateral) * lt, axis=-1)
    owed = not_negative("debt", debt)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(owed > 0, secured / owed, np.inf))


def health_at_ltv(ltv: ArrayLike, threshold: float) -> Floats:
    """
    Health factor of a loan of `ltv` against collateral with one threshold.

    Source: D16.

    >>> health_at_ltv([0.50, 0.60, 0.70, 0.75], 0.78).round(2).tolist()
    [1.56, 1.3, 1.11, 1.04]
    """
    return np.asarray(threshold / positive("LTV", ltv))


def move_to_liquidation(health: ArrayLike) -> Floats:
    """
    Change of the collateral's price that brings the factor to one, decimal; negative for a healthy loan.

    Infinite where nothing secures the debt.

    >>> move_to_liquidation([1.56, 1.30]).round(2).tolist()
    [-0.36, -0.23]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / _factors(health) - 1.0)


def deviations_to_liquidation(health: ArrayLike, vol: ArrayLike, years: ArrayLike) -> Floats:
    """
    Standard deviations of the collateral's log price, over `years`, between here and liquidation.

    `vol` is of the collateral in units of the debt, decimal per year. Infinite without debt, negative
    when the loan can already be liquidated, minus infinity where nothing secures it.

    Source: D17.

    >>> float(deviations_to_liquidation(np.exp(0.4), 0.8, 0.25).round(12))
    1.0
    """
    spread = positive("vol", vol) * np.sqrt(positive("years", years))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(_factors(health)) / spread)


def health_band(health: float) -> HealthBand:
    """
    What the factor allows: below 1.5 no new debt, 1.25 a deleveraging proposal, 1.1 an emergency.

    Source: D17.

    >>> [health_band(h).value for h in (1.5, 1.499, 1.24, 1.09, 0.99)]
    ['open', 'no new debt', 'deleverage', 'emergency', 'liquidatable']
    """
    factor = float(_factors(health))
    return next((band for below, band in _BANDS if factor < below), HealthBand.OPEN)


class Loop(NamedTuple):
    """Where repeated borrowing ends, in units of the equity it starts from."""

    collateral: Floats
    debt: Floats
    margin: Floats
    gross: Floats


def loop(ltv: ArrayLike, returned: ArrayLike) -> Loop:
    """
    Collateral, debt, margin funded and gross leverage after borrowing until nothing is left to borrow.

    Parameters
    ----------
    ltv : borrowed in each round per unit of new collateral, 0 <= ltv < 1
    returned : share of each borrowed dollar that comes back as collateral, 0 to 1

    Source
    ------
    D16; gross is collateral plus margin over equity.

    >>> loop(0.6, [0.0, 0.1, 0.5, 1.0]).gross.round(4).tolist()
    [1.6, 1.6383, 1.8571, 2.5]
    """
    l, phi = not_negative("LTV", ltv), not_negative("returned share", returned)  # noqa: E741
    if np.any(l >= 1.0) or np.any(phi > 1.0):
        raise InputError("loop refused", why="LTV stays below one, the returned share at most one", todo="lower it")
    collateral = 1.0 / (1.0 - l * phi)
    debt = l * collateral
    margin = (1.0 - phi) * debt
    return Loop(collateral, debt, margin, collateral + margin)


def _factors(health: ArrayLike) -> Floats:
    """Health factors as floats: zero where nothing secures the debt, infinite without debt."""
    factor = np.asarray(health, float)
    not_negative("health factor", np.where(np.isposinf(factor), 1.0, factor))
    return factor
