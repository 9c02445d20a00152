"""The `hedge` command: every verb in one place, every error one line and a stable exit code."""

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from engine.errors import EngineError
from scripts.exits import INTERRUPTED, UNEXPECTED, USAGE, exit_code
from scripts.verbs import Verbs

app = typer.Typer(
    name="hedge",
    cls=Verbs,
    help="Risk engine for an SPX iron-condor book and a capped DeFi volatility sleeve.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
