"""What strangers do to our positions: a liquidation, told from interest and from a loss of price."""

from collections.abc import Mapping
from datetime import datetime

from engine.entries import Entry, Leg
from engine.errors import InputError
from engine.instruments import LendingDebt, LendingSupply
from engine.ledger.accounts import TRADING, expenses
from engine.ledger.posting import exchange
from engine.money import Money
from engine.positions import Position

KIND = "liquidation"
_PERCENT = 10_000


def foreign_key(chain_id: int, transaction_hash: str, ordinal: int) -> str:
    """
    Identity of an effect somebody else caused: its place among the logs of its own receipt (fault I2).

    >>> foreign_key(1, "0xab", 3)
    'chain:1:0xab:3'
    """
    return f"chain:{chain_id}:{transaction_hash}:{ordinal}"


def liquidation_bonus(seized: Money, bonus_bps: int) -> Money:
    """
    The part of seized collateral that is the liquidator's: what exceeds the worth of the debt repaid.

    Parameters
    ----------
    seized : positive
    bonus_bps : the market's own figure, 10,500 for a bonus of 5 %; half rounded up as it does

    >>> from engine.money import USD
    >>> str(liquidation_bonus(Money(1050_00, USD), 10_500))
    '50.00 USD'
    """
    if bonus_bps < _PERCENT or seized.units < 0:
        raise InputError(f"bonus {bonus_bps} on {seized}", why="a bonus is at least 100 %", todo="read the reserve")
    covers = (seized.units * _PERCENT + bonus_bps // 2) // bonus_bps
    return Money(seized.units - covers, seized.currency)


def liquidated(
    seized: Position,
    repaid: Position,
    *,
    bonus: Money,
    key: str,
    at: datetime,
    evidence: Mapping[str, str],
) -> Entry:
    """
    Collateral taken and debt repaid by a stranger, the bonus an expense of its own (fault F98).

    Parameters
    ----------
    seized : change of a supply, negative
    repaid : change of a debt, positive (we owe less), of the same sleeve
    bonus : part of what was seized, in the supply's token, >= 0
    key : `foreign_key`: posted once however often it is read
    """
    collateral, debt = seized.instrument, repaid.instrument
    if not isinstance(collateral, LendingSupply) or not isinstance(debt, LendingDebt):
        raise _refused("a liquidation takes a supply and repays a debt")
    if seized.held.units >= 0 or repaid.held.units <= 0 or seized.sleeve is not repaid.sleeve:
        raise _refused("it takes from a supply of one sleeve and lowers a debt of the same")
    if not 0 <= bonus.units <= -seized.held.units:
        raise _refused(f"bonus {bonus} is no part of what was seized")
    lost = Money(bonus.units, collateral.unit)
    legs = list(exchange([seized, repaid]))
    if lost:
        legs += [Leg(TRADING, -lost, collateral), Leg(expenses(KIND, seized.sleeve), lost, collateral)]
    return Entry(key, at, f"liquidation in {collateral.market}", tuple(legs), {**evidence, "by": "stranger"})


def _refused(why: str) -> InputError:
    return InputError("liquidation refused", why=why, todo="read the event again")
