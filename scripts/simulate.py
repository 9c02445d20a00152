"""`hedge simulate`: a plan or the standing book on a fork, shocked, or the rules over history; nothing is sent."""

from pathlib import Path

import typer

from scripts.history import history

app: typer.Typer = typer.Typer(help="What would happen: on a fork, or over recorded history.", no_args_is_help=True)
app.command("history")(history)


@app.command("fork")
def fork(
    plan_file: Path | None = typer.Argument(None, help="Plan file; without one the book as it stands."),
    workspace: Path = typer.Option(Path(), "-C", help="Workspace folder."),
    rpc: str = typer.Option(
        "", "--rpc", help="Copy this node's chain in place of the workspace's; env:NAME keeps a key unseen."
    ),
    state: Path | None = typer.Option(None, "--state", help="Start from this dumped anvil state instead."),
    scenario: list[str] = typer.Option(
        ["calm"],
        "--scenario",
        help="calm, price-halved, gas-tenfold, peg-lost, rate-at-kink, tvl-down, oracle-frozen, sandwich or all; "
        "give it again for more.",
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """
    Carry the plan out on a throw-away copy under each scenario, go on through expiry, and show what changes.

    Exits 31 where a hard limit breaks in any scenario, 78 where one cannot be brought about on this chain.
    """
    from time import monotonic

    from adapters.evm.shocks import scenarios
    from scripts.fork_base import based
    from scripts.fork_output import document, outcome, print_text
    from scripts.fork_run import run, standing
    from scripts.output import emit_json, note
    from scripts.workspace import read_plan

    began = monotonic()
    wanted = scenarios(scenario)
    plan = read_plan(plan_file) if plan_file is not None else None
    with based(workspace, plan, rpc=rpc, state=state) as base:
        note(f"[{monotonic() - began:5.1f} s] copy of {base.origin} at block {base.block:,}")
        first, runs = standing(base), []
        for at, each in enumerate(wanted, start=1):
            runs.append(run(base, each, first))
            note(f"[{monotonic() - began:5.1f} s] {at} of {len(wanted)} {each}: {runs[-1].summary()}")
    if as_json:
        emit_json(document(base, runs))
    else:
        print_text(base, runs)
    for found in runs:
        for breach in found.broken:
            note(f"hedge: {found.scenario}, {breach}")
    if code := outcome(runs):
        raise typer.Exit(code)


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run as run_command

    sys.exit(run_command(app))
