"""A desk on a fresh local chain: market brought to its instant, a Safe of three owners, both books funded."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from eth_utils.crypto import keccak

from adapters.evm.chain import Chain
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.price_guard import widening
from adapters.evm.world import World, prepare_market
from adapters.files.observation import OffchainMarket
from adapters.safe.keystore import OwnerKey, from_secret
from adapters.sql.journal import SqlJournal
from engine.entries import Entry
from engine.instruments import MARKET_ZONE, Cash
from engine.ledger.accounts import EXECUTOR
from engine.ledger.posting import capital
from engine.money import ETH, USD, Money
from engine.orders import Address
from engine.policy.settings import Policy
from engine.positions import Position, Sleeve
from scripts.desk import STABLE_GUARD, TOKENS, Desk, OnchainVenues, onchain_venues, open_desk, pins
from scripts.syncing import sync

THRESHOLD = 2
OWNER_ACCOUNTS = (1, 2, 3)
RAMP_ACCOUNT = 5
EXECUTOR_ETHER = "2"
ETHER_SHARE = Decimal("0.04")
"""Of risk capital, held as ether in the vault; the rest of the sleeve is USDC."""

FUNDED = Decimal("0.9")
"""Of the sleeve's target that a new desk starts with: at the target itself no new risk is added (X05)."""

_MOVED = 5_000
"""The pools' root price moves by one part in so many, two ticks, where they are given a past."""

_BEFORE = timedelta(minutes=20)
_BOARD_DAYS = (21, 35)
_STRIKES = ("0.70", "0.75", "0.80", "0.85", "0.90", "0.95", "1.00", "1.10")
_KEY_ROUNDS = 4096
PASSPHRASE = "local co-signer"
"""Opens the simulated co-signers' keystores. They hold the well-known keys of a local test chain, nothing else."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What was set up, as a workspace keeps it."""

    safe: Address
    ramp: Address
    pinned: dict[Address, str]
    addresses: dict[str, Address]


def furnish(
    root: Path, chain: Chain, world: World, *, market: OffchainMarket, policy: Policy, journal: SqlJournal
) -> tuple[Desk, Standing]:
    """
    Bring a fresh copy of the base world to the market's instant, make a Safe, and fund both books.

    The chain's clock ends at the market's as-of. Deterministic: the same market gives the same blocks.
    """
    eth_usd = _cents(market.eth_usd)
    prepare_market(
        chain,
        world,
        at=market.asof - _BEFORE,
        eth_usd=eth_usd,
        option_expiries=board_expiries(market.day),
        option_strikes=[_strike(eth_usd * Decimal(share)) for share in _STRIKES],
        base_iv=Decimal(str(market.crypto_vol)),
    )
    owners = [account(index).address for index in OWNER_ACCOUNTS]
    safe = Address(world.deploy_safe(chain, owners, THRESHOLD).address)
    ramp = Address(account(RAMP_ACCOUNT).address)
    executor = executor_key()
    funds = opening(policy, eth_usd)
    for money in funds["vault"]:
        world.mint(chain, money.currency.code, safe, money.units)
    Builder(chain, account(4)).send_data(executor.address, b"", value=Money.of(EXECUTOR_ETHER, ETH).units)
    venues = onchain_venues(chain, world.addresses, safe, ramp)
    _give_a_past(chain, world, venues)
    pinned = pins(chain, world.addresses, venues)
    chain.mine_to_final()
    chain.warp(market.asof)
    standing = Standing(safe, ramp, pinned, dict(world.addresses))
    desk = open_desk(
        root,
        chain,
        world.addresses,
        safe=safe,
        ramp=ramp,
        pinned=pinned,
        executor=executor,
        policy=policy,
        market=market,
        journal=journal,
    )
    for money in funds["broker"]:
        desk.broker.deposit(money)
    journal.post([*_opening_entries(desk, funds, market.asof)])
    sync(desk)
    return desk, standing


def _give_a_past(chain: Chain, world: World, venues: OnchainVenues) -> None:
    """Widen each swap pool's memory, and move its price and back: it is used from the next move on."""
    router, trader = world.contract("uniswap-router"), Builder(chain, account(9))
    for pool in venues.swaps.pools:
        call = widening(pool, STABLE_GUARD.least_observations)
        trader.send_data(call.to, call.data)
        start = pool.contract.read(chain, "slot0")["sqrtPriceX96"]
        first, second = sorted(pool.tokens, key=lambda token: int(token.address, 16))
        for paid, received, until in ((second, first, start + start // _MOVED), (first, second, start)):
            terms = {"tokenIn": paid.address, "tokenOut": received.address, "fee": pool.fee}
            terms |= {"recipient": account(9).address, "amountIn": 10**9 * 10**paid.currency.decimals}
            trader.send(router, "exactInputSingle", {**terms, "amountOutMinimum": 0, "sqrtPriceLimitX96": until})


def opening(policy: Policy, eth_usd: Decimal) -> dict[str, list[Money]]:
    """What the owners put in: dollars at the broker, stablecoins and ether in the vault."""
    whole = policy.book.risk_capital
    sleeve = whole * policy.limits.sleeve_target * FUNDED
    ether = min(whole * ETHER_SHARE, sleeve)
    return {
        "broker": [Money.rounded(whole - sleeve, USD)],
        "vault": [
            Money.rounded((sleeve - ether).quantize(Decimal(1)), TOKENS["USDC"]),
            Money.rounded((ether / eth_usd).quantize(Decimal("0.01")), TOKENS["WETH"]),
        ],
    }


def board_expiries(day: date) -> list[datetime]:
    """Fridays, at the close of the index, about three and five weeks out."""
    fridays = [day + timedelta(days=ahead + (4 - (day + timedelta(days=ahead)).weekday()) % 7) for ahead in _BOARD_DAYS]
    return [datetime.combine(friday, time(16), MARKET_ZONE) for friday in fridays]


def executor_key() -> OwnerKey:
    """The account that pays gas on a local chain: no owner, no power over the vault."""
    return from_secret(keccak(text="executor of a local chain"))


def write_cosigners(folder: Path) -> list[Path]:
    """Encrypted keystores of the three simulated owners, readable by this user only."""
    from eth_account import Account

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths = []
    for index in OWNER_ACCOUNTS:
        path = folder / f"owner-{index}.json"
        written = Account.encrypt(account(index).key, PASSPHRASE, kdf="scrypt", iterations=_KEY_ROUNDS)
        path.touch(mode=0o600)
        path.write_text(json.dumps(written), encoding="utf-8")
        paths.append(path)
    return paths


def _opening_entries(desk: Desk, funds: dict[str, list[Money]], at: datetime) -> Iterator[Entry]:
    for money in funds["broker"]:
        held = Position(Cash(money.currency), money, Sleeve.CONDOR, desk.broker.name)
        yield capital(held, key=f"capital:{Sleeve.CONDOR}:{money.currency}", at=at, memo="owners fund the broker")
    ether = Position(Cash(ETH), Money.of(EXECUTOR_ETHER, ETH), Sleeve.DEFI, EXECUTOR)
    yield capital(ether, key=f"capital:{Sleeve.DEFI}:ETH", at=at, memo="owners fund the gas account")
    for money in funds["vault"]:
        held = Position(Cash(money.currency), money, Sleeve.DEFI, "vault")
        yield capital(held, key=f"capital:{Sleeve.DEFI}:{money.currency}", at=at, memo="owners fund the vault")


def _cents(price: float) -> Decimal:
    return Decimal(str(price)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _strike(price: Decimal) -> Decimal:
    step = Decimal(10) if price >= 100 else Decimal(1)
    return (price / step).quantize(Decimal(1)) * step
