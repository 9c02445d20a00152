"""Concentrated liquidity as an option: value, sensitivities, what it earns and what arbitrage takes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.admitted import not_negative, positive

Floats = NDArray[np.float64]

TICK = float(np.log(1.0001))
"""Distance of two neighbouring ticks in the logarithm of price."""

_DAYS_A_YEAR = 365.0


def range_value(price: ArrayLike, lower: ArrayLike, upper: ArrayLike, liquidity: ArrayLike = 1.0) -> Floats:
    """
    Value of liquidity between two prices, in the quote token, uncollected fees apart.

    Parameters
    ----------
    price, lower, upper : quote tokens per unit of the asset; lower < upper
    liquidity : the pool's L, in root of asset times quote token

    Returns
    -------
    All asset below the range, all quote above it: concave in price, like a short put plus its cash.

    Source
    ------
    D07; Uniswap v3 core white paper (2021), section 6.

    >>> range_value([0.5, 1.0, 2.0], 0.64, 1.44).round(6).tolist()
    [0.208333, 0.366667, 0.4]
    """
    s, low, high = _range(price, lower, upper)
    inside = np.clip(s, low, high)
    quote = np.sqrt(inside) - np.sqrt(low)
    asset = 1.0 / np.sqrt(inside) - 1.0 / np.sqrt(high)
    return np.asarray(not_negative("liquidity", liquidity) * (quote + s * asset))


def range_delta(price: ArrayLike, lower: ArrayLike, upper: ArrayLike, liquidity: ArrayLike = 1.0) -> Floats:
    """
    Change of value per unit of price: the asset held. Arguments as in `range_value`.

    >>> float(range_delta(1.03, 0.8, 1.25).round(7))
    0.0909021
    """
    s, low, high = _range(price, lower, upper)
    held = 1.0 / np.sqrt(np.clip(s, low, high)) - 1.0 / np.sqrt(high)
    return np.asarray(not_negative("liquidity", liquidity) * held)


def range_gamma(price: ArrayLike, lower: ArrayLike, upper: ArrayLike, liquidity: ArrayLike = 1.0) -> Floats:
    """
    Change of delta per unit of price: negative in range, zero outside. Arguments as in `range_value`.

    >>> float(range_gamma(1.03, 0.8, 1.25).round(6))
    -0.478315
    """
    s, low, high = _range(price, lower, upper)
    curved = np.where((s > low) & (s < high), -0.5 / s**1.5, 0.0)
    return np.asarray(not_negative("liquidity", liquidity) * curved)


def range_strike(lower: ArrayLike, upper: ArrayLike) -> Floats:
    """
    Strike of the put that the range resembles: the geometric mean of its ends.

    Source: Lambert (2021), "Uniswap v3 LP tokens as perpetual put and call options".

    >>> float(range_strike(1600.0, 2500.0))
    2000.0
    """
    return np.asarray(np.sqrt(positive("lower price", lower) * positive("upper price", upper)))


def range_factor(lower: ArrayLike, upper: ArrayLike) -> Floats:
    """
    How far the range reaches from its strike, as a factor: root of upper over lower.

    >>> float(range_factor(1600.0, 2500.0))
    1.25
    """
    return np.asarray(np.sqrt(positive("upper price", upper) / positive("lower price", lower)))


def pool_vol(fee: ArrayLike, tick_spacing: ArrayLike, daily_volume: ArrayLike, tick_value: ArrayLike) -> Floats:
    """
    Volatility at which a pool's fees just pay for its convexity, decimal per year.

    Parameters
    ----------
    fee : share of each swap, decimal (0.003 is 30 bp)
    tick_spacing : ticks between usable prices
    daily_volume : traded a day, in any unit of value
    tick_value : value of the liquidity in the active tick spacing, same unit

    Source
    ------
    D07; equal to Lambert's 2 fee sqrt(volume / tick value) sqrt(365) where the spacing is twice the fee.

    >>> round(float(pool_vol(0.003, 60, 40e6, 3e6)), 4)
    0.4186
    """
    spacing = positive("tick spacing", tick_spacing) * TICK
    turnover = not_negative("daily volume", daily_volume) / positive("value in the active tick", tick_value)
    return np.asarray(np.sqrt(2.0 * not_negative("fee", fee) * spacing * turnover * _DAYS_A_YEAR))


def lvr_rate(
    price: ArrayLike, lower: ArrayLike, upper: ArrayLike, vol: ArrayLike, liquidity: ArrayLike = 1.0
) -> Floats:
    """
    What arbitrage takes from the range, quote tokens a year: zero outside it.

    Source
    ------
    D07: L sigma^2 sqrt(S) / 4; Milionis, Moallemi, Roughgarden and Zhang, "Automated market making and
    loss-versus-rebalancing" (2022).

    >>> float(lvr_rate(4.0, 1e-12, 1e12, 0.8).round(6))  # sigma^2 / 8 of a value of 2 sqrt(S)
    0.32
    """
    s, low, high = _range(price, lower, upper)
    rate = 0.25 * not_negative("vol", vol) ** 2 * np.sqrt(s)
    return np.asarray(not_negative("liquidity", liquidity) * np.where((s > low) & (s < high), rate, 0.0))


def fee_apr(fee: ArrayLike, daily_volume: ArrayLike, share: ArrayLike, worth: ArrayLike) -> Floats:
    """
    Fees a year over the position's value, not compounded, while the price stays in range.

    Parameters
    ----------
    fee : share of each swap, decimal
    daily_volume : traded a day through the active range, in the unit of `worth`
    share : of the active liquidity that is ours, 0 to 1
    worth : of the position, > 0

    >>> float(fee_apr(0.003, 1e6, 0.01, 50_000.0).round(4))
    0.219
    """
    part = not_negative("share of liquidity", share)
    if np.any(part > 1.0):
        raise InputError("share of liquidity refused", why="it exceeds the whole", todo="give a share from 0 to 1")
    income = not_negative("fee", fee) * not_negative("daily volume", daily_volume) * part
    return np.asarray(income * _DAYS_A_YEAR / positive("worth", worth))


def _range(price: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> tuple[Floats, Floats, Floats]:
    s, low, high = positive("price", price), positive("lower price", lower), positive("upper price", upper)
    if np.any(low >= high):
        raise InputError("price range refused", why="its ends do not rise", todo="give the lower price first")
    return s, low, high
