"""W2: implied volatility of a million quotes, with its error where a quote carries the digits."""

import ctypes
from collections.abc import Callable

import numpy as np
import py_lets_be_rational
import QuantLib
from scipy.special import erfcx

from engine.pricing.fast import installed
from engine.pricing.implied import VolStatus, implied_vol
from tests.benchmarks.timing import Candidate, Goal, Row, duel
from tests.benchmarks.yardsticks import compiled, pointer

LOOP, C, OURS, FAST = "QuantLib loop", "C (no status)", "implied_vol, numpy", "implied_vol, compiled"
_GOALS = [Goal(OURS, LOOP, 0.1), Goal(FAST, C, 1.7)]
_EPS = 2.220446049250313e-16


def quotes(count: int, seed: int = 202) -> tuple[np.ndarray, ...]:
    """
    Price, forward, strike, years, sign and true volatility: within six deviations, an hour to two years, 5-150 %.

    Four fifths are out of the money, priced by Mills' ratio apart from the code under test.
    """
    rng = np.random.default_rng(seed)
    forward = rng.uniform(4000.0, 6000.0, count)
    years = np.exp(rng.uniform(np.log(1 / 8760), np.log(2.0), count))
    vol = np.exp(rng.uniform(np.log(0.05), np.log(1.5), count))
    sd = vol * np.sqrt(years)
    strike = forward * np.exp(rng.uniform(-6.0, 6.0, count) * sd)
    out = np.where(strike > forward, 1.0, -1.0)
    h, t = -np.abs(np.log(forward / strike)) / sd, 0.5 * sd
    near, bell = h + t > 0.0, np.exp(-0.5 * (h * h + t * t))
    first, second = 0.5 * erfcx(np.abs(h + t) / np.sqrt(2.0)), 0.5 * erfcx((t - h) / np.sqrt(2.0))
    mean = np.sqrt(forward) * np.sqrt(strike)
    price = np.where(near, np.minimum(forward, strike) - mean * bell * (first + second), mean * bell * (first - second))
    sign = np.where(rng.random(count) < 0.2, -out, out)
    return price + np.maximum(sign * (forward - strike), 0.0), forward, strike, years, sign, vol


def run(*, quick: bool = False) -> list[Row]:
    """Rows of W2; raises `AssertionError` if a quote of the domain has no volatility or a wrong one."""
    count = 1_000_000
    price, forward, strike, years, sign, vol = quotes(count)
    terms = (price, forward, strike, years)
    for fast in (False, True)[: 1 + installed()]:
        _right(implied_vol(*terms, sign=sign, fast=fast), price, forward, strike, years, vol)
    sample = 2_000 if quick else 20_000
    rows = [column[:sample].tolist() for column in (price, forward, strike, sign, years)]
    few = sample // 10
    candidates = {
        LOOP: Candidate(lambda: _quantlib(rows), count / sample),
        "py_lets_be_rational loop": Candidate(lambda: _rational([c[:few] for c in rows]), count / few),
        C: Candidate(_yardstick(*terms, sign)),
        OURS: Candidate(lambda: implied_vol(*terms, sign=sign, fast=False)),
        FAST: Candidate((lambda: implied_vol(*terms, sign=sign, fast=True)) if installed() else None),
    }
    return duel("W2 implied vol, 1e6 quotes", candidates, _GOALS, items=count, rounds=3 if quick else 7, yardstick=LOOP)


def _right(found, price, forward, strike, years, vol) -> None:  # type: ignore[no-untyped-def]
    """No failures; where the last digits of price and moneyness move the volatility less than 5e-13, 1e-12."""
    assert (found.status == VolStatus.OK).all()
    sd = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / sd + 0.5 * sd
    vega = forward * np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi) * np.sqrt(years)
    blur = _EPS * (price + forward) / vega
    carried = blur < 2.5e-13
    assert carried.mean() > 0.2
    assert np.abs(found.vol - vol)[carried].max() <= 1e-12
    assert (np.abs(found.vol - vol) <= 1e-12 + 8.0 * blur).all()


def _quantlib(rows: list[list[float]]) -> None:
    sides, none = {1.0: QuantLib.Option.Call, -1.0: QuantLib.Option.Put}, QuantLib.nullDouble()
    for price, forward, strike, sign, _ in zip(*rows, strict=True):
        try:
            QuantLib.blackFormulaImpliedStdDev(sides[sign], strike, forward, price, 1.0, 0.0, none, 1e-12, 100)
        except RuntimeError:  # what it cannot invert counts as done
            continue


def _rational(rows: list[list[float]]) -> None:
    invert = py_lets_be_rational.implied_volatility_from_a_transformed_rational_guess
    for price, forward, strike, sign, years in zip(*rows, strict=True):
        try:
            invert(price, forward, strike, years, int(sign))
        except ValueError:  # a quote beyond intrinsic by rounding counts as done
            continue


def _yardstick(
    price: np.ndarray, forward: np.ndarray, strike: np.ndarray, years: np.ndarray, sign: np.ndarray
) -> Callable[[], object] | None:
    library = compiled("w2")
    if library is None:
        return None
    result = np.empty(price.size)
    arguments = [pointer(column) for column in (price, forward, strike, years, sign, result)]
    return lambda: library.iv3(ctypes.c_size_t(price.size), *arguments)
