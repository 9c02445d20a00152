"""Chain files written from a known model, and the place of the recorded ones."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from adapters.files.calendar import settles_at
from engine.instruments import Settlement
from engine.pricing.black import forward_value

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data"
TITLES = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)
RATE, DIVIDEND, SPOT = 0.042, 0.013, 6000.0
Vol = Callable[[str, date], float]


def recorded(name: str) -> Path:
    """A recorded file, or a skip that says so."""
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"recorded market data {name} is not beside this checkout")
    return path


def cboe_lines(
    stamp: str,
    asof: datetime,
    contracts: Sequence[tuple[str, date]],
    *,
    vol: Vol = lambda _root, _expiry: 0.18,
    strikes: np.ndarray | None = None,
    half_spread: float = 0.05,
) -> list[str]:
    """A Cboe file of a flat-volatility market; bids below half a tick are zero."""
    grid = np.arange(4000.0, 8001.0, 25.0) if strikes is None else strikes
    lines = [
        "",
        f"S&P 500 INDEX,Last: {SPOT},Change:  1.00",
        f'"Date: {stamp}",Bid: 5990.5,Ask: 6010.25,Size: 1*1',
        TITLES,
    ]
    for root, expiry in contracts:
        settlement = Settlement.AM if root == "SPX" else Settlement.PM
        years = (settles_at(expiry, settlement) - asof).total_seconds() / 60 / 525_600
        forward, discount = SPOT * np.exp((RATE - DIVIDEND) * years), np.exp(-RATE * years)
        sides = [
            discount * forward_value(forward, grid, max(years, 0.0), vol(root, expiry), sign=sign) for sign in (1, -1)
        ]
        for strike, call, put in zip(grid, *sides, strict=True):
            cells = [f"{expiry:%a %b %d %Y}"]
            for letter, price in (("C", call), ("P", put)):
                bid = price - half_spread if price > 2 * half_spread else 0.0
                symbol = f"{root}{expiry:%y%m%d}{letter}{round(strike * 1000):08d}"
                cells += [symbol, "0", "0", f"{bid:.6f}", f"{price + half_spread:.6f}", "0", "0.18", "0", "0", "0"]
                cells += [f"{strike:.2f}"] if letter == "C" else []
            lines.append(",".join(cells))
    return lines
