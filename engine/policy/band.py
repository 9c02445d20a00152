"""When to trade the delta back: a no-trade band, beside never and always (D26)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.market import Floats

_RISK_AVERSION_SHARE = 5.0  # D26: gamma_ra = 5 / C


class Rehedge(Protocol):
    """What to hold of the underlying after one mark."""

    def __call__(self, held: Floats, target: Floats, gamma: Floats, spot: Floats, years: float) -> Floats:
        """
        Units held from this mark on.

        `held` and `target` are units of the underlying (USD per point), `gamma` units per point of what is
        hedged, `spot` its price, `years` left to expiry; arrays hold one element per path.
        """


@dataclass(frozen=True, slots=True)
class NoTradeBand:
    """
    Trade only to the nearest edge of a band around the target delta, as wide as trading costs.

    `cost` is proportional (0.0005 = 5 bp of what is traded), `risk_aversion` is per USD (the inverse of the
    risk tolerance), `rate` continuously compounded, decimal per year.
    """

    cost: float
    risk_aversion: float
    rate: float = 0.0

    def __post_init__(self) -> None:
        if not (self.cost >= 0 and self.risk_aversion > 0 and np.isfinite([self.cost, self.risk_aversion]).all()):
            raise InputError(
                f"band of cost {self.cost}, risk aversion {self.risk_aversion} refused",
                why="a cost is not negative and a risk aversion positive",
                todo="give the half spread as a decimal and 5 / committed capital",
            )

    @classmethod
    def for_capital(cls, capital: float, cost: float, rate: float = 0.0) -> "NoTradeBand":
        """The band of an investor whose risk tolerance is a fifth of committed capital in USD."""
        return cls(cost, _RISK_AVERSION_SHARE / capital if capital > 0 else float("nan"), rate)

    def half_width(self, gamma: ArrayLike, spot: ArrayLike, years: ArrayLike) -> Floats:
        """
        Distance from the target to either edge, in units of the underlying.

        Parameters
        ----------
        gamma : of the whole book, units per point, any sign
        spot : points
        years : ACT/365F to the expiry hedged to, >= 0

        Returns
        -------
        (3/2 e^{-rT} cost S gamma^2 / risk_aversion)^{1/3}; dollars are `half_width * spot`, contracts of
        multiplier m are `half_width / m`.

        Source
        ------
        A. E. Whalley & P. Wilmott, "An asymptotic analysis of an optimal hedging model for option pricing with
        transaction costs", Math. Finance 7 (1997); D26.

        >>> float(NoTradeBand.for_capital(1e6, 0.0005).half_width(-2.0, 6000.0, 0.1).round(2))
        153.26
        """
        g, s, t = np.asarray(gamma, float), np.asarray(spot, float), np.asarray(years, float)
        return np.asarray(np.cbrt(1.5 * np.exp(-self.rate * t) * self.cost * s * g * g / self.risk_aversion))

    def __call__(self, held: Floats, target: Floats, gamma: Floats, spot: Floats, years: float) -> Floats:
        """`held` where it lies inside the band, else the nearest edge."""
        half = self.half_width(gamma, spot, years)
        return np.asarray(np.clip(held, target - half, target + half))


def loyalty(held: Floats, target: Floats, gamma: Floats, spot: Floats, years: float) -> Floats:  # noqa: ARG001
    """Never adjust: what was held stays."""
    return held


def motion(held: Floats, target: Floats, gamma: Floats, spot: Floats, years: float) -> Floats:  # noqa: ARG001
    """Rebalance at every mark: the target itself."""
    return target


@dataclass(frozen=True, slots=True)
class DeltaReading:
    """
    The book's beta-weighted delta against its band, in USD of index (S16).

    `trade_units` is what to trade in the index, in units (USD per point): 0 inside the band, else to its
    nearest edge; a contract of multiplier m is m units.
    """

    dollar_delta: float
    band_usd: float
    trade_units: float

    @property
    def holds(self) -> bool:
        """Whether the delta lies inside the band."""
        return abs(self.dollar_delta) <= self.band_usd


def read_delta(
    dollar_deltas: Sequence[float],
    betas: Sequence[float],
    *,
    gamma: float,
    spot: float,
    years: float,
    band: NoTradeBand,
) -> DeltaReading:
    """
    Whether the whole book is delta neutral within costs, and what to trade if not.

    Parameters
    ----------
    dollar_deltas : USD of each underlying held through deltas (units * price; an SPX contract of delta d is
        d * 100 * S), positive = long
    betas : of each underlying to the index
    gamma : of the whole book, units of the index per point
    spot : of the index

    Source
    ------
    S16, D26.

    >>> reading = read_delta([900_000.0], [1.0], gamma=-0.5, spot=6000.0, years=0.1, band=NoTradeBand(0.0005, 5e-6))
    >>> reading.holds, round(reading.trade_units, 1)
    (False, -89.2)
    """
    if len(dollar_deltas) != len(betas) or not np.isfinite([*dollar_deltas, *betas, gamma, spot, years]).all():
        raise InputError("delta not read", why="a delta, beta or gamma is missing", todo="value every position first")
    total = float(np.dot(dollar_deltas, betas))
    half = float(band.half_width(gamma, spot, years))
    held = total / spot
    return DeltaReading(total, half * spot, float(np.clip(held, -half, half)) - held)
