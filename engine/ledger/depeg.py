"""Stablecoins below or above par: a mark kept on accounts of its own, so that it is seen before it is realised."""

from datetime import date, datetime
from decimal import Decimal, localcontext

from engine.entries import Account, Entry
from engine.errors import InputError
from engine.ledger.accounts import cash_leg, expenses
from engine.money import USD, Money
from engine.positions import Position

KIND = "depeg"


def marks(position: Position) -> Account:
    """Counter-side of unrealised marks: no asset changes, so that NAV stays holdings times mark."""
    return Account(f"equity:marks:{position.sleeve}")


def depeg_loss(held: Money, price: Decimal, redemption: Decimal = Decimal(1)) -> Money:
    """
    USD lost (+) or gained (-) against redemption value by a signed holding; a debt gains when its token falls.

    Parameters
    ----------
    price : USD per token at market (D21: time-weighted, two sources)
    redemption : what one token redeems for; 1 only where it is minted one for one

    >>> from engine.money import Currency
    >>> str(depeg_loss(Money.of("-10000", Currency("USDC", 6)), Decimal("0.9665")))
    '-335.00 USD'
    """
    if not price >= 0 or not redemption > 0:
        raise InputError(f"price {price}, redemption {redemption}", why="neither is negative", todo="read them again")
    with localcontext(prec=100):
        return Money.rounded(held.amount * (redemption - price), USD)


def depeg_mark(
    position: Position, price: Decimal, day: date, *, at: datetime, marked: Money, redemption: Decimal = Decimal(1)
) -> Entry | None:
    """
    The change of one holding's depeg loss since it was last marked, None where there is none.

    Parameters
    ----------
    marked : the loss marked so far; what is still marked is taken back when the price returns or the
        holding is sold: a holding of zero loses nothing
    """
    change = depeg_loss(position.held, price, redemption) - marked
    if not change:
        return None
    return Entry(
        key=f"depeg:{position.venue}:{position.instrument.id}:{day.isoformat()}",
        at=at,
        memo=f"{position.instrument.id} at {price} of {redemption}",
        legs=(cash_leg(expenses(KIND, position.sleeve), change), cash_leg(marks(position), -change)),
        evidence={"price": f"{price:f}", "redemption": f"{redemption:f}"},
    )
