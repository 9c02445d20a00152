"""Plan, approve and apply: `hedge plan new`, `hedge approve`, `hedge apply`, or all three in one run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from adapters.safe.keystore import OwnerKey
    from engine.orders import Plan

plan_app: typer.Typer = typer.Typer(help="Make and read plans; nothing here sends anything.", no_args_is_help=True)
_WORKSPACE = typer.Option(Path(), "-C", help="Workspace folder.")
_JSON = typer.Option(False, "--json", help="One JSON document.")


@plan_app.command("new")
def new(workspace: Path = _WORKSPACE, as_json: bool = _JSON) -> None:
    """Decide, price, check every reachable state, and write the plan. Exit 10: it awaits approval."""
    from scripts import flow
    from scripts.exits import AWAITS_APPROVAL
    from scripts.output import emit_json, say
    from scripts.reconciling import require_no_break
    from scripts.workspace import opened

    with opened(workspace) as (where, desk):
        require_no_break(desk)
        proposal = flow.propose(desk)
        target = proposal.decision.target
        if not proposal.plan.orders:
            if as_json:
                emit_json({"schema": "hedge.plan-new/1", "status": "nothing to do", "reasons": list(target.reasons)})
            else:
                say(f"nothing to do: {'; '.join(target.reasons) or 'the book is where the policy wants it'}")
            return
        path = flow.save_plan(proposal.plan, where.plans)
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
        _print(document)
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
        _print(document)


def approve(
    plan_file: Path = typer.Argument(..., help="Plan file."),
    key: Path = typer.Option(..., "--key", help="Encrypted keystore of one owner."),
    passphrase: str = typer.Option("fd:0", "--passphrase", help="Where to read it: fd:N, file:PATH or env:NAME."),
    workspace: Path = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Derive everything again from the plan's bytes and add one owner's signatures."""
    from adapters.safe.keystore import unlock
    from scripts import flow
    from scripts.output import emit_json, say
    from scripts.workspace import approval_path, opened, read_plan, save_approval

    plan = read_plan(plan_file)
    with opened(workspace) as (_, desk):
        flow.current(desk, plan)
        owner = unlock(key, read_passphrase(passphrase))
        approval = flow.sign(desk, plan, owner)
        path = approval_path(plan_file, approval.owner)
        save_approval(path, approval)
        threshold = desk.vault.terms().threshold
    if as_json:
        emit_json(
            {
                "schema": "hedge.approve/1",
                "status": "signed",
                "plan_digest": plan.digest,
                "owner": approval.owner,
                "approval": str(path),
                "signatures": 1 + len(approval.transaction_signatures),
                "threshold": threshold,
                "next": [f"hedge apply {plan_file} -C {workspace}"],
            }
        )
    else:
        _print(described(plan))
        say(f"{approval.owner} signed the plan and {len(approval.transaction_signatures)} Safe transactions: {path}")


def apply(
    plan_file: Path = typer.Argument(..., help="Plan file."), workspace: Path = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Carry an approved plan out, once; run again, it continues where it stopped."""
    from engine.ledger.reconcile import require_agreement
    from scripts import flow
    from scripts.output import emit_json, note, say
    from scripts.workspace import opened, read_approvals, read_plan

    plan = read_plan(plan_file)
    with opened(workspace) as (_, desk):
        tell = note if as_json else say
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


def read_passphrase(source: str) -> str:
    """A passphrase from a file descriptor, a file or an environment variable; never from the command line."""
    import os

    from engine.errors import InputError

    kind, _, name = source.partition(":")
    try:
        match kind:
            case "fd" if name.isdigit():
                with os.fdopen(os.dup(int(name)), encoding="utf-8") as given:
                    return given.readline().rstrip("\n")
            case "file":
                return Path(name).read_text(encoding="utf-8").rstrip("\n")
            case "env" if name in os.environ:
                return os.environ[name]
    except OSError as failed:
        raise InputError("passphrase not read", why=str(failed.strerror), todo="check the source named") from None
    raise InputError(
        "passphrase source refused", why="it is none of fd:N, file:PATH, env:NAME", todo="name one of them"
    )


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


def _print(document: dict[str, Any]) -> None:
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
    from scripts.workspace import opened

    secret = read_passphrase(passphrase)
    with opened(workspace) as (where, desk):
        require_no_break(desk)
        proposal = flow.propose(desk)
        if proposal.plan.orders:
            flow.save_plan(proposal.plan, where.plans)
            owners: list[OwnerKey] = [unlock(path, secret) for path in keys]
            approvals = [flow.sign(desk, proposal.plan, owner) for owner in owners]
            tell = note if as_json else say
            flow.apply(desk, proposal.plan, approvals, lambda step, state: tell(f"{state:>8}  {step}"))
            require_agreement(flow.differences(desk))
    document = described(proposal.plan) | {"status": "applied" if proposal.plan.orders else "nothing to do"}
    if as_json:
        emit_json(document)
    else:
        _print(document)


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command()(rebalance)
    sys.exit(run(app))
