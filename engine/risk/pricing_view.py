"""Everything that valuation and exits need to know of a market, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.market import ExpiryQuotes, FundMark, LendingMarket, OptionListing, PerpetualMark, PoolState, PowerMark
from engine.risk.smile import Smiles

STABLES = frozenset({"USDC", "DAI", "sUSD", "USDT"})
"""Tokens that the `peg` shock moves; every other token moves with `crypto`."""


@dataclass(frozen=True, slots=True, eq=False)
class PricingView:
    """
    One market as valuation sees it.

    Option smiles and the quotes they were read from stand by contract root and expiry; `token_usd` is USD
    per token and `token_vol` a decimal per year; perpetuals and power perpetuals by (venue, underlying),
    lending markets by (market, asset), pools and funds by name, protocol options by (venue, expiry,
    strike). `exit_gas_usd` is what the gas of one exit transaction costs now, by the instrument's kind.
    """

    asof: datetime
    spot: float
    smiles: Smiles
    token_usd: Mapping[str, float]
    token_vol: Mapping[str, float]
    vix_smiles: Smiles = field(default_factory=dict)
    vix_futures: Mapping[datetime, float] = field(default_factory=dict)
    quotes: Mapping[tuple[str, datetime], ExpiryQuotes] = field(default_factory=dict)
    listings: Mapping[tuple[str, datetime, float], OptionListing] = field(default_factory=dict)
    perpetuals: Mapping[tuple[str, str], PerpetualMark] = field(default_factory=dict)
    powers: Mapping[tuple[str, str], PowerMark] = field(default_factory=dict)
    pools: Mapping[str, PoolState] = field(default_factory=dict)
    funds: Mapping[str, FundMark] = field(default_factory=dict)
    lending: Mapping[tuple[str, str], LendingMarket] = field(default_factory=dict)
    exit_gas_usd: Mapping[str, float] = field(default_factory=dict)
