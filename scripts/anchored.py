"""The journal's last record that was seen whole, kept beside the database: what is cut off or forged later is found."""

import os
from pathlib import Path

from adapters.sql.journal import SqlJournal
from engine.errors import LedgerError

ANCHOR = "ledger.anchor"


def require_whole(root: Path, journal: SqlJournal, *, all_of_it: bool = False) -> None:
    """
    Check what was written since the desk was last opened, or the whole journal, and remember where it ends.

    Raises `LedgerError` that names the first bad link, also where records seen before are gone (fault F16). A backup
    restored on purpose is accepted by removing `ledger.anchor`.
    """
    anchor, (serial, digest) = _remembered(root), journal.tip()
    try:
        if anchor is None or all_of_it:
            journal.require_intact(anchor)
        else:
            journal.require_intact_since(anchor)
    except LedgerError as changed:
        todo = f"restore a backup, remove `{ANCHOR}`, then run `hedge reconcile`; do not trade"
        raise LedgerError(changed.what, why=changed.why, todo=todo) from None
    partial = root / f"{ANCHOR}.{os.getpid()}.partial"
    partial.write_text(f"{serial} {digest}\n", encoding="utf-8")
    partial.replace(root / ANCHOR)


def _remembered(root: Path) -> tuple[int, str] | None:
    try:
        serial, digest = (root / ANCHOR).read_text(encoding="utf-8").split()
        return int(serial), digest
    except (OSError, ValueError):
        return None
