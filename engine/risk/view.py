"""The pricing view of a snapshot: smiles from usable quotes, token prices from the chain."""

import math
from datetime import datetime

import numpy as np

from engine.market import MarketSnapshot, OptionChain, RateCurve
from engine.pricing.implied import VolStatus
from engine.risk.smile import Smile, Smiles
from engine.risk.valuation import PricingView
from engine.signals.expiries import expiry_table

_MIN_POINTS = 5


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
    """Everything valuation needs, from one snapshot."""
    vix_smiles: Smiles = {}
    if snapshot.vix_options is not None:
        vix_smiles = smiles_of(snapshot.vix_options, snapshot.rates)
    return PricingView(
        asof=snapshot.asof,
        spot=snapshot.spx.spot,
        smiles=smiles_of(snapshot.spx, snapshot.rates),
        token_usd=dict(snapshot.chain.prices),
        token_vol={"WETH": snapshot.crypto_vol, "ETH": snapshot.crypto_vol},
        vix_smiles=vix_smiles,
        vix_futures=dict(snapshot.vix_futures),
    )
