"""One row of readings per expiry and root: forward, rates, volatilities, and which quotes carry them."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from engine.errors import MissingQuote
from engine.instruments import MARKET_ZONE, Settlement
from engine.market import ExpiryQuotes, OptionChain, RateCurve
from engine.pricing.forward import atm_vol, mid, parity_forward, parity_rate, usable
from engine.pricing.implied import implied_vol

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int8]

_WORST_SPOT_GAP = 0.25  # a forward further than this from spot is a broken strip, not a carry
UNHOLDABLE = frozenset({"VIX"})  # spot cannot be held, so no carry ties the forward to it
_STEADY_ERROR = 0.01  # standard error below which an expiry's own rate counts
_SHORTEST_YEARS = 7.0 / 365.0


@dataclass(frozen=True, slots=True, eq=False)
class ExpirySummary:
    """
    What one root and expiry says once quotes are judged.

    Arrays share the axis `strikes` (rising, index points). Mids are index points, NaN where the side
    is not usable. `vols` are implied at the mid of the out-of-the-money side (puts at or below the
    forward, calls above), decimal, NaN exactly where `vol_status` is not `VolStatus.OK`. Rates are
    continuously compounded decimals: `rate` the curve's, `parity_rate` the quotes' own with standard
    error `parity_error`. `parity_residual` is a root mean square in index points. `atm_vol` is NaN
    where no quoted strike lies on one side of the forward. `quotes_used` counts usable sides.
    """

    root: str
    expiry: datetime
    settlement: Settlement
    years: float
    rate: float
    forward: float
    forward_strike: float
    parity_rate: float
    parity_error: float
    parity_residual: float
    atm_vol: float
    strikes: Floats
    call_mid: Floats
    put_mid: Floats
    call_usable: Mask
    put_usable: Mask
    vols: Floats
    vol_status: Codes
    quotes_used: int

    @property
    def expiry_date(self) -> date:
        """Calendar day of settlement in the market's zone."""
        return self.expiry.astimezone(MARKET_ZONE).date()

    @property
    def discount(self) -> float:
        """Present value of one unit paid at expiry, at the curve's rate."""
        return float(np.exp(-self.rate * self.years))


def expiry_table(chain: OptionChain, rates: RateCurve) -> tuple[ExpirySummary, ...]:
    """
    Every expiry of `chain` that has a forward, in the chain's order.

    An expiry without one strike quoted on both sides is left out, and one whose forward lies more than
    a quarter away from a spot that can be held; `engine.signals.quality` reports both. Raises
    `MissingQuote` where none is left.

    Source
    ------
    D01, D02.
    """
    table = tuple(row for part in chain.slices if (row := summary(part, chain, rates)) is not None)
    if not table:
        raise MissingQuote(
            f"{chain.source} has no forward",
            why="no live expiry has a strike with two-sided call and put near spot",
            todo="use a chain saved while options trade or at the close",
        )
    return table


def summary(part: ExpiryQuotes, chain: OptionChain, rates: RateCurve) -> ExpirySummary | None:
    """The row of one expiry, None where it has no forward; see `expiry_table`."""
    years = part.years(chain.asof)
    if not years > 0:
        return None
    rate = rates.rate(years)
    call, put = mid(part.call_bid, part.call_ask), mid(part.put_bid, part.put_ask)
    found = parity_forward(part.strikes, call, put, years=years, rate=rate)
    if found is None or not found.forward > 0:
        return None
    if chain.underlying not in UNHOLDABLE and abs(found.forward / chain.spot - 1.0) > _WORST_SPOT_GAP:
        return None
    fit = parity_rate(part.strikes, call, put, years=years, rate=rate, forward=found.forward)
    right = np.where(part.strikes <= found.forward, -1.0, 1.0)
    quote = np.where(right < 0, put, call) * np.exp(rate * years)
    vols, status = implied_vol(quote, found.forward, part.strikes, years, sign=right)
    calls, puts = usable(part.call_bid, part.call_ask), usable(part.put_bid, part.put_ask)
    return ExpirySummary(
        root=part.root,
        expiry=part.expiry,
        settlement=part.settlement,
        years=years,
        rate=rate,
        forward=found.forward,
        forward_strike=found.strike,
        parity_rate=fit.rate,
        parity_error=fit.error,
        parity_residual=fit.residual,
        atm_vol=atm_vol(part.strikes, vols, forward=found.forward),
        strikes=part.strikes,
        call_mid=call,
        put_mid=put,
        call_usable=calls,
        put_usable=puts,
        vols=vols,
        vol_status=status,
        quotes_used=int(calls.sum() + puts.sum()),
    )


def parity_curve(chain: OptionChain) -> RateCurve:
    """
    One flat rate from the quotes themselves: the median over expiries of the parity rate.

    An assumption, for when no curve is at hand: it holds the funding spread of the options market.
    Expiries under a week, or with a standard error above 1 % per year, have no say. Raises
    `MissingQuote` where none has.
    """
    steady: list[float] = []
    for part in chain.slices:
        years = part.years(chain.asof)
        if years < _SHORTEST_YEARS:
            continue
        call, put = mid(part.call_bid, part.call_ask), mid(part.put_bid, part.put_ask)
        found = parity_forward(part.strikes, call, put, years=years, rate=0.0)
        if found is None:
            continue
        fit = parity_rate(part.strikes, call, put, years=years, rate=0.0, forward=found.forward)
        if fit.error <= _STEADY_ERROR:
            steady.append(fit.rate)
    if not steady:
        raise MissingQuote(
            f"{chain.source} implies no interest rate",
            why="no expiry beyond a week has enough two-sided strikes near its forward",
            todo="give a rate",
        )
    return RateCurve((1.0,), (float(np.median(steady)),), "parity-implied median")
