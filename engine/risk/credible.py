"""An interest rate that no market pays is a mistake in the prices it was read from, and is refused (F76)."""

import math

from engine.errors import MarketDataError
from engine.market import OptionChain, RateCurve

RATE_MAX = 1.0
"""The largest rate, either way, that is taken for one: decimal per year, continuously compounded."""


def require_credible(rates: RateCurve, chain: OptionChain) -> None:
    """Nothing, unless the rate to some expiry is beyond `RATE_MAX`; then `MarketDataError`, naming the expiry."""
    for part in chain.slices:
        rate = rates.rate(part.years(chain.asof))
        if not (math.isfinite(rate) and abs(rate) <= RATE_MAX):
            raise MarketDataError(
                f"interest rate of {chain.source} refused",
                why=f"{rates.source}: {rate:.2%} a year to {part.root} {part.expiry_date}",
                todo="see whether prices and strikes are both in index points, or use another file",
            )
