"""What a stream of distributions is worth: premium of the book, a REIT, and how a hedge follows it in time."""

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.admitted import finite, not_negative, positive

Floats = NDArray[np.float64]

TENORS_DAYS = (30.0, 60.0, 90.0)


class Basis(StrEnum):
    """Whose flows are valued: the owners', or all that the capital earns."""

    EQUITY = "equity"
    FIRM = "firm"


def annual(rate: float, days: float) -> float:
    """
    Effective annual rate of one earned over each period of `days`.

    >>> round(annual(0.01, 36.5), 6)
    0.104622
    """
    return float(positive("growth of a period", 1.0 + finite("rate", rate)) ** (365.0 / positive("days", days)) - 1.0)


def growing_value(
    premium: float,
    *,
    reinvested: float,
    roc: float,
    k: float,
    basis: Basis = Basis.EQUITY,
    debt: float = 0.0,
    debt_rate: float = 0.0,
) -> float:
    """
    Value to the owners of premium that grows for ever by what is reinvested.

    Parameters
    ----------
    premium : net premium of the first period, before debt service
    reinvested : share b put back into the book, 0 to 1; growth is b times `roc`
    roc : return on capital per period
    k : discount rate per the same period: cost of equity on the equity basis, WACC on the firm basis
    basis : discount what is left after debt service, or everything, less the debt
    debt, debt_rate : market value owed and its rate per period; debt grows with the book

    Raises
    ------
    InputError unless k exceeds growth: the sum has no value otherwise.

    Source
    ------
    D30; M. Gordon, "Dividends, earnings, and stock prices", Rev. Econ. Stat. 41 (1959).

    >>> growing_value(10.0, reinvested=0.0, roc=0.12, k=0.10)
    100.0
    """
    b = _share(reinvested)
    growth = b * finite("return on capital", roc)
    if not finite("discount rate", k) > growth:
        raise InputError(
            f"infinite horizon at k {k:.4%} refused",
            why=f"it does not exceed growth of {float(growth):.4%}, so the sum diverges",
            todo="value a finite horizon or reinvest less",
        )
    distributed = (1.0 - b) * finite("premium", premium)
    if basis is Basis.EQUITY:
        distributed = distributed - (finite("debt rate", debt_rate) - growth) * not_negative("debt", debt)
        return float(distributed / (k - growth))
    return float(distributed / (k - growth) - not_negative("debt", debt))


def finite_value(nav: float, *, reinvested: float, roc: float, k: float, periods: int) -> float:
    """
    Value of distributing (1 - b) of what `nav` earns for some periods, then `nav` itself.

    Parameters
    ----------
    nav : capital at work now
    reinvested, roc, k : as in `growing_value`; k may lie below growth here
    periods : whole, >= 0

    Source
    ------
    D30: b = 1 gives nav (1 + roc)^N / (1 + k)^N.

    >>> round(finite_value(100.0, reinvested=0.4, roc=0.02, k=0.02, periods=12), 9)
    100.0
    """
    b, earned = _share(reinvested), float(finite("return on capital", roc))
    growth, discount = 1.0 + b * earned, 1.0 + float(finite("discount rate", k))
    if periods < 0 or periods != int(periods) or discount <= 0 or growth < 0:
        raise InputError(
            "finite horizon refused", why="periods are whole, 1 + k and 1 + g positive", todo="correct them"
        )
    ratio = growth / discount
    worth = float(finite("capital at work", nav))
    paid = (1.0 - b) * earned * worth / discount * ratio ** np.arange(periods)
    return float(paid.sum() + worth * ratio**periods)


def bucket_weights(
    days: ArrayLike, flows: ArrayLike, *, rate: float, tenors: tuple[float, ...] = TENORS_DAYS
) -> dict[float, float]:
    """
    Share of present value by hedge tenor in days: how a hedge's notional is split.

    Parameters
    ----------
    days : until each expected cash flow, or exposure
    flows : expected, not negative
    rate : annual, continuously compounded, decimal
    tenors : rising

    Returns
    -------
    Shares that sum to one. A flow between two tenors is split so that its date is kept; before the
    first and after the last it belongs to that tenor.

    Source
    ------
    D30, S21.

    >>> bucket_weights([45, 90], [100.0, 100.0], rate=0.0)
    {30.0: 0.25, 60.0: 0.25, 90.0: 0.5}
    """
    when, paid = not_negative("days", days), not_negative("cash flow", flows)
    worth = np.atleast_1d(paid * np.exp(-finite("rate", rate) * when / 365.0))
    total = float(worth.sum())
    if not total > 0:
        raise InputError("hedge split refused", why="no cash flow is expected", todo="give flows above zero")
    nodes = np.asarray(tenors, float)
    at = np.clip(np.atleast_1d(when), nodes[0], nodes[-1])
    shares = [float(np.interp(at, nodes, column) @ worth) / total for column in np.eye(nodes.size)]
    return dict(zip(tenors, shares, strict=True))


def adjusted_funds(funds: float, *, maintenance: float, straight_line_rent: float = 0.0) -> float:
    """
    AFFO: funds from operations less what upkeep takes and less rent booked but not received.

    >>> adjusted_funds(5.0, maintenance=0.8, straight_line_rent=0.2)
    4.0
    """
    taken = finite("upkeep", maintenance) + finite("rent", straight_line_rent)
    return float(finite("funds from operations", funds) - taken)


def reit_value(affo: float, *, payout: float, growth: float, k: float) -> float:
    """
    Value of a REIT share from next year's AFFO, all per share.

    Parameters
    ----------
    payout : share of AFFO distributed, 0 to 1
    growth : of the distribution, decimal per year
    k : cost of its equity, decimal per year

    Raises
    ------
    InputError unless k exceeds growth.

    Source: D30, S35.

    >>> round(reit_value(4.0, payout=0.75, growth=0.02, k=0.08), 9)
    50.0
    """
    if not finite("discount rate", k) > finite("growth", growth):
        raise InputError(f"REIT at k {k:.2%} refused", why=f"growth is {growth:.2%}", todo="lower growth below k")
    return float(finite("AFFO", affo) * _share(payout) / (k - growth))


def _share(part: float) -> float:
    if not 0.0 <= part <= 1.0:
        raise InputError(f"share {part:g} refused", why="it is not between 0 and 1", todo="write 40 % as 0.4")
    return part
