"""How a book's value answers small moves, in USD, by what it stands on: index, VIX futures, ether, stablecoins."""

from collections import defaultdict
from dataclasses import dataclass, fields

import numpy as np

from engine.errors import MissingQuote
from engine.instruments import (
    Cash,
    FundShare,
    Future,
    Instrument,
    LendingDebt,
    LendingSupply,
    LiquidityRange,
    Perpetual,
    PowerPerpetual,
    VanillaOption,
)
from engine.positions import Book
from engine.pricing.amm import range_delta, range_gamma
from engine.pricing.black import greeks
from engine.risk.grounds import Ground, ground_of
from engine.risk.marks import fund_mark, perpetual_mark, pool_price, pool_unit, power_mark_of
from engine.risk.moves import YEAR_DAYS, interest, token_usd
from engine.risk.pricing_view import STABLES, PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values

STABLE_DOMAIN = "stablecoins"

_POINT = 0.01
_INDEX = {"SPX": "SPX", "XSP": "SPX", "VIX": "VIX"}
_WRAPPED = {"WETH": "ETH", "WBTC": "BTC"}
_BUMP = 1e-4  # of ln(K / F), for the slope of a smile


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """
    Answers of a value in USD to one underlying; positive = gains.

    `delta` is the dollar delta: USD per 100 % move, volatility at each strike unmoved; `skew` what moving
    the smile with the underlying adds to it; `gamma` the change of `delta` per 1 % move; `vega` USD per
    volatility point; `theta` USD per calendar day; `vanna` the change of `delta` per volatility point;
    `volga` the change of `vega` per volatility point.
    """

    delta: float = 0.0
    skew: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    vanna: float = 0.0
    volga: float = 0.0

    def __add__(self, other: "Sensitivities") -> "Sensitivities":
        return Sensitivities(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, quantity: float) -> "Sensitivities":
        return Sensitivities(*(getattr(self, f.name) * quantity for f in fields(self)))


def book_greeks(book: Book, view: PricingView) -> dict[str, Sensitivities]:
    """
    Sensitivities of the whole book by domain, domains in alphabetical order.

    A domain is what is moved alone: `SPX`, `VIX` (every VIX future by the same share), a token, or all
    stablecoins together. That VIX futures follow SPX by beta is no part of the SPX domain: multiply the
    VIX delta by beta for that.

    >>> book_greeks(Book(), PricingView(None, 1.0, {}, {}, {}))
    {}
    """
    total: defaultdict[str, Sensitivities] = defaultdict(Sensitivities)
    for position in book:
        for domain, one in unit_greeks(position.instrument, view).items():
            total[domain] += one * float(position.quantity)
    return dict(sorted(total.items()))


def unit_greeks(instrument: Instrument, view: PricingView) -> dict[str, Sensitivities]:
    """
    Sensitivities of one unit by domain; empty for dollars.

    Raises `MissingQuote` as `unit_values` does.
    """
    match instrument:
        case Cash():
            return _token(instrument.currency.code, view)
        case LendingSupply() | LendingDebt():
            return _token(instrument.asset.code, view, theta=_interest_a_day(instrument, view))
        case VanillaOption():
            moves = {domain_of(instrument.underlying): option_greeks(instrument, view)}
            if instrument.currency.code in STABLES:
                moves[STABLE_DOMAIN] = Sensitivities(delta=_worth(instrument, view))
            return moves
        case Future(underlying="VIX"):
            return {"VIX": Sensitivities(delta=_worth(instrument, view))}
        case Perpetual():
            notional, funding = _worth(instrument, view), perpetual_mark(instrument, view).funding
            return {domain_of(instrument.underlying): Sensitivities(notional, theta=-funding * notional / YEAR_DAYS)}
        case PowerPerpetual():
            return {domain_of(instrument.underlying): _power(instrument, view)}
        case LiquidityRange():
            return _range(instrument, view)
        case FundShare():
            return _share(instrument, view)
    raise MissingQuote(f"no greeks of {instrument.id}", why="no model covers it", todo="remove it from the book")


def option_greeks(option: VanillaOption, view: PricingView) -> Sensitivities:
    """Sensitivities of one contract to its underlying: Black's, at the volatility of its strike on the smile."""
    ground = ground_of(option, view, Scenarios.of(days=[0.0, _BUMP]))
    forward, years, worth = float(ground.forward[0]), float(ground.years[0]), float(ground.worth[0])
    strike = float(option.strike) * ground.strike_unit
    k = np.log(strike / forward)
    low, vol, high = ground.vol(np.array([k - _BUMP, k, k + _BUMP]))
    slope = (high - low) / (2.0 * _BUMP)
    scale = worth * float(option.multiplier) / ground.strike_unit
    one = greeks(forward, strike, years, vol, sign=option.right.sign)
    exposure, per_vol = scale * float(one.delta) * forward, scale * float(one.vega)
    rate, carry = _decay(ground)
    aging = rate * scale * float(one.value) - carry * (exposure - per_vol * slope) + scale * float(one.theta)
    return Sensitivities(
        delta=exposure,
        skew=float(-per_vol * slope),
        gamma=scale * float(one.gamma) * forward**2 * _POINT,
        vega=per_vol * _POINT,
        theta=float(aging) / YEAR_DAYS,
        vanna=scale * float(one.vanna) * forward * _POINT,
        volga=scale * float(one.volga) * _POINT**2,
    )


def domain_of(underlying: str) -> str:
    """What is moved when this underlying moves: a wrapped token is its own coin, a stablecoin one of all."""
    if underlying in STABLES:
        return STABLE_DOMAIN
    return _INDEX.get(underlying) or _WRAPPED.get(underlying, underlying)


def _decay(ground: Ground) -> tuple[float, float]:
    """Discount rate and carry of the forward per year, as the ground itself moves with time."""
    passed = float(ground.years[0] - ground.years[1])
    if passed <= 0.0:
        return 0.0, 0.0
    rate = np.log(ground.worth[1] / ground.worth[0]) / passed
    carry = np.log(ground.forward[0] / ground.forward[1]) / passed
    return float(rate), float(carry)


def _worth(instrument: Instrument, view: PricingView) -> float:
    return float(unit_values(instrument, view, Scenarios.now())[0])


def _usd(code: str, view: PricingView) -> float:
    return float(token_usd(code, view, Scenarios.now())[0])


def _token(code: str, view: PricingView, theta: float = 0.0) -> dict[str, Sensitivities]:
    if code == "USD":
        return {}
    return {domain_of(code): Sensitivities(delta=_usd(code, view), theta=theta)}


def _interest_a_day(instrument: LendingSupply | LendingDebt, view: PricingView) -> float:
    grown = float(interest(instrument, view, Scenarios.of(days=YEAR_DAYS))[0])
    return float(np.log(grown)) / YEAR_DAYS * _worth(instrument, view)


def _power(instrument: PowerPerpetual, view: PricingView) -> Sensitivities:
    mark, worth = power_mark_of(instrument, view), _worth(instrument, view)
    period = float(instrument.period_days) / YEAR_DAYS
    per_vol = 2.0 * mark.vol * period
    return Sensitivities(
        delta=2.0 * worth,
        gamma=2.0 * worth * _POINT,
        vega=worth * per_vol * _POINT,
        theta=-(mark.vol**2) * worth / YEAR_DAYS,
        vanna=2.0 * worth * per_vol * _POINT,
        volga=worth * (per_vol**2 + 2.0 * period) * _POINT**2,
    )


def _range(instrument: LiquidityRange, view: PricingView) -> dict[str, Sensitivities]:
    price, unit, worth = pool_price(instrument, view), pool_unit(instrument), _worth(instrument, view)
    quote = _usd(instrument.currency.code, view)
    ends = float(instrument.lower), float(instrument.upper)
    asset = float(range_delta(price, *ends, unit)) * price * quote
    curved = float(range_gamma(price, *ends, unit)) * price**2 * quote * _POINT
    moves = {domain_of(instrument.asset.code): Sensitivities(delta=asset, gamma=curved)}
    if instrument.currency.code != "USD":
        moves[domain_of(instrument.currency.code)] = Sensitivities(delta=worth - asset, gamma=curved)
    return moves


def _share(instrument: FundShare, view: PricingView) -> dict[str, Sensitivities]:
    mark = fund_mark(instrument, view)
    held = Sensitivities(theta=mark.accrual * mark.price / YEAR_DAYS)
    moves = {}
    if mark.beta:
        bent = mark.beta * (mark.beta - 1.0) * mark.price * _POINT
        moves["SPX"] = Sensitivities(delta=mark.beta * mark.price, gamma=bent)
    if mark.leverage:
        moves["VIX"] = Sensitivities(delta=mark.leverage * mark.price)
    if not moves:
        return {instrument.symbol: held}
    first = next(iter(moves))
    return moves | {first: moves[first] + held}
