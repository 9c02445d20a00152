"""`hedge allocate`: the holdings worth most inside every hard limit, and what each limit costs."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from scripts.mark_option import MARKS

if TYPE_CHECKING:
    from engine.policy.outcomes import Law
    from scripts.inputs import Stage


def allocate(
    chain: str = typer.Option("", "--chain", help="Option-chain file; without it the folder's or a modelled day."),
    book: str = typer.Option("", "--book", help="Book file: quantity,instrument,sleeve,venue."),
    folder: str = typer.Option("", "-C", help="Workspace folder."),
    policy: str = typer.Option("", "--policy", help="Policy file."),
    mark: list[str] = MARKS,
    data: str = typer.Option("", "--data", help="Folder of observations that the evidence is judged on too."),
    without: list[str] = typer.Option([], "--without", help="A limit to lift, by name; repeatable: never a plan."),
    measure: str = typer.Option("real_world", "--measure", help="Of expectations: real_world or risk_neutral."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
    html: Path | None = typer.Option(None, "--html", help="Write one self-contained HTML file."),
) -> None:
    """The lots worth most within every hard limit and what each limit costs; exits 31 where no lots keep them all."""
    from adapters.paper.fees import FeeTable
    from engine import cycle
    from engine.policy.mean_cvar import Infeasible
    from scripts.allocation_output import document, print_text, write_page
    from scripts.decision import evident, funded
    from scripts.inputs import stage
    from scripts.output import emit_json

    lifted = _limits(without)
    given, judged = evident(_priced(funded(stage(chain, book, folder, policy, mark))), data)
    decision = cycle.decide(
        given.snapshot,
        given.book,
        given.policy,
        judged,
        fee_per_contract=FeeTable().index_option,
        session_outer=given.session_outer,
        earned=given.earned,
        law=_law(measure),
        without=lifted,
    )
    if decision.target.conflict:
        raise Infeasible(decision.target.conflict)
    if html is not None:
        write_page(html, decision, given.assumptions)
    if as_json:
        emit_json(document(decision, given.assumptions, lifted, html))
    else:
        print_text(decision, given.assumptions, lifted, html)


def _law(name: str) -> "Law":
    from engine.errors import InputError
    from engine.policy.outcomes import Law

    if name not in set(Law):
        raise InputError(
            f"--measure {name!r} refused", why="no such measure", todo=f"give one of {', '.join(sorted(Law))}"
        )
    return Law(name)


def _limits(names: list[str]) -> tuple[str, ...]:
    from engine.errors import InputError
    from engine.policy.allocate import LIMITS

    unknown = next((name for name in names if name not in LIMITS), None)
    if unknown is not None:
        raise InputError(f"--without {unknown!r} refused", why="no such limit", todo=f"give one of {', '.join(LIMITS)}")
    return tuple(names)


def _priced(given: "Stage") -> "Stage":
    """The stage; raises `InputError` for a book that is worth nothing."""
    from engine.errors import InputError
    from engine.risk.scenarios import Scenarios
    from engine.risk.valuation import book_values

    if not float(book_values(given.book, given.view, Scenarios.now())[0]) > 0:
        raise InputError(
            "allocation refused", why="the book is worth nothing", todo="give a book file that holds its cash too"
        )
    return given


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command()(allocate)
    sys.exit(run(app))
