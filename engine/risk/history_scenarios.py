"""Days on which markets gapped, as dated facts with their source, and two that no market has shown (F83, S85)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from engine.pricing.vix_futures import INDEX_YEARS, vix_beta
from engine.risk.drawdown import two_sd_scenarios
from engine.risk.scenarios import SHOCKS, Scenarios
from engine.risk.valuation import PricingView

FUTURE_SHARE = 0.49
"""Change of ln VIX future at 30 days per change of ln VIX (settlements 2004-2017, same-contract daily changes)."""

_SPX = "S&P 500 index, daily closes"
_VIX = "Cboe VIX index, daily closes"
_ETH = "ether, daily closes in USD"
_BTC = "bitcoin, daily closes in USD"
_GAS = "Ethereum average gas price per day, gwei (Etherscan)"


@dataclass(frozen=True, slots=True)
class Move:
    """A level before and after: of what, from which day to which, and who says so."""

    what: str
    before: float
    after: float
    first: date
    last: date
    source: str

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before

    @property
    def log(self) -> float:
        """Change of the logarithm."""
        return float(np.log(self.ratio))


@dataclass(frozen=True, slots=True)
class Gap:
    """
    A gap: what the index and its volatility did, and what crypto, the peg, gas and credit did if they did anything.

    `borrow` is added to every borrow rate, decimal per year. What is None did not exist or did not move: crypto
    then follows the index by its beta, a peg holds, gas stays.
    """

    name: str
    index: Move
    volatility: Move
    crypto: Move | None = None
    peg: Move | None = None
    gas: Move | None = None
    borrow: float = 0.0
    note: str = ""

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every fact it stands on."""
        return tuple(m for m in (self.index, self.volatility, self.crypto, self.peg, self.gas) if m is not None)


def _days(first: str, last: str) -> tuple[date, date]:
    return date.fromisoformat(first), date.fromisoformat(last)


_OCT_1987 = _days("1987-10-16", "1987-10-19")
_FEB_2018 = _days("2018-02-02", "2018-02-05")
_MAR_2020 = _days("2020-03-11", "2020-03-12")
_RECORD_2020 = _days("2020-03-13", "2020-03-16")
_NOV_2022 = _days("2022-11-07", "2022-11-09")
_MAR_2023 = _days("2023-03-09", "2023-03-10")
_USDC_2023 = _days("2023-03-10", "2023-03-11")
_AUG_2024 = _days("2024-08-02", "2024-08-05")
_APR_2025 = _days("2025-04-02", "2025-04-07")
_SUPPOSED = (date.min, date.min)

GAPS: tuple[Gap, ...] = (
    Gap(
        "October 1987",
        Move("SPX", 282.70, 224.84, *_OCT_1987, "calculatedriskblog.com 2011-08, largest falls since 1950"),
        Move("VXO", 36.37, 150.19, *_OCT_1987, "Schaeffer's 2017-10: VXO rose 313 % to 150.19, its highest close"),
        note="the -20 % overnight of F83; VXO, the older method, stands for VIX",
    ),
    Gap(
        "February 2018",
        Move("SPX", 2762.13, 2648.94, *_FEB_2018, _SPX),
        Move("VIX", 17.31, 37.32, *_FEB_2018, _VIX),
        crypto=Move("BTC", 8830.75, 6955.27, *_FEB_2018, _BTC),
        gas=Move("gas", 35.386, 26.867, *_FEB_2018, _GAS),
        note="short-volatility products were wound up after the close",
    ),
    Gap(
        "March 2020, Thursday 12",
        Move("SPX", 2741.38, 2480.64, *_MAR_2020, _SPX),
        Move("VIX", 53.90, 75.47, *_MAR_2020, _VIX),
        crypto=Move("ETH", 1.0, 0.57, *_MAR_2020, "newsbtc.com 2020-03-13, citing N. Carter: -43 %, ether's worst day"),
        gas=Move("gas", 12.884, 77.903, *_MAR_2020, _GAS),
        note="both domains at once",
    ),
    Gap(
        "March 2020, Monday 16",
        Move("SPX", 2711.02, 2386.13, *_RECORD_2020, _SPX),
        Move("VIX", 57.83, 82.69, *_RECORD_2020, _VIX),
        crypto=Move("BTC", 5563.71, 5014.48, *_RECORD_2020, _BTC),
        gas=Move("gas", 84.762, 29.715, *_RECORD_2020, _GAS),
        note="highest VIX close on record",
    ),
    Gap(
        "November 2022, FTX",
        Move("SPX", 3806.80, 3748.57, *_NOV_2022, _SPX),
        Move("VIX", 24.35, 26.09, *_NOV_2022, _VIX),
        crypto=Move("BTC", 20602.82, 15880.78, *_NOV_2022, _BTC),
        gas=Move("gas", 22.117, 61.055, *_NOV_2022, _GAS),
        note="crypto alone; the index hardly moved",
    ),
    Gap(
        "March 2023, USDC",
        Move("SPX", 3918.32, 3861.59, *_MAR_2023, _SPX),
        Move("VIX", 22.61, 24.80, *_MAR_2023, _VIX),
        crypto=Move("ETH", 1437.30, 1431.21, *_MAR_2023, _ETH),
        peg=Move("USDC low", 1.0, 0.88, *_USDC_2023, "theblock.co 218993; CNN 2023-03-11, citing CoinGecko"),
        gas=Move("gas", 36.920, 101.261, *_USDC_2023, _GAS),
        note="the peg broke on a weekend, when no bank moves dollars",
    ),
    Gap(
        "August 2024",
        Move("SPX", 5346.56, 5151.14, *_AUG_2024, "essanews.com 2024-08-05: opened 195.42 lower at 5,151.14"),
        Move("VIX high", 23.39, 65.73, *_AUG_2024, "Cboe VIX index, highest print of the day"),
        crypto=Move("ETH", 2986.00, 2419.10, *_AUG_2024, _ETH),
        gas=Move("gas", 116.0, 350.0, *_AUG_2024, "cryptonewsland.com 2024-08: 350 gwei against 116 over seven days"),
        note="VIX as printed before the open, when few options had a market",
    ),
    Gap(
        "April 2025",
        Move("SPX", 5670.97, 5062.25, *_APR_2025, "meghupdates.in 2025-04-08, closes from 2 to 8 April"),
        Move("VIX", 21.51, 46.98, *_APR_2025, _VIX),
        crypto=Move("ETH", 1794.13, 1551.69, *_APR_2025, _ETH),
        note="three sessions; crypto gave way on the weekend between",
    ),
    Gap(
        "geopolitical shock",
        Move("SPX", 1.0, 0.85, *_SUPPOSED, "S85: multiple compression -15 %"),
        Move("VIX", 20.0, 40.0, *_SUPPOSED, "S85: VIX +20"),
        borrow=0.01,
        note="supposed; investment-grade spread +100 bp is carried by every borrow rate",
    ),
)
"""The pack, oldest first, supposed ones last."""


def gap_scenarios(gaps: Sequence[Gap] = GAPS, *, crypto_beta: float) -> Scenarios:
    """
    The gaps as shocks to today's market: no time passes, so nothing decays in between.

    Volatility moves by the points VIX moved; futures on it by the share of ln VIX that they have followed.
    """
    spot = np.array([gap.index.log for gap in gaps])
    vix = np.array([gap.volatility.log for gap in gaps])
    return Scenarios.of(
        spot,
        np.array([(gap.volatility.after - gap.volatility.before) / 100.0 for gap in gaps]),
        crypto=[gap.crypto.log if gap.crypto else crypto_beta * gap.index.log for gap in gaps],
        vix=FUTURE_SHARE * vix - float(vix_beta(INDEX_YEARS)) * spot,
        peg=[gap.peg.ratio if gap.peg else 1.0 for gap in gaps],
        gas=[gap.gas.ratio if gap.gas else 1.0 for gap in gaps],
        borrow=[gap.borrow for gap in gaps],
        names=[gap.name for gap in gaps],
    )


def correlation_to_one(view: PricingView, *, crypto_beta: float, crypto_idiosyncratic_vol: float) -> Scenarios:
    """
    Everything goes the same way for a month: -2 SD of the index and of crypto, volatility up and itself volatile.

    The cell of D11 at 21 sessions, with a stablecoin haircut, dear gas and wide markets (finding 11).
    """
    rule = two_sd_scenarios(
        view, next_expiry=view.asof, crypto_beta=crypto_beta, crypto_idiosyncratic_vol=crypto_idiosyncratic_vol
    )
    worst = rule.take(rule.names.index("21 sessions, -2 SD, high vol, corr 1"))
    return Scenarios(**{name: getattr(worst, name) for name in SHOCKS}, names=("correlation to one",))
