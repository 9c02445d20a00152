"""What `hedge reconcile` does and says: compare, remember, keep the day's mark, or take a break into suspense."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from engine.entries import Entry
from engine.errors import InputError
from engine.ledger.reconcile import Break, digest, require_agreement
from scripts import flow
from scripts.anchored import require_whole
from scripts.desk import Desk
from scripts.marking import keep
from scripts.output import emit_json, say
from scripts.reconciling import Compared, adoption, compare, remember
from scripts.syncing import sync


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one reconciliation found; `entries` the journal holds then, `interest` posted by it."""

    compared: Compared
    entries: int
    interest: int
    marked: bool


def reconciled(desk: Desk) -> Outcome:
    """
    Read the whole journal, post others' deeds and interest, compare, and where all agree keep the day's mark.

    What was found is remembered. Raises `LedgerError` where the journal is not what was written.
    """
    require_whole(desk.root, desk.journal, all_of_it=True)
    sync(desk)
    interest = flow.accrue(desk)
    compared = compare(desk)
    remember(desk, compared)
    if not compared.found:
        keep(desk)
    return Outcome(compared, desk.journal.count(), interest, marked=not compared.found)


def adopted(desk: Desk, confirmed: str, reason: str) -> Sequence[Entry]:
    """Post the confirmed differences into suspense; raises `InputError` without a reason or for other breaks."""
    if not reason:
        raise InputError("adoption refused", why="it gives no reason", todo="say why with --reason; it is kept")
    sync(desk)
    flow.accrue(desk)
    entries = adoption(desk, compare(desk), confirmed=confirmed, reason=reason)
    if desk.journal.post(entries) != len(entries):
        raise InputError("adoption refused", why="part of it is posted already", todo="run `hedge reconcile` again")
    return entries


def show_reconciled(outcome: Outcome, posted: Sequence[Entry], workspace: Path, *, adopt: bool, as_json: bool) -> None:
    """Say what was found; raises `DoesNotReconcile` for a break and ends with 20 where all is in flight."""
    stopping = outcome.compared.stopping
    following = _next(stopping, workspace, adopt=adopt)
    if as_json:
        emit_json(_document(outcome, posted, following))
    else:
        for entry in posted:
            say(f"adopted: {entry.memo} [{entry.key}]")
        for each in outcome.compared.found:
            say(f"{'would adopt: ' if adopt and each.stops else ''}{each}")
        for line in following:
            say(f"next: {line}")
    require_agreement(stopping)
    if outcome.compared.found:
        from scripts.exits import WAITING

        raise typer.Exit(WAITING)
    if not as_json:
        say(
            f"journal, broker and chain agree to the unit at block {outcome.compared.block} after {outcome.entries} "
            f"entries, {outcome.interest} of interest posted now; the day's mark is kept"
        )


def _document(outcome: Outcome, posted: Sequence[Entry], following: Sequence[str]) -> dict[str, Any]:
    compared = outcome.compared
    status = "break" if compared.stopping else "in flight" if compared.found else "agrees"
    return {
        "schema": "hedge.reconcile/2",
        "status": status,
        "at": compared.at.isoformat(),
        "block": compared.block,
        "entries": outcome.entries,
        "interest_posted": outcome.interest,
        "breaks": [_row(each) for each in compared.found],
        "adopted": [entry.key for entry in posted],
        "mark_kept": outcome.marked,
        "next": list(following),
    }


def _row(found: Break) -> dict[str, str]:
    return {
        "class": found.kind.value,
        "venue": found.venue,
        "instrument": found.instrument,
        "books": str(found.books),
        "stated": str(found.stated),
        "difference": str(found.difference),
    }


def _next(stopping: Sequence[Break], workspace: Path, *, adopt: bool) -> list[str]:
    if not stopping:
        return []
    if adopt:
        return [f"hedge reconcile --adopt --confirm {digest(stopping)} --reason WHY -C {workspace}"]
    return [f"hedge reconcile --adopt -C {workspace}"]
