"""`hedge report`: both books, blended returns, cost of capital and limits, as text, JSON or one HTML file."""

from pathlib import Path

import typer


def report(
    workspace: Path = typer.Option(Path(), "-C", help="Workspace folder."),
    html: Path | None = typer.Option(None, "--html", help="Write one self-contained HTML file."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """What the desk holds and returned since inception."""
    from adapters.html.page import render
    from engine.ledger import balances
    from engine.report.tables import period_return
    from scripts.output import emit_json, say, table, write_page
    from scripts.reporting import Story, compose
    from scripts.walk import mark
    from scripts.workspace import opened

    with opened(workspace) as (_, desk):
        story = Story(opened=desk.observe(), opened_book=balances.book(desk.journal.entries()))
        mark(desk, story)
        made = compose(desk, story)
    if html is not None:
        write_page(html, render(made))
    if as_json:
        emit_json({**made.to_json(), "report": str(html) if html else None, "next": []})
        return
    headline = made.headline
    say(f"as of {made.asof.isoformat()}, {made.status}")
    for label in made.modelled:
        say(f"modelled: {label}")
    say(f"NAV {headline.nav}; " + ", ".join(f"{engine.engine} {engine.nav}" for engine in headline.by_engine))
    say(f"blended IRR {period_return(headline.irr)}; WACC {headline.wacc:.2%} a year")
    rows = [[p.sleeve, p.venue, p.instrument, f"{p.quantity:,f}", str(p.value)] for p in made.positions]
    table("positions", ["sleeve", "venue", "instrument", "quantity", "value"], rows, numeric=(3, 4))
    limits = [
        [row.limit, f"{row.level:.4g}", f"{row.reading:.4g}", f"{row.headroom:.4g}", "holds" if row.holds else "BREACH"]
        for row in made.limits
    ]
    table("limits", ["limit", "level", "reading", "headroom", "state"], limits, numeric=(1, 2, 3))
    if html is not None:
        say(f"written to {html}")


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command()(report)
    sys.exit(run(app))
