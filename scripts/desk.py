"""One desk wired together: chain, vault, venues, broker, journal, clock and market."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adapters.evm.aave import AaveAddresses, AaveMarket
from adapters.evm.chain import Chain
from adapters.evm.erc20 import Token, TokenTransfers
from adapters.evm.lyra import LyraAddresses, LyraOptions
from adapters.evm.onchain_state import OnchainReader
from adapters.evm.peg_watch import PegWatch
from adapters.evm.price_feeds import FeedTerms, feeds_of
from adapters.evm.price_guard import Feed, PriceGuard, observations_for
from adapters.evm.transactions import Executor
from adapters.evm.uniswap import UniswapSwaps
from adapters.evm.uniswap_wire import SwapPool
from adapters.evm.wire import Holder, Permit, address
from adapters.files.config import FeedSettings, policy_digest
from adapters.files.observation import OffchainMarket
from adapters.paper.broker import PaperBroker
from adapters.safe.keystore import OwnerKey
from adapters.safe.role_scope import role_of
from adapters.safe.roles import Role
from adapters.safe.state import SafeSettings, fingerprint, identity
from adapters.safe.vault import SafeVault
from adapters.sql.journal import SqlJournal
from adapters.sql.storage import database_url
from engine.market import MarketSnapshot, OptionChain
from engine.money import Currency
from engine.orders import Address, StateMark
from engine.plan.sequence import Venues as VenueNames
from engine.policy.pools import stated
from engine.policy.settings import Policy
from engine.ports import OnchainVenue
from engine.risk.pricing_view import STABLES
from scripts.remembered import proposed, unsettled

TOKENS = {
    "USDC": Currency("USDC", 6),
    "DAI": Currency("DAI", 18),
    "sUSD": Currency("sUSD", 18),
    "WETH": Currency("WETH", 18),
}
LENDING_MARKETS = ("aave-cheap", "aave-dear")
STABLE_POOL_FEE = 100
"""Fee of the pools that option premium and repayments are bought in, in millionths."""

_HALF_HOUR = 1800
STABLE_GUARD = PriceGuard(window_seconds=_HALF_HOUR, least_observations=observations_for(_HALF_HOUR))
"""What the stablecoin pool must keep of its past, and how near it must be to its own average and to the oracle."""

REDEMPTION = dict.fromkeys(sorted(STABLES & TOKENS.keys()), 1.0)
"""USD that each stablecoin redeems for (D21)."""


@dataclass(frozen=True, slots=True)
class ChainClock:
    """Now is the chain's latest block: market and chain share one clock."""

    chain: Chain

    def now(self) -> datetime:
        """When the latest block says it was made."""
        return self.chain.block().at


@dataclass(frozen=True, slots=True)
class OnchainVenues:
    """Every protocol the vault uses, by the name its orders carry."""

    lending: tuple[AaveMarket, ...]
    options: LyraOptions
    swaps: UniswapSwaps
    ramp: TokenTransfers

    def by_name(self) -> dict[str, OnchainVenue]:
        """Where an on-chain order goes."""
        venues: tuple[OnchainVenue, ...] = (*self.lending, self.options, self.swaps, self.ramp)
        return {venue.name: venue for venue in venues}

    def permits(self) -> tuple[Permit, ...]:
        """All calls these venues may ask of the vault."""
        lending = tuple(permit for market in self.lending for permit in market.permits())
        return (*lending, *self.options.permits(), *self.swaps.permits(), *self.ramp.permits())


@dataclass(slots=True)
class Desk:
    """Everything one rebalance needs; the desk and its broker see the same day's quotes."""

    root: Path
    chain: Chain
    vault: SafeVault
    onchain: OnchainVenues
    broker: PaperBroker
    journal: SqlJournal
    policy: Policy
    executor: Executor
    _today: list[OffchainMarket]
    feeds: Mapping[str, Sequence[Feed]] = field(default_factory=dict)

    @property
    def market(self) -> OffchainMarket:
        """The quotes of the day."""
        return self._today[0]

    @market.setter
    def market(self, market: OffchainMarket) -> None:
        self._today[0] = market

    @property
    def clock(self) -> ChainClock:
        """The chain's clock."""
        return ChainClock(self.chain)

    def unsettled(self) -> tuple[bytes, ...]:
        """Raw transactions of the executor, oldest first, that are neither final nor void."""
        return unsettled(self.journal, self.chain, self.executor.sender.address)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Every token the vault holds."""
        return tuple(self.onchain.ramp.tokens.values())

    @property
    def names(self) -> VenueNames:
        """Venue names and tokens for the orders of a plan."""
        return VenueNames(
            broker=self.broker.name,
            options=self.onchain.options.name,
            swap=self.onchain.swaps.name,
            ramp=self.onchain.ramp.name,
            tokens=TOKENS,
            option_quote="sUSD",
        )

    @property
    def policy_digest(self) -> str:
        """SHA-256 of the policy in force."""
        return policy_digest(self.policy)

    def observe(self) -> MarketSnapshot:
        """
        Both domains at one instant: today's quotes and the chain at its latest block.

        Raises `StaleQuote` where a price feed is older than it promises to become (faults F41).
        """
        read = OnchainReader(self.chain, self.onchain.lending, self.onchain.options, feeds=self.feeds).state()
        return stated(self.market.with_chain(read), self.policy.pools)

    def state(self) -> StateMark:
        """What a plan made now is made from."""
        serial, head = self.journal.head()
        block = self.chain.block()
        return StateMark(serial, head, self.chain.chain_id, block.number, block.hash, self.vault.state().nonce)


def open_journal(path: Path) -> SqlJournal:
    """The journal in a file; a new file gets the schema. Raises `SchemaMismatch` where an old one has another."""
    url = database_url(path)
    if not path.exists():
        from adapters.sql.migrate import upgrade

        upgrade(url)
    return SqlJournal(url)


def onchain_venues(chain: Chain, addresses: Mapping[str, Address], safe: Address, ramp: Address) -> OnchainVenues:
    """The protocols of an address book, seen from one Safe."""
    holder = Holder(chain.chain_id, safe)
    tokens = {code: Token(currency, addresses[code]) for code, currency in TOKENS.items()}
    markets = tuple(
        AaveMarket(
            chain,
            holder,
            AaveAddresses(addresses[f"{name}-pool"], addresses[f"{name}-data-provider"], addresses[f"{name}-oracle"]),
            tokens,
            name=name,
            collateral="USDC",
            asset="DAI",
        )
        for name in LENDING_MARKETS
    )
    options = LyraOptions(
        chain,
        holder,
        LyraAddresses(
            market=addresses["lyra-market"],
            option_token=addresses["lyra-option-token"],
            pricer=addresses["lyra-pricer"],
            liquidity_pool=addresses["lyra-pool"],
            short_collateral=addresses["lyra-short-collateral"],
            exchange=addresses["lyra-synthetix-adapter"],
        ),
        tokens["sUSD"],
    )
    oracle = markets[0].price_reads()
    swaps = UniswapSwaps(
        chain,
        holder,
        router=addresses["uniswap-router"],
        quoter=addresses["uniswap-quoter"],
        pools=[
            SwapPool(addresses[f"pool-USDC-{code}"], (tokens["USDC"], tokens[code]), STABLE_POOL_FEE)
            for code in ("sUSD", "DAI")
        ],
        guard=STABLE_GUARD,
        oracle=oracle,
        peg=PegWatch(chain, oracle, REDEMPTION),
    )
    return OnchainVenues(markets, options, swaps, TokenTransfers(chain, holder, list(tokens.values()), deposit=ramp))


def pins(chain: Chain, addresses: Mapping[str, Address], venues: OnchainVenues) -> dict[Address, str]:
    """The code of every contract the vault may call, as it is at set-up."""
    called = {addresses["safe-multi-send-call-only"], addresses["uniswap-router"], addresses["safe-singleton"]}
    called |= {permit.contract.address for permit in venues.permits()}
    return {target: fingerprint(chain, target) for target in sorted(called)}


def call_policy(chain: Chain, venues: OnchainVenues, safe: Address) -> Role:
    """What these venues may ask of the Safe, as a role that its owners can tighten and put on chain."""
    permits = venues.permits()
    targets = {permit.contract.address for permit in permits}
    return role_of(
        permits,
        chain_id=chain.chain_id,
        avatar=safe,
        payees=[venues.ramp.deposit],
        identities={target: identity(chain, target) for target in sorted(targets)},
    )


def safe_settings(
    chain: Chain, addresses: Mapping[str, Address], safe: Address, pinned: Mapping[Address, str]
) -> SafeSettings:
    """The Safe this desk was set up for."""
    return SafeSettings(
        chain_id=chain.chain_id,
        safe=safe,
        singleton=addresses["safe-singleton"],
        multi_send=addresses["safe-multi-send-call-only"],
        router=addresses["uniswap-router"],
        pins=pinned,
        fallback_handler=addresses["safe-fallback-handler"],
    )


def open_desk(
    root: Path,
    chain: Chain,
    addresses: Mapping[str, Address],
    *,
    safe: Address,
    ramp: Address,
    pinned: Mapping[Address, str],
    executor: OwnerKey,
    policy: Policy,
    market: OffchainMarket,
    journal: SqlJournal,
    role: Role | None = None,
    feeds: Mapping[str, FeedSettings] | None = None,
) -> Desk:
    """
    Wire a desk on contracts that stand already; a stranger in the Safe refuses the start.

    `role` is the owners' call policy: what it does not open, the desk can neither propose nor send. `feeds` is what
    the settings say of price feeds, by token code; those behind the lending oracles are found by themselves.
    """
    venues = onchain_venues(chain, addresses, safe, ramp)
    clock = ChainClock(chain)

    def remember(transaction_hash: str, raw: bytes) -> None:
        journal.intend(f"raw:{transaction_hash}", raw.hex(), clock.now())

    def waiting() -> tuple[bytes, ...]:
        return unsettled(journal, chain, executor.address)

    sender = Executor(chain, executor, remember=remember, local=True, outstanding=waiting)
    vault = SafeVault(
        chain,
        safe_settings(chain, addresses, safe, pinned),
        venues.permits(),
        sender,
        role=role,
        proposed=lambda: proposed(journal),
    )
    today = [market]
    broker = PaperBroker(root / "paper-broker.json", lambda: _chains(today[0]), clock)
    named = {
        code: FeedTerms(each.heartbeat_seconds, address(each.address) if each.address else None)
        for code, each in (feeds or {}).items()
    }
    watched = feeds_of(chain, venues.lending, named)
    return Desk(root, chain, vault, venues, broker, journal, policy, sender, today, watched)


def _chains(market: OffchainMarket) -> list[OptionChain]:
    return [chain for chain in (market.spx, market.vix_options) if chain is not None]
