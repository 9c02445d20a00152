"""`hedge ledger` and `hedge reconcile`: the books, their hash chain, and their agreement with the venues."""

from pathlib import Path

import typer

app = typer.Typer(help="The journal: what is in it and whether it is whole.", no_args_is_help=True)
_WORKSPACE = typer.Option(Path(), "-C", help="Workspace folder.")
_JSON = typer.Option(False, "--json", help="One JSON document.")
_FORMAT = typer.Option(..., "--format", help="beancount, csv or parquet.")
_OUT = typer.Option(..., "--out", help="The file to write; one that is there is replaced once the new one is whole.")


@app.command("verify")
def verify(workspace: Path = _WORKSPACE, as_json: bool = _JSON) -> None:
    """Read the whole hash chain again; the first bad link is named."""
    from scripts.output import emit_json, say
    from scripts.period import journal_at

    with journal_at(workspace) as journal:
        journal.require_intact()
        count, (serial, head) = journal.count(), journal.tip()
    if as_json:
        emit_json(
            {"schema": "hedge.ledger-verify/1", "status": "whole", "entries": count, "serial": serial, "head": head}
        )
    else:
        say(f"{count} entries, every link holds; head {head}")


@app.command("show")
def show(
    why: str = typer.Option("", "--why", help="Only what gives a report's figure: 2018-05.nav.closing.blended."),
    workspace: Path = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Every entry with its legs, in order of posting."""
    from scripts.output import emit_json, say
    from scripts.period import journal_at

    if why:
        _why(why, workspace, as_json)
        return
    with journal_at(workspace) as journal:
        entries = journal.entries()
    if as_json:
        rows = [
            {
                "key": entry.key,
                "at": entry.at.isoformat(),
                "memo": entry.memo,
                "status": entry.status.value,
                "evidence": dict(entry.evidence),
                "legs": [{"account": leg.account, "amount": str(leg.amount)} for leg in entry.legs],
            }
            for entry in entries
        ]
        emit_json({"schema": "hedge.ledger-show/1", "status": "done", "entries": rows})
        return
    for entry in entries:
        say(f"{entry.at.isoformat()} {entry.status} {entry.memo}  [{entry.key}]")
        for leg in entry.legs:
            say(f"    {leg.account:<32} {leg.amount}")


@app.command("export")
def export(
    format: str = _FORMAT,
    out: Path = _OUT,
    workspace: Path = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Write every entry to a file that beancount, pandas or a spreadsheet reads."""
    from adapters.files.ledger_export import export as write
    from adapters.files.ledger_export import require_format
    from scripts.output import emit_json, say
    from scripts.period import journal_at

    require_format(format)
    with journal_at(workspace) as journal:
        journal.require_intact()
        entries = journal.entries()
    write(entries, format, out)
    if as_json:
        emit_json(
            {
                "schema": "hedge.ledger-export/1",
                "status": "done",
                "format": format,
                "entries": len(entries),
                "file": str(out),
            }
        )
    else:
        say(f"{len(entries)} entries written to {out} as {format}")


@app.command("migrate")
def migrate(workspace: Path = _WORKSPACE, as_json: bool = _JSON) -> None:
    """Bring the journal's database to this program's schema; what is in it stays."""
    from adapters.sql.migrate import upgrade
    from scripts.output import emit_json, say
    from scripts.period import url_at

    schema = upgrade(url_at(workspace))
    if as_json:
        emit_json({"schema": "hedge.ledger-migrate/1", "status": "done", "at": schema})
    else:
        say(f"journal is at schema {schema}")


def reconcile(
    workspace: Path = _WORKSPACE,
    adopt: bool = typer.Option(False, "--adopt", help="Take every open difference into suspense; needs --confirm."),
    confirm: str = typer.Option("", "--confirm", help="The name of the breaks that were shown."),
    reason: str = typer.Option("", "--reason", help="Why, kept as evidence; needed to adopt."),
    as_json: bool = _JSON,
) -> None:
    """
    Post the interest the chain shows, then compare journal, broker and chain at one final block, to the unit.

    Exit 23: breaks, which stop new risk; 20: only what is in flight. Where all agree the day's mark is kept.
    """
    from scripts.reconcile_verb import adopted, reconciled, show_reconciled
    from scripts.workspace import opened

    with opened(workspace) as (_, desk):
        posted = adopted(desk, confirm, reason) if adopt and confirm else ()
        outcome = reconciled(desk)
    show_reconciled(outcome, posted, workspace, adopt=adopt, as_json=as_json)


def _why(figure: str, folder: Path, as_json: bool) -> None:
    from scripts.output import emit_json
    from scripts.period import explained, journal_at
    from scripts.why import as_document, say_why

    with journal_at(folder) as journal:
        _, found = explained(journal, figure)
    if as_json:
        emit_json(as_document(figure, found))
    else:
        say_why(figure, found)
