"""Plan and apply: `hedge plan new`, `hedge plan show`, `hedge apply`, or all with the approvals in one run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from scripts.approve import read_passphrase
from scripts.outstanding import outstanding

if TYPE_CHECKING:
    from adapters.safe.keystore import OwnerKey
    from engine.orders import Plan

plan_app: typer.Typer = typer.Typer(help="Make and read plans; nothing here sends anything.", no_args_is_help=True)
plan_app.command("outstanding")(outstanding)
_WORKSPACE = typer.Option(Path(), "-C", help="Workspace folder.")
_JSON = typer.Option(False, "--json", help="One JSON document.")


@plan_app.command("new")
def new(workspace: Path = _WORKSPACE, as_json: bool = _JSON) -> None:
    """Decide, price, check every reachable state, and write the plan. Exit 10: it awaits approval."""
    from scripts import flow
    from scripts.exits import AWAITS_APPROVAL
    from scripts.output import emit_json, say
    from scripts.reconciling import require_no_break
    from scripts.syncing import require_calm, sync
    from scripts.workspace import opened

    with opened(workspace) as (_, desk):
        require_calm(sync(desk))
        require_no_break(desk)
        proposal = flow.propose(desk)
        reasons = proposal.decision.reasons
        if not proposal.plan.orders:
            if as_json:
                emit_json({"schema": "hedge.plan-new/1", "status": "nothing to do", "reasons": list(reasons)})
            else:
                say(f"nothing to do: {'; '.join(reasons) or 'the book is where the policy wants it'}")
            return
        path = flow.save_plan(desk, proposal.plan)
    document = described(proposal.plan)
    following = f"hedge approve {path} -C {workspace} --key FILE"
    document |= {
        "path": str(path),
        "status": "awaits approval",
        "next": [following],
    }
    if as_json:
        emit_json(document)
    else:
        shown(document)
        say(f"written to {path}; next: {following}")
    raise typer.Exit(AWAITS_APPROVAL)


@plan_app.command("show")
def show(plan_file: Path = typer.Argument(..., help="Plan file."), as_json: bool = _JSON) -> None:
    """What a plan would do, in words made from its content; always works on a whole plan, stale or not."""
    from scripts.output import emit_json
    from scripts.workspace import read_plan

    document = described(read_plan(plan_file))
    if as_json:
        emit_json(document)
    else:
        shown(document)


def apply(
    plan_file: Path = typer.Argument(..., help="Plan file."), workspace: Path = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Carry an approved plan out, once; run again, it continues where it stopped."""
    from engine.ledger.reconcile import require_agreement
    from scripts import flow
    from scripts.output import emit_json, note, say
    from scripts.syncing import sync
    from scripts.workspace import opened, read_approvals, read_plan

    plan = read_plan(plan_file)
    with opened(workspace) as (_, desk):
        tell = note if as_json else say
        sync(desk)
        outcome = flow.apply(desk, plan, read_approvals(plan_file), lambda step, state: tell(f"{state:>8}  {step}"))
        require_agreement(flow.differences(desk))
        entries = len(desk.journal.entries())
    if as_json:
        emit_json(
            {
                "schema": "hedge.apply/1",
                "status": "applied",
                "plan_digest": plan.digest,
                "fills": [{"key": fill.key, "order": fill.order_id, "memo": fill.memo} for fill in outcome.fills],
                "unfilled": [order.step for order in outcome.unfilled],
                "entries": entries,
                "next": [f"hedge report -C {workspace}"],
            }
        )
    else:
        say(f"{len(outcome.fills)} fills; journal, broker and chain agree to the unit after {entries} entries")


def described(plan: "Plan") -> dict[str, Any]:
    """A plan as a document for people and programs."""
    return {
        "schema": "hedge.plan-show/1",
        "status": "plan",
        "plan_digest": plan.digest,
        "asof": plan.asof.isoformat(),
        "deadline": plan.deadline.isoformat(),
        "notes": list(plan.notes),
        "orders": [
            {"venue": order.venue, "step": order.step, "limit": str(order.limit), "arrival": str(order.arrival)}
            for order in plan.orders
        ],
        "calls": [call.description for batch in plan.batches for call in batch.calls],
        "safe_transactions": [tx.hash for batch in plan.batches for tx in (batch.transaction, batch.cancel)],
    }


def shown(document: dict[str, Any]) -> None:
    """Show a plan's document to a person."""
    from scripts.output import say, table

    say(f"plan {document['plan_digest']}")
    say(f"as of {document['asof']}, valid until {document['deadline']}")
    rows = [[order["venue"], order["step"], order["limit"], order["arrival"]] for order in document["orders"]]
    table("orders", ["venue", "step", "at worst", "at mid"], rows, numeric=(2, 3))
    for call in document["calls"]:
        say(f"  vault: {call}")
    for line in document["notes"]:
        say(f"  note: {line}")


def rebalance(
    workspace: Path = _WORKSPACE,
    keys: list[Path] = typer.Option(..., "--key", help="Keystore of an owner; give it once per signer."),
    passphrase: str = typer.Option(..., "--passphrase", help="file:PATH or env:NAME, the same for all keys."),
    as_json: bool = _JSON,
) -> None:
    """Plan, approve and apply in one run, for a desk whose co-signers sit at one table."""
    from adapters.safe.keystore import unlock
    from engine.ledger.reconcile import require_agreement
    from scripts import flow
    from scripts.output import emit_json, note, say
    from scripts.reconciling import require_no_break
    from scripts.syncing import require_calm, sync
    from scripts.workspace import opened

    secret = read_passphrase(passphrase)
    with opened(workspace) as (_, desk):
        require_calm(sync(desk))
        require_no_break(desk)
        proposal = flow.propose(desk)
        if proposal.plan.orders:
            flow.save_plan(desk, proposal.plan)
            owners: list[OwnerKey] = [unlock(path, secret) for path in keys]
            approvals = [flow.sign(desk, proposal.plan, owner) for owner in owners]
            tell = note if as_json else say
            flow.apply(desk, proposal.plan, approvals, lambda step, state: tell(f"{state:>8}  {step}"))
            require_agreement(flow.differences(desk))
    document = described(proposal.plan) | {"status": "applied" if proposal.plan.orders else "nothing to do"}
    if as_json:
        emit_json(document)
    else:
        shown(document)


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command()(rebalance)
    sys.exit(run(app))
