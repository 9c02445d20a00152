"""`hedge stress`: what a book loses in gaps, the two-sigma rule, a grid and joint draws, and what that breaks."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from scripts.mark_option import MARKS

if TYPE_CHECKING:
    from engine.risk.paths import JointModel
    from engine.risk.stress import Progress
    from engine.risk.stress_packs import Pack
    from scripts.inputs import Stage
    from scripts.stress_output import CondorRoom, Findings

BROKEN = 31
_MOST_DRAWS = 1_000_000
_MOST_PATHS = 2_000


def stress(
    chain: str = typer.Option("", "--chain", help="Option-chain file; without it the folder's or a modelled day."),
    book: str = typer.Option("", "--book", help="Book file: quantity,instrument,sleeve,venue."),
    folder: str = typer.Option("", "-C", help="Workspace folder."),
    policy: str = typer.Option("", "--policy", help="Policy file."),
    mark: list[str] = MARKS,
    pack: str = typer.Option("all", "--pack", help="gap, two-sd, grid, joint or all."),
    scenarios: int = typer.Option(10_000, "--scenarios", help="Joint draws."),
    seed: int = typer.Option(20_230_207, "--seed", help="Of the joint draws: the same seed gives the same figures."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
    html: Path | None = typer.Option(None, "--html", help="Write one self-contained HTML file."),
) -> None:
    """Losses by scenario and sleeve with margin, quick ratio and health; exits 31 where a hard limit is broken now."""
    from scripts.inputs import stage
    from scripts.output import emit_json, note
    from scripts.stress_output import document, print_text, write_page

    wanted = _packs(pack)
    _require(scenarios, seed)
    found = _measured(stage(chain, book, folder, policy, mark))
    _run(found, wanted, draws=scenarios, seed=seed, tell=note)
    if html is not None:
        write_page(html, found)
    if as_json:
        emit_json(document(found, seed, html))
    else:
        print_text(found, html)
    if found.broken:
        note("hedge: " + "; ".join(f"{r.limit} is broken now: {r.breach()}" for r in found.broken))
        raise typer.Exit(BROKEN)


def _packs(written: str) -> "tuple[Pack, ...]":
    from engine.errors import InputError
    from engine.risk.stress_packs import Pack

    if written == "all":
        return tuple(Pack)
    if written not in set(Pack):
        known = ", ".join([*Pack, "all"])
        raise InputError(f"--pack {written!r} refused", why="no such pack", todo=f"give one of {known}")
    return (Pack(written),)


def _require(draws: int, seed: int) -> None:
    from engine.errors import InputError

    if not 100 <= draws <= _MOST_DRAWS:
        raise InputError(
            f"--scenarios {draws} refused", why="tails need draws", todo=f"give 100 to {_MOST_DRAWS:,} of them"
        )
    if seed < 0:
        raise InputError(f"--seed {seed} refused", why="a seed is not negative", todo="give a whole number from 0")


def _measured(given: "Stage") -> "Findings":
    """The limits of the book as it stands."""
    from engine.errors import InputError
    from engine.policy.target import frame
    from engine.risk.limits import limit_readings
    from engine.risk.scenarios import Scenarios
    from engine.risk.valuation import book_values
    from scripts.stress_output import Findings

    nav = float(book_values(given.book, given.view, Scenarios.now())[0])
    if not given.book.positions or nav <= 0:
        raise InputError(
            "stress refused",
            why="the book is empty" if not given.book.positions else f"the book is worth {nav:,.0f} USD",
            todo="give --book a file that holds its cash too, or -C a desk that is funded",
        )
    measure = frame(given.snapshot, given.view, given.book, given.policy)
    funding = measure.funding
    readings = limit_readings(
        given.book,
        given.view,
        measure.scenarios,
        measure.limits,
        thresholds=funding.thresholds,
        high_vol=measure.high_vol,
        crypto_beta=given.snapshot.crypto_beta,
        funding=funding,
    )
    return Findings(given, measure, readings, nav)


def _run(found: "Findings", wanted: "tuple[Pack, ...]", *, draws: int, seed: int, tell: Callable[[str], None]) -> None:
    from time import monotonic

    import numpy as np

    from engine.risk.stress_packs import Pack, joint_figures, named_pack
    from engine.risk.stress_rows import stress_table

    given, measure, began = found.stage, found.measure, monotonic()
    beta, model = given.snapshot.crypto_beta, _model(given)
    own_vol = float(np.sqrt(1.0 - model.correlation**2)) * model.crypto_vol
    for pack in wanted:
        if pack is Pack.JOINT:
            found.joint = joint_figures(
                given.book,
                given.view,
                model,
                np.random.default_rng(seed),
                draws=draws,
                paths=min(draws, _MOST_PATHS),
                loss_limit=measure.limits.drawdown_2sd * measure.limits.capital,
                progress=_progress(tell, began),
            )
        else:
            shocks = named_pack(pack, given.view, measure.scenarios, crypto_beta=beta, own_vol=own_vol)
            found.tables[pack] = stress_table(
                given.book, given.view, shocks, capital=measure.limits.capital, funding=measure.funding
            )
            if pack is Pack.TWO_SD:
                found.rooms = _rooms(found)
        tell(f"[{monotonic() - began:5.1f} s] {pack.value} done")


def _rooms(found: "Findings") -> "tuple[CondorRoom, ...]":
    """How many lots of each condor held the two-sigma rule allows (D11)."""
    from engine.policy.holdings import condors_held, one_lot
    from engine.risk.room import most_lots
    from scripts.stress_output import CondorRoom

    given, limits = found.stage, found.measure.limits
    book, view, cells = given.book, given.view, found.measure.scenarios
    bound = {"capital": limits.capital, "limit": limits.drawdown_2sd}
    return tuple(
        CondorRoom(condor, held, most_lots(book, one_lot(condor), held, view, cells, **bound))
        for condor, held in condors_held(book, view.asof)
    )


def _model(given: "Stage") -> "JointModel":
    import numpy as np

    from engine.risk.paths import JointModel
    from engine.risk.smile import atm_vol_at

    index_vol, crypto_vol = atm_vol_at(given.view.smiles, 30.0 / 365.0), given.snapshot.crypto_vol
    correlation = float(np.clip(given.snapshot.crypto_beta * index_vol / crypto_vol, -1.0, 1.0))
    return JointModel(index_vol, crypto_vol, correlation)


def _progress(tell: Callable[[str], None], began: float) -> "Progress":
    """A line a second at most."""
    from time import monotonic

    last = began

    def told(done: int, of: int) -> None:
        nonlocal last
        if monotonic() - last >= 1.0:
            last = monotonic()
            tell(f"[{last - began:5.1f} s] joint {done} of {of}")

    return told


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.hedge import run

    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command()(stress)
    sys.exit(run(app))
