"""A period's report from a journal on disk: no chain, no broker and no market are asked."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from adapters.sql.books import entries_in
from adapters.sql.journal import SqlJournal
from adapters.sql.storage import database_url
from engine.entries import Entry
from engine.errors import InputError
from engine.report.figures import Why, figure, why
from engine.report.marks import Marks
from engine.report.period import Period, period
from engine.report.period_figures import figures
from engine.report.period_report import PeriodReport, Source, report
from scripts.kept import kept_marks, open_breaks

LEDGER, SETTINGS = "ledger.sqlite", "hedge.toml"


def read_report(journal: SqlJournal, name: str, marks: Marks | None = None) -> PeriodReport:
    """
    The report of a named period; the same journal gives the same report.

    `marks` are the journal's own unless given. Raises `InputError` for a period of which it knows nothing.
    """
    found = marks or kept_marks(journal)
    about = _about(journal, name, found)
    return report(
        Source(
            period=about,
            opening=journal.balances(until=about.opens),
            days=journal.daily(after=about.opens, until=about.last),
            marks=found,
            breaks=open_breaks(journal, about.last),
            late=_late(journal, about, found),
        )
    )


def explained(journal: SqlJournal, name: str) -> tuple[PeriodReport, Why]:
    """
    A figure `PERIOD.FIELD` of a report, with every leg it counts.

    Raises `InputError` where there is no such period or figure.
    """
    stem, dot, field = name.partition(".")
    if not dot:
        raise InputError(f"figure {name!r} refused", why="it names no field", todo="write 2018-05.nav.closing.blended")
    made = read_report(journal, stem)
    return made, why(figure(figures(made), field), _numbered(journal), made.source.marks)


def journal_at(folder: Path) -> SqlJournal:
    """
    The journal of a workspace, or the one that lies in a folder, as a demo leaves it.

    Raises `ConfigError` where the folder is neither.
    """
    return SqlJournal(url_at(folder))


def url_at(folder: Path) -> str:
    """The database of the journal of `journal_at`."""
    if (folder / LEDGER).is_file() and not (folder / SETTINGS).is_file():
        return database_url(folder / LEDGER)
    from scripts.workspace import ledger_url, load

    return ledger_url(load(folder))


def _numbered(journal: SqlJournal) -> Iterator[tuple[int, Entry]]:
    with journal.reading() as connection:
        yield from entries_in(connection)


def _about(journal: SqlJournal, name: str, marks: Marks) -> Period:
    known = [*(journal.span() or ()), *marks.days]
    if not known:
        raise InputError("report refused", why="the journal is empty", todo="post something, or name another folder")
    return period(name, begins=min(known), ends=max(known))


def _late(journal: SqlJournal, about: Period, marks: Marks) -> tuple[date, ...]:
    """Days of the period that were posted to after the mark it closes at."""
    mark = marks.at(about.last)
    if mark is None:
        return ()
    return tuple(day for day in journal.days_after(mark.serial) if about.opens < day <= mark.day)
