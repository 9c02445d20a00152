"""Tokens: exact approvals that are taken back, and transfers to the one address they may go to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.wire import Holder, Permit, change, events, fill, plain_call, refused
from contracts_abi import load
from engine.errors import OrderRejected
from engine.instruments import Cash
from engine.money import Currency, Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt
from engine.positions import Position, Sleeve

OFFRAMP = "offramp"
_INFINITE = 2**128  # units; no order of ours is near it


@dataclass(frozen=True)
class Token:
    """A currency and the contract that keeps its balances."""

    currency: Currency
    address: Address

    @cached_property
    def contract(self) -> Contract:
        """Its ERC-20 interface."""
        return Contract(self.address, load("erc20"))

    @property
    def cash(self) -> Cash:
        """A balance of it as an instrument."""
        return Cash(self.currency)

    def shown(self, units: int) -> str:
        """`units` smallest units in words, e.g. `12.5 USDC`."""
        return f"{Money(units, self.currency).amount.normalize():,f} {self.currency}"

    def approve(self, spender: Address, units: int, name: str) -> Call:
        """Let `spender` take exactly `units` (zero takes the permission back)."""
        words = approval_words(self, name, units)
        return plain_call(self.address, self.contract.encode("approve", spender, units), words)


def approval_words(token: Token, name: str, units: int) -> str:
    """What an approval says to an owner."""
    return f"let {name} take up to {token.shown(units)}" if units else f"let {name} take no more {token.currency}"


def with_approval(token: Token, spender: Address, units: int, name: str, call: Call) -> tuple[Call, ...]:
    """The call between an exact approval and its reset (faults F51)."""
    return token.approve(spender, units, name), call, token.approve(spender, 0, name)


def approve_permit(token: Token, spender: Address, name: str) -> Permit:
    """Approvals of `token` to `spender` and nobody else; an infinite one is refused."""

    def words(arguments: Mapping[str, Any]) -> str:
        to, units = arguments.values()
        if to != spender:
            raise OrderRejected(
                f"approval of {to} refused", why=f"{token.currency} may be taken by {name} only", todo="sign nothing"
            )
        if units >= _INFINITE:
            raise OrderRejected(
                f"infinite approval of {token.currency} refused", why="approvals are exact", todo="sign nothing"
            )
        return approval_words(token, name, units)

    return Permit(token.contract, "approve", words)


def bound(holder: Address, found: object, what: str) -> None:
    """Raise `OrderRejected` unless an address argument is the vault itself."""
    if found != holder:
        raise OrderRejected(f"{what} {found} refused", why=f"only the vault {holder} may be it", todo="sign nothing")


def transferred(
    token: Token, receipt: Receipt, *, sender: Address, to: Address | None = None, within: range | None = None
) -> int:
    """Units of `token` that left `sender` (to `to` if given) in this receipt, or its events `within`, less returns."""
    net = 0
    for found in events(token.contract, "Transfer", receipt):
        if within is not None and found.ordinal not in within:
            continue
        source, target, units = found.fields.values()
        if source == sender and to in (None, target):
            net += units
        if target == sender and to in (None, source):
            net -= units
    return net


class TokenTransfers:
    """
    Sends tokens from the vault to the off-ramp's deposit address, and to no other.

    An order has one `Cash` leg: what arrives at the ramp; its limit is what leaves the vault.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        tokens: Sequence[Token],
        *,
        deposit: Address,
        name: str = "ramp",
        label: Callable[[Address], str] | None = None,
    ) -> None:
        self.chain, self.holder, self.deposit, self.name = chain, holder, deposit, name
        self.tokens = {token.currency: token for token in tokens}
        self._label = label or (lambda to: f"the off-ramp {to}")

    def permits(self) -> tuple[Permit, ...]:
        """Transfers to the deposit address."""
        return tuple(Permit(token.contract, "transfer", self._words(token)) for token in self.tokens.values())

    def quote(self, order: Order) -> Money:
        """What leaves the vault, negative; a transfer has no price."""
        token, units = self._leg(order)
        return Money(-units, token.currency)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """One transfer to the deposit address. Pure."""
        token, units = self._leg(order)
        data = token.contract.encode("transfer", self.deposit, units)
        return (plain_call(token.address, data, self._said(token, units)),)

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """The transfer this receipt made: out of the vault, into transit at the off-ramp."""
        token, units = self._leg(order)
        for found in events(token.contract, "Transfer", receipt):
            source, target, moved = found.fields.values()
            if (source, target, moved) == (self.holder.safe, self.deposit, units):
                arrived = Position(token.cash, Money(units, token.currency), Sleeve.TRANSIT, OFFRAMP)
                changes = (change(token.cash, -units), arrived)
                memo = self._said(token, units)
                return (fill(order, receipt, self.holder, ordinal=found.ordinal, changes=changes, memo=memo),)
        return ()

    def positions(self, owner: str) -> dict[str, int]:
        """Units of each token that `owner` holds at the latest final block."""
        tokens = list(self.tokens.values())
        final = self.chain.block("finalized").number
        held = self.chain.read_many([token.contract.query("balanceOf", owner) for token in tokens], block=final)
        return {token.cash.id: units for token, units in zip(tokens, held, strict=True) if units}

    def _leg(self, order: Order) -> tuple[Token, int]:
        instruments = [leg.instrument for leg in order.legs]
        if len(instruments) != 1 or not isinstance(instruments[0], Cash):
            raise refused(order, "a transfer has exactly one leg, the token that arrives")
        token = self.tokens.get(instruments[0].currency)
        if token is None or order.legs[0].quantity <= 0:
            raise refused(order, f"{order.legs[0].quantity} {instruments[0].currency} cannot be sent to the off-ramp")
        return token, Money.of(order.legs[0].quantity, token.currency).units

    def _said(self, token: Token, units: int) -> str:
        return f"send {token.shown(units)} to {self._label(self.deposit)}"

    def _words(self, token: Token) -> Callable[[Mapping[str, Any]], str]:
        def words(arguments: Mapping[str, Any]) -> str:
            to, units = arguments.values()
            if to != self.deposit:
                raise OrderRejected(
                    f"transfer to {to} refused",
                    why="only the off-ramp's deposit address is listed",
                    todo="sign nothing",
                )
            return self._said(token, units)

        return words
