"""Text files as lines and cells, whatever is in them: every oddity is a typed refusal."""

import csv
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UnreadableMarketFile

_LARGEST = 256 * 2**20  # bytes; a full index chain has about 1.5 million


def read_text(path: Path) -> str:
    """A text file's content, unpacked if gzipped. Raises `UnreadableMarketFile`."""
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                raw = packed.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise UnreadableMarketFile(
                f"{path.name} refused", why=f"it holds more than {_LARGEST} bytes", todo="give one chain a file"
            )
        return raw.decode("utf-8-sig")
    except (OSError, EOFError, ValueError, zlib.error) as broken:
        why = getattr(broken, "strerror", None) or "not the format its first bytes claim"
        raise UnreadableMarketFile(
            f"{path.name} cannot be read",
            why=f"{type(broken).__name__}: {why}",
            todo="check the path and the file",
        ) from broken


def csv_rows(lines: Sequence[str], *, source: str, first: int = 1) -> list[tuple[int, list[str]]]:
    """
    Cells of every row that is not blank, with the number of the line it ends on.

    `first` is the number of the first line given. Raises `UnreadableMarketFile`.

    >>> csv_rows(["a,b", "", '1,"2,3"'], source="x")
    [(1, ['a', 'b']), (3, ['1', '2,3'])]
    """
    reader = csv.reader(lines)
    try:
        return [(reader.line_num + first - 1, row) for row in reader if any(row)]
    except csv.Error as broken:
        raise refused(source, reader.line_num + first - 1, str(broken)) from broken


def refused(source: str, line: int, why: str) -> UnreadableMarketFile:
    """The error of a file that breaks its own format at `line`."""
    return UnreadableMarketFile(
        f"{source} refused", why=f"line {line}: {why}", todo="download or export it again, unedited"
    )
