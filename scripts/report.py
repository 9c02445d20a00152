"""`hedge report`: both books since inception; `daily`, `month` and `since` from the journal alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.report.period_report import PeriodReport

app: typer.Typer = typer.Typer(
    help="What the desk holds and returned; without a word, since inception.", invoke_without_command=True
)
_WORKSPACE = typer.Option(Path(), "-C", help="Workspace folder.")
_HTML = typer.Option(None, "--html", help="Write one self-contained HTML file.")
_JSON = typer.Option(False, "--json", help="One JSON document.")
_CSV = typer.Option(None, "--csv", help="Write every figure, its unit and its formula as CSV.")
_RETURNS = typer.Option(None, "--returns", help="Write daily returns as CSV that quantstats reads.")


@app.callback()
def report(
    context: typer.Context,
    workspace: Path = _WORKSPACE,
    html: Path | None = _HTML,
    as_json: bool = _JSON,
) -> None:
    """What the desk holds and returned since inception."""
    if context.invoked_subcommand is not None:
        return
    from adapters.html.page import render
    from scripts.output import emit_json, say, write_page
    from scripts.reporting import present, say_report
    from scripts.workspace import opened

    with opened(workspace) as (_, desk):
        made = present(desk)
    if html is not None:
        write_page(html, render(made))
    if as_json:
        emit_json({**made.to_json(), "report": str(html) if html else None, "next": []})
        return
    say_report(made)
    if html is not None:
        say(f"written to {html}")


@app.command("daily")
def daily(
    day: str = typer.Argument("", help="A marked day, 2018-05-18; the last one unless given."),
    workspace: Path = _WORKSPACE,
    html: Path | None = _HTML,
    as_json: bool = _JSON,
    csv: Path | None = _CSV,
    returns: Path | None = _RETURNS,
) -> None:
    """One valuation day, from the close before it to its own."""
    _period(day, workspace, html, as_json, csv, returns)


@app.command("month")
def month(
    month: str = typer.Argument(..., help="2018-05."),
    workspace: Path = _WORKSPACE,
    html: Path | None = _HTML,
    as_json: bool = _JSON,
    csv: Path | None = _CSV,
    returns: Path | None = _RETURNS,
) -> None:
    """One calendar month: value, returns, attribution, limits, breaks and where every figure comes from."""
    _period(month, workspace, html, as_json, csv, returns)


@app.command("since")
def since(
    day: str = typer.Argument(..., help="The first day, 2018-05-01; or inception."),
    workspace: Path = _WORKSPACE,
    html: Path | None = _HTML,
    as_json: bool = _JSON,
    csv: Path | None = _CSV,
    returns: Path | None = _RETURNS,
) -> None:
    """From a day to the last one the journal knows."""
    from engine.report.period import INCEPTION, SINCE

    _period(day if day == INCEPTION else f"{SINCE}{day}", workspace, html, as_json, csv, returns)


def _period(
    name: str, workspace: Path, html: Path | None, as_json: bool, csv: Path | None, returns: Path | None
) -> None:
    from adapters.html.period_page import render_period
    from engine.report.linked import daily_returns, returns_csv
    from engine.report.period_tables import document, figures_csv
    from scripts.output import emit_json, say, write_page
    from scripts.period import journal_at, read_report

    with journal_at(workspace) as journal:
        made = read_report(journal, name)
    if html is not None:
        write_page(html, render_period(made))
    if csv is not None:
        write_page(csv, figures_csv(made))
    if returns is not None:
        write_page(returns, returns_csv(daily_returns(made.points)))
    written = [str(each) for each in (html, csv, returns) if each is not None]
    if as_json:
        emit_json({**document(made), "files": written, "next": []})
        return
    _say(made)
    for path in written:
        say(f"written to {path}")


def _say(made: "PeriodReport") -> None:
    from engine.report.period_tables import period_tables
    from engine.report.table import Align
    from scripts.output import say, table

    about = made.period
    say(f"{about.name}: {about.first} to {about.last}, from the close of {about.opens}")
    for each in period_tables(made):
        numeric = [at for at, column in enumerate(each.columns) if column.align is Align.NUMBER]
        rows = [[cell.text for cell in row] for row in each.rows]
        table(each.caption, [column.heading for column in each.columns], rows, numeric=numeric)
    say(f"any figure: hedge ledger show --why {about.name}.FIELD")


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    sys.exit(run(app))
