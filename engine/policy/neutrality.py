"""How far the whole book's delta lies from neutral, and whether trading it back is worth its cost (S16, D26, S91)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from engine.errors import MissingQuote
from engine.instruments import VanillaOption
from engine.market import ExpiryQuotes
from engine.policy.band import DeltaReading, NoTradeBand, read_delta
from engine.positions import Book
from engine.risk.beta import portfolio_beta
from engine.risk.book_greeks import book_greeks
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from engine.risk.valuation import book_values

_PERCENT = 0.01
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Neutrality:
    """
    The book's delta against its no-trade band.

    `cost` is the proportional cost of trading the index that the band's width rests on, decimal; `until` the
    expiry that is hedged to; `spot` is in points.
    """

    reading: DeltaReading
    cost: float
    until: datetime
    spot: float

    @property
    def units(self) -> float:
        """Units of the index held through deltas (USD per point), positive = long."""
        return self.reading.dollar_delta / self.spot

    @property
    def words(self) -> str:
        """What the band asks for, beside never adjusting and always adjusting (S91)."""
        half, trade = self.reading.band_usd / self.spot, self.reading.trade_units
        asked = f"{'buy' if trade > 0 else 'sell'} {abs(trade):,.2f} to its edge" if trade else "hold"
        held, back = round(self.units, 2) + 0.0, round(-self.units, 2) + 0.0
        return (
            f"delta {held:+,.2f} USD a point, band {half:,.2f} at {1e4 * self.cost:.1f} bp of cost: {asked}; "
            f"loyalty trades 0, motion {back:+,.2f} (S16, D26, S91)"
        )


def neutrality(book: Book, view: PricingView, *, capital: float, crypto_beta: float) -> Neutrality | None:
    """
    The beta-weighted delta of the book against the band that trading costs open; None without an index option.

    The band is hedged to the first settlement of the index options held, and costs what crossing the synthetic
    future of that expiry does: half the spreads of call and put nearest to the forward, over the forward.

    Parameters
    ----------
    capital : committed, USD; risk tolerance is a fifth of it
    crypto_beta : of the sleeve's tokens to the index

    Raises `MissingQuote` where that expiry has no two-sided call and put.
    """
    held = [p.instrument for p in book if isinstance(p.instrument, VanillaOption) and p.instrument.underlying == "SPX"]
    if not held:
        return None
    first = min(held, key=lambda option: (option.expiry, option.root))
    at = first.root, first.expiry
    smile, quotes = view.smiles.get(at), view.quotes.get(at)
    if smile is None or quotes is None:
        raise MissingQuote(f"no delta band to {first.expiry}", why="its smile or quotes are missing", todo="quote it")
    cost = synthetic_cost(quotes, smile)
    nav = float(book_values(book, view, Scenarios.now())[0])
    gamma = book_greeks(book, view)["SPX"].gamma / (_PERCENT * view.spot**2)
    reading = read_delta(
        [portfolio_beta(book, view, crypto_beta=crypto_beta).at_spot * nav],
        [1.0],
        gamma=gamma,
        spot=view.spot,
        years=(first.expiry - view.asof) / _YEAR,
        band=NoTradeBand.for_capital(capital, cost, smile.rate),
    )
    return Neutrality(reading, cost, first.expiry, view.spot)


def synthetic_cost(quotes: ExpiryQuotes, smile: Smile) -> float:
    """
    What one index unit costs to trade as call less put, as a decimal of the forward.

    At the strike nearest to the forward where both are two-sided. Raises `MissingQuote` where none is.
    """
    spread = quotes.call_ask - quotes.call_bid + quotes.put_ask - quotes.put_bid
    usable = np.flatnonzero(np.isfinite(spread) & (spread >= 0) & (quotes.call_bid > 0) & (quotes.put_bid > 0))
    if not len(usable):
        raise MissingQuote(
            f"no synthetic future of {quotes.expiry_date}", why="no strike has two two-sided quotes", todo="quote one"
        )
    nearest = usable[np.argmin(np.abs(quotes.strikes[usable] - smile.forward))]
    return float(0.5 * spread[nearest] / smile.forward)
