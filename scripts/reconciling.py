"""The journal against the broker's statement and the chain's final block: compared, remembered, adopted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.entries import Entry
from engine.errors import DoesNotReconcile, InputError, VenueUnavailable
from engine.instruments import Cash, Instrument
from engine.ledger import balances
from engine.ledger.accounts import EXECUTOR, assets
from engine.ledger.lending import accruals
from engine.ledger.reconcile import Break, breaks, digest
from engine.ledger.suspense import adopted
from engine.money import Money
from engine.plan.canonical import canonical_bytes
from engine.positions import Position, Sleeve
from scripts import flow
from scripts.desk import TOKENS, Desk
from scripts.kept import RECONCILIATION

VAULT = "vault"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Whose word a source gives, and under which name the journal keeps it."""

    label: str
    sleeve: Sleeve
    venue: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found at one final block; `known` are the instruments whose terms are at hand, by id."""

    at: datetime
    block: int
    found: tuple[Break, ...]
    known: Mapping[str, Instrument]

    @property
    def stopping(self) -> tuple[Break, ...]:
        """Breaks that stop new risk: all but timing."""
        return tuple(each for each in self.found if each.stops)


def compare(desk: Desk) -> Compared:
    """
    Every disagreement of the final entries with the broker's book and the chain at one final block.

    Interest the chain shows and nobody posted yet is no disagreement; it is counted in without being posted.
    Raises `VenueUnavailable` where the final block moved on each time it was read.
    """
    for _ in range(_TRIES):
        block = desk.chain.block("finalized")
        vault, ether = flow.chain_units(desk), desk.chain.balance(desk.executor.sender.address, block="finalized")
        if desk.chain.block("finalized").hash == block.hash:
            break
    else:
        raise VenueUnavailable(
            "chain balances not read at one block", why="the final block moved on meanwhile", todo="run it again"
        )
    entries = desk.journal.entries()
    known = _known(entries)
    posted = {entry.key for entry in entries}
    pending = accruals(balances.book(entries), vault, desk.market.day, at=block.at, block=block.number, posted=posted)
    book = balances.book([*entries, *pending], final_only=True)
    stated = {desk.broker.name: desk.broker.positions(), VAULT: vault, EXECUTOR: {"ETH": ether}}
    found = [
        each
        for place in places(desk)
        for each in breaks(
            book, stated[place.label], venues={place.venue}, source=place.label, known=known.keys(), in_flight=entries
        )
    ]
    return Compared(block.at, block.number, tuple(found), known)


def places(desk: Desk) -> tuple[Place, ...]:
    """The broker, the Safe over every protocol, and the account that pays gas."""
    return (
        Place(desk.broker.name, Sleeve.CONDOR, desk.broker.name),
        Place(VAULT, Sleeve.DEFI, VAULT),
        Place(EXECUTOR, Sleeve.DEFI, EXECUTOR),
    )


def require_no_break(desk: Desk) -> None:
    """Raises `DoesNotReconcile` that lists every break which stops new risk; posts and sends nothing."""
    if stopping := compare(desk).stopping:
        raise DoesNotReconcile(
            f"new risk refused: {len(stopping)} position(s) do not reconcile",
            why="; ".join(map(str, stopping)),
            todo="run `hedge reconcile`, find the event at the venue and post it, or adopt the difference",
        )


def remember(desk: Desk, compared: Compared) -> None:
    """Keep what was found in the journal, agreement too: reports list what was open at their end."""
    document = {
        "block": str(compared.block),
        "breaks": [
            {
                "account": assets(place.sleeve, place.venue),
                "kind": each.kind.value,
                "instrument": each.instrument,
                "decimals": str(decimals_of(compared.known, each.instrument)),
                "books": str(each.books),
                "stated": str(each.stated),
            }
            for place in places(desk)
            for each in compared.found
            if each.venue == place.label
        ],
    }
    desk.journal.note(RECONCILIATION, canonical_bytes(document).decode(), compared.at)


def adoption(desk: Desk, compared: Compared, *, confirmed: str, reason: str) -> tuple[Entry, ...]:
    """
    The entries that take every open difference into suspense; empty where there is none.

    Parameters
    ----------
    confirmed : the digest of the breaks that were shown: other breaks than those are not adopted
    reason : why, in the operator's words; it is kept as evidence

    Raises `InputError` where the digest is another's, `DoesNotReconcile` where an instrument's terms are unknown.
    """
    if confirmed != digest(compared.stopping):
        raise InputError(
            f"adoption {confirmed!r} refused",
            why=f"the breaks open now are named {digest(compared.stopping)}",
            todo="read them with `hedge reconcile --adopt`, then confirm that name",
        )
    unknown = [each for each in compared.stopping if each.instrument not in compared.known]
    if unknown:
        raise DoesNotReconcile(
            f"{len(unknown)} difference(s) cannot be adopted",
            why="; ".join(map(str, unknown)),
            todo="post the event itself, which names the instrument's terms",
        )
    return tuple(_adopted(desk, each, compared, reason) for each in compared.stopping)


def decimals_of(known: Mapping[str, Instrument], name: str) -> int:
    """Decimals of an instrument's smallest unit; none for one whose terms are unknown."""
    return known[name].unit.decimals if name in known else 0


def _adopted(desk: Desk, found: Break, compared: Compared, reason: str) -> Entry:
    place = next(each for each in places(desk) if each.label == found.venue)
    instrument = compared.known[found.instrument]
    difference = Position(instrument, Money(found.difference, instrument.unit), place.sleeve, place.venue)
    evidence = {
        "why": reason,
        "class": found.kind.value,
        "books": str(found.books),
        "stated": str(found.stated),
        "block": str(compared.block),
    }
    return adopted(difference, books=found.books, at=compared.at, evidence=evidence)


def _known(entries: Iterable[Entry]) -> dict[str, Instrument]:
    """Instruments the journal or the desk's own tokens give terms for."""
    tokens: dict[str, Instrument] = {code: Cash(currency) for code, currency in TOKENS.items()}
    return tokens | {leg.instrument.id: leg.instrument for entry in entries for leg in entry.legs}
