"""Bringing the journal up to what the chain shows: what others did, and what our own transactions cost."""

import json
from collections.abc import Sequence
from functools import cache

from adapters.evm.foreign_events import ForeignEvent, ForeignEvents
from adapters.evm.wire import Holder
from adapters.sql.journal import Written
from engine.entries import Entry
from engine.errors import DoesNotReconcile
from engine.plan.canonical import canonical_bytes
from scripts.desk import Desk
from scripts.output import note
from scripts.postings import gas_entries
from scripts.remembered import proposed, unbooked

SYNC = "sync"
"""Topic of the notes that say through which final block others' deeds were read."""


def sync(desk: Desk) -> tuple[ForeignEvent, ...]:
    """
    Post what others did in the final blocks since the last sync, and gas of ours that nobody has posted yet.

    Returns the events that are new to the books, in order, and says each on standard error. The first sync of a
    desk only notes where it stands: what came before is in its opening entries. Raises `VenueError` for an event
    that does not add up, or a token that is not configured; nothing is posted then.
    """
    since = _through(desk)
    if since is None:
        _remember(desk, desk.chain.heads().final)
        return ()
    found = watcher(desk).since(since)
    news = _unknown(desk, found.events) if found.events else ()
    entries = [entry for event in found.events for entry in event.entries]
    desk.journal.post([*entries, *_gas(desk)])
    if found.through > since:
        _remember(desk, found.through)
    for event in news:
        note(f"{event.kind}: {event.says}")
    return news


def watcher(desk: Desk) -> ForeignEvents:
    """The reader of what others do to this desk's Safe; the Safe transactions of its plans are its own."""

    @cache
    def ours() -> frozenset[str]:
        return frozenset(transaction.hash for transaction in proposed(desk.journal))

    holder = Holder(desk.chain.chain_id, desk.vault.address)
    return ForeignEvents(desk.chain, holder, desk.onchain.lending, desk.onchain.options, desk.tokens, ours)


def require_calm(events: Sequence[ForeignEvent]) -> None:
    """Raises `DoesNotReconcile` where others liquidated, executed or took something: somebody must look first."""
    if alarms := [event for event in events if event.alarms]:
        raise DoesNotReconcile(
            f"new risk refused: {len(alarms)} deed(s) of others were found and posted",
            why="; ".join(event.says for event in alarms),
            todo="find out how it came about; then run this again",
        )


def _unknown(desk: Desk, events: Sequence[ForeignEvent]) -> tuple[ForeignEvent, ...]:
    known = desk.journal.posted(entry.key for event in events for entry in event.entries)
    return tuple(e for e in events if not e.entries or any(entry.key not in known for entry in e.entries))


def _gas(desk: Desk) -> list[Entry]:
    """What our own final transactions cost that nobody posted: those that reverted, or died before they were booked."""
    found = (desk.chain.receipt(name) for name in unbooked(desk.journal, desk.chain.chain_id))
    return [entry for receipt in found if receipt and receipt.final for entry in gas_entries(desk, receipt)]


def _through(desk: Desk) -> int | None:
    mine = [said["block"] for said in map(_read, desk.journal.notes(SYNC)) if said["safe"] == _safe(desk)]
    return int(mine[-1]) if mine else None


def _remember(desk: Desk, block: int) -> None:
    said = {"safe": _safe(desk), "block": str(block)}
    desk.journal.note(SYNC, canonical_bytes(said).decode(), desk.clock.now())


def _safe(desk: Desk) -> str:
    return f"{desk.chain.chain_id}:{desk.vault.address}"


def _read(kept: Written) -> dict[str, str]:
    found: dict[str, str] = json.loads(kept.text)
    return found
