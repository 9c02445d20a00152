"""
The local world: every protocol the engine trades, built once, cached, and loaded in a blink.

A world is a state dump and an address book, kept in the cache under the hash of everything it was
built from. It is built at 1 July 2017, so that its clock can be moved to any later market instant.

>>> from adapters.evm.world import open_world, prepare_market                     # doctest: +SKIP
>>> with open_world() as (chain, world):                                          # doctest: +SKIP
...     prepare_market(chain, world, at=at, eth_usd=Decimal(1890), option_expiries=[...],
...                    option_strikes=[...], base_iv=Decimal("0.55"))
...     safe = world.deploy_safe(chain, [account(i).address for i in (1, 2, 3)], 2)
"""

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from adapters.evm.anvil import start_anvil
from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_aave import deploy_aave
from adapters.evm.deploy_builder import Builder, interface
from adapters.evm.deploy_lyra import deploy_lyra
from adapters.evm.deploy_market import advance, prepare_market, set_eth_price, settle_boards
from adapters.evm.deploy_perp import deploy_perp
from adapters.evm.deploy_safe import deploy_safe, deploy_safe_stack
from adapters.evm.deploy_tokens import deploy_tokens, mint
from adapters.evm.deploy_uniswap import deploy_uniswap
from adapters.evm.inprocess import start_in_process
from adapters.evm.packages import default_cache, lock_hash, package
from engine.errors import ConfigError
from engine.orders import Address

BUILT_AT = datetime(2017, 7, 1, tzinfo=UTC)
BUILT_ETH_USD = Decimal(280)
KEPT_BLOCKS = 3  # the latest and those down to the final one

Backend = Literal["anvil", "in-process"]

_INTERFACES = {
    "safe-singleton": "safe-1.4.1",
    "safe-proxy-factory": "safe-proxy-factory-1.4.1",
    "safe-multi-send-call-only": "safe-multi-send-call-only-1.4.1",
    "uniswap-factory": "uniswap-v3-factory",
    "uniswap-router": "uniswap-swap-router-02",
    "uniswap-position-manager": "uniswap-position-manager",
    "uniswap-quoter": "uniswap-quoter-v2",
    "pool-USDC-sUSD": "uniswap-v3-pool",
    "pool-USDC-DAI": "uniswap-v3-pool",
    "pool-WETH-USDC": "uniswap-v3-pool",
    **{
        f"{market}-{part}": f"aave-v3-{kind}"
        for market in ("aave-cheap", "aave-dear")
        for part, kind in (
            ("pool", "pool"),
            ("oracle", "oracle"),
            ("data-provider", "data-provider"),
            ("provider", "addresses-provider"),
        )
    },
    "lyra-market": "lyra-option-market",
    "lyra-option-token": "lyra-option-token",
    "lyra-short-collateral": "lyra-short-collateral",
    "lyra-greek-cache": "lyra-greek-cache",
    "lyra-pool": "lyra-liquidity-pool",
    "lyra-pricer": "lyra-pricer",
    "lyra-synthetix-adapter": "lyra-synthetix-adapter",
    "lyra-pool-hedger": "lyra-pool-hedger",
    "lyra-viewer": "lyra-option-market-viewer",
    "perp-clearing-house": "perp-clearing-house",
    "perp-vault": "perp-vault",
    "perp-account-balance": "perp-account-balance",
    "perp-exchange": "perp-exchange",
    "perp-registry": "perp-market-registry",
    "perp-ETH": "perp-base-token",
    "perp-VOL": "perp-base-token",
    **dict.fromkeys(("USDC", "DAI", "sUSD", "WETH", "sETH"), "erc20"),
}


@dataclass(frozen=True, slots=True)
class World:
    """
    Where everything is on the local chain.

    `addresses` maps names to addresses: token symbols, ``safe-*``, ``uniswap-*``, ``pool-*``,
    ``aave-cheap-*``, ``aave-dear-*``, ``lyra-*``, ``perp-*``. `state` is the plain state dump, None if it was
    built in place.
    """

    addresses: dict[str, Address]
    state: Path | None = None

    def __getitem__(self, name: str) -> Address:
        try:
            return self.addresses[name]
        except KeyError:
            raise ConfigError(
                f"{name} not found", why="the local world has nothing of that name", todo="see World.addresses"
            ) from None

    def contract(self, name: str) -> Contract:
        """The contract of that name with its committed interface. Raises `ConfigError` if it has none."""
        address = self[name]
        if name not in _INTERFACES:
            raise ConfigError(f"{name} has no interface", why="none is committed", todo="use its address")
        return interface(_INTERFACES[name], address)

    def deploy_safe(self, chain: Chain, owners: Sequence[str], threshold: int, *, salt: int = 0) -> Contract:
        """A new Safe of `owners`; see `adapters.evm.deploy_safe.deploy_safe`."""
        return deploy_safe(chain, self.addresses, owners, threshold, salt=salt)

    def mint(self, chain: Chain, symbol: str, to: str, amount: int) -> None:
        """Give `to` that many smallest units of a test token."""
        mint(chain, self.addresses, symbol, to, amount)


def build_world(chain: Chain, *, cache: Path | None = None) -> World:
    """Deploy everything onto a fresh local chain: about 2 s on anvil, 7 s in process."""
    builder = Builder(chain, cache=cache)
    book = deploy_tokens(builder)
    book |= deploy_safe_stack(builder)
    book |= deploy_uniswap(builder, book, eth_usd=BUILT_ETH_USD)
    book |= deploy_aave(builder, book, eth_usd=BUILT_ETH_USD)
    book |= deploy_lyra(builder, book, eth_usd=BUILT_ETH_USD)
    book |= deploy_perp(builder, book)
    return World(book)


def base_world(*, cache: Path | None = None) -> World:
    """
    The cached world, built with anvil the first time.

    Raises `ConfigError` when packages or anvil are not here; it says what to run.
    """
    folder = (cache or default_cache()) / "worlds"
    stem = lock_hash()[:16]
    packed, state, book = (folder / f"{stem}.{kind}" for kind in ("json.gz", "json", "addresses.json"))
    if not (packed.is_file() and book.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        with start_anvil(timestamp=BUILT_AT, cache=cache) as chain:
            world = build_world(chain, cache=cache)
            _write(packed, gzip.compress(_dump(chain), 6))
            _write(book, json.dumps(world.addresses, indent=1).encode())
        package.cache_clear()  # unpacked tarballs are only needed while building
    if not state.is_file():
        _write(state, gzip.decompress(packed.read_bytes()))
    return World(json.loads(book.read_text(encoding="utf-8")), state)


@contextmanager
def open_world(
    backend: Backend = "anvil", *, keep: Path | None = None, cache: Path | None = None
) -> Iterator[tuple[Chain, World]]:
    """
    A chain of its own with the base world on it, gone at the end of the block.

    Parameters
    ----------
    backend : ``anvil`` or ``in-process``
    keep : anvil only: file that holds the state across restarts; started from the base world if absent
    cache : where packages and worlds are kept
    """
    chain, world = start_world(backend, keep=keep, cache=cache)
    with chain:
        yield chain, world


def start_world(
    backend: Backend = "anvil", *, keep: Path | None = None, cache: Path | None = None
) -> tuple[Chain, World]:
    """As `open_world`, for callers that close the chain themselves."""
    if backend == "in-process":
        try:
            world = base_world(cache=cache)
        except ConfigError:  # no anvil to build it with: build in place, which says what else is missing
            chain = start_in_process()
            return chain, build_world(chain, cache=cache)
        return start_in_process(state=world.state), world
    world = base_world(cache=cache)
    if keep is None:
        return start_anvil(state=world.state, cache=cache), world
    if not keep.is_file() and world.state is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(world.state, keep)
    return start_anvil(keep=keep, cache=cache), world


def _dump(chain: Chain) -> bytes:
    """The state as anvil dumps it, less history: only its last blocks, no transactions, no past states."""
    packed = bytes.fromhex(str(chain.request("anvil_dumpState")).removeprefix("0x"))
    dumped: dict[str, Any] = json.loads(gzip.decompress(packed))
    blocks = sorted(dumped["blocks"], key=lambda block: int(block["header"]["number"], 16))
    kept = {
        "block": dumped["block"],
        "accounts": dumped["accounts"],
        "best_block_number": dumped["best_block_number"],
        "blocks": [{**block, "transactions": []} for block in blocks[-KEPT_BLOCKS:]],
        "transactions": [],
    }
    return json.dumps(kept, separators=(",", ":")).encode()


def _write(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as copy:
        copy.write(content)
    os.replace(copy.name, path)  # noqa: PTH105 - atomic, and over an existing file


__all__ = [
    "World",
    "advance",
    "base_world",
    "build_world",
    "open_world",
    "prepare_market",
    "set_eth_price",
    "settle_boards",
    "start_world",
]
