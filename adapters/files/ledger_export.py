"""The journal in files that other programs read; each is there whole or not at all."""

import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from adapters.files.targets import require_replaceable
from engine.entries import Entry
from engine.errors import ConfigError, InputError, StorageError
from engine.ledger.beancount import beancount
from engine.ledger.flat import COLUMNS, as_cell, rows


def require_format(format: str) -> None:
    """Raises `InputError` unless the journal is written in that format."""
    if format not in _WRITERS:
        raise InputError(f"format {format!r} unknown", why="nothing writes it", todo=f"use {', '.join(_WRITERS)}")


def export(entries: Iterable[Entry], format: str, path: Path) -> None:
    """
    Writes every entry to `path`; the same entries give the same bytes in text formats.

    CSV is RFC 4180 in UTF-8, one row per leg, amounts as exact decimal text; pandas reads it with
    `read_csv(path, dtype=str)`. Parquet has the same columns, as text, and needs pyarrow.

    Raises `InputError` if the format is not beancount, csv or parquet, `ConfigError` if it needs a package that
    is not installed, `StorageError` if the file cannot be written, and then leaves what was at `path` as it was.
    """
    require_format(format)
    require_replaceable(path)
    with _replacing(path) as temporary:
        _WRITERS[format](entries, temporary)


def _beancount(entries: Iterable[Entry], path: Path) -> None:
    with _text(path) as file:
        file.writelines(f"{line}\n" for line in beancount(entries))


def _csv(entries: Iterable[Entry], path: Path) -> None:
    with _text(path) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(tuple(map(as_cell, row)) for row in rows(entries))


def _parquet(entries: Iterable[Entry], path: Path) -> None:
    import pandas as pd

    try:
        pd.DataFrame(rows(entries), columns=list(COLUMNS), dtype=str).to_parquet(path, engine="pyarrow", index=False)
    except ImportError:
        raise ConfigError(
            "parquet cannot be written",
            why="pyarrow is not installed",
            todo="install the extra `parquet`, or export csv",
        ) from None


_WRITERS: dict[str, Callable[[Iterable[Entry], Path], None]] = {
    "beancount": _beancount,
    "csv": _csv,
    "parquet": _parquet,
}


def _text(path: Path) -> IO[str]:
    return path.open("w", encoding="utf-8", newline="")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place once it is whole and on disk."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as failure:
        raise StorageError(
            f"{path} cannot be written", why=str(failure), todo="check the folder, its permissions and its room"
        ) from failure
