"""A table as finished text: columns that know how their cells stand, and cells that say what they mean."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.report.wording import plain


class Align(StrEnum):
    """How a column's cells stand: words to the left, numbers to the right, digests in fixed width."""

    WORDS = "words"
    NUMBER = "number"
    DIGEST = "digest"


class Tone(StrEnum):
    """What a cell's words mean for the reader; the words themselves always say it too."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how its cells stand."""

    heading: str
    align: Align = Align.WORDS


@dataclass(frozen=True, slots=True)
class Cell:
    """Finished text; `used` is the share of a limit in use, where the row shows one."""

    text: str
    tone: Tone = Tone.PLAIN
    used: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, columns, and rows of finished cells. The first column names the row."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


Row = Iterable[str | Cell]


def table(key: str, caption: str, headings: str | Sequence[str], rows: Iterable[Row], note: str = "") -> Table:
    """Build a table; a heading that starts with `#` is of numbers, with `@` of digests."""
    kinds = {"#": Align.NUMBER, "@": Align.DIGEST}
    names = headings.split(" | ") if isinstance(headings, str) else headings
    columns = tuple(
        Column(plain(name[1:]), kinds[name[0]]) if name[:1] in kinds else Column(plain(name)) for name in names
    )
    cells = tuple(tuple(Cell(plain(c)) if isinstance(c, str) else c for c in row) for row in rows)
    return Table(key, caption, columns, cells, note)
