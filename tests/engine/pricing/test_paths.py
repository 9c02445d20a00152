"""A book along paths: the same formula leg by leg, settlement in cash, any division of the work, and its refusals."""

import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import py_lets_be_rational as rational
import pytest
import QuantLib

from engine.errors import InputError
from engine.pricing.path_book import Day, FutureLegs, OptionLegs, PathBook, PathSmile
from engine.pricing.paths import book_paths, values_by_day

SCENARIOS, DAYS, STEP, RATE = 40, 12, 1.0 / 365.0, 0.04
SMILE = PathSmile(level=1.1, skew=-0.25, curvature=0.35, floor=0.03, cap=3.0)
FLAT = PathSmile()


def _levels(scenarios: int = SCENARIOS, days: int = DAYS, seed: int = 3) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0, 0.02, (3, scenarios, days)).cumsum(axis=2)
    spot, ether, vix = 6000.0 * np.exp(moves[0]), 3000.0 * np.exp(2.0 * moves[1]), 18.0 * np.exp(2.0 * moves[2])
    return [spot, ether, vix], [vix / 100.0, vix / 40.0, vix / 100.0]


def _legs() -> OptionLegs:
    return OptionLegs.of(
        [5500.0, 5800.0, 6200.0, 6500.0, 2800.0, 6000.0],
        np.array([45, 45, 45, 45, 30, 8]) / 365.0,
        sign=[-1, -1, 1, 1, -1, 1],
        quantity=[100.0, -100.0, -100.0, 100.0, 25.0, -100.0],
        underlying=[0, 0, 0, 0, 1, 0],
    )


def _by_hand(spots: list[np.ndarray], vols: list[np.ndarray], price: Callable[..., float]) -> np.ndarray:
    """Leg by leg and scalar by scalar, with an independent price."""
    legs, total = _legs(), np.zeros((SCENARIOS, DAYS))
    for u, strike, years, sign, quantity in zip(*(getattr(legs, name) for name in legs.__slots__), strict=True):
        for row, day in np.ndindex(SCENARIOS, DAYS):
            left = years - (day + 1) * STEP
            if left <= 1e-9:
                total[row, day] += quantity * max(sign * (spots[u][row, round(years / STEP) - 1] - strike), 0.0)
                continue
            forward = spots[u][row, day] * np.exp((0.027 if u == 0 else 0.0) * left)
            k = np.log(strike / forward) / np.sqrt(left)
            vol = np.clip(1.1 * vols[u][row, day] * (1.0 - 0.25 * k + 0.35 * k * k), 0.03, 3.0)
            total[row, day] += quantity * np.exp(-RATE * left) * price(forward, strike, vol, left, sign)
    return total


def _quantlib(forward: float, strike: float, vol: float, years: float, sign: float) -> float:
    side = QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put
    return QuantLib.blackFormula(side, strike, forward, vol * years**0.5)


@pytest.mark.parametrize("price", [rational.black, _quantlib], ids=["rational", "QuantLib"])
def test_the_book_is_worth_the_sum_of_its_legs_by_an_independent_library(price: Any, fast: bool) -> None:
    spots, vols = _levels()
    book = PathBook(_legs(), [SMILE] * 3, rate=RATE, carry=[0.027, 0.0, 0.0])

    value = book_paths(book, spots, vols, step=STEP, fast=fast)

    np.testing.assert_allclose(value, _by_hand(spots, vols, price), rtol=1e-9, atol=1e-6)


def test_futures_converge_to_their_index_and_settle_on_their_day() -> None:
    vix = np.array([[18.0, 25.0, 22.0, 40.0]])
    futures = FutureLegs.of([3.0 / 12], quantity=-1000.0, entry=21.0, underlying=0, anchor=20.0, speed=3.0)
    book = PathBook(OptionLegs.of([], [], sign=[], quantity=[]), [FLAT], futures)

    value = book_paths(book, [vix], [vix / 100], step=1.0 / 12)

    first = 20.0 + (18.0 - 20.0) * np.exp(-3.0 * 2.0 / 12.0)
    np.testing.assert_allclose(value[0, [0, 2, 3]], [-1000.0 * (first - 21.0), -1000.0, -1000.0])


def test_an_expired_leg_stays_in_the_book_as_the_cash_it_settled_for() -> None:
    spot = np.array([[100.0, 107.0, 250.0], [100.0, 93.0, 250.0]])
    book = PathBook(OptionLegs.of(95.0, 2.0 / 365, sign=1, quantity=10.0), [FLAT])

    value = book_paths(book, [spot], [np.full_like(spot, 0.2)])

    np.testing.assert_allclose(value[:, 1:], [[120.0, 120.0], [0.0, 0.0]])


def test_a_smile_may_be_any_function() -> None:
    spots, vols = _levels()
    legs = OptionLegs.of(6100.0, 0.2, sign=1, quantity=1.0)
    parametric = PathBook(legs, [PathSmile(skew=-0.2, curvature=0.1)] * 3)
    written = PathBook(legs, [lambda k, vol, years: vol * (1.0 - 0.2 * k + 0.1 * k * k)] * 3)

    np.testing.assert_allclose(book_paths(written, spots, vols), book_paths(parametric, spots, vols), rtol=1e-13)


def test_a_function_for_a_smile_cannot_be_compiled() -> None:
    spots, vols = _levels()
    book = PathBook(OptionLegs.of(6100.0, 0.2, sign=1, quantity=1.0), [lambda k, vol, years: vol] * 3)

    with pytest.raises(InputError, match="parametric"):
        book_paths(book, spots, vols, fast=True)


def test_sharing_the_scenarios_among_threads_changes_no_value(fast: bool) -> None:
    spots, vols = _levels(scenarios=2501)
    book = PathBook(_legs(), [SMILE] * 3, rate=RATE)

    alone = book_paths(book, spots, vols, fast=fast)
    with ThreadPoolExecutor(3) as pool:
        shared = book_paths(book, spots, vols, fast=fast, executor=pool)

    np.testing.assert_allclose(shared, alone, rtol=1e-12, atol=1e-8)


def test_memory_does_not_grow_with_the_days() -> None:
    spots, vols = _levels(scenarios=2000, days=1)
    book = PathBook(_legs(), [SMILE] * 3, rate=RATE)

    def peak(days: int) -> int:
        def stream() -> Iterator[Day]:
            for day in range(days):
                yield Day((day + 1) * STEP, [level[:, 0] for level in spots], [level[:, 0] for level in vols])

        tracemalloc.start()
        for _ in values_by_day(book, stream(), fast=False):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(40) <= 1.1 * peak(4)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize("which", ["spot", "volatility"])
def test_a_path_without_meaning_is_refused(which: str, bad: float) -> None:
    spots, vols = _levels()
    (spots if which == "spot" else vols)[0][5, 7] = bad

    with pytest.raises(InputError, match=f"{which} refused: scenario 5 of underlying 0"):
        book_paths(PathBook(_legs(), [SMILE] * 3), spots, vols, step=STEP)


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    "terms",
    [{"strike": np.nan}, {"strike": 0.0}, {"years": -0.1}, {"years": np.inf}, {"sign": 0.0}, {"quantity": np.nan}],
)
def test_a_leg_without_meaning_is_refused(terms: dict[str, float]) -> None:
    good = {"strike": 100.0, "years": 0.5, "sign": 1.0, "quantity": 1.0} | terms

    with pytest.raises(InputError, match="leg 0"):
        OptionLegs.of(good["strike"], good["years"], sign=good["sign"], quantity=good["quantity"])
    with pytest.raises(InputError, match="leg 0"):
        FutureLegs.of(0.5, quantity=1.0, entry=np.nan)


def test_a_leg_needs_a_path_a_smile_and_days_that_rise() -> None:
    spots, vols = _levels()
    levels = ([level[:, 0] for level in spots], [level[:, 0] for level in vols])

    with pytest.raises(InputError, match="underlyings beyond"):
        book_paths(PathBook(_legs(), [SMILE]), spots, vols)
    with pytest.raises(InputError, match="do not follow"):
        list(values_by_day(PathBook(_legs(), [SMILE] * 3), [Day(0.1, *levels), Day(0.1, *levels)]))
    with pytest.raises(InputError, match="paths differ"):
        book_paths(PathBook(_legs(), [SMILE] * 3), [spots[0], spots[1][:9], spots[2]], vols)
