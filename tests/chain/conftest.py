"""Fixtures of the local chain; skipped only where packages are not fetched and npm is missing."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.evm import packages
from adapters.evm.chain import Chain
from adapters.evm.world import World, base_world, open_world, prepare_market

ASOF = datetime(2023, 7, 3, 14, 0, tzinfo=UTC)
ETH_USD = Decimal("1955.25")
EXPIRIES = (ASOF + timedelta(days=32), ASOF + timedelta(days=88))
STRIKES = tuple(Decimal(strike) for strike in (1200, 1500, 1700, 1900, 2100, 2400))
BASE_IV = Decimal("0.55")


@pytest.fixture(scope="session")
def fetched_packages() -> None:
    if packages.missing():
        if not (os.environ.get("HEDGE_NPM") or shutil.which("npm")):
            pytest.skip("packages of the local chain are not fetched and npm is missing")
        packages.fetch()


@pytest.fixture(scope="session")
def cached_world(fetched_packages: None) -> World:
    return base_world()


@pytest.fixture
def local(cached_world: World) -> Iterator[tuple[Chain, World]]:
    """Anvil with the base world, at its own clock."""
    with open_world() as opened:
        yield opened


@pytest.fixture
def market(local: tuple[Chain, World]) -> tuple[Chain, World]:
    """Anvil with the base world at `ASOF`, ETH at `ETH_USD`, two option boards listed."""
    chain, world = local
    prepare_market(
        chain,
        world,
        at=ASOF,
        eth_usd=ETH_USD,
        option_expiries=EXPIRIES,
        option_strikes=STRIKES,
        base_iv=BASE_IV,
    )
    return chain, world
