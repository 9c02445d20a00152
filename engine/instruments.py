"""Contract terms: what an instrument is, never what it is worth."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any, ClassVar, get_args
from zoneinfo import ZoneInfo

from engine.errors import InputError, InvalidStructure
from engine.money import USD, Currency

MARKET_ZONE = ZoneInfo("America/New_York")


class Right(StrEnum):
    """Call or put."""

    CALL = "C"
    PUT = "P"

    @property
    def sign(self) -> int:
        """+1 for a call, -1 for a put."""
        return 1 if self is Right.CALL else -1


class Settlement(StrEnum):
    """How a contract turns into cash: opening auction, closing level, or a protocol's oracle."""

    AM = "AM"
    PM = "PM"
    CHAIN = "CHAIN"


@dataclass(frozen=True, slots=True)
class Cash:
    """A balance of one currency or token."""

    kind: ClassVar[str] = "cash"
    currency: Currency

    @property
    def id(self) -> str:
        return self.currency.code

    @property
    def unit(self) -> Currency:
        return self.currency


@dataclass(frozen=True, slots=True)
class VanillaOption:
    """
    A European, cash-settled call or put.

    `expiry` is the aware instant at which the settlement level is fixed; `strike` is in units of the
    underlying's price; one contract pays `multiplier` times the intrinsic value in `currency`.
    `decimals` says how finely a contract divides: 0 on an exchange, 18 on most protocols. An `inverse`
    option is margined in its underlying coin: `currency` is that coin, and it pays the intrinsic value
    divided by the settlement level.
    """

    kind: ClassVar[str] = "option"
    root: str
    underlying: str
    expiry: datetime
    strike: Decimal
    right: Right
    multiplier: Decimal
    settlement: Settlement
    currency: Currency = USD
    decimals: int = 0
    inverse: bool = False

    def __post_init__(self) -> None:
        if self.expiry.tzinfo is None:
            raise InvalidStructure(f"{self.root} expiry {self.expiry} has no time zone")
        if not all(number.is_finite() and number > 0 for number in (self.strike, self.multiplier)):
            raise InvalidStructure(f"strike {self.strike} and multiplier {self.multiplier} must be positive")

    @property
    def expiry_date(self) -> date:
        """Calendar day of settlement in the market's zone."""
        return self.expiry.astimezone(MARKET_ZONE).date()

    @property
    def id(self) -> str:
        return f"{self.root} {self.expiry_date} {self.right} {self.strike.normalize():f} {self.settlement}"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, self.decimals)


@dataclass(frozen=True, slots=True)
class Future:
    """A listed, cash-settled future; one contract gains `multiplier` per point."""

    kind: ClassVar[str] = "future"
    root: str
    underlying: str
    expiry: datetime
    multiplier: Decimal
    currency: Currency = USD

    @property
    def id(self) -> str:
        return f"{self.root} {self.expiry.astimezone(MARKET_ZONE).date()}"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, 0)


@dataclass(frozen=True, slots=True)
class LendingSupply:
    """Tokens supplied to a lending market; counted in the token, interest included."""

    kind: ClassVar[str] = "supply"
    market: str
    asset: Currency

    @property
    def currency(self) -> Currency:
        return self.asset

    @property
    def id(self) -> str:
        return f"{self.market} supply {self.asset}"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, self.asset.decimals)


@dataclass(frozen=True, slots=True)
class LendingDebt:
    """Variable-rate debt to a lending market; a position in it is negative, interest included."""

    kind: ClassVar[str] = "debt"
    market: str
    asset: Currency

    @property
    def currency(self) -> Currency:
        return self.asset

    @property
    def id(self) -> str:
        return f"{self.market} debt {self.asset}"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, self.asset.decimals)


@dataclass(frozen=True, slots=True)
class Perpetual:
    """
    A future without expiry, tied to its index by funding.

    One contract gains `multiplier` per unit of the underlying's price, in `currency`. An `inverse` one
    is margined in the coin: `currency` is that coin, and it gains multiplier * (1/entry - 1/price).
    """

    kind: ClassVar[str] = "perpetual"
    venue: str
    underlying: str
    currency: Currency
    multiplier: Decimal = Decimal(1)
    inverse: bool = False

    def __post_init__(self) -> None:
        if not self.multiplier > 0:
            raise InvalidStructure(f"{self.id}: multiplier {self.multiplier} must be positive")

    @property
    def id(self) -> str:
        return f"{self.venue} {self.underlying} perp"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, 18)


@dataclass(frozen=True, slots=True)
class PowerPerpetual:
    """
    A token that tracks the square of its underlying's price, divided by `scale`, less funding (S28).

    `period_days` is the funding period; the normalisation factor that funding has eaten is the
    market's, not the contract's.
    """

    kind: ClassVar[str] = "power"
    venue: str
    underlying: str
    currency: Currency
    scale: Decimal = Decimal(10_000)
    period_days: Decimal = Decimal("17.5")

    def __post_init__(self) -> None:
        if not self.scale > 0 or not self.period_days > 0:
            raise InvalidStructure(f"{self.id}: scale {self.scale} and period {self.period_days} must be positive")

    @property
    def id(self) -> str:
        return f"{self.venue} {self.underlying} squared"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, 18)


@dataclass(frozen=True, slots=True)
class LiquidityRange:
    """
    Liquidity between two prices of a concentrated pool; the quantity is the pool's own L.

    Prices are units of `currency` per unit of `asset`; `fee` is what a swap pays, in millionths.
    """

    kind: ClassVar[str] = "range"
    pool: str
    asset: Currency
    currency: Currency
    lower: Decimal
    upper: Decimal
    fee: int

    def __post_init__(self) -> None:
        if not 0 < self.lower < self.upper:
            raise InvalidStructure(f"{self.pool} range {self.lower} to {self.upper} must rise from above zero")
        if not 0 <= self.fee < 1_000_000:
            raise InvalidStructure(f"{self.pool} fee {self.fee} is not a share in millionths")

    @property
    def id(self) -> str:
        return f"{self.pool} range {self.lower.normalize():f} {self.upper.normalize():f}"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, 18)


@dataclass(frozen=True, slots=True)
class FundShare:
    """A share of a listed fund: an exchange-traded product on volatility, or a REIT."""

    kind: ClassVar[str] = "share"
    symbol: str
    currency: Currency = USD

    @property
    def id(self) -> str:
        return f"{self.symbol} share"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, 0)


@dataclass(frozen=True, slots=True)
class VaultShare:
    """
    A share of a tokenised vault over one asset (ERC-4626); what it redeems for is the vault's, not the contract's.

    `decimals` says how finely the share divides; `symbol` is its own token's, by which a market prices it.
    """

    kind: ClassVar[str] = "vault"
    symbol: str
    asset: Currency
    decimals: int = 18

    @property
    def currency(self) -> Currency:
        return self.asset

    @property
    def id(self) -> str:
        return f"{self.symbol} vault share"

    @property
    def unit(self) -> Currency:
        return Currency(self.id, self.decimals)


Instrument = (
    Cash
    | VanillaOption
    | Future
    | Perpetual
    | PowerPerpetual
    | LiquidityRange
    | FundShare
    | VaultShare
    | LendingSupply
    | LendingDebt
)
_KINDS: dict[str, type[Instrument]] = {kind.kind: kind for kind in get_args(Instrument)}


@dataclass(frozen=True, slots=True)
class IronCondor:
    """
    A short call spread and a short put spread that share one root and expiry.

    Strikes are in index points and must rise: put wing < put short < call short < call wing. The
    structure is quoted per condor, credit positive.
    """

    put_wing: VanillaOption
    put_short: VanillaOption
    call_short: VanillaOption
    call_wing: VanillaOption

    def __post_init__(self) -> None:
        strikes = [leg.strike for leg in self.legs]
        if not all(low < high for low, high in pairwise(strikes)):
            raise InvalidStructure(f"condor strikes must rise, got {[str(k) for k in strikes]}")
        if len({(leg.root, leg.expiry, leg.settlement) for leg in self.legs}) != 1:
            raise InvalidStructure("all four condor legs must share one root, expiry and settlement style")
        if [leg.right for leg in self.legs] != [Right.PUT, Right.PUT, Right.CALL, Right.CALL]:
            raise InvalidStructure("a condor is two puts below two calls")

    @property
    def legs(self) -> tuple[VanillaOption, VanillaOption, VanillaOption, VanillaOption]:
        """Wing, short, short, wing, by rising strike."""
        return self.put_wing, self.put_short, self.call_short, self.call_wing

    @property
    def quantities(self) -> tuple[int, int, int, int]:
        """Contracts per condor sold, in the order of `legs`."""
        return 1, -1, -1, 1

    @property
    def width(self) -> Decimal:
        """The wider of the two spreads, in points: what bounds the payout."""
        return max(self.put_short.strike - self.put_wing.strike, self.call_wing.strike - self.call_short.strike)


def terms(instrument: Instrument) -> dict[str, Any]:
    """An instrument as plain JSON values; `from_terms` reads it back."""
    written: dict[str, Any] = {"kind": instrument.kind}
    for field in fields(instrument):
        written[field.name] = _plain(getattr(instrument, field.name))
    return written


def from_terms(written: dict[str, Any]) -> Instrument:
    """The instrument that `terms` wrote; raises `InputError` on anything else."""
    try:
        kind = _KINDS[written["kind"]]
        values = {key: _typed(key, value) for key, value in written.items() if key != "kind"}
        return kind(**values)
    except (KeyError, TypeError, ValueError, ArithmeticError) as broken:
        raise InputError(
            f"instrument {written!r} not understood",
            why=f"{type(broken).__name__}: {broken}",
            todo="check that the file was written by this version",
        ) from broken


def _plain(value: object) -> Any:
    match value:
        case Currency():
            return {"code": value.code, "decimals": value.decimals}
        case datetime():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case StrEnum():
            return value.value
        case _:
            return value


def _typed(key: str, value: Any) -> Any:
    match key:
        case "currency" | "asset":
            return Currency(value["code"], value["decimals"])
        case "expiry":
            return datetime.fromisoformat(value)
        case "strike" | "multiplier" | "scale" | "period_days" | "lower" | "upper":
            return Decimal(value)
        case "right":
            return Right(value)
        case "settlement":
            return Settlement(value)
        case _:
            return value
