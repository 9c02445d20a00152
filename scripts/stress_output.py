"""A stress test in words: tables for a terminal, one JSON document, one page."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.instruments import IronCondor
    from engine.policy.target import Frame
    from engine.risk.limits import LimitReading
    from engine.risk.room import Room
    from engine.risk.stress_packs import JointFigures, Pack
    from engine.risk.stress_rows import StressRow, StressTable
    from scripts.inputs import Stage

_SLEEVES = ("condor", "defi", "transit")
_COLUMNS = ("scenario", "result", "of capital", *_SLEEVES, "margin", "quick ratio", "health", "max loss", "unwind")
_LIMITS = ("limit", "level", "reading", "headroom", "state", "rule", "what")
_JOINT = ("joint draws", "worst", "99 %", "shortfall 97.5 %", "99 % on the way", "beyond the limit")
_ROOMS = ("condor", "held", "most lots", "stopped by")
_MOST_ROWS = 10
_KEPT = {True: "kept", False: "EXCEEDED", None: "UNBOUNDED"}


@dataclass(frozen=True, slots=True)
class CondorRoom:
    """How many lots of a condor the two-sigma rule allows, all else as it is; `held` are in the book (D11)."""

    condor: "IronCondor"
    held: int
    room: "Room"

    @property
    def name(self) -> str:
        """Root, expiry and strikes."""
        first = self.condor.put_short
        return f"{first.root} {first.expiry_date} {'/'.join(f'{leg.strike:g}' for leg in self.condor.legs)}"


@dataclass(slots=True, eq=False)
class Findings:
    """Everything one run found."""

    stage: "Stage"
    measure: "Frame"
    readings: "tuple[LimitReading, ...]"
    nav: float
    tables: "dict[Pack, StressTable]" = field(default_factory=dict)
    joint: "tuple[JointFigures, ...]" = ()
    rooms: tuple[CondorRoom, ...] = ()

    @property
    def broken(self) -> "list[LimitReading]":
        """Limits that bind and do not hold."""
        return [reading for reading in self.readings if reading.breach()]

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the market's source and the valuation took for granted."""
        from engine.risk.exits import assumed

        return (*self.stage.assumptions, *assumed(self.stage.book, self.stage.view))


def _shown(found: Findings) -> "dict[Pack, list[StressRow]]":
    """Rows a reader wants: all gaps, the worst of each horizon and sign of the rule, the ten worst of the grid."""
    from engine.risk.stress_packs import Pack

    shown: dict[Pack, list[StressRow]] = {}
    for pack, table in found.tables.items():
        rows = sorted(table.rows, key=lambda row: -row.loss)
        if pack is Pack.TWO_SD:
            first: dict[str, StressRow] = {}
            for row in rows:
                first.setdefault(", ".join(row.name.split(", ")[:2]), row)
            rows = sorted(first.values(), key=table.rows.index)
        if pack is Pack.GRID:
            rows = list({round(row.loss, 2): row for row in reversed(rows)}.values())[::-1]
        shown[pack] = list(table.rows) if pack is Pack.GAP else rows[:_MOST_ROWS]
    return shown


def _text_rows(rows: "list[StressRow]") -> list[list[str]]:
    from engine.report.tables import number, percent

    return [
        [
            row.name,
            number(-row.loss, 0, signed=True),
            percent(-row.share),
            *(number(-row.by_sleeve.get(sleeve, 0.0), 0, signed=True) for sleeve in _SLEEVES),
            number(row.margin, 0),
            number(row.quick_ratio),
            number(row.health),
            _KEPT[row.within_stated],
            "FORCED" if row.unwound else "none",
        ]
        for row in rows
    ]


def _limit_rows(found: Findings) -> list[list[str]]:
    from engine.report.tables import number

    return [
        [
            reading.limit,
            number(reading.level, 4),
            number(reading.reading, 4),
            number(reading.headroom, 4, signed=True),
            "BROKEN" if reading.breach() else "holds" if reading.holds else "not binding",
            reading.source,
            reading.detail,
        ]
        for reading in found.readings
    ]


def _joint_rows(found: Findings) -> list[list[str]]:
    from engine.report.tables import number, percent

    capital = found.measure.limits.capital
    return [
        [
            row.name,
            *(
                f"{number(-usd, 0, signed=True)}  {percent(-usd / capital, 1)}"
                for usd in (row.worst, row.quantile, row.shortfall, row.path_quantile)
            ),
            percent(row.beyond, 2, signed=False),
        ]
        for row in found.joint
    ]


def _room_rows(found: Findings) -> list[list[str]]:
    return [
        [row.name, str(row.held), "UNBOUNDED" if row.room.units is None else str(row.room.units), row.room.cell]
        for row in found.rooms
    ]


def _tables(found: Findings) -> list[tuple[str, tuple[str, ...], list[list[str]], tuple[int, ...]]]:
    made: list[tuple[str, tuple[str, ...], list[list[str]], tuple[int, ...]]] = [
        (
            f"{pack.value}: binding cell {found.tables[pack].worst.name}, USD",
            _COLUMNS,
            _text_rows(rows),
            tuple(range(1, 9)),
        )
        for pack, rows in _shown(found).items()
    ]
    if found.joint:
        first = found.joint[0]
        title = f"joint: {first.draws:,} draws and {first.paths:,} paths over 21 sessions, USD"
        made.append((title, _JOINT, _joint_rows(found), tuple(range(1, 6))))
    if found.rooms:
        made.append(("two-sd: most lots of each condor, all else as it is", _ROOMS, _room_rows(found), (1, 2)))
    made.append(("limits", _LIMITS, _limit_rows(found), (1, 2, 3)))
    return made


def _summary(found: Findings) -> str:
    broken = ", ".join(reading.limit for reading in found.broken)
    said = f"broken now: {broken}" if broken else "every hard limit holds"
    return f"NAV {found.nav:,.0f} USD, committed capital {found.measure.limits.capital:,.0f} USD; {said}"


def print_text(found: Findings, html: Path | None) -> None:
    """Tables for a terminal."""
    from scripts.output import say, table

    say(f"as of {found.stage.snapshot.asof.isoformat()}")
    say(_summary(found))
    for line in found.assumptions:
        say(f"assumed: {line}")
    for title, columns, rows, numeric in _tables(found):
        table(title, columns, rows, numeric=numeric)
    if html is not None:
        say(f"written to {html}")


def write_page(html: Path, found: Findings) -> None:
    """The HTML file; raises `InputError` where it cannot be written."""
    from adapters.html.figures_page import TextTable, render_figures
    from engine.report.stress_chart import loss_bars, stress_map
    from engine.risk.stress_packs import Pack
    from scripts.output import write_page as finished

    limit = found.measure.limits.drawdown_2sd
    drawings = [
        (f"Scenarios: {pack.value}", loss_bars(rows, limit=limit, key=pack.value))
        for pack, rows in _shown(found).items()
        if pack is not Pack.GRID
    ]
    if Pack.GRID in found.tables:
        drawings.append(
            ("By spot and volatility, the worst over all other shocks", stress_map(found.tables[Pack.GRID].result))
        )
    page = render_figures(
        "Stress test",
        found.stage.snapshot.asof,
        summary=_summary(found),
        state="limit broken" if found.broken else "limits hold",
        bad=bool(found.broken),
        assumptions=found.assumptions,
        drawings=drawings,
        tables=[TextTable(*row) for row in _tables(found)],
    )
    finished(html, page)


def document(found: Findings, seed: int, html: Path | None) -> dict[str, Any]:
    """The JSON document."""
    from dataclasses import asdict

    broken = [reading.limit for reading in found.broken]
    return {
        "schema": "hedge.stress/1",
        "status": "broken" if broken else "holds",
        "broken": broken,
        "asof": found.stage.snapshot.asof.isoformat(),
        "snapshot": found.stage.snapshot.digest,
        "nav_usd": found.nav,
        "capital_usd": found.measure.limits.capital,
        "seed": seed,
        "packs": {
            pack.value: {
                "binding": table.worst.name,
                "rows": [_row(row) for row in table.rows],
                "by_instrument": {
                    name: float(-gains[table.result.worst]) for name, gains in table.result.by_instrument().items()
                },
            }
            for pack, table in found.tables.items()
        },
        "most_units": [
            {"condor": row.name, "held": row.held, "most": row.room.units, "cell": row.room.cell} for row in found.rooms
        ],
        "joint": [asdict(row) for row in found.joint],
        "limits": [
            {
                "limit": reading.limit,
                "source": reading.source,
                "level": _finite(reading.level),
                "reading": _finite(reading.reading),
                "headroom": _finite(reading.headroom),
                "holds": reading.holds,
                "binding": reading.binding,
                "subject": reading.subject,
                "detail": reading.detail,
            }
            for reading in found.readings
        ],
        "assumptions": list(found.assumptions),
        "report": str(html) if html else None,
        "next": ["hedge plan new"] if not broken else ["reduce what breaks the limit, then run `hedge stress` again"],
    }


def _row(row: "StressRow") -> dict[str, Any]:
    return {
        "scenario": row.name,
        "loss_usd": row.loss,
        "share": row.share,
        "by_sleeve": dict(row.by_sleeve),
        "margin_usd": _finite(row.margin),
        "quick_ratio": _finite(row.quick_ratio),
        "health_factor": _finite(row.health),
        "stated_loss_usd": _finite(row.stated_loss),
        "within_stated_loss": row.within_stated,
        "forced_unwind": row.unwound,
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity: what has no bound is null."""
    from math import isfinite

    return value if isfinite(value) else None
