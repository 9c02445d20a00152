"""From quotes in any order to a chain of strictly rising strikes, with what was odd on the way."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

import numpy as np

from adapters.files.calendar import PastCalendar, settles_at
from engine.errors import MissingQuote
from engine.instruments import Right, Settlement
from engine.market import ExpiryQuotes, Finding, OptionChain, Severity

_STALE_HOURS = 12.0


class Listing(NamedTuple):
    """What the root of a contract symbol says: whose option it is and how it ends."""

    underlying: str
    settlement: Settlement
    european: bool


# Cash-settled European index options by root; every other root is American and physical.
_INDEX_ROOTS = {
    "SPX": Listing("SPX", Settlement.AM, european=True),
    "SPXW": Listing("SPX", Settlement.PM, european=True),
    "XSP": Listing("XSP", Settlement.PM, european=True),
    "VIX": Listing("VIX", Settlement.AM, european=True),
    "VIXW": Listing("VIX", Settlement.AM, european=True),
    "NDX": Listing("NDX", Settlement.AM, european=True),
    "NDXP": Listing("NDX", Settlement.PM, european=True),
    "RUT": Listing("RUT", Settlement.AM, european=True),
    "RUTW": Listing("RUT", Settlement.PM, european=True),
}


class Quote(NamedTuple):
    """One contract's line: prices in index points, NaN where none was given; `iv` is decimal."""

    root: str
    expiry: date
    strike: float
    right: Right
    bid: float
    ask: float
    iv: float


class Header(NamedTuple):
    """What a file says about all its quotes."""

    source: str
    asof: datetime
    stamp: datetime
    spot: float


def listing(root: str) -> Listing:
    """
    Terms that follow from an option root.

    >>> listing("SPXW").settlement.value, listing("SPY").european
    ('PM', False)
    """
    return _INDEX_ROOTS.get(root, Listing(root, Settlement.PM, european=False))


def assemble(quotes: Iterable[Quote], header: Header, findings: Iterable[Finding] = ()) -> OptionChain:
    """
    The chain that `quotes` make at `header.asof`.

    Expiries already settled are left out, and so are those past the exchange calendar; both are
    findings. Raises `MissingQuote` where nothing is left or several underlyings are mixed.
    """
    groups: defaultdict[tuple[str, date], list[Quote]] = defaultdict(list)
    for quote in quotes:
        groups[quote.root, quote.expiry].append(quote)
    found = [*findings, *_lag(header)]
    slices: list[ExpiryQuotes] = []
    for (root, expiry), members in sorted(groups.items(), key=lambda group: group[0]):
        try:
            instant = settles_at(expiry, listing(root).settlement)
        except PastCalendar as far:
            found.append(Finding("beyond_calendar", Severity.NOTE, expiry, (), far.why, root))
            continue
        if instant <= header.asof:
            detail = f"settled {instant:%Y-%m-%d %H:%M} UTC, before the as-of instant: left out"
            found.append(Finding("expired", Severity.NOTE, expiry, (), detail, root))
            continue
        columns, twice = _columns(members)
        slices.append(ExpiryQuotes(root, instant, listing(root).settlement, **columns))
        if twice:
            detail = "listed twice: the lower bid and the higher ask are kept"
            found.append(Finding("duplicate_strike", Severity.WARNING, expiry, twice, detail, root))
    roots = sorted({part.root for part in slices})
    underlyings = {listing(root).underlying for root in roots}
    if len(underlyings) != 1:
        raise MissingQuote(
            f"{header.source} holds no chain",
            why="no live expiry" if not underlyings else f"it mixes {sorted(underlyings)}",
            todo="give one underlying's chain with expiries after its as-of instant",
        )
    found += [_american(root) for root in roots if not listing(root).european]
    slices.sort(key=lambda part: (part.expiry, part.root))
    return OptionChain(
        underlying=underlyings.pop(),
        asof=header.asof,
        spot=header.spot,
        slices=tuple(slices),
        source=header.source,
        stamp=header.stamp,
        findings=tuple(found),
    )


def _columns(members: list[Quote]) -> tuple[dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]], tuple[float, ...]]:
    strikes = sorted({quote.strike for quote in members})
    at = {strike: position for position, strike in enumerate(strikes)}
    columns = {
        f"{right}_{field}": np.full(len(strikes), np.nan) for right in ("call", "put") for field in ("bid", "ask", "iv")
    }
    seen: set[tuple[float, Right]] = set()
    twice: set[float] = set()
    for quote in members:
        side, position = ("call" if quote.right is Right.CALL else "put"), at[quote.strike]
        bid, ask = columns[f"{side}_bid"], columns[f"{side}_ask"]
        if (quote.strike, quote.right) in seen:
            twice.add(quote.strike)
            bid[position], ask[position] = min(bid[position], quote.bid), max(ask[position], quote.ask)
            continue
        seen.add((quote.strike, quote.right))
        bid[position], ask[position] = quote.bid, quote.ask
        columns[f"{side}_iv"][position] = quote.iv
    return {"strikes": np.array(strikes), **columns}, tuple(sorted(twice))


def _lag(header: Header) -> list[Finding]:
    hours = (header.stamp - header.asof).total_seconds() / 3600.0
    if hours <= 0:
        return []
    severity = Severity.NOTE if hours < _STALE_HOURS else Severity.WARNING
    detail = f"saved {hours:.1f} hours after the quotes' as-of instant {header.asof:%Y-%m-%d %H:%M} UTC"
    return [Finding("stale", severity, None, (), detail)]


def _american(root: str) -> Finding:
    detail = "American exercise: parity is an inequality, Black volatilities and forwards are biased"
    return Finding("american_exercise", Severity.REFUSAL, None, (), detail, root)
