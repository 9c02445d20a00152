"""What `hedge surface` tells: tables, one JSON document, one page."""

from dataclasses import dataclass
from datetime import date
from math import exp
from pathlib import Path
from typing import Any

from engine.errors import InputError, MissingQuote
from engine.market import Finding
from engine.pricing.density import Law, probability_between
from engine.pricing.distance import listed_strike, strike_at
from engine.pricing.svi import flat
from engine.report.tables import plain
from engine.risk.surface import VolSurface
from engine.risk.surface_slice import CHECKED, SurfaceSlice
from scripts.output import say, table

_SCHEMA = "hedge/surface/1"
_DISTANCES = (1.0, 1.5, 2.0)
_SHOWN_STRIKES = 6


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A fitted surface, the slices asked for, and what was found; `day` where one expiry was asked for."""

    file: str
    surface: VolSurface
    slices: tuple[SurfaceSlice, ...]
    findings: tuple[Finding, ...]
    day: date | None
    html: Path | None

    @property
    def free(self) -> bool:
        """Whether no smile of the surface holds arbitrage."""
        return not any(finding.code == "arbitrage" for finding in self.surface.findings)

    @property
    def summary(self) -> str:
        """How many quotes hold their smile between bid and ask."""
        count = sum(part.strikes.size for part in self.slices)
        inside = sum(part.fit.inside * part.strikes.size for part in self.slices) / count
        return f"{len(self.slices)} smile(s), between bid and ask at {inside:.1%} of {count:,d} quotes"

    @property
    def following(self) -> list[str]:
        """Commands that make sense next."""
        page = [] if self.html else [f"hedge surface {self.file} --html surface.html"]
        return [*page, "hedge plan new"] if self.day else [f"hedge surface {self.file} --expiry YYYY-MM-DD", *page]


def print_text(told: Told) -> None:
    """Lines and tables for a terminal."""
    fitted = told.surface
    low, high = fitted.quoted
    state = "free of arbitrage" if told.free else "arbitrage left, see findings"
    say(f"{plain(told.file)}: {fitted.underlying}, {state}")
    say(f"as of  {fitted.asof:%Y-%m-%d %H:%M} UTC, spot {fitted.spot:,.2f}")
    say(told.summary)
    say(f"looked for butterflies from {_ratio(CHECKED[0])} to {_ratio(CHECKED[1])} of the forward and where quoted,")
    say(f"  for calendars from {_ratio(low)} to {_ratio(high)}")
    say(_ssvi_line(fitted))
    say()
    columns = ("expiry", "root", "days", "forward", "atm", "skew", "quotes", "inside", "rms", "worst", "err", "min g")
    table(
        "Smiles: volatility in % a year, skew in points per 1 % of moneyness, misfit in points, err in half-spreads",
        (*columns, "left", "right"),
        [_smile_cells(part) for part in told.slices],
        numeric=range(2, 14),
    )
    if told.day:
        say()
        table(
            "Plain SVI of each expiry alone, w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2)): one curve, less close",
            ("expiry", "root", "a", "b", "rho", "m", "s", "inside", "rms"),
            [_svi_cells(part) for part in told.slices],
            numeric=range(2, 9),
        )
    for part in told.slices if told.day else ():
        _print_distances(part)
    say()
    table("Findings", ("severity", "code", "expiry", "root", "strikes", "detail"), [_cells(f) for f in told.findings])
    for step in told.following:
        say(f"next: {step}")
    if told.html is not None:
        say(f"written to {told.html}")


def _print_distances(part: SurfaceSlice) -> None:
    rows = [
        (
            f"{row['deviations']:g}",
            f"{row['put']:,.2f}",
            _listed(row["listed_put"]),
            f"{row['call']:,.2f}",
            _listed(row["listed_call"]),
            f"{100 * row['inside']:.2f}",
            f"{100 * row['lognormal']:.2f}",
        )
        for row in _distances(part)
    ]
    say()
    table(
        f"{part.root} {part.expiry_date}: strikes at n deviations by their own volatility; % of outcomes between them",
        ("n", "put", "listed", "call", "listed", "smile", "lognormal"),
        rows,
        numeric=range(7),
    )


def _distances(part: SurfaceSlice) -> list[dict[str, Any]]:
    """Strikes at each distance, the listed ones no nearer, and the probability of ending between them."""
    rows: list[dict[str, Any]] = []
    lognormal = Law((flat(float(part.smile.total_variance(0.0))),))
    for n in _DISTANCES:
        put, call = (strike_at(n, part.forward, part.smile, sign=sign) for sign in (-1, 1))
        row: dict[str, Any] = {"deviations": n, "put": put, "call": call}
        for name, strike in (("listed_put", put), ("listed_call", call)):
            try:
                row[name] = listed_strike(strike, part.forward, part.strikes)
            except MissingQuote:
                row[name] = None
        row["inside"] = probability_between(part.law, part.forward, put, call)
        row["lognormal"] = probability_between(lognormal, part.forward, put, call)
        rows.append(row)
    return rows


def _smile_cells(part: SurfaceSlice) -> tuple[str, ...]:
    fit = part.fit
    return (
        part.expiry_date.isoformat(),
        part.root,
        f"{365 * part.years:.1f}",
        f"{part.forward:,.2f}",
        f"{100 * part.atm_vol:.2f}",
        f"{part.skew:.3f}",
        f"{part.strikes.size:,d}",
        f"{100 * fit.inside:.0f}%",
        f"{100 * fit.rms:.2f}",
        f"{100 * fit.worst:.2f}",
        f"{part.error:.2f}",
        f"{part.worst_g.level:.4f}",
        f"{part.smile.left_wing:.4f}",
        f"{part.smile.right_wing:.4f}",
    )


def _svi_cells(part: SurfaceSlice) -> tuple[str, ...]:
    curve = part.plain_svi()
    fit = part.misfit(curve)
    numbers = (f"{value:.6f}" for value in (curve.a, curve.b, curve.rho, curve.m, curve.s))
    return (part.expiry_date.isoformat(), part.root, *numbers, f"{100 * fit.inside:.0f}%", f"{100 * fit.rms:.2f}")


def _ssvi_line(fitted: VolSurface) -> str:
    shape = fitted.ssvi()
    held = all(shape.holds(float(part.smile.total_variance(0.0))) for part in fitted.slices)
    return (
        f"whole surface by SSVI: rho {shape.rho:.3f}, eta {shape.eta:.3f}, gamma {shape.gamma:.3f};"
        f" conditions against arbitrage {'hold' if held else 'fail'}"
    )


def document(told: Told) -> dict[str, Any]:
    """The JSON document."""
    fitted, shape = told.surface, told.surface.ssvi()
    return {
        "schema": _SCHEMA,
        "status": "free" if told.free else "arbitrage",
        "next": told.following,
        "asof": fitted.asof.isoformat(),
        "underlying": fitted.underlying,
        "spot": fitted.spot,
        "ssvi": {"rho": round(shape.rho, 8), "eta": round(shape.eta, 8), "gamma": round(shape.gamma, 8)},
        "expiries": [_slice(part) for part in told.slices],
        "report": str(told.html) if told.html else None,
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "expiry": finding.expiry.isoformat() if finding.expiry else None,
                "root": finding.root,
                "strikes": list(finding.strikes),
                "detail": finding.detail,
            }
            for finding in told.findings
        ],
    }


def _slice(part: SurfaceSlice) -> dict[str, Any]:
    alone, fit, worst = part.plain_svi(), part.fit, part.worst_g
    return {
        "expiry": part.expiry_date.isoformat(),
        "root": part.root,
        "years": round(part.years, 10),
        "forward": round(part.forward, 6),
        "atm_vol": round(part.atm_vol, 8),
        "skew": round(part.skew, 8),
        "quotes": int(part.strikes.size),
        "inside": round(fit.inside, 6),
        "rms": round(fit.rms, 8),
        "worst": round(fit.worst, 8),
        "error": round(part.error, 6),
        "unconstrained_error": round(part.unconstrained, 6),
        "min_g": {"k": round(worst.k, 6), "g": round(worst.level, 8)},
        "left_wing": round(part.smile.left_wing, 8),
        "right_wing": round(part.smile.right_wing, 8),
        "smile": {
            "level": part.smile.level,
            "curves": [{"a": c.a, "b": c.b, "rho": c.rho, "m": c.m, "s": c.s} for c in part.smile.parts],
        },
        "plain_svi": {
            **{name: getattr(alone, name) for name in ("a", "b", "rho", "m", "s")},
            **{name: round(value, 8) for name, value in part.misfit(alone)._asdict().items()},
        },
        "distances": [
            {name: None if value is None else round(value, 6) for name, value in row.items()}
            for row in _distances(part)
        ],
    }


def write_page(html: Path, told: Told) -> None:
    """One HTML file; `InputError` where it cannot be written."""
    from adapters.html.surface_page import render_surface

    findings = told.findings
    page = render_surface(
        told.slices,
        underlying=told.surface.underlying,
        asof=told.surface.asof,
        arbitrage=not told.free,
        summary=told.summary,
        findings=[(f.severity.value, f"{f.root} {f.expiry or ''}".strip(), f"{f.code}: {f.detail}") for f in findings],
    )
    partial = html.with_suffix(".partial")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(html)
    except OSError as refused:
        raise InputError(f"--html {html} refused", why=str(refused), todo="name a file that can be written") from None


def _cells(finding: Finding) -> tuple[str, ...]:
    shown = " ".join(f"{strike:g}" for strike in finding.strikes[:_SHOWN_STRIKES])
    rest = len(finding.strikes) - _SHOWN_STRIKES
    strikes = f"{shown} and {rest} more" if rest > 0 else shown
    when = str(finding.expiry or "")
    return finding.severity.value, finding.code, when, finding.root, strikes, plain(finding.detail)


def _ratio(k: float) -> str:
    return f"{100 * exp(k):.0f} %"


def _listed(strike: float | None) -> str:
    return "none" if strike is None else f"{strike:,.0f}"
