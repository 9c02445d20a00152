"""`hedge allocate`: the holdings worth most inside every hard limit, and what each limit costs."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.policy.outcomes import Law
    from engine.positions import Book
    from scripts.inputs import Stage


def allocate(
    chain: str = typer.Option("", "--chain", help="Option-chain file; without it the folder's or a modelled day."),
    book: str = typer.Option("", "--book", help="Book file: quantity,instrument,sleeve,venue."),
    folder: str = typer.Option("", "-C", help="Workspace folder."),
    policy: str = typer.Option("", "--policy", help="Policy file."),
    without: str = typer.Option("", "--without", help="A hard limit to lift, by name: a what-if, never a plan."),
    measure: str = typer.Option("real_world", "--measure", help="Of expectations: real_world or risk_neutral."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
    html: Path | None = typer.Option(None, "--html", help="Write one self-contained HTML file."),
) -> None:
    """The lots worth most within every hard limit and what each limit costs; exits 31 where no lots keep them all."""
    from engine import cycle
    from engine.policy.mean_cvar import Infeasible
    from scripts.allocation_output import document, print_text, write_page
    from scripts.inputs import stage
    from scripts.output import emit_json

    given = stage(chain, book, folder, policy)
    held, assumed = _funded(given, named=bool(book or folder))
    decision = cycle.decide(
        given.snapshot,
        held,
        given.policy,
        fee_per_contract=_fee(),
        law=_law(measure),
        without=_limits(without),
    )
    if decision.target.conflict:
        raise Infeasible(decision.target.conflict)
    assumptions = (*given.assumptions, *assumed)
    if html is not None:
        write_page(html, decision, assumptions)
    if as_json:
        emit_json(document(decision, assumptions, without, html))
    else:
        print_text(decision, assumptions, without, html)


def _funded(given: "Stage", *, named: bool) -> "tuple[Book, tuple[str, ...]]":
    """The book asked about; without one, the policy's risk capital in cash at the broker."""
    from engine.errors import InputError
    from engine.instruments import Cash
    from engine.money import USD, Money
    from engine.positions import Book, Position, Sleeve
    from engine.risk.scenarios import Scenarios
    from engine.risk.valuation import book_values

    if named:
        if not float(book_values(given.book, given.view, Scenarios.now())[0]) > 0:
            raise InputError(
                "allocation refused", why="the book is worth nothing", todo="give a book file that holds its cash too"
            )
        return given.book, ()
    capital = given.policy.book.risk_capital
    cash = Position(Cash(USD), Money.of(capital, USD), Sleeve.CONDOR, "paper")
    return Book((cash,)), (f"no book given: {capital:,.0f} USD, the policy's risk capital, in cash at the broker",)


def _fee() -> float:
    """All fees of one index option contract at the paper broker, USD."""
    from adapters.paper.fees import FeeTable

    fees = FeeTable()
    return float(sum((fees.commission, fees.exchange_spx, fees.regulatory, fees.clearing)))


def _law(name: str) -> "Law":
    from engine.errors import InputError
    from engine.policy.outcomes import Law

    if name not in set(Law):
        raise InputError(
            f"--measure {name!r} refused", why="no such measure", todo=f"give one of {', '.join(sorted(Law))}"
        )
    return Law(name)


def _limits(name: str) -> tuple[str, ...]:
    from engine.errors import InputError
    from engine.policy.allocate import LIMITS

    if name and name not in LIMITS:
        raise InputError(f"--without {name!r} refused", why="no such limit", todo=f"give one of {', '.join(LIMITS)}")
    return (name,) if name else ()


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command()(allocate)
    sys.exit(run(app))
