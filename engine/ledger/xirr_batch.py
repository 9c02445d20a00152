"""Internal rates of many series at once, every root of each (D15, W5)."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.ledger.roots import HIGHEST, LOWEST, rate_roots_of_rows
from engine.pricing.fast import installed

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

YEAR = 365.0
COMPILED_FROM = 10_000_000
"""Flows from which compiling pays: numba costs about a second a process and saves some 70 ns a flow."""

_CHUNK = 4_096
_PASSES = 8
_MARGIN = 1e-9
_LOW, _HIGH = math.log1p(LOWEST), math.log1p(HIGHEST)


@dataclass(frozen=True, slots=True, eq=False)
class RootsOfMany:
    """
    Rates of many series, decimal per year.

    `rate` is the only root of a series and NaN where it has none or several; `count` is how many it has
    in (-0.9999, 100]. The rare rows with several stand in `several`, each rising.
    """

    rate: Floats
    count: NDArray[np.int64]
    several: dict[int, tuple[float, ...]] = field(default_factory=dict)

    def of(self, row: int) -> tuple[float, ...]:
        """Every root of one series, rising; empty if there is none."""
        if self.count[row] == 1:
            return (float(self.rate[row]),)
        return self.several.get(row, ())


def xirr_many(flows: ArrayLike, days: ArrayLike, *, fast: bool | None = None) -> RootsOfMany:
    """
    Every rate R in (-0.9999, 100] with sum(flow * (1 + R) ** (-(d - d_0) / 365)) = 0, of each series.

    Parameters
    ----------
    flows : one row per series, one currency, positive = received, finite; a shorter series ends in zeros
    days : of each flow, finite and not falling; one row for all series, or one row each
    fast : compiled (True; needs the extra `fast`) or not (False); None compiles long work if it can

    Returns
    -------
    Rates always per year: stating short spans as they are is for `irr`. A series whose flows do not
    change sign, or all fall on one day, has no root.

    Raises
    ------
    InputError for shapes that do not fit, flows that are not finite, or days that fall.

    Notes
    -----
    Newton's steps solve ln(receipts) = ln(payments), both at present value: nearly a straight line in
    ln(1 + R). The root is the only one if the balance outstanding at it never changes sign, a pure
    investment. Every other series goes to `rate_roots_of_rows`, which proves what it finds.

    Source
    ------
    D15; D. Teichroew, A. Robichek, M. Montalbano, "An analysis of criteria for investment and financing
    decisions under certainty", Management Science 12 (1965).

    >>> found = xirr_many([[-100.0, 110.0, 0.0], [-100.0, 230.0, -132.0], [1.0, 1.0, 1.0]], [0, 365, 730])
    >>> [tuple(round(r, 12) for r in found.of(row)) for row in range(3)]
    [(0.1,), (0.1, 0.2), ()]
    """
    cash, years = _series(flows, days)
    guess, only = _solved(cash, years, fast=fast)
    several = {}
    count = only.astype(np.int64)
    rate = np.where(only, np.expm1(guess), np.nan)
    open_rows = np.flatnonzero(~only & (cash.max(1, initial=0.0) > 0.0) & (cash.min(1, initial=0.0) < 0.0))
    times = np.broadcast_to(years, cash.shape)
    for start in range(0, open_rows.size, _CHUNK):
        rows = open_rows[start : start + _CHUNK]
        for row, roots in zip(rows.tolist(), rate_roots_of_rows(times[rows], cash[rows]), strict=True):
            count[row] = len(roots)
            if len(roots) == 1:
                rate[row] = roots[0]
            elif roots:
                several[row] = roots
    return RootsOfMany(rate, count, several)


def _series(flows: ArrayLike, days: ArrayLike) -> tuple[Floats, Floats]:
    cash, when = np.atleast_2d(np.asarray(flows, float)), np.atleast_2d(np.asarray(days, float))
    if cash.ndim != 2 or when.ndim != 2 or when.shape not in {cash.shape, (1, cash.shape[1])} or not cash.shape[1]:
        raise _refused(f"flows of shape {cash.shape} do not fit days of shape {when.shape}", "give one row of days")
    if not np.isfinite(cash).all() or not np.isfinite(when).all():
        raise _refused("a flow or a day is not finite", "check the marks they came from")
    if (when[:, 1:] < when[:, :-1]).any():
        raise _refused("days fall within a series", "order the flows of each series by day")
    return cash, (when - when[:, :1]) / YEAR


def _solved(cash: Floats, years: Floats, *, fast: bool | None) -> tuple[Floats, Flags]:
    """ln(1 + R) of a root of each series, and whether it is certain that there is no other."""
    if installed() if fast is None and cash.size >= COMPILED_FROM else fast:
        if not installed():
            raise _refused("numba is not installed", "install the extra `fast`, or leave the choice out")
        from engine.ledger.xirr_compiled import solve  # noqa: PLC0415

        guess, only = solve(cash, years)
        if (rest := np.flatnonzero(~only & ((cash[:, 0] == 0.0) | (cash[:, -1] == 0.0)))).size:
            own = years if len(years) == 1 else years[rest]
            guess[rest], only[rest] = _solved_in_chunks(cash[rest], own)
        return guess, only
    return _solved_in_chunks(cash, years)


def _solved_in_chunks(cash: Floats, years: Floats) -> tuple[Floats, Flags]:
    guess, only = np.zeros(len(cash)), np.zeros(len(cash), bool)
    for start in range(0, len(cash), _CHUNK):
        part = slice(start, start + _CHUNK)
        times = years.T if len(years) == 1 else np.ascontiguousarray(years[part].T)
        guess[part], only[part] = _solved_block(np.ascontiguousarray(cash[part].T), times)
    return guess, only


def _solved_block(cash: Floats, years: Floats) -> tuple[Floats, Flags]:
    """As `_solved`, of columns: one series each, the flows down."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        u = _start(cash, years)
        only, moving = np.zeros(u.size, bool), np.arange(u.size)
        for _ in range(_PASSES):
            c, t = (cash, years) if moving.size == u.size else (cash[:, moving], _columns(years, moving))
            step, curvature, balances = _newton(c, t, u[moving])
            u[moving] += step
            done = curvature * step * step <= 1e-16
            slack = _MARGIN + 2.0 * len(c) * np.abs(step) * t[-1]
            only[moving[done]] = _keeps_sign(c, balances, slack)[done] & _inside(u[moving[done]])
            moving = moving[~done & np.isfinite(u[moving])]
            if not moving.size:
                break
    return u, only


def _start(cash: Floats, years: Floats) -> Floats:
    """Halley's step from a rate of zero, where nothing has to be discounted."""
    positive = np.maximum(cash, 0.0)
    negative = positive - cash
    squared = years * years
    received, paid = positive.sum(0), negative.sum(0)
    late, early = (years * positive).sum(0) / received, (years * negative).sum(0) / paid
    spread = (squared * positive).sum(0) / received - late**2 - (squared * negative).sum(0) / paid + early**2
    gap, slope = np.log(received / paid), early - late
    step = -gap / slope
    bent = step / (1.0 + 0.5 * spread / slope * step)
    u = np.where(np.isfinite(bent) & (np.abs(bent) < 2.0 * np.abs(step)), bent, step)
    return np.asarray(np.clip(np.nan_to_num(u, nan=0.0), _LOW, _HIGH))


def _newton(cash: Floats, years: Floats, u: Floats) -> tuple[Floats, Floats, Floats]:
    """Newton's step, how its error grows from the square of it, and the running balances at `u`."""
    worth = np.exp(-years * u)
    worth *= cash
    received = np.maximum(worth, 0.0)
    balances = worth.cumsum(0)
    late, moment = _weighted(years, received), _weighted(years, worth)
    plus = received.sum(0)
    minus = plus - balances[-1]
    slope = (late - moment) / minus - late / plus
    step = np.clip(np.log(plus / minus) / -slope, -2.0, 2.0)
    curvature = np.maximum(years[-1] ** 2 / (8.0 * np.abs(slope)), 1e-4)
    return step, curvature, balances


def _weighted(years: Floats, worth: Floats) -> Floats:
    return np.asarray(years[:, 0] @ worth if years.shape[1] == 1 else np.einsum("ij,ij->j", years, worth))


def _keeps_sign(cash: Floats, balances: Floats, slack: Floats) -> Flags:
    """Whether what is outstanding after each flow but the last keeps one sign beyond doubt."""
    scale = slack * np.maximum(balances.max(0), -balances.min(0))
    first, last = cash[0] != 0.0, cash[-1] != 0.0
    inner = balances[:-1]
    if not len(inner):
        return np.zeros(scale.size, bool)
    certain = (inner.min(0) > scale) | (inner.max(0) < -scale)
    if (first & last).all():
        return np.asarray(certain)
    return np.asarray(np.where(first & last, certain, _padded(cash, inner, scale)))


def _padded(cash: Floats, inner: Floats, scale: Floats) -> Flags:
    """The same for series that begin or end in zeros: nothing is outstanding before or after their flows."""
    nonzero = cash != 0.0
    begun = np.logical_or.accumulate(nonzero, axis=0)[:-1]
    ends = np.logical_or.accumulate(nonzero[::-1], axis=0)[::-1][1:]
    counted = begun & ends
    above, below = (inner > scale) | ~counted, (inner < -scale) | ~counted
    return np.asarray((above.all(0) | below.all(0)) & counted.any(0))


def _columns(years: Floats, at: NDArray[np.intp]) -> Floats:
    return years if years.shape[1] == 1 else years[:, at]


def _inside(u: Floats) -> Flags:
    return np.asarray((u > _LOW) & (u <= _HIGH))


def _refused(why: str, todo: str) -> InputError:
    return InputError("series of flows refused", why=why, todo=todo)
