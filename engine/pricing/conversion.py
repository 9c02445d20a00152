"""What a conversion or reversal earns: underlying, put and call of one strike against the strike itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.pricing.admitted import finite, not_negative, positive

Floats = NDArray[np.float64]


def conversion_cost(
    spot: ArrayLike, put: ArrayLike, call: ArrayLike, years: ArrayLike, *, dividend: ArrayLike = 0.0
) -> Floats:
    """
    Paid today for what pays the strike at expiry: S e^{-qT} + P - C, per unit of the underlying.

    Parameters
    ----------
    spot : > 0; for a future, its level with `dividend` set to the financing rate
    put, call : premiums of one strike, >= 0
    years : ACT/365F to expiry, >= 0
    dividend : yield of the underlying, continuously compounded, decimal per year
    """
    s, p, c = positive("spot", spot), not_negative("put premium", put), not_negative("call premium", call)
    return np.asarray(s * np.exp(-finite("dividend yield", dividend) * not_negative("years", years)) + p - c)


def conversion_edge(
    cost: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    *,
    sign: ArrayLike = 1,
    fees: ArrayLike = 0.0,
) -> Floats:
    """
    Riskless profit of today per unit of the underlying; negative = the trade loses.

    Parameters
    ----------
    cost : of the conversion (`conversion_cost`), at the prices this side deals at
    rate : financing, continuously compounded; the stability fee where collateral mints the money
    sign : +1 conversion, -1 reversal
    fees : costs of entering and settling, >= 0

    Returns
    -------
    sign * (K e^{-rT} - cost) - fees.

    Source
    ------
    D27; H. R. Stoll, "The relationship between put and call option prices", J. Finance 24 (1969).

    >>> float(conversion_edge(conversion_cost(100.0, 1.0, 3.0, 1.0), 100.0, 1.0, 0.0))
    2.0
    """
    k, t, r = positive("strike", strike), not_negative("years", years), finite("rate", rate)
    riskless = k * np.exp(-r * t) - finite("cost", cost)
    return np.asarray(finite("sign", sign) * riskless - not_negative("fees", fees))


def conversion_rate(cost: ArrayLike, strike: ArrayLike, years: ArrayLike) -> Floats:
    """
    Rate a conversion earns and a reversal pays, continuously compounded: -ln(cost / K) / T.

    NaN where cost, strike or time is not positive: such a package implies no rate.

    >>> float(conversion_rate(97.5, 100.0, 0.5).round(6))
    0.050636
    """
    c, k, t = np.asarray(cost, float), np.asarray(strike, float), np.asarray(years, float)
    meaning = (c > 0) & (k > 0) & (t > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(meaning, -np.log(c / k) / t, np.nan))
