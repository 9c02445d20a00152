"""
Black's formula, its sensitivities, its inverse and book paths as compiled loops without a branch.

Exponential, logarithm and normal tail are plain arithmetic here, so that the compiler works on as
many elements at once as a register holds; a call into the C library would stop it. Importing this
module imports numba.

Source: logarithm after fdlibm's e_log.c (Sun Microsystems, 1993), whose seven coefficients it uses;
exponential by reduction to half of ln 2 and Taylor's series to the thirteenth power, whose rest there
is 4e-18; tail as in `engine.pricing.tail`.
"""

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_F = TypeVar("_F", bound=Callable[..., object])

# Compiled code is kept beside this file and made anew only when this file changes: the numbers stand here again.
NUMERATOR = (
    0.3989422804004076,
    10.72045471287541,
    141.0417227828317,
    1175.3177802532268,
    6784.903304635148,
    28042.741243744338,
    82991.0325559516,
    170274.643059424,
    221940.28082804522,
    143082.7181179464,
)
DENOMINATOR = (
    1.0,
    26.872194899654602,
    354.53917028131,
    2972.9569716411866,
    17358.76974687494,
    73185.06534607688,
    224337.88714922726,
    491483.42725352343,
    733810.5898628266,
    672207.5450641243,
    286165.4362358928,
)
START = (0.363921, 1.96963, 0.179778)
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7, _P8, _P9 = NUMERATOR
_, _Q1, _Q2, _Q3, _Q4, _Q5, _Q6, _Q7, _Q8, _Q9, _Q10 = DENOMINATOR
_INV_SQRT_2PI = 0.3989422804014327
_SQRT_2PI = 2.5066282746310002
_SQRT_HALF_PI = 1.2533141373155001
_MOST = 1e15
_LEAST_SD = 1e-30
_FARTHEST = 40.0
_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
_INTEGERS_FROM = 6755399441055744.0  # 1.5 * 2^52: added to a double, it leaves the nearest integer in the low bits
_ONE_BITS = 4607182418800017408  # of 1.0
_ROOT_HALF_BITS = 4604544271217802189  # of sqrt(1/2)


def _inlined(function: _F) -> _F:
    return cast("_F", njit(inline="always", fastmath={"contract"}, error_model="numpy")(function))


def _loop(function: _F) -> _F:
    return cast("_F", njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")(function))


@_inlined
def exponential(x: float) -> float:
    """exp(x) to a unit of the last place; zero below -708, and held at 709."""
    small = x < -708.0
    x = min(max(x, -708.0), 709.0)
    shifted = x * _LOG2_E + _INTEGERS_FROM
    k = shifted - _INTEGERS_FROM
    f = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * f + 1.0 / 479001600.0
    p = p * f + 1.0 / 39916800.0
    p = p * f + 1.0 / 3628800.0
    p = p * f + 1.0 / 362880.0
    p = p * f + 1.0 / 40320.0
    p = p * f + 1.0 / 5040.0
    p = p * f + 1.0 / 720.0
    p = p * f + 1.0 / 120.0
    p = p * f + 1.0 / 24.0
    p = p * f + 1.0 / 6.0
    p = p * f + 0.5
    p = p * f + 1.0
    p = p * f + 1.0
    bits = np.float64(shifted).view(np.int64)
    return 0.0 if small else p * np.int64((bits << 52) + _ONE_BITS).view(np.float64)


@_inlined
def logarithm(x: float) -> float:
    """ln(x) to a unit of the last place, for normal doubles above zero."""
    bits = np.float64(x).view(np.uint64)
    above = np.uint64(bits - np.uint64(_ROOT_HALF_BITS) + np.uint64(1023 << 52)) >> np.uint64(52)
    e = np.uint64(above | np.uint64(0x4330000000000000)).view(np.float64) - (4503599627370496.0 + 1023.0)
    m = np.uint64(bits - ((above - np.uint64(1023)) << np.uint64(52))).view(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = 1.479819860511658591e-01
    r = r * z + 1.531383769920937332e-01
    r = r * z + 1.818357216161805012e-01
    r = r * z + 2.222219843214978396e-01
    r = r * z + 2.857142874366239149e-01
    r = r * z + 3.999999999940941908e-01
    r = r * z + 6.666666666666735130e-01
    half = 0.5 * f * f
    return e * _LN2_HIGH - ((half - (s * (half + r * z) + e * _LN2_LOW)) - f)


@_inlined
def tail(distance: float) -> float:
    """N(-d) exp(d^2 / 2), held at forty deviations beyond them."""
    d = min(distance, _FARTHEST)
    p = _P0 * d + _P1
    q = d + _Q1
    p = p * d + _P2
    q = q * d + _Q2
    p = p * d + _P3
    q = q * d + _Q3
    p = p * d + _P4
    q = q * d + _Q4
    p = p * d + _P5
    q = q * d + _Q5
    p = p * d + _P6
    q = q * d + _Q6
    p = p * d + _P7
    q = q * d + _Q7
    p = p * d + _P8
    q = q * d + _Q8
    p = p * d + _P9
    q = q * d + _Q9
    return p / (q * d + _Q10)


@_inlined
def _doubts(f: Floats, k: Floats, t: Floats, v: Floats, w: Floats) -> int:
    """How many rows may lie outside what `engine.pricing.black` admits; a NaN does."""
    sure = 0
    for i in range(f.size):
        above = (f[i] > 0.0) & (k[i] > 0.0) & (t[i] > 0.0) & (v[i] > 0.0)
        below = (f[i] <= _MOST) & (k[i] <= _MOST) & (t[i] <= _MOST) & (v[i] <= _MOST)
        sure += (abs(w[i]) == 1.0) & above & below
    return f.size - sure


@_loop
def value(f: Floats, k: Floats, t: Floats, v: Floats, w: Floats, out: Floats) -> int:
    """Undiscounted values, as `engine.pricing.black.forward_value`; returns how many rows are in doubt."""
    for i in range(out.size):
        sd = max(v[i] * math.sqrt(t[i]), _LEAST_SD)
        d1 = logarithm(f[i] / k[i]) / sd + 0.5 * sd
        y1 = w[i] * d1
        y2 = y1 - w[i] * sd
        s1 = math.copysign(tail(abs(y1)), y1)
        s2 = math.copysign(tail(abs(y2)), y2)
        first = f[i] if y1 > 0.0 else 0.0
        second = k[i] if y2 > 0.0 else 0.0
        out[i] = w[i] * (first - second + f[i] * exponential(-0.5 * d1 * d1) * (s2 - s1))
    return _doubts(f, k, t, v, w)


@_loop
def greeks(
    f: Floats,
    k: Floats,
    t: Floats,
    v: Floats,
    w: Floats,
    r: Floats,
    value: Floats,
    delta: Floats,
    gamma: Floats,
    vega: Floats,
    theta: Floats,
    rho: Floats,
    vanna: Floats,
    volga: Floats,
    charm: Floats,
) -> int:
    """Value and sensitivities, as `engine.pricing.black.greeks`; returns how many rows are in doubt."""
    for i in range(value.size):
        root = math.sqrt(t[i])
        sd = max(v[i] * root, _LEAST_SD)
        over = 1.0 / sd
        d1 = logarithm(f[i] / k[i]) * over + 0.5 * sd
        y1 = w[i] * d1
        y2 = y1 - w[i] * sd
        discount = w[i] * exponential(-r[i] * t[i])
        bell = discount * exponential(-0.5 * d1 * d1)
        s1 = bell * math.copysign(tail(abs(y1)), y1)
        s2 = bell * math.copysign(tail(abs(y2)), y2)
        first = discount if y1 > 0.0 else 0.0
        second = k[i] * discount if y2 > 0.0 else 0.0
        worth = f[i] * (first + (s2 - s1)) - second
        turned = first - s1
        density = w[i] * bell * _INV_SQRT_2PI
        per_root = v[i] * over
        decay = 0.5 * v[i] * per_root
        turn = (d1 - sd) * (root * over)
        sensitivity = f[i] * density * root
        value[i] = worth
        delta[i] = turned
        gamma[i] = density * over / f[i]
        vega[i] = sensitivity
        theta[i] = r[i] * worth - f[i] * density * decay
        rho[i] = -t[i] * worth
        vanna[i] = -density * turn
        volga[i] = sensitivity * d1 * turn
        charm[i] = r[i] * turned + density * turn * decay * per_root
    sure = 0
    for i in range(value.size):
        sure += abs(r[i]) <= _MOST
    return value.size - sure + _doubts(f, k, t, v, w)


@_inlined
def _start(x: float, price: float) -> float:
    """Total sd to start from, as in `engine.pricing.implied`."""
    flat = _SQRT_2PI * price
    y = max(-x / flat, 1e-6)
    v = logarithm(1.0 + y)
    z = v * math.sqrt((1.0 + v * START[0]) / (1.0 + v * (START[1] + v * START[2])))
    sd = flat * (y / z)
    return sd * (1.0 + sd * sd * (0.125 - 0.25 / (3.0 + z * z)) / (1.0 + z * (_SQRT_HALF_PI + z)))


@_inlined
def _halley(x: float, log_price: float, sd: float) -> float:
    """One step towards the total sd of a normalised out-of-the-money price; x <= 0."""
    h, t = x / sd, 0.5 * sd
    near = h + t
    one, other = tail(abs(near)), tail(t - h)
    gap = exponential(0.5 * near * near) - one - other if near > 0.0 else one - other
    slope = _INV_SQRT_2PI / gap
    newton = (log_price - logarithm(gap) + 0.5 * (h * h + t * t)) / slope
    curvature = h * h / sd - 0.5 * t - slope
    return newton / max(1.0 + 0.5 * newton * curvature, 0.25)


@_loop
def implied(p: Floats, f: Floats, k: Floats, t: Floats, w: Floats, dust: float, settled: float, out: Floats) -> None:
    """Volatilities, as `engine.pricing.implied.implied_vol`; NaN where that has to look closer."""
    for i in range(out.size):
        time_value = p[i] - max(w[i] * (f[i] - k[i]), 0.0)
        least = dust * max(f[i], k[i]) if p[i] != time_value else 0.0
        bound = f[i] if w[i] > 0.0 else k[i]
        good = (f[i] > 1e-300) & (k[i] > 1e-300) & (t[i] > 1e-300) & (abs(w[i]) == 1.0)
        good = good & (time_value > least) & (p[i] < bound) & (max(f[i], k[i]) < 1e300) & (t[i] < 1e300)
        x = -abs(logarithm(f[i] / k[i]))
        price = time_value / (math.sqrt(f[i]) * math.sqrt(k[i]))
        good = good & (price > 1e-300)
        log_price = logarithm(price)
        sd = _start(x, price)
        sd = sd + _halley(x, log_price, sd)
        step = _halley(x, log_price, sd)
        sd = sd + step
        good = good & (sd > 0.0) & (abs(step) <= settled * sd)
        out[i] = sd / math.sqrt(t[i]) if good else np.nan


@_loop
def path_options(
    spots: Floats, vols: Floats, underlying: NDArray[np.int64], terms: Floats, smiles: Floats, out: Floats
) -> None:
    """
    Add one day's options to the value of each scenario.

    `terms` holds a row per leg: strike, years left, growth of the forward, sign, discounted quantity;
    `smiles` a row per underlying: level, skew, curvature, floor, cap.
    """
    logs = np.empty_like(spots)
    for u in range(spots.shape[0]):
        for i in range(out.size):
            logs[u, i] = logarithm(spots[u, i])
    for leg in range(terms.shape[0]):
        u = underlying[leg]
        strike, years, growth, w, quantity = terms[leg]
        level, skew, curvature, floor, cap = smiles[u]
        root = math.sqrt(years)
        over_root = 1.0 / root
        away = math.log(growth / strike)
        spot, log, high = spots[u], logs[u], vols[u]
        for i in range(out.size):
            x = log[i] + away
            k = -x * over_root
            vol = level * high[i] * (1.0 + k * (skew + k * curvature))
            sd = root * min(max(vol, floor), cap)
            d1 = x / sd + 0.5 * sd
            y1 = w * d1
            y2 = y1 - w * sd
            s1 = math.copysign(tail(abs(y1)), y1)
            s2 = math.copysign(tail(abs(y2)), y2)
            forward = growth * spot[i]
            first = forward if y1 > 0.0 else 0.0
            second = strike if y2 > 0.0 else 0.0
            out[i] += quantity * w * (first - second + forward * exponential(-0.5 * d1 * d1) * (s2 - s1))
