"""What options of one root and expiry are priced on in each scenario: forward, time, discount and volatility."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from engine.errors import MissingQuote
from engine.instruments import MARKET_ZONE, Settlement, VanillaOption
from engine.market import Floats
from engine.pricing.legs import legs_value
from engine.pricing.perpetual import funding_forward
from engine.pricing.vix_futures import FutureLevel
from engine.risk.moves import YEAR_DAYS, token_usd, vix_move, years_left, years_to
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile, Smiles

_MIN_TENOR = 7.0 / YEAR_DAYS
_LEAST_VOL = 0.01
_MINI = Decimal(10)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """
    One arithmetic for every European option: Black's value on `forward`, times `worth`.

    `forward`, `years`, `worth` (USD now per quote unit at expiry) and `shift` (of volatility) have one
    element per scenario; `vol` gives the volatility at ln(K / F); `strike_unit` is what one unit of the
    contract's strike is in units of the forward.
    """

    forward: Floats
    years: Floats
    worth: Floats
    vol: Callable[[Floats], Floats]
    shift: Floats | float = 0.0
    least_vol: float = 0.0
    strike_unit: float = 1.0

    def value(self, strikes: Floats, signs: Floats, weights: Floats) -> Floats:
        """USD value of weighted options in each scenario; strikes as written in the contracts."""
        summed = legs_value(
            self.forward,
            self.years,
            strikes * self.strike_unit,
            signs,
            weights / self.strike_unit,
            self.vol,
            shift=self.shift,
            least_vol=self.least_vol,
        )
        return self.worth * summed

    def at_vol(self, vol: float) -> "Ground":
        """The same ground with one volatility (decimal) at every strike."""
        return replace(self, vol=lambda moneyness: np.full_like(moneyness, vol), shift=0.0, least_vol=0.0)


def ground_key(option: VanillaOption) -> tuple[object, ...]:
    """Options with one key stand on one ground."""
    return option.underlying, option.root, option.expiry, option.currency, option.inverse


def ground_of(option: VanillaOption, view: PricingView, scenarios: Scenarios) -> Ground:
    """
    The ground of one option.

    SPX options stand on the shocked forward with the smile moved sticky-delta and shifted by
    `vol * sqrt(30 d / T)` (D11), XSP options on that of the SPX expiry at the same instant; VIX options
    on the future of their own expiry; protocol options on their venue's perpetual and its funding where
    it lists one, else on the token, at the token's volatility. Raises `MissingQuote` when the market
    has no curve for the option.
    """
    match option.underlying:
        case "SPX":
            return _index_ground(smile_of(option, view, view.smiles), view, scenarios)
        case "XSP":
            return _index_ground(_mini_smile(option, view), view, scenarios, strike_unit=float(_MINI))
        case "VIX":
            return _vix_ground(smile_of(option, view, view.vix_smiles), scenarios)
    return _token_ground(option, view, scenarios)


def smile_of(option: VanillaOption, view: PricingView, smiles: Smiles) -> Smile:
    """The smile of the option's own root and expiry; raises `MissingQuote`, saying so if it has settled."""
    try:
        return smiles[option.root, option.expiry]
    except KeyError:
        settled = option.expiry <= view.asof
        raise MissingQuote(
            f"no smile for {option.root} {option.expiry_date}",
            why=f"it settled {option.expiry_date}, the market is of {view.asof.astimezone(MARKET_ZONE).date()}"
            if settled
            else "the chain has no usable quotes of that root and expiry",
            todo="book its settlement and take it out" if settled else "use a chain that lists it",
        ) from None


def _index_ground(smile: Smile, view: PricingView, scenarios: Scenarios, strike_unit: float = 1.0) -> Ground:
    years = years_left(smile.years, scenarios)
    carry = np.log(smile.forward / view.spot) / smile.years
    return Ground(
        forward=view.spot * np.exp(scenarios.spot + carry * years),
        years=years,
        worth=np.exp(-smile.rate * years),
        vol=smile.vol,
        shift=scenarios.vol * np.sqrt((30.0 / YEAR_DAYS) / np.maximum(years, _MIN_TENOR)),
        least_vol=_LEAST_VOL,
        strike_unit=strike_unit,
    )


def _mini_smile(option: VanillaOption, view: PricingView) -> Smile:
    """XSP is a tenth of SPX and settles to the same level at the same instant."""
    roots = ("SPXW", "SPX") if option.settlement is Settlement.PM else ("SPX", "SPXW")
    for root in roots:
        if (found := view.smiles.get((root, option.expiry))) is not None:
            return found
    return smile_of(option, view, view.smiles)


def _vix_ground(smile: Smile, scenarios: Scenarios) -> Ground:
    years = years_left(smile.years, scenarios)
    future = FutureLevel(smile.forward * vix_move(smile.years, scenarios), years)
    return Ground(np.asarray(future.points), years, np.exp(-smile.rate * years), smile.vol)


def _token_ground(option: VanillaOption, view: PricingView, scenarios: Scenarios) -> Ground:
    vol = view.token_vol.get(option.underlying)
    if vol is None:
        raise MissingQuote(
            f"no volatility for {option.underlying}",
            why="the market gave none",
            todo="add a volatility for this token",
        )
    left = years_left(years_to(option.expiry, view), scenarios)
    perpetual = view.perpetuals.get((option.root, option.underlying))
    if perpetual is None:
        forward = spot = token_usd(option.underlying, view, scenarios)
    else:
        spot = perpetual.price * np.exp(scenarios.crypto)
        forward = funding_forward(spot, perpetual.funding, left)
    worth = spot / forward if option.inverse else token_usd(option.currency.code, view, scenarios)
    return Ground(forward, left, worth, lambda moneyness: np.full_like(moneyness, vol))
