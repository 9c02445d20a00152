"""Differences that were adopted before they were explained: kept apart until somebody explains them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from engine.entries import Account, Entry, Leg
from engine.instruments import Instrument
from engine.ledger.accounts import held_leg
from engine.ledger.balances import trial_balance
from engine.money import Money
from engine.positions import Position, Sleeve

_ROOT = "equity:suspense"


def suspense_of(sleeve: Sleeve) -> Account:
    """Counter-side of what a sleeve was found to have (negative) or to lack (positive)."""
    return Account(f"{_ROOT}:{sleeve}")


def adopted(difference: Position, *, books: int = 0, at: datetime, evidence: Mapping[str, str]) -> Entry:
    """
    The entry that makes the books say what a venue says, and owes the explanation to suspense.

    Parameters
    ----------
    difference : what the venue has more (+) or less (-) than the books, where the books keep it
    books : the units the books had; with the instant they name one break, however often its size comes back
    evidence : the venue's statement or block, and who adopted it why

    Explained later, it is taken back (`reversal.reversed_entry`) and the event itself is posted.

    >>> from datetime import UTC
    >>> from engine.instruments import Cash
    >>> from engine.money import USD, usd
    >>> lacks = Position(Cash(USD), usd("-2.10"), Sleeve.CONDOR, "paper")
    >>> [str(leg.amount) for leg in adopted(lacks, at=datetime(2026, 1, 2, tzinfo=UTC), evidence={}).legs]
    ['-2.10 USD', '2.10 USD']
    """
    instrument = difference.instrument
    return Entry(
        key=f"adopted:{difference.venue}:{instrument.id}:{at.isoformat()}:{books}",
        at=at,
        memo=f"{difference.held} at {difference.venue} adopted into suspense",
        legs=(held_leg(difference), Leg(suspense_of(difference.sleeve), -difference.held, instrument)),
        evidence=evidence,
    )


def in_suspense(entries: Iterable[Entry]) -> Mapping[tuple[Sleeve, Instrument], Money]:
    """What waits for an explanation, as the venues have it: positive = more than the books could explain."""
    return {
        (Sleeve(account.rpartition(":")[2]), instrument): -held
        for (account, instrument), held in trial_balance(entries).items()
        if account.startswith(f"{_ROOT}:")
    }
