"""A 2-of-3 Safe on the local world with all venues behind it: what the vault and venue tests stand on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from eth_utils.address import to_checksum_address

from adapters.evm.aave import AaveAddresses, AaveMarket
from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_safe import deploy_safe, deploy_safe_stack
from adapters.evm.erc20 import Token, TokenTransfers
from adapters.evm.lyra import LyraAddresses, LyraOptions
from adapters.evm.onchain_state import OnchainReader
from adapters.evm.transactions import Executor, GasPolicy
from adapters.evm.uniswap import UniswapSwaps
from adapters.evm.uniswap_wire import SwapPool
from adapters.evm.wire import Holder
from adapters.evm.world import World, open_world, prepare_market
from adapters.safe.eip712 import safe_tx
from adapters.safe.keystore import OwnerKey, from_secret
from adapters.safe.signatures import pack, sign_transaction
from adapters.safe.state import SafeSettings, pin
from adapters.safe.vault import SafeVault
from engine.instruments import Cash, Instrument, LendingDebt, LendingSupply
from engine.money import Currency, Money
from engine.orders import Address, Order, OrderId, OrderLeg, SafeTx
from engine.ports import SignedSafeTx
from engine.positions import Sleeve

AT = datetime(2025, 3, 3, 15, 0, tzinfo=UTC)
EXPIRY = datetime(2025, 6, 27, 8, 0, tzinfo=UTC)
SPOT = Decimal(2000)
STRIKES = [Decimal(k) for k in (1400, 1600, 1800, 2000, 2200)]
USDC, SUSD, WETH, DAI = Currency("USDC", 6), Currency("sUSD", 18), Currency("WETH", 18), Currency("DAI", 18)
RAMP = to_checksum_address("0x000000000000000000000000000000000000fa57")


def owner(index: int) -> OwnerKey:
    """Key of a test account: 1-3 own the Safe, 4 executes, 5 is a stranger."""
    return from_secret(bytes(account(index).key))


@dataclass
class Stage:
    """Everything a test needs, by name."""

    chain: Chain
    world: World
    safe: Contract
    holder: Holder
    tokens: dict[str, Token]
    lyra: LyraOptions
    cheap: AaveMarket
    dear: AaveMarket
    uniswap: UniswapSwaps
    ramp: TokenTransfers
    settings: SafeSettings
    vault: SafeVault
    remembered: list[tuple[str, bytes]] = field(default_factory=list)

    def remember(self, name: str, raw: bytes) -> None:
        self.remembered.append((name, raw))

    @property
    def permits(self) -> list:
        return [permit for venue in self.venues for permit in venue.permits()]

    @property
    def venues(self) -> tuple:
        return self.lyra, self.cheap, self.dear, self.uniswap, self.ramp

    @property
    def reader(self) -> OnchainReader:
        return OnchainReader(self.chain, (self.cheap, self.dear), self.lyra)

    def deadline(self, seconds: int = 3600) -> datetime:
        return self.chain.block().at + timedelta(seconds=seconds)

    def sign(self, transaction: SafeTx, owners: tuple[int, ...] = (1, 2)) -> SignedSafeTx:
        given = {owner(i).address: sign_transaction(transaction, owner(i)) for i in owners}
        return pack(transaction, given, self.vault.terms())

    def small(self, quantity: str = "1", **changes) -> SafeTx:
        """A proposed batch that supplies WETH."""
        calls = self.cheap.calls(supply("aave-cheap", WETH, quantity))
        return self.vault.propose(calls, **({"deadline": self.deadline()} | changes))

    def as_stranger(self, signed: SignedSafeTx) -> None:
        """Send it from an account that has nothing to do with the Safe."""
        Builder(self.chain, account(5)).send_data(self.holder.safe, self.vault.calldata(signed))

    def administer(self, function: str, *arguments: object, nonce: int = 0) -> SafeTx:
        """A Safe transaction to itself that no vault would propose, for owners who do it elsewhere."""
        data = self.safe.encode(function, *arguments)
        safe = self.holder.safe
        return safe_tx(chain_id=self.chain.chain_id, safe=safe, to=safe, value=0, data=data, operation=0, nonce=nonce)

    def put(self, strike: int = 1800):
        listing = next(o for o in self.lyra.listings() if o.strike == strike)
        return self.lyra.instrument(listing, "P")

    def balance(self, code: str) -> int:
        token = self.tokens[code]
        return token.contract.read(self.chain, "balanceOf", self.holder.safe)

    def allowance(self, code: str, spender: str) -> int:
        return self.tokens[code].contract.read(self.chain, "allowance", self.holder.safe, spender)

    def run(self, *orders: tuple[object, Order]):
        """Quote nothing, encode, propose, sign by two, execute; returns the receipt."""
        calls = [call for venue, order in orders for call in venue.calls(order)]
        return self.vault.execute(self.sign(self.vault.propose(calls, deadline=self.deadline())))


def order(venue: str, instrument: Instrument, quantity: str, limit: Money, name: str = "o") -> Order:
    """An order of one leg."""
    leg = OrderLeg(instrument, Decimal(quantity))
    return Order(
        OrderId(f"{name}-{venue}"), venue, Sleeve.DEFI, "test", (leg,), limit, limit, f"{quantity} {instrument.id}"
    )


def supply(market: str, currency: Currency, quantity: str) -> Order:
    """Supply (+) or withdraw (-)."""
    return order(market, LendingSupply(market, currency), quantity, Money.of(-Decimal(quantity), currency), "supply")


def debt(market: str, currency: Currency, quantity: str) -> Order:
    """Borrow (-) or repay (+)."""
    return order(market, LendingDebt(market, currency), quantity, Money.of(-Decimal(quantity), currency), "debt")


def buy(currency: Currency, quantity: str, paid: Money) -> Order:
    """An exact-output swap."""
    return order("uniswap", Cash(currency), quantity, paid, "swap")


@contextmanager
def stage(backend: str = "anvil") -> Iterator[Stage]:
    """The local world at 3 March 2025, ETH at 2000, a funded 2-of-3 Safe."""
    with open_world(backend) as (chain, world):
        prepare_market(
            chain, world, at=AT, eth_usd=SPOT, option_expiries=[EXPIRY], option_strikes=STRIKES, base_iv=Decimal("0.7")
        )
        yield build(chain, world)


def build(
    chain: Chain,
    world: World,
    *,
    owners: Sequence[Address] = tuple(account(i).address for i in (1, 2, 3)),
    threshold: int = 2,
    version: str = "1.4.1",
    salt: int = 0,
) -> Stage:
    """A new Safe, of accounts 1-3 if not said otherwise, with venues, vault and executor on a prepared chain."""
    stack = world.addresses if version == "1.4.1" else deploy_safe_stack(Builder(chain), version=version)
    safe = deploy_safe(chain, stack, owners, threshold, version=version, salt=salt)
    holder = Holder(chain.chain_id, safe.address)
    tokens = {c.code: Token(c, world[c.code]) for c in (USDC, SUSD, WETH, DAI)}
    for code, units in (("USDC", 500_000 * 10**6), ("sUSD", 50_000 * 10**18), ("WETH", 100 * 10**18)):
        world.mint(chain, code, safe.address, units)
    lyra = LyraOptions(
        chain,
        holder,
        LyraAddresses(
            *(
                world[f"lyra-{part}"]
                for part in ("market", "option-token", "pricer", "pool", "short-collateral", "synthetix-adapter")
            )
        ),
        tokens["sUSD"],
    )
    cheap, dear = (
        AaveMarket(
            chain,
            holder,
            AaveAddresses(world[f"{name}-pool"], world[f"{name}-data-provider"], world[f"{name}-oracle"]),
            tokens,
            name=name,
        )
        for name in ("aave-cheap", "aave-dear")
    )
    pools = [
        SwapPool(world["pool-USDC-sUSD"], (tokens["USDC"], tokens["sUSD"]), 100),
        SwapPool(world["pool-WETH-USDC"], (tokens["WETH"], tokens["USDC"]), 500),
    ]
    uniswap = UniswapSwaps(chain, holder, router=world["uniswap-router"], quoter=world["uniswap-quoter"], pools=pools)
    ramp = TokenTransfers(chain, holder, list(tokens.values()), deposit=RAMP)
    permits = [permit for venue in (lyra, cheap, dear, uniswap, ramp) for permit in venue.permits()]
    targets = {p.contract.address for p in permits} | {stack["safe-multi-send-call-only"], world["uniswap-router"]}
    settings = SafeSettings(
        chain_id=chain.chain_id,
        safe=safe.address,
        singleton=stack["safe-singleton"],
        multi_send=stack["safe-multi-send-call-only"],
        router=world["uniswap-router"],
        pins=pin(chain, targets),
        fallback_handler=stack["safe-fallback-handler"],
    )
    remembered: list[tuple[str, bytes]] = []
    executor = Executor(
        chain,
        owner(4),
        remember=lambda name, raw: remembered.append((name, raw)),
        policy=GasPolicy(wait_seconds=10.0, gas_limit=None if chain.can_fork else 15_000_000),
        local=True,
    )
    vault = SafeVault(chain, settings, permits, executor)
    return Stage(chain, world, safe, holder, tokens, lyra, cheap, dear, uniswap, ramp, settings, vault, remembered)
