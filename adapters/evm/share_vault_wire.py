"""ERC-4626 vaults as bytes and numbers: orders into mint, redeem and request. No input, no output."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, approve_permit, bound, with_approval
from adapters.evm.wire import Permit, plain_call, refused
from contracts_abi import load
from engine.errors import OrderRejected
from engine.instruments import VaultShare
from engine.money import Money
from engine.orders import Address, Call, Order

_REQUEST = 0


@dataclass(frozen=True)
class ListedVault:
    """One vault: its share's symbol and decimals, its asset, and whether it redeems on request (ERC-7540)."""

    symbol: str
    address: Address
    asset: Token
    decimals: int = 18
    queued: bool = False

    @cached_property
    def contract(self) -> Contract:
        """Its ERC-4626 interface, with ERC-7540's queue where it has one."""
        queue = load("erc-7540") if self.queued else []
        return Contract(self.address, [*load("erc-4626"), *queue])

    @property
    def share(self) -> VaultShare:
        """Its instrument."""
        return VaultShare(self.symbol, self.asset.currency, self.decimals)

    def shown(self, shares: int) -> str:
        """Shares in words."""
        return f"{Money(shares, self.share.unit).amount.normalize():,f} {self.symbol}"


@dataclass(frozen=True, slots=True)
class Dealing:
    """One order: signed shares, and the most assets paid in or the least paid out."""

    vault: ListedVault
    shares: int
    bound: int


def dealing(vaults: Sequence[ListedVault], order: Order) -> Dealing:
    """The order as shares of a listed vault. Raises `OrderRejected` for another shape, vault or bound."""
    if len(order.legs) != 1 or not isinstance(order.legs[0].instrument, VaultShare):
        raise refused(order, "a vault order has exactly one leg, its share")
    vault = next((v for v in vaults if v.share == order.legs[0].instrument), None)
    if vault is None:
        raise refused(order, f"{order.legs[0].instrument.id} is not listed")
    shares = Money.of(order.legs[0].quantity, vault.share.unit).units
    if order.limit.currency != vault.asset.currency or shares * order.limit.units >= 0:
        raise refused(order, f"{shares} shares for {order.limit} have no bound")
    return Dealing(vault, shares, abs(order.limit.units))


def mint(asked: Dealing, safe: Address) -> tuple[Call, ...]:
    """Exactly those shares, for no more assets than the exact approval lets the vault take."""
    vault = asked.vault
    data = vault.contract.encode("mint", asked.shares, safe)
    call = plain_call(vault.address, data, _said(vault, "mint", asked.shares))
    return with_approval(vault.asset, vault.address, asked.bound, vault.symbol, call)


def redeem(asked: Dealing, safe: Address) -> tuple[Call, ...]:
    """Exactly those shares back into assets; a queued vault pays what was fulfilled before."""
    vault, shares = asked.vault, -asked.shares
    data = vault.contract.encode("redeem", shares, safe, safe)
    return (plain_call(vault.address, data, _said(vault, "redeem", shares)),)


def request(asked: Dealing, safe: Address) -> tuple[Call, ...]:
    """Ask a queued vault to redeem those shares at the price of the day it fulfils them."""
    vault, shares = asked.vault, -asked.shares
    data = vault.contract.encode("requestRedeem", shares, safe, safe)
    return (plain_call(vault.address, data, _said(vault, "requestRedeem", shares)),)


def waiting(vault: ListedVault, owner: str) -> tuple[Any, Any]:
    """Queries of what waits in the queue for `owner`, and of what it may claim."""
    return (
        vault.contract.query("pendingRedeemRequest", _REQUEST, owner),
        vault.contract.query("claimableRedeemRequest", _REQUEST, owner),
    )


def permits(vaults: Sequence[ListedVault], safe: Address) -> tuple[Permit, ...]:
    """Shares minted to and redeemed for the vault itself, requests where there is a queue, exact approvals."""
    found: list[Permit] = []
    for vault in vaults:
        functions = ("mint", "redeem", "requestRedeem") if vault.queued else ("mint", "redeem")
        found += [Permit(vault.contract, function, _words(vault, function, safe)) for function in functions]
        found.append(approve_permit(vault.asset, vault.address, vault.symbol))
    return tuple(found)


def _said(vault: ListedVault, function: str, shares: int) -> str:
    match function:
        case "mint":
            return f"buy {vault.shown(shares)} of its vault"
        case "redeem":
            return f"redeem {vault.shown(shares)} for {vault.asset.currency}"
        case _:
            return f"ask to redeem {vault.shown(shares)} at the price of the day it is fulfilled"


def _words(vault: ListedVault, function: str, safe: Address) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        for name in ("receiver", "owner", "controller"):
            if name in arguments:
                bound(safe, arguments[name], name)
        if not arguments["shares"]:
            raise OrderRejected("vault call refused", why="it moves no shares", todo="sign nothing")
        return _said(vault, function, arguments["shares"])

    return words
