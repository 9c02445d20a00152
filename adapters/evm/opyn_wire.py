"""Opyn Gamma v2 as bytes and numbers: oToken swaps, covered writing, redemption, settlement. No input, no output."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from functools import cached_property
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, approve_permit, bound, with_approval
from adapters.evm.uniswap_wire import Swap, SwapPool
from adapters.evm.uniswap_wire import encode as encode_swap
from adapters.evm.uniswap_wire import permits as swap_permits
from adapters.evm.wire import ZERO_ADDRESS, Permit, plain_call, refused
from engine.errors import OrderRejected
from engine.instruments import LendingSupply, Right, Settlement, VanillaOption
from engine.money import Money
from engine.orders import Address, Call, Order

OTOKEN_DECIMALS, PRICE_DECIMALS = 8, 8
POOL = "opyn"


class Action(IntEnum):
    """Gamma's `Actions.ActionType`, as far as a vault of ours takes them."""

    OPEN = 0
    MINT = 1
    DEPOSIT = 5
    SETTLE = 7
    REDEEM = 8


@dataclass(frozen=True)
class Otoken:
    """One listed oToken: its terms, its collateral, and the pool in which it trades (None: it cannot be bought)."""

    address: Address
    underlying: str
    strike: int
    expiry: int
    right: Right
    collateral: Token
    pool: Address | None = None
    pool_fee: int = 3000
    root: str = "OPYN"

    @cached_property
    def option(self) -> VanillaOption:
        """Its instrument: European, cash-settled in the collateral."""
        return VanillaOption(
            root=self.root,
            underlying=self.underlying,
            expiry=datetime.fromtimestamp(self.expiry, UTC),
            strike=Decimal(self.strike) / 10**PRICE_DECIMALS,
            right=self.right,
            multiplier=Decimal(1),
            settlement=Settlement.CHAIN,
            currency=self.collateral.currency,
            decimals=OTOKEN_DECIMALS,
        )

    @cached_property
    def token(self) -> Token:
        """Its token."""
        return Token(self.option.unit, self.address)

    @property
    def market(self) -> SwapPool | None:
        """Where it is swapped for its collateral."""
        return SwapPool(self.pool, (self.token, self.collateral), self.pool_fee) if self.pool else None

    def needs(self, units: int) -> int:
        """
        Collateral units that cover writing `units`, rounded up: a put's whole strike.

        Source: Gamma `MarginCalculator`, fully collateralised vault type 0.
        """
        scale: int = 10 ** (OTOKEN_DECIMALS + PRICE_DECIMALS - self.collateral.currency.decimals)
        return -(-self.strike * units // scale)

    def pays(self, units: int, price: int) -> int:
        """
        Collateral units that `units` redeem for at a final `price` (8 decimals), rounded down as Gamma rounds.

        Source: Gamma `MarginCalculator.getExpiredPayoutRate` and `Controller.getPayout`.
        """
        intrinsic = max(0, self.right.sign * (price - self.strike))
        rate: int = intrinsic * 10**self.collateral.currency.decimals // 10**PRICE_DECIMALS
        paid: int = rate * units // 10**OTOKEN_DECIMALS
        return paid


@dataclass(frozen=True)
class Gamma:
    """One deployment: controller, margin pool, router for swaps, listed oTokens, and the vault that uses them."""

    controller: Contract
    margin_pool: Address
    router: Contract
    otokens: tuple[Otoken, ...]
    safe: Address
    name: str = "opyn"

    def deposit(self, otoken: Otoken) -> LendingSupply:
        """Collateral locked behind short options, as an instrument."""
        return LendingSupply(self.name, otoken.collateral.currency)


@dataclass(frozen=True, slots=True)
class Deal:
    """One order: signed oToken units, the collateral it locks, and the bound in collateral tokens."""

    otoken: Otoken
    units: int
    locked: int
    bound: int


def deal(gamma: Gamma, order: Order) -> Deal:
    """
    One leg buys (+) or sells, or after expiry redeems (-); a second leg of collateral makes it a written option.

    The limit is all the cash: a written option's is its premium less its collateral. Raises
    `OrderRejected` for another shape, an unlisted option, too little collateral or no bound.
    """
    option = order.legs[0].instrument
    otoken = next((o for o in gamma.otokens if o.option == option), None)
    if otoken is None or len(order.legs) > 2:
        raise refused(order, f"{option.id} is not listed on {gamma.name}, or has too many legs")
    units = Money.of(order.legs[0].quantity, otoken.option.unit).units
    locked = 0
    if len(order.legs) == 2:
        if order.legs[1].instrument != gamma.deposit(otoken) or otoken.right is Right.CALL:
            raise refused(order, "only puts are written here, on collateral in their own currency")
        locked = Money.of(order.legs[1].quantity, otoken.collateral.currency).units
        if units >= 0 or locked < otoken.needs(-units):
            raise refused(order, f"{otoken.collateral.shown(max(locked, 0))} does not cover what it writes")
    least = order.limit.units + locked
    if order.limit.currency != otoken.collateral.currency or units * least >= 0:
        raise refused(order, f"{units} units for {order.limit} have no bound")
    return Deal(otoken, units, locked, abs(least))


def swapped(asked: Deal, order: Order) -> Swap:
    """The swap of exactly those oTokens; raises `OrderRejected` where no pool is listed."""
    market = asked.otoken.market
    if market is None:
        raise refused(order, f"{asked.otoken.option.id} has no pool", "write or hold it; it cannot be traded")
    paid, received = asked.otoken.collateral, asked.otoken.token
    if asked.units < 0:
        paid, received = received, paid
    return Swap(market, paid, received, asked.units > 0, abs(asked.units), asked.bound)


def trade(gamma: Gamma, asked: Deal, order: Order) -> tuple[Call, ...]:
    """The router call between an exact approval and its reset."""
    return encode_swap(gamma.router, swapped(asked, order), gamma.safe)


def write(gamma: Gamma, asked: Deal, order: Order, vault_id: int) -> tuple[Call, ...]:
    """Open a vault, lock collateral, mint, and sell what was minted; collateral is approved to the margin pool."""
    otoken, units = asked.otoken, -asked.units
    actions = [
        _action(Action.OPEN, gamma.safe, vault_id=vault_id),
        _action(Action.DEPOSIT, gamma.safe, gamma.safe, otoken.collateral.address, vault_id, asked.locked),
        _action(Action.MINT, gamma.safe, gamma.safe, otoken.address, vault_id, units),
    ]
    call = _operate(gamma, actions)
    locked = with_approval(otoken.collateral, gamma.margin_pool, asked.locked, POOL, call)
    return (*locked, *trade(gamma, asked, order))


def redeem(gamma: Gamma, otoken: Otoken, units: int) -> Call:
    """Expired oTokens for their payout."""
    return _operate(gamma, [_action(Action.REDEEM, ZERO_ADDRESS, gamma.safe, otoken.address, 0, units)])


def settle(gamma: Gamma, vault_id: int) -> Call:
    """What a vault's short left of its collateral after expiry."""
    return _operate(gamma, [_action(Action.SETTLE, gamma.safe, gamma.safe, vault_id=vault_id)])


def permits(gamma: Gamma) -> tuple[Permit, ...]:
    """Listed swaps, covered writing, redeeming and settling for the vault itself, and exact approvals."""
    pools: Sequence[SwapPool] = [o.market for o in gamma.otokens if o.market]
    collaterals = {o.collateral.address: o.collateral for o in gamma.otokens}
    return (
        Permit(gamma.controller, "operate", _words(gamma)),
        *(approve_permit(token, gamma.margin_pool, POOL) for token in collaterals.values()),
        *swap_permits(gamma.router, pools, gamma.safe),
    )


def _action(
    kind: Action,
    owner: Address,
    second: Address = ZERO_ADDRESS,
    asset: Address = ZERO_ADDRESS,
    vault_id: int = 0,
    amount: int = 0,
) -> dict[str, object]:
    return {
        "actionType": int(kind),
        "owner": owner,
        "secondAddress": second,
        "asset": asset,
        "vaultId": vault_id,
        "amount": amount,
        "index": 0,
        "data": b"",
    }


def _operate(gamma: Gamma, actions: Sequence[Mapping[str, Any]]) -> Call:
    data = gamma.controller.encode("operate", list(actions))
    return plain_call(gamma.controller.address, data, _said(gamma, actions))


def _said(gamma: Gamma, actions: Sequence[Mapping[str, Any]]) -> str:
    by_address = {o.address: o for o in gamma.otokens}
    tokens = {o.collateral.address: o.collateral for o in gamma.otokens}
    kinds = [action["actionType"] for action in actions]
    if kinds == [Action.OPEN, Action.DEPOSIT, Action.MINT]:
        _, locked, minted = actions
        token, otoken = tokens.get(locked["asset"]), by_address.get(minted["asset"])
        if token is None or otoken is None or token != otoken.collateral or otoken.right is Right.CALL:
            raise _unlisted("its option or collateral is not listed")
        return f"write {otoken.token.shown(minted['amount'])} on {token.shown(locked['amount'])} of collateral"
    if kinds == [Action.REDEEM] and actions[0]["asset"] in by_address:
        return f"redeem {by_address[actions[0]['asset']].token.shown(actions[0]['amount'])}"
    if kinds == [Action.SETTLE]:
        return f"settle vault {actions[0]['vaultId']} of {gamma.name}"
    raise _unlisted(f"actions {kinds} are not listed")


def _words(gamma: Gamma) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        (actions,) = arguments.values()
        for action in actions:
            redeems, opens = action["actionType"] == Action.REDEEM, action["actionType"] == Action.OPEN
            bound(ZERO_ADDRESS if redeems else gamma.safe, action["owner"], "owner")
            bound(ZERO_ADDRESS if opens else gamma.safe, action["secondAddress"], "receiver")
            if action["data"] or action["index"]:
                raise _unlisted("only plain actions on fully covered vaults are listed")
        if len({a["vaultId"] for a in actions}) != 1:
            raise _unlisted("it touches several vaults")
        return _said(gamma, actions)

    return words


def _unlisted(why: str) -> OrderRejected:
    return OrderRejected("option call refused", why=why, todo="sign nothing; make the plan again")
