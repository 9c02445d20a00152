"""Black's formula on forwards and all its sensitivities, whole arrays at a time."""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.columns import blocks, columns
from engine.pricing.fast import compiles
from engine.pricing.tail import scaled_tail

Floats = NDArray[np.float64]

_BLOCK = 20_000  # long enough to hide the cost of a call, short enough for the cache
_INV_SQRT_2PI = 0.3989422804014327
_LEAST, _MOST = 5e-324, 1e15  # bounds of the doubles that any market term could be
_LEAST_SD = 1e-30  # stands for none: it puts two different doubles 1e14 deviations apart


class Greeks(NamedTuple):
    """
    Value of one option and its sensitivities, discounted at the rate that was given.

    `delta` per point of forward, `gamma` per point squared, `vega` per unit of volatility (1.00 =
    100 points), `theta` per year of calendar time passing (negative for a long option at rate zero),
    `rho` per unit of rate with the forward held; `vanna` is the change of delta per unit of
    volatility, `volga` of vega per unit of volatility, `charm` of delta per year passing.
    """

    value: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    vanna: Floats
    volga: Floats
    charm: Floats


def forward_value(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    *,
    sign: ArrayLike,
    fast: bool | None = None,
) -> Floats:
    """
    Undiscounted option value, in the units of `forward`.

    Parameters
    ----------
    forward, strike : index points, > 0
    years : ACT/365F time to expiry, >= 0
    vol : annualised lognormal volatility, decimal (0.18 is 18 %), >= 0
    sign : +1 for a call, -1 for a put
    fast : compiled or numpy, which agree to what a unit of the last place of `forward` moves; None
        compiles from ten million values on, if the extra `fast` is installed

    Returns
    -------
    Broadcast of the inputs. Intrinsic where `vol * sqrt(years)` is zero. Out of the money the error
    is relative, down to the smallest double: a few units of the last place, plus what one such unit
    of `forward` moves the value.

    Raises
    ------
    InputError
        An input that is missing, infinite or outside its range; there is never a NaN in the result.

    Source
    ------
    F. Black, "The pricing of commodity contracts", J. Fin. Econ. 3 (1976).

    >>> float(forward_value(100.0, 100.0, 1.0, 0.2, sign=1).round(4))
    7.9656
    """
    shape, terms = columns(forward, strike, years, vol, sign)
    value = np.empty(shape).reshape(-1)
    price = _compiled("value", _admit) if compiles(fast, value.size) else _checked(_value, _admit)
    with np.errstate(over="ignore", under="ignore"):
        for rows in blocks(value.size, _BLOCK):
            price([term[rows] for term in terms], [value[rows]])
    return value.reshape(shape)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    *,
    sign: ArrayLike,
    rate: ArrayLike = 0.0,
    fast: bool | None = None,
) -> Greeks:
    """
    Value and sensitivities; arguments as in `forward_value`, and `rate`, at which everything is discounted.

    Parameters
    ----------
    rate : continuous ACT/365F rate to expiry, decimal; at zero nothing is discounted

    Returns
    -------
    Broadcast of the inputs. Where `vol * sqrt(years)` is zero, the sensitivities of intrinsic.

    Raises
    ------
    InputError
        As in `forward_value`; also where `vol * sqrt(years)` is zero and the forward is the strike,
        since intrinsic has no derivative there.

    Source
    ------
    Derivatives of Black (1976); F n(d1) = K n(d2) joins the two densities.

    >>> found = greeks(100.0, 100.0, 1.0, 0.2, sign=1)
    >>> float(found.delta.round(4)), float(found.vega.round(4))
    (0.5398, 39.6953)
    """
    shape, terms = columns(forward, strike, years, vol, sign, rate)
    found = np.empty((len(Greeks._fields), prod(shape)))
    many = compiles(fast, prod(shape))
    price = _compiled("greeks", _admit_slopes) if many else _checked(_greeks, _admit_slopes)
    with np.errstate(over="ignore", under="ignore"):
        for rows in blocks(found.shape[1], _BLOCK):
            price([term[rows] for term in terms], list(found[:, rows]))
    return Greeks(*(column.reshape(shape) for column in found))


_Work = Callable[[list[Floats], list[Floats]], None]


def _checked(kernel: Callable[..., None], check: Callable[..., object]) -> _Work:
    def work(terms: list[Floats], results: list[Floats]) -> None:
        check(*terms)
        kernel(*terms, *results)

    return work


def _compiled(name: str, check: Callable[..., object]) -> _Work:
    """A kernel that counts the rows it doubts; only then is it asked which term is wrong."""
    from engine.pricing.fast import kernels  # noqa: PLC0415  # numba loads where it is used

    kernel: Callable[..., int] = getattr(kernels, name)

    def work(terms: list[Floats], results: list[Floats]) -> None:
        if kernel(*(np.ascontiguousarray(term) for term in terms), *results):
            check(*terms)

    return work


def _admit(forward: Floats, strike: Floats, years: Floats, vol: Floats, sign: Floats) -> bool:
    """Refuse what has no price; whether some option has no time or no volatility left."""
    _within("forward", forward, _LEAST)
    _within("strike", strike, _LEAST)
    still = 0.0 in (_within("years", years, 0.0), _within("vol", vol, 0.0))
    if not ((sign == 1.0) | (sign == -1.0)).all():
        raise InputError("option sign refused", why="it is +1 for a call and -1 for a put", todo="correct the sign")
    return still


def _admit_slopes(forward: Floats, strike: Floats, years: Floats, vol: Floats, sign: Floats, rate: Floats) -> None:
    still = _admit(forward, strike, years, vol, sign)
    _within("rate", rate, -_MOST)
    if still and ((forward == strike) & ((years == 0.0) | (vol == 0.0))).any():
        raise InputError(
            "sensitivities refused",
            why="an option without time or volatility whose forward is its strike has no derivative",
            todo="leave settled options out",
        )


def _within(name: str, column: Floats, low: float) -> float:
    """The least of a column; least and greatest see every NaN and infinity."""
    if column.size == 1 or not column.strides[0]:
        least = greatest = column[0]
    else:
        least, greatest = np.minimum.reduce(column), np.maximum.reduce(column)
    if low <= least and greatest <= _MOST:
        return float(least)
    wrong = column[~((column >= low) & (column <= _MOST))]
    bound = "above zero" if low == _LEAST else f"from {low:g}"
    raise InputError(
        f"{name} {wrong[0]} refused",
        why=f"it must be a number {bound} to {_MOST:g}",
        todo="leave what is not quoted out before pricing",
    )


def _moneyness(forward: Floats, strike: Floats, sd: Floats, sign: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """d1, exp(-d1^2 / 2), and for both terms: one where in the money, the scaled tail with the sign of d."""
    d1 = np.log(forward / strike)
    d1 /= sd
    d1 += 0.5 * sd
    d = np.empty((2, d1.size))
    np.multiply(sign, d1, out=d[0])
    np.subtract(d[0], sign * sd, out=d[1])
    tail = scaled_tail(np.abs(d))
    bell = d1 * d1
    bell *= -0.5
    return d1, np.exp(bell, out=bell), (d > 0.0).astype(np.float64), np.copysign(tail, d, out=tail)


def _value(forward: Floats, strike: Floats, years: Floats, vol: Floats, sign: Floats, value: Floats) -> None:
    sd = np.maximum(vol * np.sqrt(years), _LEAST_SD)
    _, bell, inside, tail = _moneyness(forward, strike, sd, sign)
    np.multiply(sign, forward * (inside[0] + bell * (tail[1] - tail[0])) - strike * inside[1], out=value)


def _greeks(
    forward: Floats, strike: Floats, years: Floats, vol: Floats, sign: Floats, rate: Floats, *out: Floats
) -> None:
    """Fill the nine columns of `out`; in place where it spares a pass through the cache."""
    value, delta, gamma, vega, theta, rho, vanna, volga, charm = out
    root = np.sqrt(years)
    sd = np.maximum(vol * root, _LEAST_SD)
    d1, bell, inside, tail = _moneyness(forward, strike, sd, sign)
    turn = d1 - sd
    discount = np.exp(-rate * years)
    bell *= discount
    discount *= sign
    inside *= discount

    tail *= sign * bell
    np.subtract(tail[1], tail[0], out=tail[1])
    tail[1] += inside[0]
    tail[1] *= forward
    inside[1] *= strike
    np.subtract(tail[1], inside[1], out=value)
    np.subtract(inside[0], tail[0], out=delta)

    bell *= _INV_SQRT_2PI
    np.divide(bell, forward * sd, out=gamma)
    dollar = forward * bell
    np.multiply(dollar, root, out=vega)
    per_root = vol / sd
    decay = vol * per_root
    decay *= 0.5
    dollar *= decay
    np.multiply(rate, value, out=theta)
    theta -= dollar
    np.multiply(-years, value, out=rho)

    root /= sd
    turn *= root
    np.multiply(vega, d1, out=volga)
    volga *= turn
    bell *= turn
    np.negative(bell, out=vanna)
    decay *= per_root
    bell *= decay
    np.multiply(rate, delta, out=charm)
    charm += bell
