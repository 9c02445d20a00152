"""Tables of limits, sensitivities, scenarios and loans."""

from collections.abc import Sequence

from engine.report.blended import BlendedReport
from engine.report.book_rows import LendingRow
from engine.report.risk_rows import GreekRow, LimitRow, LiquidityRow, QuickRatioRow
from engine.report.table import Cell, Table, Tone, table
from engine.report.wording import amount_and_share, dollars, in_unit, money, number, percent


def limits(report: BlendedReport) -> Table:
    """Every limit with its headroom."""
    return limit_table(report.limits)


def limit_table(found: Sequence[LimitRow]) -> Table:
    """Every limit with its headroom."""
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
        for row in found
    )
    return table("limits", "Limits", "Limit | #Level | #Reading | #Headroom | #In use | State | Rule", rows)


def greeks(report: BlendedReport) -> Table:
    """Sensitivities by tenor layer."""
    return greek_table(report.greeks)


def greek_table(found: Sequence[GreekRow]) -> Table:
    """Sensitivities by tenor layer."""
    rows = ((row.layer, dollars(row.delta), dollars(row.gamma), dollars(row.vega), dollars(row.theta)) for row in found)
    headings = "Days to expiry | #Delta per +1 % | #Gamma per +1 % | #Vega per +1 point | #Theta per day"
    return table("greeks", "Sensitivities by tenor", headings, rows)


def scenarios(report: BlendedReport) -> Table:
    """What named episodes would do."""
    rows = ((row.name, row.shock, amount_and_share(row.pnl, row.share)) for row in report.scenarios)
    return table("scenarios", "Named episodes, applied to today's book", "Episode | Shock | #Result", rows)


def heat(report: BlendedReport) -> Table:
    """Result by shock of spot and volatility."""
    heat = report.heat
    headings = ("Volatility", *(f"#Spot {percent(s, 0)}" for s in (heat.spot_shocks if heat else ())))
    rows = (
        (f"{number(vol * 100, 0, signed=True)} points", *(dollars(value) for value in line))
        for vol, line in (zip(heat.vol_shocks, heat.pnl, strict=True) if heat else ())
    )
    return table("heat-figures", "Profit and loss by shock", headings, rows)


def lending(report: BlendedReport) -> Table:
    """Each lending market: pledged, owed, and what the gate said."""
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
    return table("lending", "Lending", headings, rows)


def lending_decision(row: LendingRow) -> Cell:
    """What the gate said of a market, in words: it borrows, or by how much it fell short."""
    if row.borrows:
        return Cell("borrows", Tone.GOOD)
    return Cell(f"refused: short by {number(row.short_by_bp, 0)} bp", Tone.WAIT)


def limit_state(row: LimitRow) -> Cell:
    """`ok`, `BREACH`, or for a limit that does not bind now that it would be beyond it."""
    if row.breached:
        return Cell("BREACH", Tone.BAD)
    return Cell("ok", Tone.GOOD) if row.holds else Cell("beyond, not binding", Tone.WAIT)


def liquidity(report: BlendedReport) -> Table:
    """What can be paid when, by venue."""
    return liquidity_table(report.liquidity)


def quick_ratios(report: BlendedReport) -> Table:
    """Liquid over due."""
    return quick_ratio_table(report.quick_ratios)


def liquidity_table(rows: Sequence[LiquidityRow]) -> Table:
    """What can be paid today, tomorrow and in three days: where it lies, and what has reached the broker."""
    cells = ((row.place, *map(_whole, row.at_home), *map(_whole, row.at_broker)) for row in rows)
    spans = ("today", "tomorrow", "in 3 days")
    headings = ("Venue", *(f"#Paid {span}" for span in spans), *(f"#At the broker {span}" for span in spans))
    return table("liquidity", "What can be paid, after haircuts", headings, cells)


def quick_ratio_table(rows: Sequence[QuickRatioRow]) -> Table:
    """Each ratio with its two sides."""
    cells = (
        (row.of, f"{number(row.days, 0)} d", _whole(row.liquid), _whole(row.due), f"{number(row.ratio)} x")
        for row in rows
    )
    headings = "Engine | #Within | #Liquid | #May have to be paid | #Quick ratio"
    return table("quick-ratios", "Quick ratios", headings, cells)


def _whole(usd: float) -> str:
    return dollars(usd, signed=False)
