"""`hedge market inspect`: what a chain file says, and what is wrong with it."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from engine.market import Finding, OptionChain, RateCurve
    from engine.signals.expiries import ExpirySummary
    from engine.signals.vix_index import VolatilityIndex

app = typer.Typer(help="Look at market data before a decision rests on it.", no_args_is_help=True)

_SCHEMA = "hedge/market-inspect/1"
_SHOWN_STRIKES = 6


@app.callback()
def _group() -> None:
    """Keep `inspect` a word of its own."""


@app.command("inspect")
def inspect(
    file: str = typer.Argument(..., help="Option chain: Cboe delayed quotes or long format, CSV or gzipped."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
    rate: str = typer.Option("", "--rate", help='Interest rate as a percentage, "4.65%", continuously compounded.'),
    rates: str = typer.Option("", "--rates", help="CSV of three-month bill discounts (Date, Close in percent)."),
    asof: str = typer.Option("", "--asof", help="Long format only: as-of instant, 2026-07-23T16:15-04:00."),
    spot: float = typer.Option(0.0, "--spot", help="Long format only: index level."),
) -> None:
    """Forwards, rates, volatilities and findings of a chain file."""
    from engine.signals.expiries import expiry_table
    from engine.signals.quality import chain_findings
    from engine.signals.vix_index import volatility_index
    from scripts.chain_input import chain_and_curve

    chain, curve, assumed = chain_and_curve(file, asof=asof, spot=spot, rate=rate, rates=rates)
    table = expiry_table(chain, curve)
    index = volatility_index(chain, curve)
    findings = (*assumed, *_index_finding(index), *chain_findings(chain, curve, table))
    if as_json:
        _write_json(chain, table, index, findings)
    else:
        _print(chain, curve, table, index, findings)


def _index_finding(index: "VolatilityIndex") -> "tuple[Finding, ...]":
    from engine.market import Finding, Severity

    if not index.reason:
        return ()
    code = "vix_unavailable" if index.level is None else "vix_by_thursday"
    return (Finding(code, Severity.NOTE, None, (), index.reason),)


def _write_json(
    chain: "OptionChain",
    table: "tuple[ExpirySummary, ...]",
    index: "VolatilityIndex",
    findings: "tuple[Finding, ...]",
) -> None:
    from scripts.output import emit_json

    emit_json(
        {
            "schema": _SCHEMA,
            "status": _status(findings),
            "next": _next(findings),
            "asof": chain.asof.isoformat(),
            "spot": chain.spot,
            "vix": _number(index.level, 4),
            "expiries": [_expiry(row) for row in table],
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity.value,
                    "expiry": finding.expiry.isoformat() if finding.expiry else None,
                    "strikes": list(finding.strikes),
                }
                for finding in findings
            ],
        }
    )


def _expiry(row: "ExpirySummary") -> dict[str, Any]:
    return {
        "expiry": row.expiry_date.isoformat(),
        "root": row.root,
        "forward": _number(row.forward, 6),
        "rate": _number(row.rate, 8),
        "parity_rate": _number(row.parity_rate, 8),
        "parity_residual": _number(row.parity_residual, 6),
        "atm_vol": _number(row.atm_vol, 8),
        "quotes_used": row.quotes_used,
    }


def _number(value: float | None, digits: int) -> float | None:
    """JSON has no NaN: a number that could not be had is null."""
    from math import isfinite

    return None if value is None or not isfinite(value) else round(value, digits)


def _status(findings: "tuple[Finding, ...]") -> str:
    from engine.market import Severity

    return "refused" if any(finding.severity is Severity.REFUSAL for finding in findings) else "usable"


def _next(findings: "tuple[Finding, ...]") -> list[str]:
    if _status(findings) == "refused":
        return ["use a chain of European, cash-settled index options"]
    return ["hedge plan new"]


def _print(
    chain: "OptionChain",
    curve: "RateCurve",
    table: "tuple[ExpirySummary, ...]",
    index: "VolatilityIndex",
    findings: "tuple[Finding, ...]",
) -> None:
    from scripts.output import say
    from scripts.output import table as draw

    say(f"{_plain(chain.source)}: {chain.underlying}, {_status(findings)}")
    say(f"as of  {chain.asof:%Y-%m-%d %H:%M} UTC, saved {chain.stamp:%Y-%m-%d %H:%M} UTC")
    say(f"spot   {chain.spot:,.2f} points")
    say(f"VIX    {'not available: ' + index.reason if index.level is None else f'{index.level:.2f} recomputed'}")
    for term in index.terms:
        say(
            f"       {term.expiry.expiry_date} {term.root}: forward {term.forward:,.2f}, K0 {term.floor_strike:,.0f},"
            f" {term.strikes_used} strikes, {100 * term.vol:.3f} %"
        )
    say(f"rate   {_plain(curve.source)}")
    columns = ("expiry", "root", "forward", "curve", "parity", "+/-", "resid", "atm", "used")
    rows = [
        (
            row.expiry_date.isoformat(),
            row.root,
            f"{row.forward:,.2f}",
            _percent(row.rate),
            _percent(row.parity_rate),
            _percent(row.parity_error),
            f"{row.parity_residual:.2f}",
            _percent(row.atm_vol),
            f"{row.quotes_used:,d}",
        )
        for row in table
    ]
    draw(
        "Expiries: forward and parity residual in points, rates and volatility in % a year, quotes used",
        columns,
        rows,
        numeric=range(2, 9),
    )
    titles = ("severity", "code", "expiry", "root", "strikes", "detail")
    draw(
        "Findings",
        titles,
        [
            (f.severity.value, f.code, str(f.expiry or ""), f.root, _strikes(f.strikes), _plain(f.detail))
            for f in findings
        ],
    )


def _percent(value: float) -> str:
    from math import isfinite

    return f"{100 * value:.2f}" if isfinite(value) else "-"


def _strikes(strikes: tuple[float, ...]) -> str:
    shown = " ".join(f"{strike:g}" for strike in strikes[:_SHOWN_STRIKES])
    return f"{shown} and {len(strikes) - _SHOWN_STRIKES} more" if len(strikes) > _SHOWN_STRIKES else shown


def _plain(text: str) -> str:
    """Text from outside without control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
