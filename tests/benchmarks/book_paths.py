"""W3: 68 options and 4 VIX futures priced again on every day of every scenario."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.special import ndtr

from engine.pricing import paths
from engine.pricing.fast import installed
from engine.pricing.path_book import FutureLegs, OptionLegs, PathBook, PathSmile
from tests.benchmarks.timing import Candidate, Goal, Row, duel
from tests.benchmarks.yardsticks import compiled, pointer

NAIVE, C = "numpy leg loop, whole arrays", "C, one thread"
OURS, SHARED = "book_paths, numpy", "book_paths, numpy, 2 threads"
FAST, FAST_SHARED = "book_paths, compiled", "book_paths, compiled, 2 threads"
_GOALS = [Goal(OURS, NAIVE, 0.65), Goal(SHARED, NAIVE, 0.4), Goal(FAST, C, 1.7)]
_RATE, _STEP, _SKEW, _CURVATURE, _FLOOR, _CAP = 0.04, 1 / 365, -0.25, 0.35, 0.03, 3.0
_LEVELS = (0.01, 0.025)  # of volatility per point of VIX: SPX, ether
_ANCHOR, _SPEED = 20.0, 3.0


class Terms:
    """Fifteen SPX condors and eight ether options out to a year, four VIX futures that outlive the horizon."""

    def __init__(self, seed: int = 303) -> None:
        rng = np.random.default_rng(seed)
        wings = np.tile([-0.12, -0.08, 0.07, 0.11], 15) + rng.uniform(-0.02, 0.02, 60)
        ether = rng.uniform(-0.4, 0.4, 8)
        self.underlying = np.repeat([0, 1], [60, 8])
        self.strike = np.round(np.concatenate([6000.0 * np.exp(wings), 3000.0 * np.exp(ether)]) / 5.0) * 5.0
        self.sign = np.where(np.concatenate([wings, ether]) > 0.0, 1.0, -1.0)
        self.days = np.concatenate([np.repeat(rng.integers(30, 366, 15), 4), rng.integers(30, 366, 8)])
        self.quantity = np.concatenate([np.tile([100.0, -100.0, -100.0, 100.0], 15), rng.integers(1, 9, 8) * 10.0])
        self.future_years = np.array([260, 290, 320, 350]) / 365
        self.future_quantity = np.array([-3000.0, 1000.0, 1000.0, 1000.0])

    def book(self) -> PathBook:
        smiles = [PathSmile(level, _SKEW, _CURVATURE, _FLOOR, _CAP) for level in (*_LEVELS, 1.0)]
        legs = OptionLegs.of(
            self.strike, self.days / 365, sign=self.sign, quantity=self.quantity, underlying=self.underlying
        )
        futures = FutureLegs.of(
            self.future_years, quantity=self.future_quantity, entry=0.0, underlying=2, anchor=_ANCHOR, speed=_SPEED
        )
        return PathBook(legs, smiles, futures, rate=_RATE)


def levels(scenarios: int, days: int, seed: int = 304) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SPX, ether and VIX: correlated steps, the VIX between 9 and 80."""
    rng = np.random.default_rng(seed)
    step = rng.standard_normal((3, scenarios, days))
    spx = 6000.0 * np.exp(np.cumsum(0.0105 * step[0] - 5.5e-5, axis=1))
    ether = 3000.0 * np.exp(np.cumsum(0.035 * (0.4 * step[0] + 0.9165 * step[1]), axis=1))
    vix = 18.0 * np.exp(np.cumsum(0.05 * (-0.75 * step[0] + 0.66 * step[2]), axis=1))
    return spx, ether, np.clip(vix, 9.0, 80.0)


def run(*, quick: bool = False) -> list[Row]:
    """Rows of W3; raises `AssertionError` if the naive loop and ours disagree."""
    scenarios, days = (10_000, 20) if quick else (10_000, 250)
    terms, (spx, ether, vix) = Terms(), levels(scenarios, days)
    book, spots, vols = terms.book(), [spx, ether, vix], [vix, vix, vix]
    alive = np.minimum(terms.days - 1, days)
    _agree(terms, paths.book_paths(book, spots, vols, fast=False), _naive(terms, spx, ether, vix), spots)

    def ours(*, fast: bool, pool: ThreadPoolExecutor | None = None) -> Callable[[], object]:
        return lambda: paths.book_paths(book, spots, vols, fast=fast, executor=pool)

    with ThreadPoolExecutor(2) as pool:
        candidates = {
            NAIVE: Candidate(lambda: _naive(terms, spx, ether, vix)),
            C: Candidate(_yardstick(terms, spx, ether, vix)),
            OURS: Candidate(ours(fast=False)),
            SHARED: Candidate(ours(fast=False, pool=pool)),
            FAST: Candidate(ours(fast=True) if installed() else None),
            FAST_SHARED: Candidate(ours(fast=True, pool=pool) if installed() else None),
        }
        return duel(
            f"W3 book along paths, {scenarios:,} x {days}",
            candidates,
            _GOALS,
            items=float(scenarios * alive.sum()),
            rounds=3,
            yardstick=NAIVE,
        )


def _naive(terms: Terms, spx: np.ndarray, ether: np.ndarray, vix: np.ndarray) -> np.ndarray:
    """Leg by leg on whole arrays; a leg past its expiry is worth nothing."""
    value = np.zeros_like(spx)
    passed = _STEP * np.arange(1, spx.shape[1] + 1)
    for u, strike, w, dte, quantity in zip(
        terms.underlying, terms.strike, terms.sign, terms.days, terms.quantity, strict=True
    ):
        count = min(dte - 1, spx.shape[1])
        forward, left = (spx, ether)[u][:, :count], dte / 365 - passed[:count]
        root = np.sqrt(left)
        x = np.log(forward / strike)
        k = -x / root
        sd = root * np.clip(_LEVELS[u] * vix[:, :count] * (1.0 + _SKEW * k + _CURVATURE * k * k), _FLOOR, _CAP)
        d1 = x / sd + 0.5 * sd
        undiscounted = w * (forward * ndtr(w * d1) - strike * ndtr(w * (d1 - sd)))
        value[:, :count] += quantity * np.exp(-_RATE * left) * undiscounted
    for years, quantity in zip(terms.future_years, terms.future_quantity, strict=True):
        near = np.exp(-_SPEED * (years - passed))
        value += quantity * (_ANCHOR * (1.0 - near) + near * vix)
    return value


def _agree(terms: Terms, ours: np.ndarray, naive: np.ndarray, spots: list[np.ndarray]) -> None:
    """Ours keeps the cash of settled legs, the loop does not."""
    cash = np.zeros_like(ours)
    for u, strike, w, dte, quantity in zip(
        terms.underlying, terms.strike, terms.sign, terms.days, terms.quantity, strict=True
    ):
        if dte <= ours.shape[1]:
            cash[:, dte - 1 :] += quantity * np.maximum(w * (spots[u][:, [dte - 1]] - strike), 0.0)
    np.testing.assert_allclose(ours, naive + cash, rtol=1e-9, atol=1e-6 * np.abs(terms.quantity).sum())


def _yardstick(terms: Terms, spx: np.ndarray, ether: np.ndarray, vix: np.ndarray) -> Callable[[], object] | None:
    library = compiled("w3")
    if library is None:
        return None
    result, number = np.empty_like(spx), ctypes.c_double
    kept = (spx, ether, vix, terms.underlying.astype(np.int32), terms.days / 365, terms.strike, terms.sign)
    last = (terms.quantity, terms.future_years, terms.future_quantity, result)
    first = [pointer(array) for array in kept]
    legs, fixed, owed, out = (pointer(array) for array in last)
    shape = [ctypes.c_long(count) for count in (*spx.shape, terms.strike.size)]

    def call(_kept: object = (kept, last)) -> object:
        return library.w3(*shape, *first, legs, number(_RATE), number(_STEP), fixed, owed, out)

    return call
