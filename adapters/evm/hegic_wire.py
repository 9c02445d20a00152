"""Hegic Herge as bytes and numbers: orders into treasury calls, its events into changes. No input, no output."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, approve_permit, bound, with_approval
from adapters.evm.wire import Permit, plain_call, refused
from engine.errors import OrderRejected
from engine.instruments import Right, Settlement, VanillaOption
from engine.money import Money
from engine.orders import Address, Call, Order

PRICE_DECIMALS = 8
SCALE = 10_000
TREASURY = "hegic"
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Strategy:
    """
    One listed strategy of single calls or puts: `scale` is its strike over spot, in ten-thousandths.

    `decimals` are those of its underlying (18 for ether, 8 for bitcoin).
    """

    contract: Contract
    underlying: str
    right: Right
    scale: int = SCALE
    decimals: int = 18

    @property
    def root(self) -> str:
        """Names its options: two strategies of one underlying and right differ by their scale."""
        return f"HEGIC-{self.scale}"


@dataclass(frozen=True, slots=True)
class Herge:
    """One deployment: its treasury, its money, listed strategies, and the vault that buys there."""

    treasury: Contract
    manager: Contract
    money: Token
    strategies: tuple[Strategy, ...]
    safe: Address
    name: str = "hegic"

    def option(self, strategy: Strategy, spot: int, expiry: int) -> VanillaOption:
        """
        The instrument struck when spot was `spot` (8 decimals): European here, although it may be exercised early.

        Source: Herge `HegicStrategyPut._calculateStrategyPayOff`: the stored strike is spot, scaled when it pays.
        """
        return VanillaOption(
            root=strategy.root,
            underlying=strategy.underlying,
            expiry=datetime.fromtimestamp(expiry, UTC),
            strike=Decimal(spot * strategy.scale // SCALE) / 10**PRICE_DECIMALS,
            right=strategy.right,
            multiplier=Decimal(1),
            settlement=Settlement.CHAIN,
            currency=self.money.currency,
            decimals=strategy.decimals,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """One order: a strategy, signed amount in the underlying's units, and the bound in the treasury's money."""

    strategy: Strategy
    option: VanillaOption
    units: int
    bound: int


def wish(herge: Herge, order: Order) -> Wish:
    """
    Positive buys, negative exercises a held option; the limit is the most paid or the least received.

    What is bought is struck at spot when it is bought: the order's strike and expiry say what is meant, its
    fill what came of it. Raises `OrderRejected` for another shape, an unlisted strategy or no bound.
    """
    option = order.legs[0].instrument
    if len(order.legs) != 1 or not isinstance(option, VanillaOption):
        raise refused(order, "an option order has exactly one option leg")
    for strategy in herge.strategies:
        names = (strategy.root, strategy.underlying, strategy.right, strategy.decimals)
        if names == (option.root, option.underlying, option.right, option.decimals):
            units = Money.of(order.legs[0].quantity, option.unit).units
            if order.limit.currency != herge.money.currency or units * order.limit.units >= 0:
                raise refused(order, f"{units} units for {order.limit} have no bound")
            return Wish(strategy, option, units, abs(order.limit.units))
    raise refused(order, f"{option.id} is of no strategy listed on {herge.name}")


def buy(herge: Herge, asked: Wish, period: int) -> tuple[Call, ...]:
    """Buy for the vault; the treasury has no maximum price, so the exact approval is the only bound."""
    arguments: tuple[object, ...] = (asked.strategy.contract.address, herge.safe, asked.units, period, [])
    data = herge.treasury.encode("buy", *arguments)
    call = plain_call(herge.treasury.address, data, _said_buy(asked.strategy, asked.units, period))
    return with_approval(herge.money, herge.treasury.address, asked.bound, TREASURY, call)


def exercise(herge: Herge, position: int) -> Call:
    """Take a position's payoff into the vault."""
    data = herge.treasury.encode("payOff", position, herge.safe)
    return plain_call(herge.treasury.address, data, _said_exercise(position))


def unlock(herge: Herge, position: int) -> Call:
    """Close a position that expired; anybody may."""
    data = herge.treasury.encode("unlock", position)
    return plain_call(herge.treasury.address, data, _said_unlock(position))


def permits(herge: Herge) -> tuple[Permit, ...]:
    """Buying listed strategies and exercising for the vault itself, unlocking, and exact approvals."""
    return (
        Permit(herge.treasury, "buy", _buy_words(herge)),
        Permit(herge.treasury, "payOff", _exercise_words(herge)),
        Permit(herge.treasury, "unlock", lambda arguments: _said_unlock(next(iter(arguments.values())))),
        approve_permit(herge.money, herge.treasury.address, TREASURY),
    )


def pays(strategy: Strategy, units: int, struck: int, price: int, money_decimals: int) -> int:
    """
    Money units that an option pays at a price, both prices with 8 decimals, rounded down.

    Source: Herge `ProfitCalculator` and `HegicStrategyPut`, `HegicStrategyCall`.
    """
    strike = struck * strategy.scale // SCALE
    intrinsic = max(0, strategy.right.sign * (price - strike))
    paid: int = intrinsic * units * 10**money_decimals // 10**strategy.decimals // 10**PRICE_DECIMALS
    return paid


def _said_buy(strategy: Strategy, units: int, period: int) -> str:
    amount = f"{(Decimal(units) / 10**strategy.decimals).normalize():f}"
    kind = "put" if strategy.right is Right.PUT else "call"
    where = f"struck at {strategy.scale / 100:g} % of spot"
    return f"buy {amount} {strategy.underlying} {kind} {where} for {period / _DAY:g} days"


def _said_exercise(position: int) -> str:
    return f"exercise position {position} of {TREASURY}"


def _said_unlock(position: int) -> str:
    return f"close expired position {position} of {TREASURY}"


def _buy_words(herge: Herge) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        contract, holder, units, period, additional = arguments.values()
        bound(herge.safe, holder, "holder")
        strategy = _by_address(herge.strategies, contract)
        if additional or not units:
            raise _unlisted("it buys nothing, or with terms of its own")
        return _said_buy(strategy, units, period)

    return words


def _exercise_words(herge: Herge) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        position, account = arguments.values()
        bound(herge.safe, account, "account")
        return _said_exercise(position)

    return words


def _by_address(strategies: Sequence[Strategy], address: object) -> Strategy:
    for strategy in strategies:
        if strategy.contract.address == address:
            return strategy
    raise _unlisted("its strategy is not listed")


def _unlisted(why: str) -> OrderRejected:
    return OrderRejected("option call refused", why=why, todo="sign nothing; make the plan again")
