"""Sensitivities of the index options by time to expiry."""

from engine.instruments import VanillaOption
from engine.positions import Book
from engine.report.risk_rows import GreekRow
from engine.risk.book_greeks import Sensitivities, book_greeks
from engine.risk.pricing_view import PricingView

LAYERS = ((0, 7), (8, 14), (15, 45), (46, 59), (60, None))
"""First and last calendar day to expiry of each layer; the last has no end."""

DOMAIN = "SPX"
_PER_CENT = 0.01


def greek_rows(book: Book, view: PricingView) -> tuple[GreekRow, ...]:
    """One row per layer that holds an index option, and their sum; none without options."""
    rows, whole = [], Sensitivities()
    for first, last in LAYERS:
        held = Book(tuple(p for p in book if _in(p.instrument, view, first, last)))
        if held.positions:
            one = book_greeks(held, view)[DOMAIN]
            whole = whole + one
            rows.append(_row(f"{first}-{last}" if last is not None else f"{first}+", one))
    return (*rows, _row("all", whole)) if rows else ()


def _in(instrument: object, view: PricingView, first: int, last: int | None) -> bool:
    if not isinstance(instrument, VanillaOption) or instrument.underlying != DOMAIN:
        return False
    days = (instrument.expiry_date - view.asof.date()).days
    return first <= days and (last is None or days <= last)


def _row(layer: str, one: Sensitivities) -> GreekRow:
    return GreekRow(layer, one.delta * _PER_CENT, one.gamma * _PER_CENT, one.vega, one.theta)
