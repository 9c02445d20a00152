"""What futures are held against: the exchange's initial margin, as dated data that the caller brings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from engine.errors import InputError, MissingQuote
from engine.instruments import Future
from engine.positions import Book


@dataclass(frozen=True, slots=True)
class InitialMargin:
    """USD per contract of one root that an exchange asks for from `since` on; `source` says where it was read."""

    root: str
    since: date
    usd: float
    source: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.usd) and self.usd > 0):
            raise InputError(
                f"initial margin of {self.root} refused",
                why=f"{self.usd:,.2f} USD",
                todo="give a positive sum of dollars",
            )


@dataclass(frozen=True, slots=True)
class FutureRequirement:
    """Contracts of one future (signed) and the USD held against them."""

    future: Future
    quantity: int
    usd: float
    rate: InitialMargin


def future_requirements(book: Book, rates: Sequence[InitialMargin], asof: date) -> tuple[FutureRequirement, ...]:
    """
    The requirement of each future held, long or short alike, by broker and expiry; none offsets another (D32).

    The rate is the last one in force on `asof`. Raises `MissingQuote` for a root without one, and
    `InputError` for a fraction of a contract.
    """
    held: dict[tuple[str, Future], float] = {}
    for position in book:
        if isinstance(position.instrument, Future):
            key = (position.venue, position.instrument)
            held[key] = held.get(key, 0.0) + float(position.quantity)
    return tuple(_requirement(future, quantity, rates, asof) for (_, future), quantity in held.items() if quantity)


def _requirement(future: Future, quantity: float, rates: Sequence[InitialMargin], asof: date) -> FutureRequirement:
    if not quantity.is_integer():
        raise InputError(f"{future.id} refused", why=f"{quantity} contracts", todo="give whole contracts")
    known = [rate for rate in rates if rate.root == future.root and rate.since <= asof]
    if not known:
        raise MissingQuote(
            f"no initial margin for {future.id}",
            why=f"no rate of {future.root} is in force on {asof}",
            todo="give the exchange's rate with the day it took effect",
        )
    rate = max(known, key=lambda row: row.since)
    return FutureRequirement(future, int(quantity), abs(quantity) * rate.usd, rate)
