"""A book of options and futures priced again on every day of every scenario, in memory that no day adds to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.pricing.columns import blocks
from engine.pricing.fast import compiles
from engine.pricing.path_book import Day, FutureLegs, PathBook, PathSmile, Smile
from engine.pricing.tail import scaled_tail

Floats = NDArray[np.float64]

_BLOCK = 20_000  # prices worked on together: long enough to hide the cost of a call, short enough for the cache
_SHARE = 2_500  # scenarios of one task when several threads share the work
_DAYS = 16  # days read together: a line of a path's memory is then fetched once or twice, not eight times
_SAME_INSTANT = 1e-9  # years: thirty milliseconds


def values_by_day(
    book: PathBook, days: Iterable[Day], *, executor: Executor | None = None, fast: bool | None = None
) -> Iterator[Floats]:
    """
    Value of the book in each scenario, day after day; nothing of a day is kept but cash.

    Parameters
    ----------
    days : rising in time, each with the same scenarios
    executor : shares the scenarios among its threads (numpy releases the interpreter's lock); None works here
    fast : compiled or numpy, which agree to 1e-12 of the notional; None is numpy, since nobody knows how
        many days will come

    Yields
    ------
    One array per day. An option is worth its discounted Black-76 value on the forward
    spot * exp(carry * years left) at the smile's volatility; a leg past its expiry stays in the book as
    the cash it settled for at the first day at or after it, without interest.

    Raises
    ------
    InputError
        A level or volatility that is missing, infinite or not above zero; days that go back.
    """
    run: _Run | None = None
    for day in days:
        if run is None:
            run = _Run(book, len(day.spots[0]), executor, fast)
        rows = ([np.asarray(level)[np.newaxis] for level in levels] for levels in (day.spots, day.vols))
        yield run.values(np.array([day.years]), *rows)[0]


def book_paths(
    book: PathBook,
    spots: Sequence[Floats],
    vols: Sequence[Floats],
    *,
    step: float = 1.0 / 365.0,
    executor: Executor | None = None,
    fast: bool | None = None,
) -> Floats:
    """
    Value of the book, scenarios down and days across.

    Parameters
    ----------
    spots, vols : per underlying an array of scenarios x days: its level, and its volatility (decimal)
    step : years between two days; the first column is one step after the start
    executor, fast : as in `values_by_day`, but None compiles from ten million prices on, if the extra
        `fast` is installed and every smile is a `PathSmile`

    Returns
    -------
    Array of scenarios x days, in the currency of quantity x strike; legs past expiry as in `values_by_day`.

    >>> from engine.pricing.path_book import OptionLegs
    >>> flat = np.full((2, 3), 100.0)
    >>> legs = OptionLegs.of(100.0, 1.0, sign=1, quantity=1.0)
    >>> book_paths(PathBook(legs, [PathSmile()]), [flat], [flat * 0.002], step=0.25).round(4)[0].tolist()
    [6.9013, 5.6372, 3.9878]
    """
    scenarios, count = spots[0].shape
    if fast is None:
        parametric = all(isinstance(smile, PathSmile) for smile in book.smiles)
        fast = parametric and compiles(None, len(book.options.strike) * scenarios * count)
    run, value = _Run(book, scenarios, executor, fast), np.empty((scenarios, count))
    for start in range(0, count, _DAYS):
        days = slice(start, min(start + _DAYS, count))
        rows = ([np.ascontiguousarray(path[:, days].T) for path in paths] for paths in (spots, vols))
        value[:, days] = run.values(step * np.arange(days.start + 1, days.stop + 1), *rows).T
    return value


class _Run:
    """Cash of the legs that have settled, and the values of some days after the last ones."""

    def __init__(self, book: PathBook, scenarios: int, executor: Executor | None, fast: bool | None) -> None:
        if fast and not all(isinstance(smile, PathSmile) for smile in book.smiles):
            raise InputError(
                "compiled paths refused", why="only a parametric smile compiles", todo="use PathSmile, or fast=False"
            )
        self._book, self._executor = book, executor
        self._price = _compiled if fast and compiles(fast, scenarios) else _priced
        self._years = -np.inf
        self._cash = np.zeros(scenarios)
        self._blocks = list(blocks(scenarios, _BLOCK if executor is None else _SHARE))

    def values(self, years: Floats, spots: Sequence[Floats], vols: Sequence[Floats]) -> Floats:
        """A row per day; the arguments have one too."""
        _admit(self._book, len(self._cash), spots, vols)
        total = np.empty((len(years), len(self._cash)))
        for row, now in enumerate(years):
            if not now > self._years:
                raise InputError(
                    "day refused", why=f"{now:g} years do not follow {self._years:g}", todo="put the days in order"
                )
            levels = [level[row] for level in spots]
            self._cash += _settled(self._book, levels, now, self._years)
            self._years = now
            total[row] = self._cash + _futures(self._book.futures, levels, now)
        work = partial(_share, self._price, self._book, years, spots, vols, total)
        for _ in map(work, self._blocks) if self._executor is None else self._executor.map(work, self._blocks):
            pass
        return total


def _share(
    price: Callable[..., None],
    book: PathBook,
    years: Floats,
    spots: Sequence[Floats],
    vols: Sequence[Floats],
    total: Floats,
    scenarios: slice,
) -> None:
    """Add the options of some scenarios, as many days at once as make a block."""
    length = max(1, _BLOCK // max(1, scenarios.stop - scenarios.start))
    for days in blocks(len(years), length):
        levels, heights = ([np.ascontiguousarray(path[days, scenarios]) for path in paths] for paths in (spots, vols))
        price(book, years[days], levels, heights, total[days, scenarios])


class _Leg(NamedTuple):
    """One option on the days before it expires: `quantity` is discounted, `growth` takes the spot to the forward."""

    strike: float
    sign: float
    years: Floats
    growth: Floats
    quantity: Floats


def _leg(book: PathBook, leg: int, years: Floats) -> _Leg:
    legs = book.options
    left = legs.years[leg] - years
    left = left[left > _SAME_INSTANT][:, np.newaxis]
    carry = book.carry[legs.underlying[leg]] if book.carry else 0.0
    quantity = legs.quantity[leg] * np.exp(-book.rate * left)
    return _Leg(float(legs.strike[leg]), float(legs.sign[leg]), left, np.exp(carry * left), quantity)


def _priced(book: PathBook, years: Floats, spots: list[Floats], vols: list[Floats], total: Floats) -> None:
    logs = [np.log(spot) for spot in spots]
    with np.errstate(over="ignore", under="ignore"):
        for number, u in enumerate(book.options.underlying):
            leg = _leg(book, number, years)
            if alive := len(leg.years):
                _add(leg, book.smiles[u], spots[u][:alive], logs[u][:alive], vols[u][:alive], total[:alive])


def _add(leg: _Leg, smile: Smile, spot: Floats, log: Floats, vol: Floats, total: Floats) -> None:
    """Add one leg's value, in place where it spares a pass through the cache; formula as in `black`."""
    x = log + np.log(leg.growth / leg.strike)
    sd = _sd(smile, x, vol, leg.years)
    x /= sd
    d = np.empty((2, *x.shape))
    np.multiply(sd, 0.5, out=d[0])
    d[0] += x
    np.subtract(d[0], sd, out=d[1])
    bell = np.square(d[0], out=x)
    bell *= -0.5
    np.exp(bell, out=bell)
    tail = scaled_tail(np.abs(d))
    np.copysign(tail, d, out=tail)
    call = leg.sign > 0.0
    inside = (d > 0.0 if call else d < 0.0).astype(np.float64)
    less, first, second = tail[0], tail[1], inside[1]
    np.subtract(*((first, less) if call else (less, first)), out=first)
    first *= bell
    first += inside[0]
    first *= spot
    first *= leg.sign * leg.growth * leg.quantity
    second *= leg.sign * leg.strike * leg.quantity
    first -= second
    total += first


def _sd(smile: Smile, x: Floats, vol: Floats, years: Floats) -> Floats:
    """The smile's volatility times the root of time, at x = ln(F / K)."""
    root = np.sqrt(years)
    if not isinstance(smile, PathSmile):
        return np.asarray(smile(x / -root, vol, years) * root, np.float64)
    sd = x * (smile.level * smile.curvature / years)
    sd -= smile.level * smile.skew / root
    sd *= x
    sd += smile.level
    sd *= vol
    sd *= root
    np.maximum(sd, smile.floor * root, out=sd)
    return np.minimum(sd, smile.cap * root, out=sd)


def _compiled(book: PathBook, years: Floats, spots: list[Floats], vols: list[Floats], total: Floats) -> None:
    from engine.pricing.fast.kernels import path_options  # noqa: PLC0415  # numba loads where it is used

    smiles = np.array(book.smiles, np.float64)
    for row, now in enumerate(years):
        legs = [_leg(book, number, np.array([now])) for number in range(len(book.options.strike))]
        alive = np.array([len(leg.years) > 0 for leg in legs], bool)
        if not alive.any():
            return
        columns = (
            (leg.strike, leg.years[0, 0], leg.growth[0, 0], leg.sign, leg.quantity[0, 0])
            for leg in legs
            if len(leg.years)
        )
        terms = np.array(list(columns))
        levels, heights = (np.stack([path[row] for path in paths]) for paths in (spots, vols))
        path_options(levels, heights, book.options.underlying[alive], terms, smiles, total[row])


def _settled(book: PathBook, spots: Sequence[Floats], now: float, before: float) -> Floats:
    """Cash from legs whose expiry lies after the last day and not after this one."""
    cash, legs = np.zeros(len(spots[0])), book.options
    for leg in np.flatnonzero(_falls_due(legs.years, now, before)):
        spot = spots[legs.underlying[leg]]
        cash += legs.quantity[leg] * np.maximum(legs.sign[leg] * (spot - legs.strike[leg]), 0.0)
    if (futures := book.futures) is not None:
        for leg in np.flatnonzero(_falls_due(futures.years, now, before)):
            cash += futures.quantity[leg] * (spots[futures.underlying[leg]] - futures.entry[leg])
    return cash


def _falls_due(years: Floats, now: float, before: float) -> NDArray[np.bool_]:
    return (years - now <= _SAME_INSTANT) & (years - before > _SAME_INSTANT)


def _futures(legs: FutureLegs | None, spots: Sequence[Floats], now: float) -> Floats:
    worth = np.zeros(len(spots[0]))
    if legs is None:
        return worth
    left = legs.years - now
    for leg in np.flatnonzero(left > _SAME_INSTANT):
        near = np.exp(-legs.speed[leg] * left[leg])
        fixed = legs.anchor[leg] * (1.0 - near) - legs.entry[leg]
        worth += legs.quantity[leg] * (fixed + near * spots[legs.underlying[leg]])
    return worth


def _admit(book: PathBook, scenarios: int, spots: Sequence[Floats], vols: Sequence[Floats]) -> None:
    legs = [book.options.underlying] + ([] if book.futures is None else [book.futures.underlying])
    count = min(len(spots), len(vols), len(book.smiles), len(book.carry or spots))
    if any(named.size and not 0 <= named.min() <= named.max() < count for named in legs):
        raise InputError(
            "paths refused",
            why=f"the legs name underlyings beyond the {count} with a path, a volatility, a smile and a carry",
            todo="give one of each per underlying",
        )
    for name, levels in (("spot", spots), ("volatility", vols)):
        for u, level in enumerate(levels):
            if level.shape != (len(spots[0]), scenarios):
                raise InputError(f"{name} refused", why="paths differ in shape", todo="give every path the same")
            if not (level.min() > 0.0 and level.max() < np.inf):
                at = np.unravel_index(int(np.argmax(~((level > 0.0) & (level < np.inf)))), level.shape)
                raise InputError(
                    f"{name} refused",
                    why=f"scenario {at[1]} of underlying {u} is missing, infinite or not above zero",
                    todo="correct the path",
                )
