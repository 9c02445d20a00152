"""How results reach the operator: one JSON document, or plain lines and tables."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path


def emit_json(document: dict[str, Any]) -> None:
    """One document, nothing else on standard output."""
    typer.echo(json.dumps(document, indent=2, sort_keys=False, allow_nan=False, default=str))


def say(line: str = "") -> None:
    """A line for the operator; a closed pipe ends the program quietly."""
    typer.echo(line)


def note(line: str) -> None:
    """A line about progress or provenance, on standard error, so that output stays clean."""
    typer.echo(line, err=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = ()) -> None:
    """A table: ruled on a terminal, plain aligned columns when piped."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        drawn = Table(title=title, title_justify="left")
        for index, column in enumerate(columns):
            drawn.add_column(column, justify="right" if index in numeric else "left")
        for row in rows:
            drawn.add_row(*row)
        Console().print(drawn)
        return
    widths = [max(len(column), *(len(row[i]) for row in rows), 0) for i, column in enumerate(columns)]
    say(title)
    for row in [columns, *rows]:
        cells = (c.rjust(w) if i in numeric else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        say("  " + "  ".join(cells).rstrip())


def write_page(path: "Path", page: str) -> None:
    """A finished page or table, written whole or not at all; raises `InputError` where it cannot be."""
    import os

    from adapters.files.targets import require_replaceable
    from engine.errors import InputError

    require_replaceable(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(page, encoding="utf-8", newline="")
        partial.replace(path)
    except OSError as refused:
        partial.unlink(missing_ok=True)
        raise InputError(f"{path} refused", why=str(refused), todo="name a file that can be written") from None
