"""The price feeds that a desk's prices stand on: those behind its lending oracles, and those its operator names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.evm.aave import AaveMarket
from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract
from adapters.evm.price_guard import Feed
from adapters.evm.wire import ZERO_ADDRESS
from contracts_abi import load
from engine.orders import Address

HEARTBEAT_SECONDS = 86_400
"""How often a feed answers where nobody says more: Chainlink's stablecoin feeds on Ethereum."""

_DECIMALS = 8
"""Of every answer an Aave v3 oracle in USD takes from its sources."""


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """What an operator says of one token's feed: how often it answers, and where it is if not behind an oracle."""

    heartbeat_seconds: int
    address: Address | None = None


KNOWN = {"WETH": FeedTerms(3_600)}
"""Heartbeats that stand without a setting: Chainlink's ETH/USD on Ethereum."""


def feeds_of(
    chain: Chain, markets: Sequence[AaveMarket], named: Mapping[str, FeedTerms]
) -> dict[str, tuple[Feed, ...]]:
    """
    The feeds whose age is judged at every reading, by token code (faults F41).

    A source that tells no round carries no time (an oracle of its own, an adapter over another feed), and none can
    be judged: its token's feed is judged where `named` gives its address.

    Raises `VenueUnavailable` where the node gives no answer.
    """
    places: dict[str, dict[Address, None]] = {}
    for code, terms in named.items():
        if terms.address is not None:
            places.setdefault(code, {})[terms.address] = None
    behind = [(token, _oracle(market)) for market in markets for token in market.pool.tokens.values()]
    sources = chain.read_many([oracle.query("getSourceOfAsset", token.address) for token, oracle in behind])
    for (token, _), source in zip(behind, sources, strict=True):
        if source != ZERO_ADDRESS:
            places.setdefault(token.currency.code, {})[source] = None
    heartbeats = {code: terms.heartbeat_seconds for code, terms in {**KNOWN, **named}.items()}
    feeds = [
        (code, Feed(f"{code}/USD at {place}", place, _DECIMALS, heartbeats.get(code, HEARTBEAT_SECONDS)))
        for code, found in places.items()
        for place in found
    ]
    rounds = chain.answers([feed.reads().queries[0] for _, feed in feeds]) if feeds else []
    asked = {terms.address for terms in named.values()}
    timed: dict[str, tuple[Feed, ...]] = {}
    for (code, feed), told in zip(feeds, rounds, strict=True):
        if feed.address in asked or not isinstance(told, Reverted):
            timed[code] = (*timed.get(code, ()), feed)
    return timed


def _oracle(market: AaveMarket) -> Contract:
    return Contract(market.addresses.oracle, load("aave-v3-oracle"))
