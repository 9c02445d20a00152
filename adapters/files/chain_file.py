"""Any option chain file: finds out which format it is and reads it."""

from datetime import datetime
from pathlib import Path

from adapters.files.cboe_chain import read_cboe_chain
from adapters.files.long_chain import is_long_header, read_long_chain
from adapters.files.text import read_text
from engine.errors import MissingQuote, StaleQuote, UnreadableMarketFile
from engine.instruments import MARKET_ZONE
from engine.market import ExpiryQuotes, OptionChain
from engine.pricing.forward import usable

_HEADER_LINES = 12


def read_chain(
    path: Path, *, asof: datetime | None = None, spot: float | None = None, root: str = "SPXW"
) -> OptionChain:
    """
    The option chain in a file: Cboe's delayed quotes or the long format, plain or gzipped.

    Parameters
    ----------
    path : the file
    asof, spot, root : only for the long format, which carries none of them; aware instant, index
        points, option root

    Raises `UnreadableMarketFile` naming line and column where the format is broken, and
    `StaleQuote` or `MissingQuote` where no live expiry has a strike quoted on both sides.
    """
    lines = read_text(path).splitlines()
    head = [line for line in lines[:_HEADER_LINES] if line.strip()]
    if not head:
        raise UnreadableMarketFile(f"{path.name} refused", why="the file is empty", todo="download it again")
    if is_long_header(head[0]):
        chain = read_long_chain(lines, source=path.name, asof=asof, spot=spot, root=root)
    elif any("Last:" in line for line in head):
        chain = read_cboe_chain(lines, source=path.name)
    else:
        raise UnreadableMarketFile(
            f"{path.name} refused",
            why="line 1: neither Cboe's delayed-quote format nor expiry, strike, right, bid, ask columns",
            todo="give a chain in one of these formats",
        )
    _require_market(chain)
    return chain


def _require_market(chain: OptionChain) -> None:
    if any(_two_sided(part) for part in chain.slices):
        return
    if chain.stamp.astimezone(MARKET_ZONE).date() > chain.asof.astimezone(MARKET_ZONE).date():
        raise StaleQuote(
            f"{chain.source} refused",
            why=f"saved {chain.stamp:%Y-%m-%d %H:%M} UTC, outside trading hours, and no strike has two sides",
            todo="save the chain while options trade or after the close",
        )
    raise MissingQuote(
        f"{chain.source} refused",
        why="no live expiry has a strike with a two-sided call and a two-sided put",
        todo="save the chain while options trade or after the close",
    )


def _two_sided(part: ExpiryQuotes) -> bool:
    both = usable(part.call_bid, part.call_ask) & usable(part.put_bid, part.put_ask)
    return bool(both.any())
