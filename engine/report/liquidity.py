"""What can be paid today, tomorrow and in three days, by venue (D13, S47)."""

import math
from collections.abc import Iterable, Sequence

from engine.positions import Book, Sleeve
from engine.report.risk_rows import LiquidityRow, QuickRatioRow
from engine.risk.liquidity import Funding, liquid_holdings
from engine.risk.pricing_view import PricingView
from engine.risk.quick_ratio import Liquid, PortfolioRatio

DAYS = (0.0, 1.0, 3.0)
"""Today, tomorrow, and after the longest transfer between the engines (D13c)."""

BROKER = Sleeve.CONDOR


def liquidity_rows(book: Book, view: PricingView, funding: Funding) -> tuple[LiquidityRow, ...]:
    """
    One row per venue that can pay anything, and their sum.

    Posted margin and the collateral that keeps the health factor at its floor pay nothing.
    """
    rows, everything = [], []
    for sleeve, venue in sorted({(p.sleeve, p.venue) for p in book}):
        there = Book(tuple(p for p in book if (p.sleeve, p.venue) == (sleeve, venue)))
        held = [liquid for liquid in liquid_holdings(there, view, funding) if liquid.usd > 0.0]
        everything += held
        if held:
            rows.append(_row(f"{sleeve}: {venue}", held))
    return (*rows, _row("all", everything))


def quick_ratio_rows(ratios: Iterable[tuple[float, PortfolioRatio]]) -> tuple[QuickRatioRow, ...]:
    """Every engine's ratio and the consolidated one, for each number of days."""
    return tuple(
        QuickRatioRow(ratio.of, days, ratio.liquid, ratio.due, ratio.ratio)
        for days, found in ratios
        for ratio in (*found.by_engine, found.consolidated)
    )


def _row(place: str, held: Sequence[Liquid]) -> LiquidityRow:
    at_broker = tuple(math.fsum(h.paid(days, moved=h.sleeve is not BROKER) for h in held) for days in DAYS)
    return LiquidityRow(place, tuple(math.fsum(h.paid(days) for h in held) for days in DAYS), at_broker)
