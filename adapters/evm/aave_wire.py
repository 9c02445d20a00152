"""Aave v3 as bytes and numbers: orders into pool calls, pool events into changes. No input, no output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, approve_permit, bound, with_approval
from adapters.evm.wire import Found, Permit, change, events, plain_call, refused
from engine.errors import OrderRejected
from engine.instruments import LendingDebt, LendingSupply
from engine.market import LendingMarket
from engine.money import Money
from engine.orders import Address, Call, Order
from engine.ports import Receipt
from engine.positions import Position

RAY, BPS = 10**27, 10_000
_VARIABLE, _NO_REFERRAL = 2, 0


class Action(StrEnum):
    """What an order asks of the pool; the words owners read."""

    SUPPLY = "supply"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"


@dataclass(frozen=True, slots=True)
class Move:
    """One order in the pool's terms: `units` are smallest units of `token`, positive."""

    action: Action
    token: Token
    units: int


@dataclass(frozen=True, slots=True)
class Pool:
    """One market: its name in the books, its pool, the tokens we use there, the vault that uses it."""

    name: str
    contract: Contract
    tokens: Mapping[str, Token]
    safe: Address


def move(pool: Pool, order: Order) -> Move:
    """
    The order as a pool call.

    Supply positive = supply, negative = withdraw; debt negative = borrow more, positive = repay.
    Raises `OrderRejected` for another market, token or shape.
    """
    if len(order.legs) != 1 or not isinstance(order.legs[0].instrument, LendingSupply | LendingDebt):
        raise refused(order, "a lending order has exactly one leg, a supply or a debt")
    instrument, quantity = order.legs[0].instrument, order.legs[0].quantity
    token = pool.tokens.get(instrument.asset.code)
    if instrument.market != pool.name or token is None or token.currency != instrument.asset:
        raise refused(order, f"{instrument.id} is not of market {pool.name}")
    units = Money.of(quantity, token.currency).units
    if units == 0:
        raise refused(order, "its quantity is zero")
    if isinstance(instrument, LendingSupply):
        return Move(Action.SUPPLY if units > 0 else Action.WITHDRAW, token, abs(units))
    return Move(Action.REPAY if units > 0 else Action.BORROW, token, abs(units))


def encode(pool: Pool, asked: Move) -> tuple[Call, ...]:
    """The pool call, between an exact approval and its reset where the pool takes tokens."""
    token, units, safe = asked.token, asked.units, pool.safe
    match asked.action:
        case Action.SUPPLY:
            arguments: tuple[object, ...] = (token.address, units, safe, _NO_REFERRAL)
        case Action.WITHDRAW:
            arguments = (token.address, units, safe)
        case Action.BORROW:
            arguments = (token.address, units, _VARIABLE, _NO_REFERRAL, safe)
        case Action.REPAY:
            arguments = (token.address, units, _VARIABLE, safe)
    data = pool.contract.encode(asked.action, *arguments)
    call = plain_call(pool.contract.address, data, said(pool, asked.action, token, units))
    if asked.action in (Action.SUPPLY, Action.REPAY):
        return with_approval(token, pool.contract.address, units, pool.name, call)
    return (call,)


def said(pool: Pool, action: Action, token: Token, units: int) -> str:
    """A pool call in words."""
    where = {"supply": "to", "withdraw": "from", "borrow": "from", "repay": "to"}[action]
    return f"{action} {token.shown(units)} {where} {pool.name}"


def permits(pool: Pool) -> tuple[Permit, ...]:
    """The four pool calls for the vault itself with listed tokens, and exact approvals to the pool."""
    moves = tuple(Permit(pool.contract, action, _words(pool, action)) for action in Action)
    return moves + tuple(approve_permit(t, pool.contract.address, pool.name) for t in pool.tokens.values())


def changes(asked: Move, moved: int, market: str) -> tuple[Position, ...]:
    """What `moved` units did to the vault: cash one way, supply or debt the other."""
    currency = asked.token.currency
    book: LendingSupply | LendingDebt
    if asked.action in (Action.SUPPLY, Action.WITHDRAW):
        book, sign = LendingSupply(market, currency), 1 if asked.action is Action.SUPPLY else -1
    else:
        book, sign = LendingDebt(market, currency), 1 if asked.action is Action.REPAY else -1
    return change(book, sign * moved), change(asked.token.cash, -sign * moved)


def found(pool: Pool, asked: Move, receipt: Receipt) -> Found | None:
    """
    The pool's event of this order; None if it is not there. The last of several: strangers act in front of ours.

    A repayment of more than is owed pays what is owed: then it is the last one of its debt.
    """
    account = {"withdraw": "to", "repay": "user"}.get(asked.action, "onBehalfOf")
    ours = [
        event
        for event in events(pool.contract, asked.action.capitalize(), receipt)
        if event["reserve"] == asked.token.address and event[account] == pool.safe
    ]
    exact = next((event for event in reversed(ours) if event["amount"] == asked.units), None)
    if exact is None and asked.action is Action.REPAY:
        return next((event for event in ours[-1:] if event["amount"] < asked.units), None)
    return exact


def market(name: str, asset: Token, secured: Token, readings: Mapping[str, Any]) -> LendingMarket:
    """
    A market from contract answers.

    Parameters
    ----------
    secured : the token that is collateral
    readings : `reserve` and `held` (getReserveData of the asset and of the collateral), `terms`
        (getReserveConfigurationData by token code), `liquidity` (units the pool holds), `kink`, `base`, `slope1`,
        `slope2` (rays)
    """
    reserve, terms, held = readings["reserve"], readings["terms"], readings["held"]
    thresholds = {code: each["liquidationThreshold"] / BPS for code, each in terms.items()}
    lent = held["totalVariableDebt"] + held["totalStableDebt"]
    debt = reserve["totalVariableDebt"] + reserve["totalStableDebt"]
    free = readings["liquidity"]
    return LendingMarket(
        name=name,
        asset=asset.currency.code,
        borrow_rate=reserve["variableBorrowRate"] / RAY,
        supply_rate=reserve["liquidityRate"] / RAY,
        threshold=thresholds[secured.currency.code],
        ltv=terms[secured.currency.code]["ltv"] / BPS,
        liquidity=free / 10**asset.currency.decimals,
        utilisation=debt / (debt + free) if debt else 0.0,
        base_rate=readings["base"] / RAY,
        slope1=readings["slope1"] / RAY,
        slope2=readings["slope2"] / RAY,
        kink=readings["kink"] / RAY,
        collateral=secured.currency.code,
        withdrawable=max(held["totalAToken"] - lent, 0) / 10**secured.currency.decimals,
        thresholds=thresholds,
    )


def _words(pool: Pool, action: Action) -> Callable[[Mapping[str, Any]], str]:
    by_address = {token.address: token for token in pool.tokens.values()}

    def words(arguments: Mapping[str, Any]) -> str:
        token = by_address.get(arguments["asset"])
        if token is None:
            raise OrderRejected(
                f"{action} of {arguments['asset']} refused", why="that token is not listed", todo="sign nothing"
            )
        bound(pool.safe, arguments["to" if action is Action.WITHDRAW else "onBehalfOf"], "account")
        if arguments.get("interestRateMode", _VARIABLE) != _VARIABLE:
            raise OrderRejected(f"{action} refused", why="only the variable rate is listed", todo="sign nothing")
        return said(pool, action, token, arguments["amount"])

    return words
