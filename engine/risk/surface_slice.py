"""One expiry of the volatility surface: the quotes a smile rests on, and the smile."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.instruments import MARKET_ZONE
from engine.market import ExpiryQuotes, Finding, Floats, Severity
from engine.pricing.density import Law
from engine.pricing.implied import implied_vol
from engine.pricing.surface_checks import Worst, worst_butterfly
from engine.pricing.svi import RawSvi, SviSum
from engine.pricing.svi_conditions import Limits
from engine.pricing.svi_fit import fewest_quotes, fit_svi
from engine.pricing.svi_starts import Quotes
from engine.signals.expiries import ExpirySummary

CHECKED = (-1.5, 1.0)
"""Log-moneyness on which no butterfly is allowed, besides each expiry's quoted range (D04)."""

_LEAST_SPREAD = 0.25  # of the expiry's median: a locked quote weighs four times a usual one
_LOCKED_VOL = 0.001  # half width, in volatility, of a quote where none of the expiry has a usual one
_ROUNDING = 1e-9


class Misfit(NamedTuple):
    """
    How far a smile lies from an expiry's mids, in volatility (0.01 is one point).

    `inside` is the share of quotes whose bid and ask hold the smile.
    """

    rms: float
    worst: float
    inside: float


@dataclass(frozen=True, slots=True, eq=False)
class QuotedStrip:
    """
    The quotes of one expiry that a smile may rest on.

    Arrays rise in `strikes`: the out-of-the-money side where it has a positive bid and an ask that is
    not below it. Vols are decimals per year at bid, mid and ask.
    """

    root: str
    expiry: datetime
    years: float
    forward: float
    rate: float
    strikes: Floats
    bid_vol: Floats
    mid_vol: Floats
    ask_vol: Floats

    @property
    def expiry_date(self) -> date:
        """Calendar day of settlement in the market's zone."""
        return self.expiry.astimezone(MARKET_ZONE).date()

    @property
    def moneyness(self) -> Floats:
        """ln(K / F) of `strikes`."""
        return np.log(self.strikes / self.forward)

    @property
    def quotes(self) -> Quotes:
        """
        What a fit sees: each weight is one over half the quote's width in total variance.

        Where most quotes are locked each is taken to be at least a tenth of a volatility point wide, either way.
        """
        half = 0.5 * (self.ask_vol**2 - self.bid_vol**2) * self.years
        usual = float(np.median(half))
        least = _LEAST_SPREAD * usual if usual > 0 else 2.0 * self.mid_vol * _LOCKED_VOL * self.years
        return Quotes(self.moneyness, self.mid_vol**2 * self.years, 1.0 / np.maximum(half, least))

    @property
    def locked(self) -> tuple[float, ...]:
        """Strikes whose bid is their ask, where most are: no usual spread is left to weigh them by."""
        same = self.ask_vol <= self.bid_vol
        return tuple(float(strike) for strike in self.strikes[same]) if 2 * int(same.sum()) > same.size else ()

    def misfit(self, smile: SviSum | RawSvi) -> Misfit:
        """How far `smile` lies from the quotes."""
        fitted = np.sqrt(smile.total_variance(self.moneyness) / self.years)
        off = np.abs(fitted - self.mid_vol)
        return Misfit(float(np.sqrt(np.mean(off * off))), float(off.max()), float(np.mean(self.inside(fitted))))

    def inside(self, vols: Floats) -> NDArray[np.bool_]:
        """Where `vols`, one per strike, lie between bid and ask."""
        return np.asarray((vols >= self.bid_vol - _ROUNDING) & (vols <= self.ask_vol + _ROUNDING))

    def plain_svi(self) -> RawSvi:
        """The best single raw SVI curve free of butterflies: five numbers, less close than a surface's smile."""
        curve = fit_svi(self.quotes, Limits(*CHECKED), curves=1).smile
        return curve.parts[0].lifted(curve.level)


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceSlice(QuotedStrip):
    """
    A strip with its smile.

    `error` is the weighted root mean square of residuals, in half-spreads, and `unconstrained` the same
    without the conditions of no arbitrage.
    """

    smile: SviSum
    error: float
    unconstrained: float

    @property
    def law(self) -> Law:
        """Risk-neutral law of S_T / F."""
        return Law((self.smile,))

    @property
    def fit(self) -> Misfit:
        """How far the smile lies from the quotes."""
        return self.misfit(self.smile)

    @property
    def worst_g(self) -> Worst:
        """Where the risk-neutral density is closest to negative."""
        k = self.moneyness
        return worst_butterfly(self.smile, min(CHECKED[0], float(k[0])), max(CHECKED[1], float(k[-1])))

    @property
    def atm_vol(self) -> float:
        """Volatility at the forward, decimal per year."""
        return float(self.vol(self.forward))

    @property
    def skew(self) -> float:
        """Slope of volatility in k at the forward: points per 1 % of moneyness, negative as a rule."""
        return float(self.smile.slope(0.0)) / (2.0 * self.atm_vol * self.years)

    @property
    def outside(self) -> tuple[float, ...]:
        """Strikes at which the smile lies below the bid or above the ask."""
        return tuple(float(strike) for strike in self.strikes[~self.inside(self.vol(self.strikes))])

    def vol(self, strike: float | Floats) -> Floats:
        """Volatility at `strike` (index points), decimal per year."""
        k = np.log(np.asarray(strike, float) / self.forward)
        return np.asarray(np.sqrt(self.smile.total_variance(k) / self.years))

    def worst_vol(self, strike: float, *, quantity: float) -> float:
        """
        The volatility that is worse for us: what we own at the lower, what we owe at the higher.

        Of the smile and the quote at `strike` (or the two beside it): bids where `quantity` > 0, asks where
        it is < 0.

        Source
        ------
        F78: sizing uses the worst side.
        """
        at = int(np.searchsorted(self.strikes, strike))
        exact = at < self.strikes.size and self.strikes[at] == strike
        beside = slice(at, at + 1) if exact else slice(max(at - 1, 0), at + 1)
        fitted = float(self.vol(strike))
        if quantity > 0:
            return min(fitted, float(self.bid_vol[beside].min()))
        return max(fitted, float(self.ask_vol[beside].max()))


def quoted_strip(part: ExpiryQuotes, row: ExpirySummary) -> QuotedStrip | Finding:
    """The quotes of `part` that a smile may rest on; a `sparse` finding where they are too few."""
    puts = part.strikes <= row.forward
    sign = np.where(puts, -1.0, 1.0)
    vols = []
    for put, call in ((part.put_bid, part.call_bid), (part.put_ask, part.call_ask)):
        quote = np.where(puts, put, call) / row.discount
        vols.append(implied_vol(quote, row.forward, part.strikes, row.years, sign=sign).vol)
    bid, ask = vols
    used = np.isfinite(row.vols) & np.isfinite(bid) & np.isfinite(ask)
    count = int(used.sum())
    if count < fewest_quotes(1) or not np.isfinite(row.atm_vol):
        reason = f"{count} usable quotes" if count < fewest_quotes(1) else "no usable quote on one side of the forward"
        detail = f"{reason}: no smile, neighbouring expiries stand in"
        strikes = tuple(float(strike) for strike in part.strikes[used])
        return Finding("sparse", Severity.WARNING, row.expiry_date, strikes, detail, row.root)
    return QuotedStrip(
        root=row.root,
        expiry=row.expiry,
        years=row.years,
        forward=row.forward,
        rate=row.rate,
        strikes=part.strikes[used],
        bid_vol=bid[used],
        mid_vol=row.vols[used],
        ask_vol=ask[used],
    )
