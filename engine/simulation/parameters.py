"""What a modelled market is made with: the smile, the variance curve, the listing and spread rules."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.market import Floats, RateCurve


@dataclass(frozen=True, slots=True)
class Smile:
    """
    Power-law SSVI: `rho` the slope's sign and weight, `eta` its strength, `gamma` its decay in variance.

    Refuses parameters outside 0 < gamma <= 1/2 and eta (1 + |rho|) <= 2, which together with a rising
    at-the-money variance exclude butterfly and calendar arbitrage.

    Source: Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces", arXiv 1204.0646, remark 4.4.
    """

    rho: float
    eta: float
    gamma: float

    def __post_init__(self) -> None:
        free = abs(self.rho) < 1 and 0 < self.gamma <= 0.5 and 0 < self.eta * (1 + abs(self.rho)) <= 2
        if not free:
            raise InputError(
                f"smile rho {self.rho}, eta {self.eta}, gamma {self.gamma} refused",
                why="|rho| < 1, 0 < gamma <= 1/2 and 0 < eta (1 + |rho|) <= 2 keep it free of arbitrage",
                todo="lower eta or gamma",
            )

    def variance(self, log_moneyness: ArrayLike, atm_variance: ArrayLike) -> Floats:
        """Total variance at ln(K/F), given the total variance at the forward (both dimensionless)."""
        k, theta = np.asarray(log_moneyness, float), np.asarray(atm_variance, float)
        phi_k = self.eta / (theta**self.gamma * (1 + theta) ** (1 - self.gamma)) * k
        root = np.sqrt((phi_k + self.rho) ** 2 + 1 - self.rho**2)
        return np.asarray(theta / 2 * (1 + self.rho * phi_k + root))


@dataclass(frozen=True, slots=True)
class VarianceCurve:
    """`reversion` per year, long-run at-the-money SPX vol (decimal) and long-run VIX future (points)."""

    reversion: float
    long_run_atm: float
    vix_mean: float

    def surface_at(self, level: float, years: ArrayLike) -> Floats:
        """At-the-money total variance to `years`, from an instantaneous vol of `level` (decimal)."""
        decayed = -np.expm1(-self.reversion * np.asarray(years, float)) / self.reversion
        return np.asarray(self.long_run_atm**2 * np.asarray(years) + (level**2 - self.long_run_atm**2) * decayed)

    def future(self, vix: float, years: ArrayLike) -> Floats:
        """
        VIX future in points, between spot VIX and the mean: variance reverts exponentially.

        Source: Zhang and Zhu, "VIX futures", J. Futures Markets 26 (2006), without their convexity term,
        which stands instead in the gap between `vix_mean` and the surface's own forward variance.
        """
        left = np.exp(-self.reversion * np.asarray(years, float))
        return np.asarray(np.sqrt(self.vix_mean**2 + (vix**2 - self.vix_mean**2) * left))


@dataclass(frozen=True, slots=True)
class SpreadRule:
    """
    Half of the bid-ask spread before it is widened to ticks, in points.

    `floor` points, plus the option's vega times `vol_points` and `vol_points_per_sd` for each standard
    deviation from the forward, plus `itm_share` of the intrinsic value.
    """

    floor: float
    vol_points: float
    vol_points_per_sd: float
    itm_share: float


@dataclass(frozen=True, slots=True)
class StrikeGrid:
    """Multiples of `near_step` inside [near_low, near_high] x spot and of `far_step` inside [low, high]."""

    near_step: float
    far_step: float
    near_low: float
    near_high: float
    low: float
    high: float

    def strikes(self, spot: float) -> Floats:
        """The listed strikes at a spot, rising, in points."""
        near = _multiples(self.near_step, self.near_low * spot, self.near_high * spot)
        return np.union1d(near, _multiples(self.far_step, self.low * spot, self.high * spot))


@dataclass(frozen=True, slots=True)
class SpxModel:
    """Dividend yield (decimal, continuous), smile, spreads, strikes, weekly and monthly expiries listed."""

    dividend_yield: float
    weeks: int
    months: int
    smile: Smile
    spread: SpreadRule
    grid: StrikeGrid


@dataclass(frozen=True, slots=True)
class VixModel:
    """Instantaneous vol of VIX (decimal), smile (rho > 0: calls dear), spreads, months, strikes in points."""

    vol_of_vix: float
    months: int
    smile: Smile
    spread: SpreadRule
    strikes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EthModel:
    """USD `level` on the session `level_on`; vols are decimals per year; `beta` to SPX log returns."""

    level: float
    level_on: date
    implied_vol: float
    idiosyncratic_vol: float
    beta: float


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """Everything modelled that the two recorded closes do not say."""

    rates: RateCurve
    variance: VarianceCurve
    spx: SpxModel
    vix: VixModel
    eth: EthModel


def _multiples(step: float, low: float, high: float) -> Floats:
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
