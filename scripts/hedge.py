"""The `hedge` command: every verb in one place, every error one line and a stable exit code."""

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from engine.errors import EngineError
from scripts import chain, ledger, market, policy, rebalance, report, simulate, workspace_verbs
from scripts.allocate import allocate
from scripts.demo import demo
from scripts.exits import INTERRUPTED, UNEXPECTED, USAGE, exit_code
from scripts.explain import explain
from scripts.margin import margin
from scripts.price import price
from scripts.signals import signals
from scripts.stress import stress
from scripts.surface import surface

app = typer.Typer(
    name="hedge",
    help="Risk engine for an SPX iron-condor book and a capped DeFi volatility sleeve.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo)
app.command("init")(workspace_verbs.init)
app.add_typer(market.app, name="market")
app.command("price")(price)
app.command("surface")(surface)
app.command("margin")(margin)
app.command("stress")(stress)
app.command("allocate")(allocate)
app.command("signals")(signals)
app.command("explain")(explain)
app.add_typer(policy.app, name="policy")
app.add_typer(chain.app, name="chain")
app.add_typer(rebalance.plan_app, name="plan")
app.command("approve")(rebalance.approve)
app.command("apply")(rebalance.apply)
app.command("reconcile")(ledger.reconcile)
app.add_typer(ledger.app, name="ledger")
app.add_typer(report.app, name="report")
app.add_typer(simulate.app, name="simulate")


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
    except typer.Exit as ended:
        return ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        _complain("stopped: interrupted; run the same command again to continue what was begun")
        return INTERRUPTED
    except TyperException as wrong:
        command_path = getattr(getattr(wrong, "ctx", None), "command_path", "hedge")
        _complain(f"usage refused: {_said(wrong).rstrip('.')}; run `{command_path} --help`")
        return USAGE
    except BrokenPipeError:
        sys.stdout = None
        return 0
    except Exception as fault:
        if debug:
            raise
        _complain(f"unexpected {type(fault).__name__}: {fault}; run again with --debug and report it")
        return UNEXPECTED
    return outcome if isinstance(outcome, int) else 0


def _said(wrong: TyperException) -> str:
    told = getattr(wrong, "format_message", None)
    return str(told()) if told else str(wrong)


def _complain(line: str) -> None:
    typer.echo("hedge: " + " ".join(line.split()), err=True)


def main() -> None:
    """Console entry point."""
    sys.exit(run(app))


if __name__ == "__main__":
    main()
