"""Everything observed at one instant: quotes as columns, and what is wrong with them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.instruments import MARKET_ZONE, Settlement

Floats = NDArray[np.float64]


class Severity(StrEnum):
    """`note` informs, `warning` narrows what is used, `refusal` stops the decision."""

    NOTE = "note"
    WARNING = "warning"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or unusual in market data, with the strikes it concerns."""

    code: str
    severity: Severity
    expiry: date | None
    strikes: tuple[float, ...]
    detail: str
    root: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ExpiryQuotes:
    """
    Both sides of every listed strike of one root and expiry.

    All arrays share one axis of strictly rising strikes. Prices are in index points; NaN means no
    quote was given, 0.0 that the bid is zero. `*_iv` is the vendor's volatility (decimal), NaN where
    it gave none. `expiry` is the aware instant at which the settlement level is fixed.
    """

    root: str
    expiry: datetime
    settlement: Settlement
    strikes: Floats
    call_bid: Floats
    call_ask: Floats
    put_bid: Floats
    put_ask: Floats
    call_iv: Floats
    put_iv: Floats

    @property
    def expiry_date(self) -> date:
        """Calendar day of settlement in the market's zone."""
        return self.expiry.astimezone(MARKET_ZONE).date()

    def years(self, asof: datetime) -> float:
        """Minutes to settlement over 525,600 (Cboe's convention); negative once settled."""
        return (self.expiry - asof).total_seconds() / 60.0 / 525_600.0


@dataclass(frozen=True, slots=True, eq=False)
class OptionChain:
    """All listed expiries of one underlying, ordered by settlement instant, at one as-of instant."""

    underlying: str
    asof: datetime
    spot: float
    slices: tuple[ExpiryQuotes, ...]
    source: str
    stamp: datetime
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DailySeries:
    """A completed daily history: `days` (datetime64[D], strictly rising) and one value each."""

    name: str
    days: NDArray[np.datetime64]
    values: Floats
    source: str

    def upto(self, day: date) -> "DailySeries":
        """What was known at the close of `day`."""
        known = self.days <= np.datetime64(day)
        return DailySeries(self.name, self.days[known], self.values[known], self.source)

    def on(self, day: date) -> float | None:
        """The value of that very day, None where there is none."""
        at = np.searchsorted(self.days, np.datetime64(day))
        if at < len(self.days) and self.days[at] == np.datetime64(day):
            return float(self.values[at])
        return None


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Continuously compounded zero rates by tenor in years; flat beyond the ends."""

    tenors: tuple[float, ...]
    rates: tuple[float, ...]
    source: str

    def rate(self, years: float) -> float:
        """Zero rate to `years`, decimal per year."""
        return float(np.interp(years, self.tenors, self.rates))


@dataclass(frozen=True, slots=True)
class LendingMarket:
    """
    One borrowable asset of one lending market, read at one block.

    Rates are decimals per year (APR, compounded each second). `threshold` is the liquidation
    threshold of `collateral` and `ltv` the most it may be borrowed against; `thresholds` are those of every token
    that may be supplied, by code, and where nobody gives them all count as `collateral` does. `liquidity` is what
    can be borrowed now, in tokens. The slope terms describe its two-slope rate model. `withdrawable` is what
    the market could pay out of its `collateral` token now, in tokens.

    `protocol` and `oracle` are whose contracts and prices it stands on (S55); `recourse` whether the lender may
    reach beyond the collateral, None where nobody says, and `cross_default` whether a default elsewhere calls the
    loan (S45); `change_delay_hours` is how long its governance waits between deciding a parameter and changing it,
    0 where nobody says (S36).
    """

    name: str
    asset: str
    borrow_rate: float
    supply_rate: float
    threshold: float
    ltv: float
    liquidity: float
    utilisation: float
    base_rate: float
    slope1: float
    slope2: float
    kink: float
    collateral: str = ""
    withdrawable: float = 0.0
    protocol: str = ""
    oracle: str = ""
    recourse: bool | None = None
    cross_default: bool = False
    change_delay_hours: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def counts(self, code: str) -> float:
        """The share of a supplied token's worth that secures debt; 0 for one that is no collateral (D17)."""
        return self.thresholds.get(code, 0.0) if self.thresholds else self.threshold

    @property
    def ring_fenced(self) -> bool:
        """Whether a lender can lose us the collateral and nothing else: no recourse, and no cross-default (S45)."""
        return self.recourse is False and not self.cross_default


@dataclass(frozen=True, slots=True)
class OptionListing:
    """A strike listed on an options protocol: `listing` is its id there, prices in quote units per option."""

    venue: str
    listing: str
    expiry: datetime
    strike: float
    call_iv: float
    put_iv: float


@dataclass(frozen=True, slots=True)
class PerpetualMark:
    """
    A perpetual as its venue marks it: `price` in USD per unit, `funding` a decimal per year, > 0 when longs pay.

    `half_spread` is half of ask less bid, in the units of `price`.
    """

    venue: str
    underlying: str
    price: float
    funding: float
    half_spread: float = 0.0


@dataclass(frozen=True, slots=True)
class PowerMark:
    """
    A power perpetual: what funding has left of its unit, and the volatility its funding implies (decimal).

    `half_spread` is half of ask less bid, USD per unit.
    """

    venue: str
    underlying: str
    normalisation: float
    vol: float
    half_spread: float = 0.0


@dataclass(frozen=True, slots=True)
class PoolState:
    """
    A concentrated-liquidity pool: `price` is units of `currency` per unit of `asset`, `fee` in millionths.

    `daily_volume` and `tick_value`, the value in the active tick spacing, are in units of `currency`.
    """

    pool: str
    asset: str
    currency: str
    price: float
    fee: int
    tick_spacing: int
    daily_volume: float
    tick_value: float


@dataclass(frozen=True, slots=True)
class FundMark:
    """
    A fund's share: `price` and `half_spread` in USD, and what moves it.

    `leverage` is of the daily return of the thirty-day VIX futures index (0 where it holds none), `beta`
    the change of ln price per change of ln SPX (0 for a fund on volatility); `accrual` is bill less fee,
    decimal per year.
    """

    symbol: str
    price: float
    leverage: float = 0.0
    beta: float = 0.0
    accrual: float = 0.0
    half_spread: float = 0.0


@dataclass(frozen=True, slots=True)
class OnchainState:
    """What one chain said at one block. `prices` are in USD per token."""

    chain_id: int
    block: int
    block_hash: str
    at: datetime
    prices: Mapping[str, float]
    lending: tuple[LendingMarket, ...]
    options: tuple[OptionListing, ...]
    gas_price_wei: int
    perpetuals: tuple[PerpetualMark, ...] = ()
    powers: tuple[PowerMark, ...] = ()
    pools: tuple[PoolState, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MarketSnapshot:
    """
    Everything a decision may look at, observed at one instant.

    `modelled` names every part that was not recorded but generated, so that each output can say so.
    """

    asof: datetime
    spx: OptionChain
    vix: float
    rates: RateCurve
    histories: Mapping[str, DailySeries]
    chain: OnchainState
    crypto_vol: float
    crypto_beta: float
    vix_options: OptionChain | None = None
    vix_futures: tuple[tuple[datetime, float], ...] = ()
    funds: tuple[FundMark, ...] = ()
    modelled: tuple[str, ...] = ()
    assumptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over every number above: two snapshots with one digest decide the same."""
        digest = hashlib.sha256()
        _feed(digest, self)
        return digest.hexdigest()


def _feed(digest: "hashlib._Hash", value: object) -> None:
    match value:
        case np.ndarray():
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        case Mapping():
            for key in sorted(value):
                digest.update(f"{key}=".encode())
                _feed(digest, value[key])
        case tuple():
            digest.update(f"({len(value)}".encode())
            for part in value:
                _feed(digest, part)
        case _ if hasattr(value, "__slots__") and hasattr(value, "__dataclass_fields__"):
            digest.update(type(value).__name__.encode())
            for name in value.__dataclass_fields__:
                digest.update(f"{name}:".encode())
                _feed(digest, getattr(value, name))
        case datetime():
            digest.update(value.isoformat().encode())
        case _:
            digest.update(f"{type(value).__name__}:{value!r};".encode())
