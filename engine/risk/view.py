"""The pricing view of a snapshot: smiles from usable quotes, marks and gas from the chain."""

import math
from datetime import datetime

import numpy as np

from engine.errors import MarketDataError
from engine.market import FundMark, MarketSnapshot, OnchainState, OptionChain, PerpetualMark, PowerMark, RateCurve
from engine.pricing.implied import VolStatus
from engine.risk.credible import require_credible
from engine.risk.moves import NATIVE
from engine.risk.pricing_view import PricingView
from engine.risk.smile import Smile, Smiles
from engine.signals.expiries import expiry_table

_MIN_POINTS = 5
_WEI = 1e18

EXIT_GAS = {
    "cash": 171_000,  # one swap
    "supply": 279_000,
    "debt": 229_000,
    "option": 854_000,
    "perpetual": 500_000,  # not measured: two to three swaps
    "power": 171_000,  # one swap
    "range": 350_000,  # not measured: burn, collect and one swap
}
"""Gas of one vault transaction that leaves a position, by the instrument's kind; measured on the local chain."""


def smiles_of(chain: OptionChain, rates: RateCurve) -> Smiles:
    """
    A smile for every expiry with at least five out-of-the-money volatilities around its forward.

    Raises `MissingQuote` when no expiry of the chain has a forward.
    """
    smiles: dict[tuple[str, datetime], Smile] = {}
    for row in expiry_table(chain, rates):
        known = row.vol_status == VolStatus.OK
        if known.sum() < _MIN_POINTS or not math.isfinite(row.atm_vol):
            continue
        moneyness = np.log(row.strikes[known] / row.forward)
        smiles[row.root, row.expiry] = Smile(row.expiry, row.years, row.forward, row.rate, moneyness, row.vols[known])
    return smiles


def pricing_view(snapshot: MarketSnapshot) -> PricingView:
    """
    Everything valuation needs, from one snapshot.

    Raises `MarketDataError` for a price or volatility that is not a positive number, for a rate, threshold, half
    spread or implied volatility that is none, and for an interest rate that no market pays (F76).
    """
    chain, vix_options = snapshot.chain, snapshot.vix_options
    require_credible(snapshot.rates, snapshot.spx)
    listed = (*snapshot.spx.slices, *(vix_options.slices if vix_options else ()))
    _require_sound(snapshot)
    return PricingView(
        asof=snapshot.asof,
        spot=snapshot.spx.spot,
        smiles=smiles_of(snapshot.spx, snapshot.rates),
        token_usd=dict(chain.prices),
        token_vol={"WETH": snapshot.crypto_vol, "ETH": snapshot.crypto_vol},
        vix_smiles=smiles_of(vix_options, snapshot.rates) if vix_options else {},
        vix_futures=dict(snapshot.vix_futures),
        quotes={(part.root, part.expiry): part for part in listed},
        listings={(option.venue, option.expiry, option.strike): option for option in chain.options},
        perpetuals={(mark.venue, mark.underlying): mark for mark in chain.perpetuals},
        powers={(mark.venue, mark.underlying): mark for mark in chain.powers},
        pools={pool.pool: pool for pool in chain.pools},
        funds={mark.symbol: mark for mark in snapshot.funds},
        lending={(market.name, market.asset): market for market in chain.lending},
        exit_gas_usd=_exit_gas(chain),
    )


def _exit_gas(chain: OnchainState) -> dict[str, float]:
    per_unit = chain.gas_price_wei / _WEI * chain.prices.get(NATIVE, chain.prices.get("WETH", 0.0))
    return {kind: units * per_unit for kind, units in EXIT_GAS.items()}


def _require_sound(snapshot: MarketSnapshot) -> None:
    chain = snapshot.chain
    marks: tuple[PerpetualMark | PowerMark | FundMark, ...] = (*chain.perpetuals, *chain.powers, *snapshot.funds)
    _require_positive("volatility of ether", snapshot.crypto_vol)
    for expiry, level in snapshot.vix_futures:
        _require_positive(f"VIX future {expiry:%Y-%m-%d}", level)
    for code, price in chain.prices.items():
        _require_positive(f"price of {code}", price)
    for pool in chain.pools:
        _require_positive(f"price of pool {pool.pool}", pool.price)
    for mark in marks:
        _require_sound_mark(mark)
    for market in chain.lending:
        rates = (market.borrow_rate, market.supply_rate)
        shares = (market.threshold, market.liquidity, *market.thresholds.values())
        _require_numbers(f"{market.name} {market.asset} lending", rates, shares)
    for option in chain.options:
        _require_numbers(f"{option.venue} {option.listing} option", (), (option.call_iv, option.put_iv))


def _require_sound_mark(mark: PerpetualMark | PowerMark | FundMark) -> None:
    others: tuple[float, ...]
    match mark:
        case PerpetualMark():
            name, level, others = f"{mark.venue} {mark.underlying} perpetual", mark.price, (mark.funding,)
        case PowerMark():
            name, level, others = f"{mark.venue} {mark.underlying} normalisation", mark.normalisation, (mark.vol,)
        case FundMark():
            name, level, others = f"{mark.symbol} share", mark.price, (mark.leverage, mark.beta, mark.accrual)
    _require_positive(name, level)
    _require_numbers(name, others, (mark.half_spread,))


def _require_positive(name: str, level: float) -> None:
    if not (math.isfinite(level) and level > 0):
        raise _unusable(name, f"{level:g} is no price")


def _require_numbers(name: str, any_sign: tuple[float, ...], not_negative: tuple[float, ...]) -> None:
    if not all(map(math.isfinite, (*any_sign, *not_negative))) or min(not_negative) < 0:
        raise _unusable(name, f"it comes with {', '.join(map(str, (*any_sign, *not_negative)))}")


def _unusable(name: str, why: str) -> MarketDataError:
    return MarketDataError(f"{name} refused", why=why, todo="correct the market data; no order is made")
