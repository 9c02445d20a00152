"""Numbers as a reader sees them, and the report's tables as rows of text: the same on a page and a terminal."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from engine.money import Money
from engine.report.blended import BlendedReport, LendingRow, LimitRow, PeriodReturn, Unit, WaccRow

ABSENT = "n/a"
"""Shown where there is no figure."""

_HYPHEN_BEFORE_FIGURE = re.compile(r"(?<![\w.,-])-(?=[\d.])")


class Align(StrEnum):
    """How a column's cells stand: words to the left, numbers to the right, digests in fixed width."""

    WORDS = "words"
    NUMBER = "number"
    DIGEST = "digest"


class Tone(StrEnum):
    """What a cell's words mean for the reader; the words themselves always say it too."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how its cells stand."""

    heading: str
    align: Align = Align.WORDS


@dataclass(frozen=True, slots=True)
class Cell:
    """Finished text; `used` is the share of a limit in use, where the row shows one."""

    text: str
    tone: Tone = Tone.PLAIN
    used: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, columns, and rows of finished cells. The first column names the row."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def plain(text: str) -> str:
    """
    Text with every control, escape and direction character made visible.

    >>> plain("ok" + chr(27) + "[2J") == "ok" + chr(0xFFFD) + "[2J"
    True
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def typeset(text: str) -> str:
    """
    Figures with a true minus sign, for a page; text for a terminal or a file keeps the hyphen.

    >>> typeset("-12 bp on 2026-11-20") == chr(0x2212) + "12 bp on 2026-11-20"
    True
    """
    return _HYPHEN_BEFORE_FIGURE.sub("\N{MINUS SIGN}", text)


def number(value: float | Decimal | None, places: int = 2, *, signed: bool = False) -> str:
    """
    Thousands separators and fixed decimals; what rounds to zero has no sign.

    >>> number(-1234567.891), number(0.4, 0, signed=True), number(12, 1, signed=True)
    ('-1,234,567.89', '0', '+12.0')
    """
    if value is None or math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    text = f"{value:+,.{places}f}"
    if not any(digit in text for digit in "123456789"):
        return text[1:]
    return text if signed or value < 0 else text[1:]


def _with_unit(text: str, unit: str) -> str:
    return text if text == ABSENT or not unit else f"{text} {unit}"


def money(value: Money | None, *, signed: bool = True, places: int | None = None) -> str:
    """
    An exact amount with sign and unit, at most eight decimals.

    >>> from engine.money import usd
    >>> money(usd("-1234.5")), money(usd(1082441), signed=False)
    ('-1,234.50 USD', '1,082,441.00 USD')
    """
    if value is None:
        return ABSENT
    decimals = min(value.currency.decimals, 8) if places is None else places
    return f"{number(value.amount, decimals, signed=signed)} {value.currency}"


def dollars(value: float | None, *, signed: bool = True) -> str:
    """
    A modelled figure in whole dollars.

    >>> dollars(-43210.4)
    '-43,210 USD'
    """
    return _with_unit(number(value, 0, signed=signed), "USD")


def compact(value: float) -> str:
    """
    A signed figure for a small space, in thousands or millions.

    >>> compact(-43210.4), compact(950), compact(1.25e6), compact(0)
    ('-43.2k', '+950', '+1.25m', '0')
    """
    size = abs(value)
    if size >= 999_950:
        return number(value / 1e6, 2, signed=True) + "m"
    return number(value / 1e3, 1, signed=True) + "k" if size >= 999.5 else number(value, 0, signed=True)


def percent(value: float | None, places: int = 2, *, signed: bool = True) -> str:
    """
    A decimal as per cent.

    >>> percent(0.0421), percent(0.2, 0, signed=False), percent(None)
    ('+4.21 %', '20 %', 'n/a')
    """
    return _with_unit(number(None if value is None else value * 100, places, signed=signed), "%")


def basis_points(value: float | None, places: int = 0) -> str:
    """
    Basis points, signed.

    >>> basis_points(-37.6)
    '-38 bp'
    """
    return _with_unit(number(value, places, signed=True), "bp")


def amount_and_share(amount: Money, share: float) -> str:
    """
    Dollars and per cent side by side.

    >>> from engine.money import usd
    >>> amount_and_share(usd("-1200"), -0.0012)
    '-1,200.00 USD (-0.12 %)'
    """
    return f"{money(amount)} ({percent(share)})"


def period_return(value: PeriodReturn) -> str:
    """
    A return with its period; never a bare per cent.

    >>> period_return(PeriodReturn(0.0421, 365)), period_return(PeriodReturn(None, 9, why="no root"))
    ('+4.21 % p.a.', 'undefined: no root')
    >>> period_return(PeriodReturn(0.0013, 12, annualised=False))
    '+0.13 % over 12 days, not annualised'
    """
    if value.rate is None:
        return f"undefined: {value.why}" if value.why else "undefined"
    return f"{percent(value.rate)} {period(value)}"


def period(value: PeriodReturn) -> str:
    """The words after a return that say over what time it is: per year, or over so many days."""
    return "p.a." if value.annualised else f"over {value.days} day{'' if value.days == 1 else 's'}, not annualised"


def in_unit(value: float, unit: Unit, *, signed: bool = False) -> str:
    """
    A limit's level or reading in its own unit.

    >>> in_unit(0.174, Unit.SHARE), in_unit(1.62, Unit.RATIO), in_unit(1200, Unit.USD, signed=True)
    ('17.40 %', '1.62 x', '+1,200 USD')
    """
    if unit is Unit.SHARE:
        return percent(value, signed=signed)
    places = {Unit.USD: 0, Unit.BP: 0}.get(unit, 2)
    return _with_unit(number(value, places, signed=signed), unit.value)


def instant(value: datetime | None) -> str:
    """A minute in its own zone, with the zone's name: `2026-11-20 21:15 UTC`."""
    return ABSENT if value is None else f"{value:%Y-%m-%d %H:%M %Z}"


def lending_decision(row: LendingRow) -> Cell:
    """What the gate said of a market, in words: it borrows, or by how much it fell short."""
    if row.borrows:
        return Cell("borrows", Tone.GOOD)
    return Cell(f"refused: short by {number(row.short_by_bp, 0)} bp", Tone.WAIT)


def limit_state(row: LimitRow) -> Cell:
    """`ok` or `BREACH`."""
    return Cell("ok", Tone.GOOD) if row.holds else Cell("BREACH", Tone.BAD)


_Row = Iterable[str | Cell]


def _table(key: str, caption: str, headings: str | Sequence[str], rows: Iterable[_Row], note: str = "") -> Table:
    """Build a table; a heading that starts with `#` is of numbers, with `@` of digests."""
    kinds = {"#": Align.NUMBER, "@": Align.DIGEST}
    names = headings.split(" | ") if isinstance(headings, str) else headings
    columns = tuple(
        Column(plain(name[1:]), kinds[name[0]]) if name[:1] in kinds else Column(plain(name)) for name in names
    )
    cells = tuple(tuple(Cell(plain(c)) if isinstance(c, str) else c for c in row) for row in rows)
    return Table(key, caption, columns, cells, note)


def _returns(report: BlendedReport) -> Table:
    labels = tuple(dict.fromkeys(w.label for row in report.returns for w in row.wedges))
    rows = []
    for row in report.returns:
        wedges = {w.label: w.bp for w in row.wedges}
        defined = [r for r in (row.net, row.gross, row.time_weighted) if r.rate is not None]
        common = period(defined[0]) if len({period(r) for r in defined}) == 1 else ""
        gross, net, linked = (_beside(r, common) for r in (row.gross, row.net, row.time_weighted))
        costs = (basis_points(wedges.get(label)) for label in labels)
        rows.append((row.engine, gross, *costs, net, linked, common or "as stated"))
    headings = (
        "Engine",
        "#Gross, money-weighted",
        *(f"#{label}" for label in labels),
        "#Net, money-weighted",
        "#Net, time-weighted",
        "Period",
    )
    note = "Gross is before every cost; each cost stands in basis points between gross and net."
    return _table("returns", "Returns by engine", headings, rows, note)


def _beside(value: PeriodReturn, common: str) -> str:
    """A return in a row that states the period itself, if all of the row's returns share it."""
    return percent(value.rate) if common and value.rate is not None else period_return(value)


def _parts(row: WaccRow) -> str:
    return " + ".join(f"{part.label} {percent(part.rate, signed=False)}" for part in row.parts) or ABSENT


def _wacc(report: BlendedReport) -> Table:
    rows = [
        (
            row.source,
            percent(row.weight, 1, signed=False),
            percent(row.cost, signed=False),
            percent(row.contribution, signed=False),
            _parts(row),
        )
        for row in report.wacc
    ]
    return _table("wacc", "Cost of capital by source", "Source | #Weight | #Cost p.a. | #Adds | Parts", rows)


def _limits(report: BlendedReport) -> Table:
    rows = (
        (
            row.limit,
            f"{'at least' if row.floor else 'at most'} {in_unit(row.level, row.unit)}",
            in_unit(row.reading, row.unit),
            in_unit(row.headroom, row.unit, signed=True),
            Cell(percent(row.used, 0, signed=False), used=row.used),
            limit_state(row),
            row.source,
        )
        for row in report.limits
    )
    return _table("limits", "Limits", "Limit | #Level | #Reading | #Headroom | #In use | State | Rule", rows)


def _positions(report: BlendedReport) -> Table:
    rows = (
        (
            row.instrument,
            row.sleeve,
            row.venue,
            number(row.quantity.normalize(), _places(row.quantity), signed=True),
            row.mark,
            money(row.value),
            percent(row.share),
        )
        for row in report.positions
    )
    headings = "Instrument | Sleeve | Venue | #Quantity | #Mark | #Value | #Of NAV"
    return _table("positions", "Positions", headings, rows)


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return min(max(-exponent, 0), 6) if isinstance(exponent, int) else 0


def _greeks(report: BlendedReport) -> Table:
    rows = (
        (row.layer, dollars(row.delta), dollars(row.gamma), dollars(row.vega), dollars(row.theta))
        for row in report.greeks
    )
    headings = "Days to expiry | #Delta per +1 % | #Gamma per +1 % | #Vega per +1 point | #Theta per day"
    return _table("greeks", "Sensitivities by tenor", headings, rows)


def _scenarios(report: BlendedReport) -> Table:
    rows = ((row.name, row.shock, amount_and_share(row.pnl, row.share)) for row in report.scenarios)
    return _table("scenarios", "Named episodes, applied to today's book", "Episode | Shock | #Result", rows)


def _heat(report: BlendedReport) -> Table:
    heat = report.heat
    headings = ("Volatility", *(f"#Spot {percent(s, 0)}" for s in (heat.spot_shocks if heat else ())))
    rows = (
        (f"{number(vol * 100, 0, signed=True)} points", *(dollars(value) for value in line))
        for vol, line in (zip(heat.vol_shocks, heat.pnl, strict=True) if heat else ())
    )
    return _table("heat-figures", "Profit and loss by shock", headings, rows)


def _nav(report: BlendedReport) -> Table:
    rows = (
        (p.on.isoformat(), *(money(m, signed=False) for m in (p.condor, p.defi, p.transit, p.total)), money(p.external))
        for p in report.nav
    )
    headings = "Date | #Condor | #DeFi | #In transit | #Total | #Money in or out"
    return _table("nav-figures", "Net asset value by date", headings, rows)


def _lending(report: BlendedReport) -> Table:
    rows = (
        (
            row.market,
            money(row.collateral, signed=False),
            money(-row.debt),
            number(row.health_factor),
            percent(-row.distance, 1) if row.debt else "no debt",
            f"{percent(row.borrow_rate, signed=False)} p.a.",
            lending_decision(row),
        )
        for row in report.lending
    )
    headings = "Market | #Collateral | #Debt | #Health factor | #Liquidated at price | #Borrow rate | Decision"
    return _table("lending", "Lending", headings, rows)


def _plan(report: BlendedReport) -> Table:
    rows = (
        (f"{at}. {row.step}", row.venue, row.quantity, money(row.limit), Cell(plain(row.state), _plan_tone(row.state)))
        for at, row in enumerate(report.plan, 1)
    )
    note = "Limit: the least cash accepted, fees excluded; negative = the most we pay."
    return _table("plan", "Plan", "Step | Venue | #Quantity | #Limit | State", rows, note)


def _plan_tone(state: str) -> Tone:
    tones = {"filled": Tone.GOOD, "done": Tone.GOOD, "rejected": Tone.BAD, "refused": Tone.BAD}
    return tones.get(state.lower(), Tone.WAIT)


def _fills(report: BlendedReport) -> Table:
    rows = (
        (
            row.step,
            instant(row.at),
            row.venue,
            money(row.cash),
            money(row.at_mid),
            f"{money(row.slippage)} ({basis_points(row.slippage_bp)})",
            money(-row.fees),
            money(-row.gas),
            "final" if row.final else Cell("not final", Tone.WAIT),
            row.evidence,
        )
        for row in report.fills
    )
    headings = "Fill | At | Venue | #Cash | #At mid | #Against mid | #Fees | #Gas | State | @Evidence"
    return _table("fills", "Execution quality", headings, rows)


def _approvals(report: BlendedReport) -> Table:
    rows = (
        (
            row.owner,
            Cell("signed", Tone.GOOD) if row.at else Cell("not signed", Tone.WAIT),
            instant(row.at),
            row.address,
        )
        for row in report.approvals
    )
    signed = sum(row.at is not None for row in report.approvals)
    caption = f"Approvals: {signed} signed, {report.threshold} needed"
    return _table("approvals", caption, "Owner | State | At | @Address", rows)


def _ledger(report: BlendedReport) -> Table:
    rows = ((row.account, money(row.held), money(row.worth)) for row in report.ledger)
    return _table("ledger", "Ledger balances", "Account | #Held | #Worth", rows)


def _breaks(report: BlendedReport) -> Table:
    rows = (
        (
            row.account,
            money(row.ledger),
            money(row.venue),
            Cell(money(row.difference), Tone.BAD),
            row.since.isoformat(),
            row.note,
        )
        for row in report.breaks
    )
    return _table("breaks", "Open breaks", "Account | #Ledger | #Venue | #Difference | Since | Note", rows)


def _provenance(report: BlendedReport) -> Table:
    made = report.provenance
    rows = (
        ("Market snapshot", made.snapshot),
        ("Policy", made.policy),
        ("Plan", made.plan or "none"),
        ("Ledger", made.ledger),
        ("Software", made.software),
    )
    return _table("provenance", "What this report was made from", "Source | @Digest", rows)


_BUILDERS: tuple[Callable[[BlendedReport], Table], ...] = (
    _returns, _limits, _positions, _greeks, _scenarios, _heat, _nav, _lending, _wacc,
    _plan, _approvals, _fills, _ledger, _breaks, _provenance,
)  # fmt: skip


def tables(report: BlendedReport) -> dict[str, Table]:
    """Every table of the report by its key, in the report's order; a table without rows is still there."""
    return {table.key: table for table in (build(report) for build in _BUILDERS)}
