"""`hedge plan outstanding`: what the owners signed and no nonce has spent, and what it could still do."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from adapters.safe.detached import Sheet
    from adapters.safe.outstanding import Outstanding
    from scripts.desk import Desk


def outstanding(
    workspace: Path = typer.Option(Path(), "-C", help="Workspace folder."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Every signed and unspent nonce: what it would do, who could send it now, until when, since when."""
    from adapters.safe import outstanding as signed
    from scripts.output import emit_json, say, table
    from scripts.remembered import proposed
    from scripts.workspace import opened

    with opened(workspace) as (where, desk):
        sheets = signed_sheets(desk, where.plans)
        known = proposed(desk.journal)
        found = signed.outstanding(desk.vault, known, sheets)
        unexplained = sorted(signed.unexplained(known, sheets))
        now = desk.clock.now()
    if as_json:
        rows = [described(each) for each in found]
        status = "signed nonces open" if rows or unexplained else "nothing outstanding"
        emit_json({"schema": "hedge.plan-outstanding/1", "status": status, "signed": rows, "unexplained": unexplained})
        return
    rows_shown = [
        [
            str(each.nonce),
            f"{each.signed} of {each.quorum}",
            str(each.standing),
            each.deadline.isoformat() if each.deadline else "never dies",
            f"{(now - each.since).total_seconds() / 3600:.1f} h",
            "; ".join(each.effects),
        ]
        for each in found
    ]
    if rows_shown:
        table("signed and unspent", ["nonce", "signed", "standing", "until", "age", "worst effect"], rows_shown)
    else:
        say("nothing outstanding: no signed nonce is unspent")
    for name in unexplained:
        say(f"signed, and nobody here knows what it does: {name}")


def signed_sheets(desk: "Desk", folder: Path) -> list["Sheet"]:
    """
    Every owner's signatures in a folder of plans: approvals beside their plans, and detached signature files.

    An approval tells no time: its file's is taken. Raises `ApprovalError` or `PlanChanged` for a file that is
    not whole, or is for another Safe.
    """
    from datetime import UTC, datetime

    from adapters.safe.detached import collect, sheet_of
    from scripts.workspace import read_approval

    chain_id, safe = desk.chain.chain_id, desk.vault.address
    found = []
    for path in sorted(folder.glob("*.approval.json")):
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        found.append(sheet_of(read_approval(path), chain_id=chain_id, safe=safe, made=made))
    for path in sorted(folder.glob("*.signatures.json")):
        found += collect([path], chain_id=chain_id, safe=safe).values()
    return found


def described(each: "Outstanding") -> dict[str, Any]:
    """One signed transaction for programs."""
    return {
        "nonce": each.nonce,
        "safe_transaction": each.hash,
        "standing": str(each.standing),
        "effects": list(each.effects),
        "listed": each.listed,
        "signed": each.signed,
        "threshold": each.quorum.needed,
        "since": each.since.isoformat(),
        "deadline": each.deadline.isoformat() if each.deadline else None,
        "voidable": each.voidable,
    }
