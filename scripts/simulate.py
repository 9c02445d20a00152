"""`hedge simulate`: a plan on a fork of the workspace's chain, or the rules over recorded history; nothing is sent."""

from pathlib import Path

import typer

from scripts.history import history

app: typer.Typer = typer.Typer(help="What would happen: on a fork, or over recorded history.", no_args_is_help=True)
app.command("history")(history)


@app.command("fork")
def fork(
    plan_file: Path = typer.Argument(..., help="Plan file."),
    workspace: Path = typer.Option(Path(), "-C", help="Workspace folder."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Run the plan's vault batches on a fork, as a quorum would, and show what changes."""
    from tempfile import TemporaryDirectory

    from adapters.evm.anvil import start_anvil
    from scripts import flow
    from scripts.desk import open_desk, open_journal
    from scripts.output import emit_json, say
    from scripts.setup import executor_key
    from scripts.workspace import opened, read_plan

    plan = read_plan(plan_file)
    with (
        opened(workspace) as (where, desk),
        start_anvil(fork=desk.chain) as copy,
        TemporaryDirectory() as scratch,
        open_journal(Path(scratch) / "ledger.sqlite") as journal,
    ):
        copy.warp(copy.block().timestamp + 1)
        there = open_desk(
            where.root,
            copy,
            where.standing.addresses,
            safe=where.standing.safe,
            ramp=where.standing.ramp,
            pinned=where.standing.pinned,
            executor=executor_key(),
            policy=desk.policy,
            market=desk.market,
            journal=journal,
        )
        flow.reviewed(there, plan)
        before = flow.chain_units(there)
        receipts = [flow.simulated(there, batch) for batch in plan.batches]
        after = flow.chain_units(there)
    rows = {
        name: {"before": str(before.get(name, 0)), "after": str(after.get(name, 0))}
        for name in sorted(before.keys() | after.keys())
        if before.get(name, 0) != after.get(name, 0)
    }
    gas = sum(receipt.gas_used for receipt in receipts)
    if as_json:
        emit_json(
            {"schema": "hedge.simulate/1", "status": "done", "plan_digest": plan.digest, "gas": gas, "changes": rows}
        )
    else:
        say(f"plan {plan.digest[:8]} on a fork of block {plan.state.block}: {gas:,} gas")
        for name, change in rows.items():
            say(f"  {name}: {change['before']} -> {change['after']}")


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    sys.exit(run(app))
