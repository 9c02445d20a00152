"""Riskless trades that a chain's own bids and asks would allow: verticals, butterflies, calendars."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from engine.market import ExpiryQuotes, Finding, Floats, Severity
from engine.pricing.forward import usable
from engine.pricing.implied import implied_vol
from engine.signals.expiries import ExpirySummary, Mask

_SLACK = 1e-9  # of the strike: rounding, not profit


def arbitrage_findings(
    slices: Sequence[ExpiryQuotes], rows: Mapping[tuple[str, datetime], ExpirySummary]
) -> list[Finding]:
    """
    Static arbitrage beyond bid and ask, one finding per expiry and kind, code `arbitrage`.

    A vertical pays more than its width or less than nothing, a butterfly costs less than nothing, or
    an earlier expiry's bid holds more total variance than a later one's ask at the same moneyness.

    Source
    ------
    D04; P. Carr & D. Madan, "A note on sufficient conditions for no arbitrage" (2005).
    """
    found: list[Finding] = []
    known = [(part, rows[part.root, part.expiry]) for part in slices if (part.root, part.expiry) in rows]
    for part, row in known:
        kinds = {
            "vertical": _verticals(part, row.discount),
            "butterfly": _butterflies(part),
        }
        found += [_finding(part, kind, strikes) for kind, strikes in kinds.items() if strikes]
    bands = [_variance_band(part, row) for part, row in known]
    for at in range(len(known) - 1):
        strikes = _calendar(known[at][1], bands[at], known[at + 1][1], bands[at + 1])
        if strikes:
            found.append(_finding(known[at][0], "calendar", strikes))
    return found


def _finding(part: ExpiryQuotes, kind: str, strikes: tuple[float, ...]) -> Finding:
    detail = f"{kind} beyond bid and ask at {len(strikes)} strike(s): size on the worst side"
    return Finding("arbitrage", Severity.WARNING, part.expiry_date, strikes, detail, part.root)


def _verticals(part: ExpiryQuotes, discount: float) -> tuple[float, ...]:
    """Strikes sold too dear against a strike that can be bought, per right."""
    hits: set[float] = set()
    for bid, ask, sign in ((part.call_bid, part.call_ask, 1.0), (part.put_bid, part.put_ask, -1.0)):
        good = usable(bid, ask)
        k, b, a = part.strikes[good], bid[good], ask[good]
        if k.size < 2:
            continue
        order = slice(None) if sign > 0 else slice(None, None, -1)
        k, b, a = k[order], b[order], a[order]
        cheapest = np.minimum.accumulate(a)
        dear = b[1:] > cheapest[:-1] + _SLACK * k[1:]
        fair = np.minimum.accumulate(a[::-1] + sign * discount * k[::-1])[::-1]
        rich = b[:-1] + sign * discount * k[:-1] > fair[1:] + _SLACK * k[:-1]
        hits.update(float(strike) for strike in np.concatenate([k[1:][dear], k[:-1][rich]]))
    return tuple(sorted(hits))


def _butterflies(part: ExpiryQuotes) -> tuple[float, ...]:
    """Middle strikes whose bid exceeds the cost of the wings beside them."""
    hits: set[float] = set()
    for bid, ask in ((part.call_bid, part.call_ask), (part.put_bid, part.put_ask)):
        good = usable(bid, ask)
        k, b, a = part.strikes[good], bid[good], ask[good]
        if k.size < 3:
            continue
        lower = (k[2:] - k[1:-1]) / (k[2:] - k[:-2])
        wings = lower * a[:-2] + (1.0 - lower) * a[2:]
        hits.update(float(strike) for strike in k[1:-1][b[1:-1] > wings + _SLACK * k[1:-1]])
    return tuple(sorted(hits))


def _variance_band(part: ExpiryQuotes, row: ExpirySummary) -> tuple[Mask, Floats, Floats]:
    """Where the out-of-the-money side is usable, and its total variance at bid and at ask."""
    puts = part.strikes <= row.forward
    good = np.where(puts, row.put_usable, row.call_usable)
    growth = 1.0 / row.discount
    totals: list[Floats] = []
    for put, call in ((part.put_bid, part.call_bid), (part.put_ask, part.call_ask)):
        quote = np.where(good, np.where(puts, put, call), np.nan) * growth
        sign = np.where(puts, -1.0, 1.0)
        vols = implied_vol(quote, row.forward, part.strikes, row.years, sign=sign).vol
        totals.append(vols * vols * row.years)
    low, high = totals
    return good & np.isfinite(low) & np.isfinite(high), low, high


def _calendar(
    near: ExpirySummary,
    near_band: tuple[Mask, Floats, Floats],
    after: ExpirySummary,
    after_band: tuple[Mask, Floats, Floats],
) -> tuple[float, ...]:
    """Strikes of the nearer expiry whose bid variance exceeds the later ask variance beside them."""
    here, bids, _ = near_band
    there, _, asks = after_band
    if not here.any() or there.sum() < 2:
        return ()
    k = np.log(near.strikes[here] / near.forward)
    grid = np.log(after.strikes[there] / after.forward)
    right = np.searchsorted(grid, k).clip(1, grid.size - 1)
    inside = (k >= grid[0]) & (k <= grid[-1])
    ceiling = np.maximum(asks[there][right - 1], asks[there][right])
    hit = inside & (bids[here] > ceiling * (1.0 + _SLACK))
    return tuple(float(strike) for strike in near.strikes[here][hit])
