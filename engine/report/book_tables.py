"""Tables of positions, plan, execution, ledger and breaks."""

from collections.abc import Sequence
from decimal import Decimal

from engine.report.blended import BlendedReport
from engine.report.book_rows import BreakRow
from engine.report.table import Cell, Table, Tone, table
from engine.report.wording import basis_points, instant, money, number, percent, plain


def positions(report: BlendedReport) -> Table:
    """What is held, at its mark."""
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
    return table("positions", "Positions", headings, rows)


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return min(max(-exponent, 0), 6) if isinstance(exponent, int) else 0


def plan(report: BlendedReport) -> Table:
    """Steps of the plan and where each stands."""
    rows = (
        (f"{at}. {row.step}", row.venue, row.quantity, money(row.limit), Cell(plain(row.state), _plan_tone(row.state)))
        for at, row in enumerate(report.plan, 1)
    )
    note = "Limit: the least cash accepted, fees excluded; negative = the most we pay."
    return table("plan", "Plan", "Step | Venue | #Quantity | #Limit | State", rows, note)


def _plan_tone(state: str) -> Tone:
    tones = {"filled": Tone.GOOD, "done": Tone.GOOD, "rejected": Tone.BAD, "refused": Tone.BAD}
    return tones.get(state.lower(), Tone.WAIT)


def approvals(report: BlendedReport) -> Table:
    """Who has signed."""
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
    return table("approvals", caption, "Owner | State | At | @Address", rows)


def fills(report: BlendedReport) -> Table:
    """Each fill against its arrival mid."""
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
    return table("fills", "Execution quality", headings, rows)


def ledger(report: BlendedReport) -> Table:
    """Balances of all accounts."""
    rows = ((row.account, money(row.held), money(row.worth)) for row in report.ledger)
    return table("ledger", "Ledger balances", "Account | #Held | #Worth", rows)


def breaks(report: BlendedReport) -> Table:
    """Differences nobody has explained yet."""
    return break_table(report.breaks)


def break_table(found: Sequence[BreakRow]) -> Table:
    """Differences nobody has explained yet."""
    rows = (
        (
            row.account,
            money(row.ledger),
            money(row.venue),
            Cell(money(row.difference), Tone.BAD),
            row.since.isoformat(),
            row.note,
        )
        for row in found
    )
    return table("breaks", "Open breaks", "Account | #Ledger | #Venue | #Difference | Since | Note", rows)
