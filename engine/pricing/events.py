"""Variance that a scheduled event adds, separated from what accrues day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

Floats = NDArray[np.float64]


class EventStatus(StrEnum):
    """`priced`: quotes carry a premium for it; `no_event_premium`: they carry none or less; `not_identified`."""

    PRICED = "priced"
    NO_PREMIUM = "no_event_premium"
    NOT_IDENTIFIED = "not_identified"


@dataclass(frozen=True, slots=True)
class EventPremium:
    """
    What one gap between expiries holds for the `events` in it (years from now, one or more).

    `variance` is s_e^2 of all of them together, 0.0 unless `status` is `priced`: two events between the
    same expiries show only as their sum. `estimate` is what the quotes say before that, of either sign,
    NaN where they cannot.
    """

    events: tuple[float, ...]
    variance: float
    estimate: float
    status: EventStatus


@dataclass(frozen=True, slots=True)
class EventFit:
    """
    w(T) = `diffusive` T + the premia of events up to T.

    `diffusive` is sigma_d^2 per year; `residual` the largest miss of total variance over the expiries,
    zero where there are as many unknowns as expiries.
    """

    diffusive: float
    premia: tuple[EventPremium, ...]
    residual: float

    def total_variance(self, years: float) -> float:
        """sigma^2 T at `years`, the premia of events up to then included; a gap's events come together."""
        jumps = sum(premium.variance for premium in self.premia if max(premium.events) <= years)
        return self.diffusive * years + jumps

    def wing_scale(self, years: float) -> float:
        """How much wider wings at `years` should be for the events up to then; see `wing_scale`."""
        return wing_scale(self.total_variance(years) - self.diffusive * years, self.diffusive, years)


def event_variances(years: Sequence[float], variances: Sequence[float], events: Sequence[float]) -> EventFit:
    """
    Daily variance and the variance of each event, from at-the-money total variances.

    Parameters
    ----------
    years : expiries, ACT/365F, rising, > 0
    variances : total variance sigma^2 T of each, > 0
    events : times of scheduled events in the same years, > 0; one after the last expiry is not identified

    Returns
    -------
    Least squares over all expiries at once; with one event between two expiries s_e^2 = w2 - w1 T2 / T1.
    Events that share a gap are one unknown. A premium that comes out at or below zero is
    `no_event_premium`, leaves the system, and the rest is solved again.

    Source
    ------
    D24b.

    >>> fit = event_variances([0.1, 0.2], [0.004, 0.009], [0.15])
    >>> round(fit.diffusive, 12), round(fit.premia[0].variance, 12), fit.premia[0].status.value
    (0.04, 0.001, 'priced')
    """
    t, w = np.asarray(years, float), np.asarray(variances, float)
    _require_terms(t, w, events)
    gaps: dict[int, list[float]] = {}
    for event in sorted(events):
        gaps.setdefault(int(np.searchsorted(t, event)), []).append(event)
    first = _solved(t, w, [at for at in gaps if at < t.size])
    alive, solved = [at for at in gaps if at in first.jumps], first
    while worst := [at for at in alive if solved.jumps[at] <= 0]:
        alive.remove(min(worst, key=lambda at: solved.jumps[at]))
        solved = _solved(t, w, alive)
    premia = []
    for at, inside in gaps.items():
        if at not in first.jumps:
            premia.append(EventPremium(tuple(inside), 0.0, float("nan"), EventStatus.NOT_IDENTIFIED))
        elif at in solved.jumps:
            premia.append(EventPremium(tuple(inside), solved.jumps[at], solved.jumps[at], EventStatus.PRICED))
        else:
            premia.append(EventPremium(tuple(inside), 0.0, first.jumps[at], EventStatus.NO_PREMIUM))
    return EventFit(solved.diffusive, tuple(premia), solved.residual)


def wing_scale(event_variance: float, diffusive: float, years: float) -> float:
    """
    Factor on wing width for an event: sqrt(1 + s_e^2 / (sigma_d^2 T)).

    Parameters
    ----------
    event_variance : s_e^2, >= 0
    diffusive : sigma_d^2 per year, > 0
    years : ACT/365F, > 0

    Source
    ------
    D24b.

    >>> round(wing_scale(0.001, 0.04, 0.025), 6)
    1.414214
    """
    if not event_variance >= 0 or not diffusive * years > 0:
        raise InputError(
            f"event variance {event_variance:g} over {diffusive * years:g} refused",
            why="the event's variance must not be negative and the daily one must be positive",
            todo="use 0 where there is no premium",
        )
    return sqrt(1.0 + event_variance / (diffusive * years))


@dataclass(frozen=True, slots=True)
class _Solved:
    diffusive: float
    jumps: dict[int, float]
    residual: float


def _solved(t: Floats, w: Floats, gaps: Sequence[int]) -> _Solved:
    """Relative least squares; a gap whose jump no pair of expiries tells from diffusion is left out."""
    columns = [t, *((np.arange(t.size) >= at).astype(float) for at in gaps)]
    basis = np.stack(columns, axis=1) / w[:, None]
    found, _, rank, _ = np.linalg.lstsq(basis, np.ones_like(w), rcond=None)
    if rank < basis.shape[1]:
        return _solved(t, w, [at for at in gaps if at != gaps[-1]])
    residual = float(np.abs(basis @ found * w - w).max())
    return _Solved(float(found[0]), {at: float(jump) for at, jump in zip(gaps, found[1:], strict=True)}, residual)


def _require_terms(t: Floats, w: Floats, events: Sequence[float]) -> None:
    whole = t.size == w.size and t.size > 0 and np.isfinite(t).all() and np.isfinite(w).all()
    if not whole or not (t > 0).all() or not (np.diff(t) > 0).all() or not (w > 0).all():
        raise InputError(
            "term structure refused",
            why="expiries must rise and each needs a total variance above zero",
            todo="give one at-the-money total variance per expiry",
        )
    if not all(np.isfinite(event) and event > 0 for event in events):
        raise InputError("event refused", why="it lies in the past or is no time", todo="drop it")
