"""Interest that a lending market adds to what we supplied or owe, as entries of their own."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from fractions import Fraction

from engine.entries import Entry, Leg
from engine.errors import InputError
from engine.instruments import Instrument, LendingDebt, LendingSupply
from engine.ledger.accounts import expenses, held_leg, income
from engine.money import Money
from engine.positions import Book, Position

INTEREST = "interest"


def accrual_key(instrument: Instrument, day: date) -> str:
    """Identity of one day's interest on one loan or deposit (fault I2)."""
    return f"accrual:{instrument.id}:{day.isoformat()}"


def accrual(grown: Position, day: date, *, at: datetime, evidence: Mapping[str, str], key: str | None = None) -> Entry:
    """
    Interest since the last accrual.

    Parameters
    ----------
    grown : the change of the position: positive on a supply = earned (`income:interest:SLEEVE`),
        negative on a debt = owed more (`expenses:interest:SLEEVE`). A supply that shrank by the
        market's rounding, or a debt that did, goes to the same account with the opposite sign.
    evidence : the block whose index was read; it says where, the key says what
    """
    match grown.instrument:
        case LendingSupply():
            bears = income(INTEREST, grown.sleeve)
        case LendingDebt():
            bears = expenses(INTEREST, grown.sleeve)
        case other:
            raise InputError(
                f"{other.id} accrues nothing",
                why=f"it is {other.kind}",
                todo="accrue supplies and debts only",
            )
    return Entry(
        key=key or accrual_key(grown.instrument, day),
        at=at,
        memo=f"interest on {grown.instrument.id}",
        legs=(held_leg(grown), Leg(bears, -grown.held, grown.instrument)),
        evidence=evidence,
    )


def accruals(
    book: Book,
    units: Mapping[str, int],
    day: date,
    *,
    at: datetime,
    block: int,
    posted: Collection[str] = (),
    most: float = 0.01,
) -> tuple[Entry, ...]:
    """
    The interest that explains the difference between the book and the chain, where interest can.

    Parameters
    ----------
    units : smallest units held per instrument id, as the market states them at `block`, which is final
    posted : keys already in the journal; a second accrual of one day carries its block in its key
    most : the largest believable growth since the last accrual, as a share of the position. Anything
        beyond it, or a balance that shrank by more than 10 units of rounding, is left for `reconcile`
        to name: a liquidation is not interest.
    """
    found = []
    for position in book:
        if not isinstance(position.instrument, LendingSupply | LendingDebt):
            continue
        stated = units.get(position.instrument.id)
        if stated is None or stated == position.held.units:
            continue
        grown = stated - position.held.units
        outward = grown if position.held.units > 0 else -grown
        believable = int(abs(position.held.units) * Fraction(most))
        if not -10 <= outward <= max(10, believable):
            continue
        key = accrual_key(position.instrument, day)
        found.append(
            accrual(
                Position(
                    position.instrument,
                    Money(grown, position.held.currency),
                    position.sleeve,
                    position.venue,
                ),
                day,
                at=at,
                evidence={"block": str(block)},
                key=f"{key}:{block}" if key in posted else key,
            )
        )
    return tuple(found)
