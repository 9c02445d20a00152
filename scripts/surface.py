"""`hedge surface`: smiles of a chain, free of arbitrage, and how well its quotes bear them out."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from datetime import date

    from engine.risk.surface import VolSurface
    from engine.risk.surface_slice import SurfaceSlice

_NOTES = frozenset({"outside_quotes", "rate_assumed", "modelled"})  # told beside every warning


def surface(
    file: str = typer.Argument(..., help="Option chain: Cboe delayed quotes or long format, CSV or gzipped."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
    html: Path | None = typer.Option(None, "--html", help="Write one self-contained HTML file."),
    expiry: str = typer.Option("", "--expiry", help="One settlement day, 2026-07-31: its distances and strikes."),
    rate: str = typer.Option("", "--rate", help='Interest rate as a percentage, "4.65%", continuously compounded.'),
    rates: str = typer.Option("", "--rates", help="CSV of three-month bill discounts (Date, Close in percent)."),
    asof: str = typer.Option("", "--asof", help="Long format only: as-of instant, 2026-07-23T16:15-04:00."),
    spot: float = typer.Option(0.0, "--spot", help="Long format only: index level."),
) -> None:
    """Volatility smiles of a chain, free of butterfly and calendar arbitrage."""
    from engine.market import Severity
    from engine.risk.surface import fit_surface
    from engine.signals.expiries import expiry_table
    from engine.signals.quality import chain_findings, require_sound
    from scripts.chain_input import chain_and_curve
    from scripts.output import emit_json
    from scripts.surface_output import Told, document, print_text, write_page

    day = _day(expiry)
    chain, curve, assumed = chain_and_curve(file, asof=asof, spot=spot, rate=rate, rates=rates)
    table = expiry_table(chain, curve)
    quality = chain_findings(chain, curve, table)
    require_sound(quality)
    fitted = fit_surface(chain, curve, table)
    slices = _chosen(fitted, day)
    findings = tuple(
        finding
        for finding in (*assumed, *quality, *fitted.findings)
        if (finding.code in _NOTES or finding.severity is not Severity.NOTE)
        and (day is None or finding.expiry in (None, day))
    )
    told = Told(file, fitted, slices, findings, day, html)
    if html is not None:
        write_page(html, told)
    if as_json:
        emit_json(document(told))
    else:
        print_text(told)


def _day(text: str) -> "date | None":
    from datetime import date

    from engine.errors import InputError

    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--expiry {text!r} refused", why="it is no date", todo="write it as 2026-07-31") from None


def _chosen(fitted: "VolSurface", day: "date | None") -> "tuple[SurfaceSlice, ...]":
    from engine.errors import MissingQuote

    if day is None:
        return fitted.slices
    chosen = tuple(part for part in fitted.slices if part.expiry_date == day)
    if not chosen:
        raise MissingQuote(
            f"no smile for {day}",
            why="the chain has no such expiry or too few usable quotes in it",
            todo="choose an expiry that `hedge surface` lists",
        )
    return chosen
