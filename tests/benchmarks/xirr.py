"""W5: internal rates of 100,000 series of 13 flows, every root, against pyxirr series by series."""

from datetime import date, timedelta

import numpy as np
import pyxirr

from engine.ledger.xirr_batch import xirr_many
from engine.pricing.fast import installed
from tests.benchmarks.timing import Candidate, Goal, Row, duel

WORKLOAD = "W5 XIRR, 1e5 series x 13 flows"
SERIES, FLOWS = 100_000, 13
EVERY_30_DAYS = 30 * np.arange(FLOWS)


def investments(seed: int = 20260102) -> np.ndarray:
    """Money put in, twelve months of flows of either sign, and a value at the end."""
    rng = np.random.default_rng(seed)
    flows = rng.normal(0.0, 50.0, (SERIES, FLOWS))
    flows[:, 0], flows[:, -1] = -1000.0, rng.uniform(700.0, 1600.0, SERIES)
    return flows


def any_order(seed: int = 20260103) -> np.ndarray:
    """Flows of either sign throughout: most series have twelve chances of several roots."""
    return np.random.default_rng(seed).normal(0.0, 100.0, (SERIES // 10, FLOWS))


def run(*, quick: bool = False) -> list[Row]:
    """
    Rows against pyxirr for ordinary investments, and for series with any number of roots.

    Raises `AssertionError` if a root of an ordinary investment is missing or off by more than 1e-12.
    """
    dates = [date(2024, 1, 1) + timedelta(days=int(day)) for day in EVERY_30_DAYS]
    plain, wild = investments(), any_order()
    for fast in (False, True)[: 1 + installed()]:
        _right(plain, xirr_many(plain, EVERY_30_DAYS, fast=fast).rate)

    def theirs(flows: np.ndarray) -> list[float | None]:
        return [pyxirr.xirr(dates, row, silent=True) for row in flows]

    def compiled(flows: np.ndarray) -> Candidate:
        return Candidate((lambda: xirr_many(flows, EVERY_30_DAYS, fast=True)) if installed() else None)

    goals = [Goal("xirr_many", "pyxirr", 0.75), Goal("xirr_many, compiled", "pyxirr", 0.25)]
    rows = []
    for name, flows in ((WORKLOAD, plain), ("W5b the same, flows of any order", wild)):
        candidates = {
            "pyxirr": Candidate(lambda flows=flows: theirs(flows)),
            "xirr_many": Candidate(lambda flows=flows: xirr_many(flows, EVERY_30_DAYS, fast=False)),
            "xirr_many, compiled": compiled(flows),
        }
        asked = goals if flows is plain else []
        rows += duel(name, candidates, asked, items=float(flows.size), rounds=3 if quick else 7, yardstick="pyxirr")
    return rows


def _right(flows: np.ndarray, rates: np.ndarray) -> None:
    """Present values change sign within 1e-12 of every rate, in 64 bits of mantissa."""
    years = (EVERY_30_DAYS / np.longdouble(365))[None, :]
    low, high = (
        (flows * np.exp(-np.log1p(rates.astype(np.longdouble) + shift)[:, None] * years)).sum(1)
        for shift in (np.longdouble(-1e-12), np.longdouble(1e-12))
    )
    assert (low * high < 0).all()


if __name__ == "__main__":
    for row in run():
        print(row)
