"""Exchange-traded products on VIX futures: the rolled index, and funds that reset to it each day."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.admitted import finite, not_negative, positive

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class FundTerms:
    """
    What a fund promises from a day on, that day included.

    `leverage` multiplies the index's daily return; `fee` is a decimal per year; `source` says where
    both are written.
    """

    since: str
    leverage: float
    fee: float
    source: str


FUNDS: dict[str, tuple[FundTerms, ...]] = {
    "VIXY": (FundTerms("2011-01-03", 1.0, 0.0085, "ProShares prospectus, 2011"),),
    "UVXY": (
        FundTerms("2011-10-03", 2.0, 0.0095, "ProShares prospectus, 2011"),
        FundTerms("2018-02-28", 1.5, 0.0095, "ProShares, objective changed at the close of 2018-02-27"),
    ),
    "SVXY": (
        FundTerms("2011-10-03", -1.0, 0.0095, "ProShares prospectus, 2011"),
        FundTerms("2018-02-28", -0.5, 0.0095, "ProShares, objective changed at the close of 2018-02-27"),
    ),
    "VXX": (FundTerms("2009-01-29", 1.0, 0.0089, "iPath Series A and B pricing supplements"),),
}
"""Terms of the funds on the short-term VIX futures index, by symbol, each by rising day."""


def terms_on(symbol: str, day: str | np.datetime64) -> FundTerms:
    """
    The terms in force on a day.

    Raises `InputError` for a fund not listed here, or a day before its first.

    >>> terms_on("UVXY", "2018-02-27").leverage, terms_on("UVXY", "2018-02-28").leverage
    (2.0, 1.5)
    """
    stated = [t for t in FUNDS.get(symbol, ()) if np.datetime64(t.since) <= np.datetime64(day)]
    if not stated:
        raise InputError(
            f"no terms of {symbol} on {day}",
            why="no leverage and fee are stated for it then",
            todo=f"give them, or use one of {', '.join(FUNDS)}",
        )
    return stated[-1]


def roll_weights(sessions_left: ArrayLike, sessions: ArrayLike) -> Floats:
    """
    Quantity weights of the nearer and the further future, last axis (near, further).

    Parameters
    ----------
    sessions_left : sessions after the day up to the eve of the nearer future's settlement, eve included
    sessions : those of the whole roll period: after one settlement's eve up to the next's, eve included

    Source
    ------
    S&P VIX futures indices methodology: each day the same fraction of the nearer is sold.

    >>> roll_weights([20, 5, 0], 20).tolist()
    [[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]]
    """
    left, whole = not_negative("sessions left", sessions_left), positive("sessions of the roll period", sessions)
    if np.any(left > whole):
        raise InputError("roll refused", why="more sessions are left than the period has", todo="correct the calendar")
    near = left / whole
    return np.stack([near, 1.0 - near], axis=-1)


def index_returns(weights: Floats, before: Floats, after: Floats) -> Floats:
    """
    Daily returns of the rolled index, excess of cash.

    Parameters
    ----------
    weights : quantity weights at yesterday's close, one row a day, (near, further)
    before, after : yesterday's and today's settlement of those two contracts, points

    Source
    ------
    D08: r = sum w F_t / sum w F_{t-1} - 1.

    >>> index_returns(np.array([[0.5, 0.5]]), np.array([[15.0, 17.0]]), np.array([[16.0, 17.6]])).round(9)
    array([0.05])
    """
    held = finite("weights", weights)
    began = np.sum(held * np.where(held == 0, 0.0, before), axis=-1)
    ended = np.sum(held * np.where(held == 0, 0.0, after), axis=-1)
    return np.asarray(positive("future", ended) / positive("future", began) - 1.0)


def fund_levels(
    start: float, returns: Floats, days: Floats, *, leverage: ArrayLike, fee: ArrayLike, bill: ArrayLike = 0.0
) -> Floats:
    """
    Levels of a daily-reset fund, `start` first.

    Parameters
    ----------
    start : price at the first close
    returns : the index's daily returns, one fewer than the levels
    days : calendar days that each return spans; cash and fee accrue by them
    leverage, fee, bill : by day or constant; fee and bill are decimals per year

    Returns
    -------
    A fund that would fall below zero ends at zero and stays there.

    Source
    ------
    D08: ETF_t = ETF_{t-1} (1 + L r + r_bill - fee), each over its day.

    >>> fund_levels(100.0, np.array([0.1, -0.1]), np.ones(2), leverage=2.0, fee=0.0).round(9).tolist()
    [100.0, 120.0, 96.0]
    """
    accrual = (finite("bill", bill) - not_negative("fee", fee)) * not_negative("days", days) / 365.0
    growth = 1.0 + finite("leverage", leverage) * finite("returns", returns) + accrual
    return np.asarray(positive("start", start) * np.concatenate([[1.0], np.cumprod(np.maximum(growth, 0.0))]))


def reset_value(index_ratio: ArrayLike, resets: ArrayLike, *, leverage: ArrayLike, variance: ArrayLike = 0.0) -> Floats:
    """
    Multiple of a fund's price after its index has moved by a factor over several daily resets.

    Parameters
    ----------
    index_ratio : index then over index now, > 0
    resets : sessions the move takes, in equal steps; fewer than one counts as one
    leverage : of the daily return
    variance : of the index around those steps over the whole span (sigma^2 t), which `drag` takes

    Returns
    -------
    Not below zero: a single session can wipe the fund out.

    >>> reset_value([0.9, 1.8], 1, leverage=-1.0).round(9).tolist()
    [1.1, 0.2]
    """
    steps = np.maximum(not_negative("resets", resets), 1.0)
    step = positive("index ratio", index_ratio) ** (1.0 / steps) - 1.0
    daily = np.maximum(1.0 + finite("leverage", leverage) * step, 0.0)
    return np.asarray(daily**steps * np.exp(-drag(leverage, variance)))


def drag(leverage: ArrayLike, variance: ArrayLike) -> Floats:
    """
    What daily resetting costs in log return: L (L - 1) / 2 of the index's variance over the span.

    Source: D08; Avellaneda and Zhang, "Path-dependence of leveraged ETF returns", SIAM J. Fin. Math. 1 (2010).

    >>> float(drag(1.5, 0.49).round(6))
    0.18375
    """
    times = np.asarray(leverage, float)
    return np.asarray(0.5 * times * (times - 1.0) * not_negative("variance", variance))
