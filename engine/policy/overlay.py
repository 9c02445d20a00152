"""The short-dated overlay condor, re-hedged at the band: what volatility must do for it to gain (D24)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.instruments import IronCondor
from engine.market import Floats
from engine.policy.condors import CondorOffer
from engine.pricing.black import forward_value
from engine.risk.smile import Smile, Smiles


class Direction(StrEnum):
    """`short` sells the condor and is short gamma; `long` buys it, which alone is gamma scalping."""

    SHORT = "short"
    LONG = "long"

    @property
    def sign(self) -> int:
        """+1 where the condor is sold: the sign of `IronCondor.quantities`."""
        return 1 if self is Direction.SHORT else -1


@dataclass(frozen=True, slots=True)
class OverlayRules:
    """Which condors may be the overlay, and on which side it is taken."""

    direction: Direction = Direction.SHORT  # S06, D24
    dte_min: float = 15.0  # S06
    dte_max: float = 20.0  # S06


@dataclass(frozen=True, slots=True)
class OverlayChoice:
    """
    One overlay condor, in USD per condor of today.

    `scalping` is the expected result of the hedged condor before costs, with the sign of its gamma;
    `crossing` (>= 0) what crossing the spreads costs; `at_risk` the most it can lose (D03).
    """

    offer: CondorOffer
    direction: Direction
    scalping: float
    crossing: float
    at_risk: float

    @property
    def expected(self) -> float:
        """After crossing the spreads; the re-hedging costs of the band come on top."""
        return self.scalping - self.crossing


def scalping_result(gamma: ArrayLike, spot: ArrayLike, realised: ArrayLike, implied: ArrayLike, dt: float) -> Floats:
    """
    What a delta-hedged position gains along a path: 1/2 sum of gamma S^2 (realised^2 - implied^2) dt.

    Parameters
    ----------
    gamma : of the position, units per point, one element per step along the first axis; negative for a short
        condor between its shorts, so that realised above implied loses
    spot : points, at the start of each step
    realised, implied : volatilities of the step, decimals per year
    dt : years per step

    Returns
    -------
    USD, the first axis summed.

    Source
    ------
    D24; P. Carr & D. Madan, "Towards a theory of volatility trading" (1998).

    >>> float(scalping_result([-1.0, -1.0], [100.0, 100.0], 0.2, 0.1, 0.5).round(6))
    -150.0
    """
    g, s = np.asarray(gamma, float), np.asarray(spot, float)
    excess = np.asarray(realised, float) ** 2 - np.asarray(implied, float) ** 2
    return np.asarray(0.5 * np.sum(g * s * s * excess * dt, axis=0))


def expected_scalping(condor: IronCondor, smile: Smile, *, direction: Direction, realised: float) -> float:
    """
    Expected hedged result per condor, held to expiry, in USD of today.

    The mean of `scalping_result` over driftless paths of volatility `realised`, each leg hedged at its own
    implied volatility: its integral is the value at the realised less the value at the implied volatility.
    The band trades later but in a martingale, so it changes the spread of results, not this mean.

    Parameters
    ----------
    smile : of the condor's root and expiry
    realised : volatility expected to settlement, decimal per year, >= 0
    """
    if not (realised >= 0 and np.isfinite(realised)):
        raise InputError(f"realised volatility {realised} refused", why="it is no volatility", todo="give a decimal")
    strikes = np.array([float(leg.strike) for leg in condor.legs])
    signs = np.array([leg.right.sign for leg in condor.legs])
    units = direction.sign * np.array(condor.quantities) * float(condor.put_short.multiplier)
    implied = smile.vol(np.log(strikes / smile.forward))
    gained = forward_value(smile.forward, strikes, smile.years, realised, sign=signs)
    paid = forward_value(smile.forward, strikes, smile.years, implied, sign=signs)
    return float(np.exp(-smile.rate * smile.years) * (units @ (gained - paid)))


def choose_overlay(
    offers: Iterable[CondorOffer],
    core: IronCondor,
    smiles: Smiles,
    *,
    realised: float,
    rules: OverlayRules = OverlayRules(),
) -> OverlayChoice | None:
    """
    The overlay that expects most per dollar at risk, None if none expects more than its spreads cost.

    Only offers of the rules' tenor with wings strictly tighter than the core's are looked at (S06).
    """
    choices = (
        _choice(offer, smiles[offer.condor.put_short.root, offer.condor.put_short.expiry], realised, rules.direction)
        for offer in offers
        if rules.dte_min <= offer.days <= rules.dte_max and offer.condor.width < core.width
    )
    worthwhile = (choice for choice in choices if choice.expected > 0)
    return max(worthwhile, key=lambda choice: choice.expected / choice.at_risk, default=None)


def _choice(offer: CondorOffer, smile: Smile, realised: float, direction: Direction) -> OverlayChoice:
    multiplier = float(offer.condor.put_short.multiplier)
    crossing = (offer.mid_credit - offer.credit) * multiplier
    debit = offer.mid_credit * multiplier + crossing
    return OverlayChoice(
        offer=offer,
        direction=direction,
        scalping=expected_scalping(offer.condor, smile, direction=direction, realised=realised),
        crossing=crossing,
        at_risk=offer.max_loss if direction is Direction.SHORT else debit,
    )
