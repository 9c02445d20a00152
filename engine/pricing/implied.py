"""Implied volatility to machine precision, whole arrays at a time, with a reason where none exists."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, ndtri

from engine.pricing.columns import blocks, columns
from engine.pricing.fast import compiles
from engine.pricing.tail import scaled_tail

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

_BLOCK = 20_000
_SQRT_2PI = 2.5066282746310002
_SQRT_HALF = 0.7071067811865476
_INV_SQRT_2PI = 0.3989422804014327
_HALLEY_STEPS = 2
_LEAST_RATIO = 1e-6
_SQRT_HALF_PI = 1.2533141373155001
START = (0.363921, 1.96963, 0.179778)
"""Coefficients of the start, fitted to Bachelier's formula from the money to nine deviations: 0.7 % at worst."""
_CONVERGED = 1e-5  # a last step this small leaves an error of its cube
_BISECTIONS = 80
_LARGEST_SD = 38.0  # beyond it a double holds no distance to the bound any more
_EPS = float(np.finfo(np.float64).eps)


class VolStatus(IntEnum):
    """Why a quote has a volatility, or why it has none."""

    OK = 0
    NOT_A_NUMBER = 1
    BAD_TERMS = 2
    NO_TIME = 3
    BELOW_INTRINSIC = 4
    NO_TIME_VALUE = 5
    ABOVE_BOUND = 6
    NOT_RESOLVED = 7


class Implied(NamedTuple):
    """
    Volatilities and why some are missing.

    `vol` is annualised and decimal, NaN exactly where `status` is not `VolStatus.OK`.
    """

    vol: Floats
    status: Codes


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    *,
    sign: ArrayLike,
    fast: bool | None = None,
) -> Implied:
    """
    Volatility at which `forward_value` gives `price`.

    Parameters
    ----------
    price : undiscounted option value, in the units of `forward` (the quote times exp(r T))
    forward, strike : index points, > 0
    years : ACT/365F time to expiry, > 0
    sign : +1 for a call, -1 for a put
    fast : compiled or numpy, which agree to what the last digit of a quote carries; None compiles
        from ten million quotes on, if the extra `fast` is installed

    Returns
    -------
    Broadcast of the inputs. `BELOW_INTRINSIC`, `NO_TIME_VALUE` (a price of zero, or of intrinsic to
    the last digit) and `ABOVE_BOUND` (a call at or above its forward, a put at or above its strike)
    have no volatility; `NOT_A_NUMBER`, `BAD_TERMS` and `NO_TIME` are inputs without meaning.

    Source
    ------
    Normalisation: P. Jaeckel, "Let's be rational" (2015). Halley's iteration on the logarithm of the
    out-of-the-money price, started from Bachelier's formula.

    >>> result = implied_vol(7.965567455405804, 100.0, 100.0, 1.0, sign=1)
    >>> float(result.vol.round(12)), VolStatus(int(result.status)).name
    (0.2, 'OK')
    """
    shape, flat = columns(price, forward, strike, years, sign)
    vol = np.empty(flat[0].size)
    status = np.empty(flat[0].size, np.int8)
    solve = _solve_compiled if compiles(fast, vol.size) else _solve
    for rows in blocks(vol.size, _BLOCK):
        vol[rows], status[rows] = solve(*(column[rows] for column in flat))
    return Implied(vol.reshape(shape), status.reshape(shape))


def _solve_compiled(*columns: Floats) -> tuple[Floats, Codes]:
    """Compiled where it is sure; the rest, and every refusal, in numpy."""
    from engine.pricing.fast import kernels  # noqa: PLC0415  # numba loads where it is used

    vol = np.empty(columns[0].size)
    status = np.zeros(vol.size, np.int8)
    price, forward, strike, years, sign = (np.ascontiguousarray(column) for column in columns)
    kernels.implied(price, forward, strike, years, sign, 2.0 * _EPS, _CONVERGED, vol)
    rest = np.flatnonzero(np.isnan(vol))
    if rest.size:
        vol[rest], status[rest] = _solve(*(column[rest] for column in columns))
    return vol, status


def _solve(price: Floats, forward: Floats, strike: Floats, years: Floats, sign: Floats) -> tuple[Floats, Codes]:
    with np.errstate(all="ignore"):
        intrinsic = np.maximum(sign * (forward - strike), 0.0)
        time_value = price - intrinsic
        status = _screen(price, forward, strike, years, sign, time_value)
        good = status == VolStatus.OK
        x = -np.abs(np.log(forward / strike))
        value = time_value / (np.sqrt(forward) * np.sqrt(strike))
        if not good.all():
            x, value = np.where(good, x, 0.0), np.where(good, value, 0.1)
        sd, done = _halley(x, value, _start(x, value))
        for finish in (_halley, _bracketed):
            hard = np.flatnonzero(good & ~done)
            if hard.size:
                sd[hard], done[hard] = finish(x[hard], value[hard], sd[hard])
        status[good & ~done] = VolStatus.NOT_RESOLVED
        vol = sd / np.sqrt(years)
        status[(status == VolStatus.OK) & ~np.isfinite(vol)] = VolStatus.NOT_RESOLVED
        vol[status != VolStatus.OK] = np.nan
    return vol, status


def _screen(price: Floats, forward: Floats, strike: Floats, years: Floats, sign: Floats, time_value: Floats) -> Codes:
    bound = np.where(sign > 0, forward, strike)
    dust = np.where(price == time_value, 0.0, 2.0 * _EPS * np.maximum(forward, strike))
    finite = np.isfinite(price + forward + strike + years)
    terms = (forward > 0) & (strike > 0) & (np.abs(sign) == 1.0) & (price >= 0)
    if (finite & terms & (years > 0) & (time_value > dust) & (price < bound)).all():
        return np.zeros(price.size, np.int8)
    rules = (
        (~(finite & np.isfinite(sign)), VolStatus.NOT_A_NUMBER),
        (~terms, VolStatus.BAD_TERMS),
        (~(years > 0), VolStatus.NO_TIME),
        (time_value < -dust, VolStatus.BELOW_INTRINSIC),
        (time_value <= dust, VolStatus.NO_TIME_VALUE),
        (price >= bound, VolStatus.ABOVE_BOUND),
    )
    return np.select([rule for rule, _ in rules], [code for _, code in rules], VolStatus.OK).astype(np.int8)


def _start(x: Floats, value: Floats) -> Floats:
    """
    Total sd within a few per cent wherever it is below two, within 1 % where it is small.

    Bachelier's price over its moneyness is a function of z = moneyness / sd alone: with v the logarithm
    of one plus moneyness over the at-the-money sd, z^2 / v^2 is close to the quotient below. Black's
    price falls short of Bachelier's by exp(-sd^2 / 8) far out and by exp(-sd^2 / 24) at the money.
    """
    flat = _SQRT_2PI * value
    y = np.maximum(-x / flat, _LEAST_RATIO)
    v = np.log1p(y)
    ratio = np.sqrt((1.0 + v * START[0]) / (1.0 + v * (START[1] + v * START[2])))
    z = v * ratio
    sd = flat * (y / z)
    short = sd * sd * (0.125 - 0.25 / (3.0 + z * z))
    return np.asarray(sd * (1.0 + short / (1.0 + z * (_SQRT_HALF_PI + z))))


def _halley(x: Floats, value: Floats, sd: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Total sd of a normalised out-of-the-money price, by Halley on its logarithm; x <= 0."""
    log_value = np.log(value)
    step = sd
    for _ in range(_HALLEY_STEPS):
        h, t = x / sd, 0.5 * sd
        gap = _price_over_bell(h, t)
        slope = _INV_SQRT_2PI / gap
        newton = (log_value - np.log(gap) + 0.5 * (h * h + t * t)) / slope
        curvature = h * h / sd - 0.5 * t - slope
        step = newton / np.maximum(1.0 + 0.5 * newton * curvature, 0.25)
        sd = sd + step
    return sd, (sd > 0) & (np.abs(step) <= _CONVERGED * sd)


def _price_over_bell(h: Floats, t: Floats) -> Floats:
    """The normalised price over exp(-(h^2 + t^2) / 2), where h <= 0 is moneyness and t half of total sd."""
    d = np.stack((h + t, h - t))
    tail = scaled_tail(np.abs(d))
    gap = tail[0] - tail[1]
    near = np.flatnonzero(d[0] > 0.0)
    gap[near] = np.exp(0.5 * d[0][near] ** 2) - tail[0][near] - tail[1][near]
    return np.asarray(gap)


def _bracketed(x: Floats, value: Floats, _: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """
    The same by safeguarded Newton, for the few that Halley leaves.

    Near the upper bound the distance to the bound carries the digits, so it replaces the price.
    """
    bound = np.exp(0.5 * x)
    high = value > 0.5 * bound
    goal = np.log(np.where(high, bound - value, value))
    low, top = np.zeros_like(x), np.full_like(x, 2.0 * _LARGEST_SD)
    sd = np.clip(-2.0 * ndtri((bound - value) / (2.0 * np.cosh(0.5 * x))), 1e-3, _LARGEST_SD)
    for _step in range(_BISECTIONS):
        log_price, slope = _log_price(x, sd, high)
        error = log_price - goal
        over = np.where(high, error < 0, error > 0)
        top, low = np.where(over, sd, top), np.where(over, low, sd)
        trial = sd - error / slope
        inside = np.isfinite(trial) & (trial > low) & (trial < top)
        moved = np.where(inside, trial, 0.5 * (low + top))
        settled = np.abs(moved - sd) <= 4.0 * _EPS * sd
        sd = moved
        if settled.all():
            break
    log_price, _ = _log_price(x, sd, high)
    return sd, np.isfinite(sd) & (np.abs(log_price - goal) <= 1e-9)


def _log_price(x: Floats, sd: Floats, high: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Logarithm of the price, or of its distance to the bound, and its slope in sd."""
    h, t = x / sd, 0.5 * sd
    first, second = -(h + t) * _SQRT_HALF, (t - h) * _SQRT_HALF
    part = np.where(high, erfcx(-first) + erfcx(second), erfcx(first) - erfcx(second))
    slope = np.where(high, -1.0, 1.0) * 2.0 / (_SQRT_2PI * part)
    return np.log(0.5 * part) - 0.5 * (h * h + t * t), slope
