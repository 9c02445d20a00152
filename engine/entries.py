"""Journal entries: a balanced change of the books, with the evidence that it happened."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NewType

from engine.errors import InputError, UnbalancedEntry
from engine.instruments import Instrument
from engine.money import Currency, Money
from engine.positions import Sleeve

Account = NewType("Account", str)
"""Colon-separated path. Roots: `assets`, `income`, `expenses`, `equity`.

`assets:SLEEVE:VENUE` holds positions and cash (debts are negative quantities there);
`equity:trading` is the counter-side of every exchange of one commodity for another;
`equity:capital:SLEEVE` is money put in or taken out, or moved between sleeves;
`equity:marks:SLEEVE` is the counter-side of marks that change no asset;
`equity:suspense:SLEEVE` is what was adopted from a venue until its cause is known;
`income:KIND:SLEEVE` and `expenses:KIND:SLEEVE` bear the flows that are not exchanges.
"""

_SLEEVE = f"(?:{'|'.join(Sleeve)})"
_ACCOUNT = re.compile(
    rf"assets:{_SLEEVE}:[^:]+|(?:income|expenses):[^:]+:{_SLEEVE}|equity:(?:trading|(?:capital|marks|suspense):{_SLEEVE})"
)
_KEPT = 4096
"""Accounts that are remembered as known: the books have few, and millions of legs."""


@lru_cache(_KEPT)
def _known(account: Account) -> bool:
    return _ACCOUNT.fullmatch(account) is not None


class EntryStatus(StrEnum):
    """`in_flight` until the evidence is final; `void` if it never became so."""

    IN_FLIGHT = "in_flight"
    FINAL = "final"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of an entry. Positive adds to the account."""

    account: Account
    amount: Money
    instrument: Instrument

    def __post_init__(self) -> None:
        if not _known(self.account):
            raise InputError(
                f"account {self.account!r} unknown",
                why="it is none of assets:SLEEVE:VENUE, income:KIND:SLEEVE, expenses:KIND:SLEEVE, equity:trading and "
                "equity:(capital|marks|suspense):SLEEVE",
                todo=f"name one of those, with a sleeve of {', '.join(Sleeve)}",
            )
        if self.amount.currency != self.instrument.unit:
            raise InputError(
                f"leg counts {self.amount.currency}",
                why=f"its instrument is {self.instrument.id}",
                todo="count a leg in its instrument's unit",
            )


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A balanced change of the books.

    `key` is the business identity: the same event posted twice has the same key and is posted once.
    On chain it is `chain:CHAINID:SAFE:SAFETXHASH:ORDINAL`, at the broker `fill:VENUE:EXECID`, for an
    accrual `accrual:INSTRUMENT:DATE` (faults I2). `evidence` says where it was seen: block, transaction,
    log index, broker message. Legs sum to zero in every currency, or the entry cannot be built.
    """

    key: str
    at: datetime
    memo: str
    legs: tuple[Leg, ...]
    evidence: Mapping[str, str] = field(default_factory=dict)
    status: EntryStatus = EntryStatus.FINAL

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InputError(f"entry {self.key!r}", why="its instant has no time zone", todo="use aware UTC")
        residual: defaultdict[Currency, int] = defaultdict(int)
        for leg in self.legs:
            residual[leg.amount.currency] += leg.amount.units
        if open_legs := {c: units for c, units in residual.items() if units}:
            raise UnbalancedEntry(self.memo, {c.code: str(Money(u, c).amount) for c, u in open_legs.items()})
