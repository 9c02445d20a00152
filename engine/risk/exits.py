"""What leaving a book costs: half spreads, quotes the model misses, and gas, under stress."""

from dataclasses import replace

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
    Right,
    Settlement,
    VanillaOption,
)
from engine.market import ExpiryQuotes, Floats, PoolState
from engine.positions import Book, Position
from engine.pricing.forward import usable
from engine.risk.grounds import Ground, ground_key, ground_of
from engine.risk.marks import fund_mark, perpetual_mark, power_mark_of
from engine.risk.moves import NATIVE, token_usd
from engine.risk.pricing_view import STABLES, PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values, by_rising_spot, unit_values

VIX_TICK = 0.05
"""Least price step of a VIX future in points, hence its least spread (Cboe contract specification)."""


def liquidation_values(book: Book, view: PricingView, scenarios: Scenarios) -> Floats:
    """USD that the whole book would bring in each scenario if it were left there: mid values less exit costs."""
    return book_values(book, view, scenarios) - exit_costs(book, view, scenarios)


def exit_costs(book: Book, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD that leaving every position would cost in each scenario, >= 0.

    Per position: quantity times the half spread quoted now plus what the model misses the quotes by, both
    times `liquidity`, and on chain the gas of one transaction at the scenario's gas and ether prices. What
    is owned never costs more to leave than it is worth. Raises `MissingQuote` for a listed option whose
    expiry has no two-sided quote.

    Source
    ------
    D11: exits at stressed half-spread, bid/ask and calibration error carried.
    """
    ordered, restored = by_rising_spot(scenarios)
    total, grounds = np.zeros(len(scenarios)), _Grounds(view, ordered)
    for position in book:
        spread = half_spread(position.instrument, view)
        if spread:
            total += _crossing(position, spread, grounds)
        total += _gas(position.instrument, view, ordered)
    return restored(total)


def half_spread(instrument: Instrument, view: PricingView) -> float:
    """
    USD lost by crossing to one side now, per unit: half of ask less bid, and the model's distance to the mid.

    Zero for dollars and for loans and deposits, which leave at their own amount, and where a venue states
    no spread: `assumed` names those.
    """
    match instrument:
        case VanillaOption(settlement=Settlement.CHAIN):
            return _listing_error(instrument, view)
        case VanillaOption():
            return _option_half_spread(instrument, view)
        case Future(underlying="VIX"):
            return 0.5 * VIX_TICK * float(instrument.multiplier)
        case Perpetual():
            mark = perpetual_mark(instrument, view)
            per_price = float(instrument.multiplier) / (mark.price if instrument.inverse else 1.0)
            return mark.half_spread * per_price
        case PowerPerpetual():
            return power_mark_of(instrument, view).half_spread
        case FundShare():
            return fund_mark(instrument, view).half_spread
        case Cash():
            code = instrument.currency.code
            pool = _cheapest_pool(code, view)
            return pool.fee / 1e6 * float(token_usd(code, view, Scenarios.now())[0]) if pool else 0.0
    return 0.0


def assumed(book: Book, view: PricingView) -> tuple[str, ...]:
    """
    In words, what valuing and leaving this book takes for granted because the market did not say it.

    One line a fact, in the book's order; empty when everything is quoted.
    """
    found: dict[str, None] = {}
    for position in book:
        found |= dict.fromkeys(_assumptions(position.instrument, view))
    return tuple(found)


class _Grounds:
    """Unit values in one set of scenarios, with each ground of options laid once."""

    def __init__(self, view: PricingView, scenarios: Scenarios) -> None:
        self.view, self.scenarios = view, scenarios
        self._laid: dict[tuple[object, ...], Ground] = {}

    def worth(self, instrument: Instrument) -> Floats:
        if not isinstance(instrument, VanillaOption):
            return unit_values(instrument, self.view, self.scenarios)
        key = ground_key(instrument)
        if key not in self._laid:
            self._laid[key] = ground_of(instrument, self.view, self.scenarios)
        return _one(instrument, self._laid[key])


def _crossing(position: Position, spread: float, grounds: _Grounds) -> Floats:
    quantity = float(position.quantity)
    cost = abs(quantity) * spread * grounds.scenarios.liquidity
    if quantity < 0 or isinstance(position.instrument, Future | Perpetual):
        return cost
    return np.minimum(cost, quantity * grounds.worth(position.instrument))


def _one(option: VanillaOption, ground: Ground) -> Floats:
    strike, sign = np.array([float(option.strike)]), np.array([float(option.right.sign)])
    return ground.value(strike, sign, np.array([float(option.multiplier)]))


def _option_half_spread(option: VanillaOption, view: PricingView) -> float:
    if not view.quotes:
        return 0.0
    if option.underlying == "XSP":  # a tenth of the SPX contract of the same instant
        return _option_half_spread(replace(option, root="SPXW", underlying="SPX", strike=10 * option.strike), view) / 10
    quotes = view.quotes.get((option.root, option.expiry))
    if quotes is None:
        raise _no_spread(option, "the chain does not list that root and expiry")
    bid, ask = _side(quotes, option.right)
    live = usable(bid, ask)
    if not live.any():
        raise _no_spread(option, "no strike of that expiry has a bid and an ask")
    strike, strikes = float(option.strike), quotes.strikes
    half = float(np.interp(strike, strikes[live], 0.5 * (ask - bid)[live]))
    at = int(np.searchsorted(strikes, strike))
    listed = at < strikes.size and strikes[at] == strike and bool(live[at])
    missed = abs(_model_points(option, view) - 0.5 * (bid[at] + ask[at])) if listed else 0.0
    return (half + missed) * float(option.multiplier)


def _side(quotes: ExpiryQuotes, right: Right) -> tuple[Floats, Floats]:
    return (quotes.call_bid, quotes.call_ask) if right is Right.CALL else (quotes.put_bid, quotes.put_ask)


def _model_points(option: VanillaOption, view: PricingView) -> float:
    return float(unit_values(option, view, Scenarios.now())[0]) / float(option.multiplier)


def _listing_error(option: VanillaOption, view: PricingView) -> float:
    """Distance of the model's volatility from the venue's own, in USD per option."""
    listing = view.listings.get((option.root, option.expiry, float(option.strike)))
    if listing is None:
        return 0.0
    now = Scenarios.now()
    ground = ground_of(option, view, now)
    quoted = listing.call_iv if option.right is Right.CALL else listing.put_iv
    return abs(float(_one(option, ground)[0] - _one(option, ground.at_vol(quoted))[0]))


def _gas(instrument: Instrument, view: PricingView, scenarios: Scenarios) -> Floats | float:
    if not _on_chain(instrument):
        return 0.0
    cost = view.exit_gas_usd.get(instrument.kind, 0.0)
    return cost * scenarios.gas * np.exp(scenarios.crypto) if cost else 0.0


def _on_chain(instrument: Instrument) -> bool:
    match instrument:
        case Cash():
            return instrument.currency.code not in ("USD", NATIVE)
        case VanillaOption():
            return instrument.settlement is Settlement.CHAIN
        case Future() | FundShare():
            return False
    return True


def _cheapest_pool(code: str, view: PricingView) -> PoolState | None:
    sells = [pool for pool in view.pools.values() if code in (pool.asset, pool.currency)]
    return min(sells, key=lambda pool: pool.fee, default=None)


def _assumptions(instrument: Instrument, view: PricingView) -> list[str]:
    lines = []
    match instrument:
        case LendingSupply() | LendingDebt() if (instrument.market, instrument.asset.code) not in view.lending:
            lines.append(f"{instrument.id}: no rate quoted, its interest is taken as nothing before shocks")
        case VanillaOption(settlement=Settlement.CHAIN):
            if (instrument.root, instrument.underlying) not in view.perpetuals:
                lines.append(f"{instrument.root}: no perpetual quoted, the token's price stands for the forward")
            if (instrument.root, instrument.expiry, float(instrument.strike)) not in view.listings:
                lines.append(f"{instrument.id}: not listed, no spread is known and none is charged")
        case VanillaOption() if not view.quotes:
            lines.append("options: no quotes at hand, no spread is charged")
        case LiquidityRange():
            lines.append(f"{instrument.id}: uncollected fees and what arbitrage takes over time are left out")
            if instrument.pool not in view.pools:
                lines.append(f"{instrument.pool}: no pool state, its price follows from its tokens")
        case FundShare() if instrument.symbol in view.funds and view.funds[instrument.symbol].leverage:
            lines.append(f"{instrument.id}: the thirty-day VIX future moves by beta, without roll")
        case Cash() if instrument.currency.code in STABLES and _cheapest_pool(instrument.currency.code, view) is None:
            lines.append(f"{instrument.id}: no pool quoted, it leaves at its price")
    if _on_chain(instrument) and not view.exit_gas_usd.get(instrument.kind):
        lines.append("no gas price: leaving on-chain positions costs no gas")
    return lines


def _no_spread(option: VanillaOption, why: str) -> MissingQuote:
    return MissingQuote(f"no spread for {option.id}", why=why, todo="use a chain that quotes it")
