"""Everything a decision looks at on chain, read at one and the same block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from adapters.evm.aave import AaveMarket
from adapters.evm.batch_reads import Reads, steady, together
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.lyra import LyraOptions
from adapters.evm.node_replies import Block
from adapters.evm.perp import PerpExchange
from adapters.evm.power import PowerMarketVenue
from adapters.evm.price_guard import Feed
from adapters.evm.share_vault import ShareVaults
from engine.errors import MarketDataError
from engine.market import OnchainState

_NATIVE, _WRAPPED = "ETH", "WETH"
_ORACLES_AGREE = 0.01


@dataclass(frozen=True, slots=True)
class OnchainReading:
    """The state of the markets at one block, and what else was read at that block, by name."""

    state: OnchainState
    also: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OnchainReader:
    """
    Reads `engine.market.OnchainState` from the protocols we use.

    Parameters
    ----------
    chain : where they are
    lending : markets; the first one's oracle gives the prices, the others' must agree within 1 %
    options : options markets whose strikes are listed; None without one
    feeds : price feeds in USD by token code, each fresh and whole (`price_guard.Feed`), that must agree too
    perpetuals, powers : exchanges and power perpetuals whose marks are read
    shares : vaults whose shares are priced in USD by their symbol, frozen while one is not calm (faults F44)
    """

    chain: Chain
    lending: Sequence[AaveMarket]
    options: LyraOptions | None = None
    feeds: Mapping[str, Sequence[Feed]] = field(default_factory=dict)
    perpetuals: Sequence[PerpExchange] = ()
    powers: Sequence[PowerMarketVenue] = ()
    shares: ShareVaults | None = None

    def state(self, *, block: BlockTag = "latest") -> OnchainState:
        """
        Prices, lending terms, listed strikes, marks of perpetuals and gas price at one block.

        Native ether is priced as its wrapped token.

        Raises
        ------
        MarketDataError : a price is zero or missing, oracles disagree, or a rate is no number
        VenueUnavailable : the node gave no answer
        """
        return self.read(block=block).state

    def read(self, *, also: Mapping[str, Reads[Any]] | None = None, block: BlockTag = "latest") -> OnchainReading:
        """
        `state`, and whatever else is to be read at the very same block, in two round trips.

        The first asks where the chain is, the second everything else at that block's hash. A third is made
        only where an address moved since the last reading (`batch_reads.Moved`).

        Parameters
        ----------
        also : more reads by name: the vault's state, balances, pools

        Raises as `state` does.
        """
        if block == "latest":
            heads = self.chain.heads()
            head, gas_price_wei = heads.latest, heads.gas_price_wei
        else:
            head, gas_price_wei = self.chain.block(block), self.chain.gas_price_wei()
        found = steady(lambda: self._found({**self._reads(), **(also or {})}, head))
        lending = tuple(found[f"{market.name} terms"] for market in self.lending)
        for market in lending:
            if not (isfinite(market.borrow_rate) and market.borrow_rate >= 0 and 0 <= market.utilisation <= 1):
                raise _unusable(f"market {market.name}", f"rate {market.borrow_rate}, lent out {market.utilisation}")
        state = OnchainState(
            chain_id=self.chain.chain_id,
            block=head.number,
            block_hash=head.hash,
            at=head.at,
            prices=self._prices(found, head.timestamp),
            lending=lending,
            options=found.get("options", ()),
            gas_price_wei=gas_price_wei,
            perpetuals=tuple(mark for venue in self.perpetuals for mark in found[f"{venue.name} marks"]),
            powers=tuple(found[f"{venue.name} mark"] for venue in self.powers),
        )
        return OnchainReading(state, {name: found[name] for name in also or {}})

    def _found(self, wanted: Mapping[str, Reads[Any]], head: Block) -> dict[str, Any]:
        """Everything at `head`, and beside it what the shares were worth where their guard looks back to."""
        whole = together(wanted)
        groups = [(whole.queries, head.pinned)]
        if self.shares is None:
            return whole.of(self.chain.answers_at(groups)[0])
        past = self.shares.price_reads()
        now, before = self.chain.answers_at([*groups, (past.queries, self.shares.looks_back_to(head.number))])
        found = whole.of(now)
        return found | {"shares": self.shares.believed(found["shares"], past.of(before))}

    def _reads(self) -> dict[str, Reads[Any]]:
        reads: dict[str, Reads[Any]] = {}
        for market in self.lending:
            reads |= {f"{market.name} prices": market.price_reads(), f"{market.name} terms": market.lending_reads()}
        reads |= {feed.name: feed.reads() for feeds in self.feeds.values() for feed in feeds}
        reads |= {f"{venue.name} marks": venue.mark_reads() for venue in self.perpetuals}
        reads |= {f"{venue.name} mark": venue.mark_reads() for venue in self.powers}
        reads |= {"shares": self.shares.price_reads()} if self.shares else {}
        return reads | ({"options": self.options.listing_reads()} if self.options else {})

    def _prices(self, answers: Mapping[str, Any], now: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for market in self.lending:
            merge_prices(found, answers[f"{market.name} prices"], market.name)
        for code, feeds in self.feeds.items():
            for feed in feeds:
                merge_prices(found, {code: feed.price(answers[feed.name], now)}, f"feed {feed.name}")
        if _WRAPPED in found:
            found[_NATIVE] = found[_WRAPPED]
        for vault in self.shares.vaults if self.shares else ():
            asset = found.get(vault.asset.currency.code, 0.0)
            worth = {vault.symbol: float(answers["shares"][vault.symbol].mark) * asset}
            merge_prices(found, worth, f"vault {vault.symbol}")
        return dict(sorted(found.items()))


def merge_prices(known: dict[str, float], more: Mapping[str, float], source: str) -> None:
    """
    Add an oracle's prices to `known`, USD per token.

    Raises `MarketDataError` for a price of zero, or more than 1 % off what another oracle says
    (faults F41).
    """
    for code, price in more.items():
        if not (isfinite(price) and price > 0):
            raise _unusable(f"{code} at {source}", f"its price is {price}")
        other = known.setdefault(code, price)
        if abs(price / other - 1.0) > _ORACLES_AGREE:
            raise _unusable(f"{code} at {source}", f"its price is {price}, another oracle says {other}")


def _unusable(what: str, why: str) -> MarketDataError:
    return MarketDataError(f"on-chain reading of {what} refused", why=why, todo="check the feed; no order is made")
