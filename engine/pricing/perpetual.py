"""Futures without expiry: the forward that funding implies, coin-margined payoffs, and options on them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.pricing.admitted import finite, not_negative, positive
from engine.pricing.black import forward_value

Floats = NDArray[np.float64]


def funding_forward(price: ArrayLike, funding: ArrayLike, years: ArrayLike) -> Floats:
    """
    Price at which the perpetual can be carried to `years`.

    Parameters
    ----------
    price : of the perpetual, quote units per unit of the underlying
    funding : decimal per year, continuously compounded, positive when longs pay
    years : ACT/365F

    Source
    ------
    S27: F = P exp(f T).

    >>> float(funding_forward(2000.0, 0.10, 0.5).round(4))
    2102.5422
    """
    carry = finite("funding", funding) * not_negative("years", years)
    return np.asarray(positive("price", price) * np.exp(carry))


def funding_paid(price: ArrayLike, funding: ArrayLike, years: ArrayLike) -> Floats:
    """
    What a long of one unit pays over the span at an unchanged price; negative when it receives.

    >>> float(funding_paid(2000.0, 0.10, 0.5).round(4))
    100.0
    """
    return np.asarray(positive("price", price) * finite("funding", funding) * not_negative("years", years))


def option_on_perpetual(
    price: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    *,
    sign: ArrayLike,
    funding: ArrayLike = 0.0,
    rate: ArrayLike = 0.0,
) -> Floats:
    """
    Present value of a dollar-margined option on a perpetual, in quote units.

    Black's formula on the funding forward; `rate` discounts the margin currency.

    Source: S27.

    >>> float(option_on_perpetual(2000.0, 2000.0, 1.0, 0.6, sign=1).round(4))
    471.6457
    """
    forward = funding_forward(price, funding, years)
    value = forward_value(forward, positive("strike", strike), years, not_negative("vol", vol), sign=sign)
    return np.asarray(value * np.exp(-finite("rate", rate) * np.asarray(years, float)))


def inverse_option_value(
    price: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, *, sign: ArrayLike, funding: ArrayLike = 0.0
) -> Floats:
    """
    Present value of a coin-margined option, in coins: it pays intrinsic value over the settlement level.

    With the funding forward as the price of a coin then, the coin premium is Black's value over that
    forward; a call is worth less than one coin whatever its strike.

    Source: S27; parity is C - P = 1 - K/F in coins.

    >>> float(inverse_option_value(2000.0, 2000.0, 1.0, 0.6, sign=1).round(6))
    0.235823
    """
    forward = funding_forward(price, funding, years)
    value = forward_value(forward, positive("strike", strike), years, not_negative("vol", vol), sign=sign)
    return np.asarray(value / forward)


def inverse_gain(entry: ArrayLike, price: ArrayLike, notional: ArrayLike = 1.0) -> Floats:
    """
    Coins that a coin-margined perpetual has gained: notional (1/entry - 1/price).

    >>> round(float(inverse_gain(2000.0, 2500.0, 100.0)), 12)
    0.01
    """
    return np.asarray(finite("notional", notional) * (1.0 / positive("entry", entry) - 1.0 / positive("price", price)))
