"""W1: value and sensitivities of a million contracts."""

import ctypes

import numpy as np
import QuantLib
from scipy.special import ndtr
from vollib.black import black
from vollib.black.greeks import analytical

from engine.pricing.black import greeks
from engine.pricing.fast import installed
from tests.benchmarks.timing import Candidate, Goal, Row, duel
from tests.benchmarks.yardsticks import compiled, pointer

NAIVE, LOOP, C = "numpy + ndtr, whole arrays (6 results)", "QuantLib loop (6 results)", "C (6 results)"
OURS, FAST = "greeks, numpy (9 results)", "greeks, compiled (9 results)"
_GOALS = [Goal(OURS, NAIVE, 0.65), Goal(OURS, LOOP, 1 / 90), Goal(FAST, C, 1.5)]


def contracts(count: int, seed: int = 101) -> tuple[np.ndarray, ...]:
    """Forward, strike, years, rate, volatility, sign: one day to two years, 8-80 %, strikes about the forward."""
    rng = np.random.default_rng(seed)
    vol, rate = rng.uniform(0.08, 0.80, count), rng.uniform(0.0, 0.06, count)
    years = np.geomspace(1 / 365, 2.0, count)[rng.permutation(count)]
    forward = rng.uniform(4000.0, 6000.0, count)
    strike = forward * np.exp(1.5 * rng.standard_normal(count) * vol * np.sqrt(years))
    return forward, strike, years, rate, vol, rng.choice([-1.0, 1.0], count)


def run(*, quick: bool = False) -> list[Row]:
    """Rows of W1."""
    count = 1_000_000
    f, k, t, r, v, w = terms = contracts(count)
    sample = 2_000 if quick else 20_000
    rows = [column[:sample].tolist() for column in terms]
    few = sample // 20
    candidates = {
        NAIVE: Candidate(lambda: _naive(*terms)),
        LOOP: Candidate(lambda: _quantlib(rows), count / sample),
        "vollib loop (6 results)": Candidate(lambda: _vollib([column[:few] for column in rows]), count / few),
        C: Candidate(_yardstick(terms)),
        OURS: Candidate(lambda: greeks(f, k, t, v, sign=w, rate=r, fast=False)),
        FAST: Candidate((lambda: greeks(f, k, t, v, sign=w, rate=r, fast=True)) if installed() else None),
    }
    return duel(
        "W1 Black-76, 1e6 contracts", candidates, _GOALS, items=count, rounds=3 if quick else 9, yardstick=NAIVE
    )


def _naive(f: np.ndarray, k: np.ndarray, t: np.ndarray, r: np.ndarray, v: np.ndarray, w: np.ndarray) -> object:
    root = np.sqrt(t)
    sd, discount = v * root, np.exp(-r * t)
    d1 = np.log(f / k) / sd + 0.5 * sd
    first, second = ndtr(w * d1), ndtr(w * (d1 - sd))
    density = discount * np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi)
    value = discount * w * (f * first - k * second)
    theta = r * value - f * density * v / (2.0 * root)
    return value, w * discount * first, density / (f * sd), f * density * root, theta, -t * value


def _quantlib(rows: list[list[float]]) -> None:
    sides = {1.0: QuantLib.Option.Call, -1.0: QuantLib.Option.Put}
    for f, k, t, r, v, w in zip(*rows, strict=True):
        payoff = QuantLib.PlainVanillaPayoff(sides[w], k)
        found = QuantLib.BlackCalculator(payoff, f, v * t**0.5, 2.718281828459045 ** (-r * t))
        _ = found.value(), found.deltaForward(), found.gammaForward(), found.vega(t), found.theta(f, t), found.rho(t)


def _vollib(rows: list[list[float]]) -> None:
    measures = (black, analytical.delta, analytical.gamma, analytical.vega, analytical.theta, analytical.rho)
    for f, k, t, r, v, w in zip(*rows, strict=True):
        side = "c" if w > 0 else "p"
        black(side, f, k, t, r, v)
        for measure in measures[1:]:
            measure(side, f, k, t, r, v)


def _yardstick(terms: tuple[np.ndarray, ...]):  # type: ignore[no-untyped-def]
    library = compiled("w1")
    if library is None:
        return None
    f, k, t, r, v, w = terms
    results = [np.empty(f.size) for _ in range(6)]
    arguments = [pointer(column) for column in (f, k, t, r, v, w, *results)]
    return lambda: library.b76(ctypes.c_size_t(f.size), *arguments)
