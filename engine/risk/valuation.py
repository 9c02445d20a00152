"""What a book is worth in each scenario: the only place where terms, market and pricing meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from engine.errors import MissingQuote
from engine.instruments import (
    Cash,
    Future,
    Instrument,
    LendingDebt,
    LendingSupply,
    VanillaOption,
)
from engine.market import Floats
from engine.positions import Book
from engine.pricing.black import forward_value
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile, Smiles

VIX_BETA = (-2.87, -2.02, -1.62, -1.40, -1.24, -1.06)
"""Change of ln VIX future per change of ln SPX by contract month M1..M6 (D06, settlements 2004-2017)."""

STABLES = frozenset({"USDC", "DAI", "sUSD", "USDT"})
_YEAR_DAYS = 365.0
_MIN_TENOR = 7.0 / _YEAR_DAYS


@dataclass(frozen=True, slots=True, eq=False)
class PricingView:
    """What valuation needs of a market: smiles, VIX futures and their smiles, token prices and vols."""

    asof: datetime
    spot: float
    smiles: Smiles
    token_usd: Mapping[str, float]
    token_vol: Mapping[str, float]
    vix_smiles: Smiles = field(default_factory=dict)
    vix_futures: Mapping[datetime, float] = field(default_factory=dict)


def unit_values(instrument: Instrument, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD value of one unit (one contract, one token) in each scenario.

    SPX options are repriced by Black-76 on the shocked forward with the smile moved sticky-delta and
    shifted by `vol * sqrt(30 d / T)` (D11); VIX options and futures on the future of their own expiry
    with the monthly betas of D06; protocol options at the token's volatility. Raises `MissingQuote`
    when the market has no curve for an instrument.
    """
    match instrument:
        case Cash():
            return _token(instrument.currency.code, view, scenarios)
        case LendingSupply() | LendingDebt():
            return _token(instrument.asset.code, view, scenarios)
        case VanillaOption(underlying="SPX"):
            return _index_option(instrument, view, scenarios)
        case VanillaOption(underlying="VIX"):
            return _vix_option(instrument, view, scenarios)
        case VanillaOption():
            return _token_option(instrument, view, scenarios)
        case Future(underlying="VIX"):
            return _vix_forward(instrument.expiry, view, scenarios) * float(instrument.multiplier)
    raise MissingQuote(
        f"no valuation for {instrument.id}",
        why="no model covers this instrument",
        todo="value it by hand or remove it from the book",
    )


def book_values(book: Book, view: PricingView, scenarios: Scenarios) -> Floats:
    """USD value of the whole book in each scenario: assets less debts."""
    total = np.zeros(len(scenarios))
    for position in book:
        if isinstance(position.instrument, Future):
            base = unit_values(position.instrument, view, Scenarios.now())[0]
            total += float(position.quantity) * (unit_values(position.instrument, view, scenarios) - base)
        else:
            total += float(position.quantity) * unit_values(position.instrument, view, scenarios)
    return total


def _token(code: str, view: PricingView, scenarios: Scenarios) -> Floats:
    if code == "USD":
        return np.ones(len(scenarios))
    try:
        price = view.token_usd[code]
    except KeyError:
        raise MissingQuote(
            f"no price for {code}",
            why="neither the market nor the chain gave one",
            todo="add a price source for this token",
        ) from None
    if code in STABLES:
        return price * scenarios.peg
    return price * np.exp(scenarios.crypto)


def _index_option(option: VanillaOption, view: PricingView, scenarios: Scenarios) -> Floats:
    smile = _smile(option, view.smiles)
    years = np.maximum(smile.years - scenarios.days / _YEAR_DAYS, 0.0)
    carry = np.log(smile.forward / view.spot) / smile.years
    forward = view.spot * np.exp(scenarios.spot + carry * years)
    strike = float(option.strike)
    shift = scenarios.vol * np.sqrt((30.0 / _YEAR_DAYS) / np.maximum(years, _MIN_TENOR))
    vol = np.maximum(smile.vol(np.log(strike / forward)) + shift, 0.01)
    value = forward_value(forward, strike, years, vol, sign=option.right.sign)
    return value * np.exp(-smile.rate * years) * float(option.multiplier)


def _vix_option(option: VanillaOption, view: PricingView, scenarios: Scenarios) -> Floats:
    smile = _smile(option, view.vix_smiles)
    years = np.maximum(smile.years - scenarios.days / _YEAR_DAYS, 0.0)
    forward = smile.forward * np.exp(_vix_beta(smile.years) * scenarios.spot)
    strike = float(option.strike)
    vol = smile.vol(np.log(strike / forward))
    value = forward_value(forward, strike, years, vol, sign=option.right.sign)
    return value * np.exp(-smile.rate * years) * float(option.multiplier)


def _vix_forward(expiry: datetime, view: PricingView, scenarios: Scenarios) -> Floats:
    try:
        level = view.vix_futures[expiry]
    except KeyError:
        raise MissingQuote(
            f"no VIX future for {expiry.date()}",
            why="the snapshot has no such settlement",
            todo="give a VIX futures file",
        ) from None
    years = (expiry - view.asof).total_seconds() / (_YEAR_DAYS * 86_400)
    return level * np.exp(_vix_beta(years) * scenarios.spot)


def _vix_beta(years: float) -> float:
    return float(np.interp(years * 12.0, np.arange(1, len(VIX_BETA) + 1) - 0.5, VIX_BETA))


def _token_option(option: VanillaOption, view: PricingView, scenarios: Scenarios) -> Floats:
    years = (option.expiry - view.asof).total_seconds() / (_YEAR_DAYS * 86_400)
    left = np.maximum(years - scenarios.days / _YEAR_DAYS, 0.0)
    price = _token(option.underlying, view, scenarios)
    vol = view.token_vol.get(option.underlying)
    if vol is None:
        raise MissingQuote(
            f"no volatility for {option.underlying}",
            why="the market gave none",
            todo="add a volatility for this token",
        )
    value = forward_value(price, float(option.strike), left, vol, sign=option.right.sign)
    return value * float(option.multiplier) * _token(option.currency.code, view, scenarios)


def _smile(option: VanillaOption, smiles: Smiles) -> Smile:
    try:
        return smiles[option.root, option.expiry]
    except KeyError:
        raise MissingQuote(
            f"no smile for {option.root} {option.expiry_date}",
            why="the chain has no usable quotes of that root and expiry",
            todo="use a chain that lists it",
        ) from None
