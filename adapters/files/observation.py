"""What a desk observes off chain on one day: a modelled market on recorded closes, or a recorded chain file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from adapters.files.chain_file import read_chain
from adapters.files.demo_parameters import demo_parameters
from adapters.files.recorded_closes import recorded_closes
from engine.errors import MissingQuote
from engine.instruments import MARKET_ZONE
from engine.market import DailySeries, MarketSnapshot, OnchainState, OptionChain, RateCurve
from engine.signals.expiries import parity_curve
from engine.signals.quality import chain_findings, require_sound
from engine.signals.vix_index import volatility_index
from engine.simulation.modelled import ModelledMarket, modelled_market, remark

SEED = 20180424
"""Seed of the modelled ether path."""


@dataclass(frozen=True, slots=True, eq=False)
class OffchainMarket:
    """
    Everything a snapshot needs besides the chain.

    `eth_usd` is USD per ether; `modelled` names each part that was not recorded. `model` is what the next
    day is made from, None for a recorded chain, which has one day only.
    """

    asof: datetime
    spx: OptionChain
    vix: float
    rates: RateCurve
    histories: Mapping[str, DailySeries]
    eth_usd: float
    crypto_vol: float
    crypto_beta: float
    vix_options: OptionChain | None
    vix_futures: tuple[tuple[datetime, float], ...]
    modelled: tuple[str, ...]
    assumptions: Mapping[str, str]
    model: ModelledMarket | None = None

    @property
    def day(self) -> date:
        """The session the quotes belong to."""
        return self.asof.astimezone(MARKET_ZONE).date()

    def with_chain(self, state: OnchainState) -> MarketSnapshot:
        """One snapshot of both domains."""
        return MarketSnapshot(
            asof=self.asof,
            spx=self.spx,
            vix=self.vix,
            rates=self.rates,
            histories=self.histories,
            chain=state,
            crypto_vol=self.crypto_vol,
            crypto_beta=self.crypto_beta,
            vix_options=self.vix_options,
            vix_futures=self.vix_futures,
            modelled=self.modelled,
            assumptions=self.assumptions,
        )


def demo_day(day: date, *, after: OffchainMarket | None = None) -> OffchainMarket:
    """
    The modelled market at the close of a recorded `day`; `after` keeps an earlier day's listings alive.

    Raises `MissingQuote` when the recorded closes lack the day.
    """
    closes = recorded_closes()
    if after is not None and after.model is not None:
        model = remark(after.model, closes.spx, closes.vix, day)
    else:
        model = modelled_market(demo_parameters(), closes.spx, closes.vix, day, seed=SEED)
    return OffchainMarket(
        asof=model.asof,
        spx=model.spx,
        vix=model.vix,
        rates=model.rates,
        histories={"SPX": closes.spx.upto(day), "VIX": closes.vix.upto(day)},
        eth_usd=model.eth_price,
        crypto_vol=model.crypto_vol,
        crypto_beta=model.crypto_beta,
        vix_options=model.vix_options,
        vix_futures=model.vix_futures,
        modelled=model.modelled,
        assumptions=model.assumptions,
        model=model,
    )


def recorded_day(path: Path) -> OffchainMarket:
    """
    A recorded option chain, its VIX by Cboe's method, rates from its own parity; ether is modelled.

    The real-world measure comes from the recorded closes that are installed, up to the chain's day; how old
    they are is an assumption that is stated. Raises `MarketDataError` when the file cannot support a decision.
    """
    chain = read_chain(path)
    rates = parity_curve(chain)
    require_sound(chain_findings(chain, rates))
    index = volatility_index(chain, rates)
    if index.level is None:
        raise MissingQuote(
            f"{path.name} supports no decision", why=f"no VIX: {index.reason}", todo="use a full SPX chain at a close"
        )
    day = chain.asof.astimezone(MARKET_ZONE).date()
    closes, parameters = recorded_closes(), demo_parameters()
    spx, vix = closes.spx.upto(day), closes.vix.upto(day)
    if not len(spx.days) or not len(vix.days):
        raise MissingQuote(f"no closes before {day}", why="the recorded history starts later", todo="use a later chain")
    return OffchainMarket(
        asof=chain.asof,
        spx=replace(chain, source=path.name),
        vix=index.level,
        rates=rates,
        histories={"SPX": spx, "VIX": vix},
        eth_usd=parameters.eth.level,
        crypto_vol=parameters.eth.implied_vol,
        crypto_beta=parameters.eth.beta,
        vix_options=None,
        vix_futures=(),
        modelled=("crypto market (ether price, volatility and beta)", "lending and options markets on the local chain"),
        assumptions={
            "rates": rates.source,
            "real-world measure": f"recorded S&P 500 closes {spx.days[0]} to {spx.days[-1]}",
            "VIX": "recomputed from the chain by Cboe's method",
        },
    )
