"""The `hedge` command: every verb in one place, every error one line and a stable exit code."""

import os
import sys
from collections.abc import Sequence

import click
import typer

from engine.errors import EngineError
from scripts import chain, demo, ledger, market, rebalance, report, simulate, workspace_verbs
from scripts.exits import UNEXPECTED, USAGE, exit_code

app = typer.Typer(
    name="hedge",
    help="Risk engine for an SPX iron-condor book and a capped DeFi volatility sleeve.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("init")(workspace_verbs.init)
app.add_typer(market.app, name="market")
app.add_typer(chain.app, name="chain")
app.add_typer(rebalance.plan_app, name="plan")
app.command("approve")(rebalance.approve)
app.command("apply")(rebalance.apply)
app.command("reconcile")(ledger.reconcile)
app.add_typer(ledger.app, name="ledger")
app.command("report")(report.report)
app.command("simulate")(simulate.simulate)


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks (never with local values)."),
) -> None:
    if debug:
        os.environ["HEDGE_DEBUG"] = "1"


def run(application: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; errors become one line on standard error."""
    command = typer.main.get_command(application)
    debug = "--debug" in (arguments if arguments is not None else sys.argv)
    try:
        outcome = command.main(args=arguments, prog_name="hedge", standalone_mode=False)
    except EngineError as refused:
        if debug:
            raise
        _complain(str(refused))
        return exit_code(refused)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as wrong:
        path = wrong.ctx.command_path if wrong.ctx else "hedge"
        _complain(f"usage refused: {wrong.format_message().rstrip('.')}; run `{path} --help`")
        return USAGE
    except click.ClickException as wrong:
        _complain(f"refused: {wrong.format_message()}; run `hedge --help`")
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        _complain("stopped: interrupted; run `hedge apply` again to continue what was begun")
        return 130
    except BrokenPipeError:
        sys.stdout = None  # type: ignore[assignment]
        return 0
    except Exception as fault:
        if debug:
            raise
        _complain(f"unexpected {type(fault).__name__}: {fault}; run again with --debug and report it")
        return UNEXPECTED
    return outcome if isinstance(outcome, int) else 0


def _complain(line: str) -> None:
    typer.echo("hedge: " + " ".join(line.split()), err=True)


def main() -> None:
    """Console entry point."""
    sys.exit(run(app))


if __name__ == "__main__":
    main()
