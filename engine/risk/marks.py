"""What venues and markets mark their own contracts at: found by instrument, or named as missing."""

from typing import NoReturn

from engine.errors import MissingQuote
from engine.instruments import FundShare, LiquidityRange, Perpetual, PowerPerpetual
from engine.market import FundMark, PerpetualMark, PowerMark
from engine.risk.moves import token_usd
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios

_UNIT_DECIMALS = 18


def perpetual_mark(instrument: Perpetual, view: PricingView) -> PerpetualMark:
    """The venue's mark; raises `MissingQuote` where it gives none."""
    mark = view.perpetuals.get((instrument.venue, instrument.underlying))
    return mark if mark is not None else _unmarked(instrument)


def power_mark_of(instrument: PowerPerpetual, view: PricingView) -> PowerMark:
    """The venue's normalisation and volatility; raises `MissingQuote` where it gives none."""
    mark = view.powers.get((instrument.venue, instrument.underlying))
    return mark if mark is not None else _unmarked(instrument)


def fund_mark(instrument: FundShare, view: PricingView) -> FundMark:
    """The fund's price and what moves it; raises `MissingQuote` where there is none."""
    mark = view.funds.get(instrument.symbol)
    return mark if mark is not None else _unmarked(instrument)


def pool_price(instrument: LiquidityRange, view: PricingView) -> float:
    """Units of the range's currency per unit of its asset: the pool's own price, else what tokens cost elsewhere."""
    pool = view.pools.get(instrument.pool)
    if pool is not None:
        return pool.price
    now = Scenarios.now()
    asset, currency = (token_usd(token.code, view, now)[0] for token in (instrument.asset, instrument.currency))
    return float(asset / currency)


def pool_unit(instrument: LiquidityRange) -> float:
    """
    What one unit of quantity is in L of whole tokens.

    A pool counts L in the root of its tokens' smallest units; a position holds that integer with 18 places.
    """
    decimals = (instrument.asset.decimals + instrument.currency.decimals) / 2.0
    return float(10.0 ** (_UNIT_DECIMALS - decimals))


def _unmarked(instrument: Perpetual | PowerPerpetual | FundShare) -> NoReturn:
    raise MissingQuote(
        f"no mark of {instrument.id}",
        why="neither the market nor the chain gave one",
        todo="add its mark to the snapshot",
    )
