"""
Market instants on the local chain: its clock, its ETH price and its option boards, moved together.

`prepare_market` sets the stage once; each later session calls `advance` (clock, price and settlement) or
the smaller `set_eth_price` and `settle_boards`.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from adapters.evm import deploy_aave, deploy_lyra
from adapters.evm.chain import Chain
from adapters.evm.deploy_lyra import list_board
from adapters.evm.deploy_uniswap import move_weth_price
from engine.orders import Address


class AddressBook(Protocol):
    """Where things are; `adapters.evm.world.World`."""

    @property
    def addresses(self) -> dict[str, Address]:
        """Addresses by name."""


def prepare_market(
    chain: Chain,
    world: AddressBook,
    *,
    at: datetime,
    eth_usd: Decimal,
    option_expiries: Sequence[datetime],
    option_strikes: Sequence[Decimal],
    base_iv: Decimal,
    skews: Sequence[Decimal] | None = None,
) -> list[int]:
    """
    Bring a fresh world to a market instant and return the ids of the option boards listed.

    Parameters
    ----------
    at : chain time from now on; later than the chain's clock
    eth_usd : ETH on Lyra, in both Aave oracles and in the Uniswap pool
    option_expiries : one board each, within 400 days of `at`
    option_strikes : USD, the same on every board, at most 30
    base_iv : volatility of the boards, decimal per year, 0.15 to 4
    skews : factor on `base_iv` for each strike, 0.3 to 3; 1 each if None

    Notes
    -----
    Also lends out half of each Aave reserve, so that from now on `aave-cheap` borrows at about 4.5 % a
    year and `aave-dear` at about 15 %. Lyra's cached greeks are good for three hours or a 5 % move.
    """
    book = world.addresses
    chain.warp(at)
    set_eth_price(chain, world, eth_usd)
    deploy_aave.seed_loans(chain, book, eth_usd=eth_usd)
    return [list_board(chain, book, expiry, option_strikes, base_iv=base_iv, skews=skews) for expiry in option_expiries]


def set_eth_price(chain: Chain, world: AddressBook, eth_usd: Decimal) -> None:
    """Set ETH everywhere: Lyra's spot (cached greeks follow), both Aave oracles, the Uniswap pool."""
    book = world.addresses
    deploy_lyra.set_spot(chain, book, eth_usd)
    deploy_aave.set_price(chain, book, "WETH", eth_usd)
    move_weth_price(chain, book, eth_usd)


def settle_boards(chain: Chain, world: AddressBook) -> list[int]:
    """Settle every expired Lyra board at the ETH price set last; returns their ids."""
    return deploy_lyra.settle_boards(chain, world.addresses)


def advance(chain: Chain, world: AddressBook, *, at: datetime, eth_usd: Decimal) -> list[int]:
    """
    Move the chain to a later session: clock, ETH price, settlement of what has expired by then.

    Returns the ids of the boards settled. A board settles at `eth_usd`, so step onto an expiry when
    its settlement price matters.
    """
    chain.warp(at)
    set_eth_price(chain, world, eth_usd)
    return settle_boards(chain, world)
