"""One small market of both domains, and one contract of every kind in it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from engine.instruments import (
    Cash,
    FundShare,
    Future,
    LendingDebt,
    LendingSupply,
    LiquidityRange,
    Perpetual,
    PowerPerpetual,
    Right,
    Settlement,
    VanillaOption,
)
from engine.market import FundMark, LendingMarket, PerpetualMark, PoolState, PowerMark
from engine.money import USD, Currency, Money
from engine.positions import Book, Position, Sleeve
from engine.risk.pricing_view import PricingView
from engine.risk.smile import Smile

ASOF = datetime(2024, 3, 1, 21, 15, tzinfo=UTC)
SPX_EXPIRY, VIX_EXPIRY = ASOF + timedelta(days=45), ASOF + timedelta(days=40)
SPOT, ETHER = 5000.0, 3000.0
USDC, DAI, WETH, SUSD = Currency("USDC", 6), Currency("DAI", 18), Currency("WETH", 18), Currency("sUSD", 18)

PUT = VanillaOption("SPXW", "SPX", SPX_EXPIRY, Decimal(4750), Right.PUT, Decimal(100), Settlement.PM)
CALL = VanillaOption("SPXW", "SPX", SPX_EXPIRY, Decimal(5250), Right.CALL, Decimal(100), Settlement.PM)
MINI = VanillaOption("XSP", "XSP", SPX_EXPIRY, Decimal(475), Right.PUT, Decimal(100), Settlement.PM)
VIX_CALL = VanillaOption("VIX", "VIX", VIX_EXPIRY, Decimal(20), Right.CALL, Decimal(100), Settlement.AM)
VX = Future("VX", "VIX", VIX_EXPIRY, Decimal(1000))
LYRA_PUT = VanillaOption(
    "lyra", "WETH", ASOF + timedelta(days=28), Decimal(2700), Right.PUT, Decimal(1), Settlement.CHAIN, SUSD, 18
)
COIN_CALL = VanillaOption(
    "deribit",
    "WETH",
    ASOF + timedelta(days=28),
    Decimal(3200),
    Right.CALL,
    Decimal(1),
    Settlement.CHAIN,
    WETH,
    18,
    True,
)
PERP = Perpetual("perp-v2", "WETH", USDC)
COIN_PERP = Perpetual("deribit", "WETH", WETH, Decimal(10), inverse=True)
VOL_PERP = Perpetual("perp-v2", "VIX", USDC)
SQUEETH = PowerPerpetual("squeeth", "WETH", WETH)
RANGE = LiquidityRange("uni", WETH, DAI, Decimal(2500), Decimal(3600), 3000)
VIXY, UVXY, REIT = FundShare("VIXY"), FundShare("UVXY"), FundShare("O")
SUPPLY, DEBT = LendingSupply("aave", DAI), LendingDebt("aave", DAI)

EVERY = (
    Cash(USD), Cash(USDC), Cash(WETH), PUT, CALL, MINI, VIX_CALL, VX, LYRA_PUT, COIN_CALL, PERP, COIN_PERP, VOL_PERP,
    SQUEETH, RANGE, VIXY, UVXY, REIT, SUPPLY, DEBT,
)  # fmt: skip
QUANTITIES = (
    50_000, 20_000, 5, -10, -8, 20, 30, 2, 6, -3, "-4.5", 200, 1000,
    -20, "0.4", 300, -100, 50, 40_000, -30_000,
)  # fmt: skip


def view(*, skewed=True):
    """The market; without `skewed` every smile is flat."""
    years = 45 / 365
    k = np.linspace(-0.5, 0.3, 41)
    vols = 0.16 - 0.25 * k + 0.3 * k**2 if skewed else np.full(41, 0.16)
    vix_vols = 0.9 + 0.5 * k if skewed else np.full(41, 0.9)
    forward = SPOT * np.exp(0.03 * years)
    return PricingView(
        asof=ASOF,
        spot=SPOT,
        smiles={("SPXW", SPX_EXPIRY): Smile(SPX_EXPIRY, years, forward, 0.05, k, vols)},
        token_usd={"USDC": 1.0, "DAI": 1.0, "sUSD": 0.999, "WETH": ETHER, "ETH": ETHER},
        token_vol={"WETH": 0.7, "ETH": 0.7},
        vix_smiles={("VIX", VIX_EXPIRY): Smile(VIX_EXPIRY, 40 / 365, 15.5, 0.05, k, vix_vols)},
        vix_futures={VIX_EXPIRY: 15.5},
        perpetuals={
            ("perp-v2", "WETH"): PerpetualMark("perp-v2", "WETH", 3010.0, 0.10, 1.5),
            ("deribit", "WETH"): PerpetualMark("deribit", "WETH", 3005.0, 0.08, 0.5),
            ("perp-v2", "VIX"): PerpetualMark("perp-v2", "VIX", 15.0, 0.0, 0.05),
        },
        powers={("squeeth", "WETH"): PowerMark("squeeth", "WETH", 0.4, 0.75, 2.0)},
        pools={"uni": PoolState("uni", "WETH", "DAI", 3001.0, 3000, 60, 2e7, 1e6)},
        funds={
            "VIXY": FundMark("VIXY", 14.0, leverage=1.0, accrual=0.045, half_spread=0.01),
            "UVXY": FundMark("UVXY", 8.0, leverage=1.5, accrual=0.044, half_spread=0.01),
            "O": FundMark("O", 53.0, beta=0.8, half_spread=0.02),
        },
        lending={
            ("aave", "DAI"): LendingMarket("aave", "DAI", 0.06, 0.04, 0.8, 0.75, 1e7, 0.7, 0.0, 0.04, 0.6, 0.8)
        },
        exit_gas_usd={
            "cash": 12.0, "supply": 20.0, "debt": 19.0, "option": 80.0, "perpetual": 45.0, "power": 15.0, "range": 30.0
        },
    )  # fmt: skip


def book(instruments=EVERY, quantities=QUANTITIES):
    """A book of one position each."""
    return Book(
        tuple(
            Position(instrument, Money.of(str(quantity), instrument.unit), Sleeve.DEFI, "venue")
            for instrument, quantity in zip(instruments, quantities, strict=True)
        )
    )
