"""How one market leans on another: crypto on SPX, the volatility complex on SPX (S51, S52, D19)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.market import Floats
from engine.signals.columns import Axis, Column, Signal, Way, in_order, in_step
from engine.signals.observations import Instants, Observations
from engine.signals.panel import Family
from engine.signals.volatility import rolling

_FRESH = 5.0
_SHORT, _LONG, _YEAR = 30, 90, 252
_RISING_CLOSES = 3  # D19
_KAPPA = 0.5  # D19
_FACTOR_RANGE = (0.8, 1.25)  # D19


class Beta(NamedTuple):
    """Slope of one return on another, with its standard error."""

    beta: float
    error: float


def beta(returns: Floats, market: Floats, *, lag: int = 0) -> Beta:
    """
    Least-squares beta of excess returns on the market's; with `lag`, the sum over that many lags (Dimson).

    Parameters
    ----------
    returns, market : one per session, oldest first, over the bill rate if it matters
    lag : 1 where closes of the two are not of the same hour

    Source
    ------
    D19; E. Dimson, "Risk measurement when shares are subject to infrequent trading", J. Fin. Econ. 7 (1979).

    >>> beta(np.array([0.02, -0.02, 0.04, 0.0]), np.array([0.01, -0.01, 0.02, 0.0])).beta
    2.0
    """
    if len(returns) != len(market) or len(returns) < lag + 3:
        raise InputError("beta refused", why=f"{len(returns)} and {len(market)} returns", todo="give longer histories")
    betas, errors = rolling_beta(returns, market, len(returns), lag=lag)
    return Beta(float(betas[-1]), float(errors[-1]))


def shrunk(estimate: Beta, prior: float, prior_error: float) -> Beta:
    """
    Vasicek's weighted mean of an estimate and a prior, each by the inverse of its variance (D19).

    >>> shrunk(Beta(2.0, 0.1), 1.0, 0.1).beta
    1.5
    """
    own, other = estimate.error**2, prior_error**2
    weight = other / (own + other) if own + other > 0 else 1.0
    error = float(np.sqrt(own * other / (own + other))) if own + other > 0 else 0.0
    return Beta(weight * estimate.beta + (1.0 - weight) * prior, error)


def in_size_buckets(estimates: Sequence[Beta], market_values: ArrayLike, *, buckets: int = 3) -> list[Beta]:
    """
    Each beta shrunk towards those of its size bucket (D20).

    Buckets hold equally many by market value. Their mean is the prior; its spread is the variance between
    their betas less what their own errors explain, none if that is negative: all of them are then the mean.

    Parameters
    ----------
    estimates : one per holding of a universe
    market_values : of the same, any one currency, > 0
    buckets : each of at least two holdings

    Raises `InputError` where a bucket would hold fewer than two, or a market value is no positive number.

    Source
    ------
    O. Vasicek, "A note on using cross-sectional information in Bayesian estimation of security betas",
    J. Finance 28 (1973), with the prior of each size group.

    >>> two = in_size_buckets([Beta(0.8, 0.2), Beta(1.2, 0.2)], [1e9, 2e9], buckets=1)
    >>> [round(one.beta, 12) for one in two]
    [0.9, 1.1]
    """
    sizes = np.asarray(market_values, dtype=np.float64)
    if len(estimates) != len(sizes) or len(sizes) < 2 * buckets or not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise InputError(
            "size buckets refused",
            why=f"{len(estimates)} betas and {len(sizes)} market values for {buckets} buckets of two or more",
            todo="give each beta its market value, a number above zero, or fewer buckets",
        )
    betas, errors = (np.array(column) for column in zip(*estimates, strict=True))
    found = list(estimates)
    for members in np.array_split(np.argsort(sizes, kind="stable"), buckets):
        between = float(np.var(betas[members], ddof=1) - np.mean(errors[members] ** 2))
        prior, spread = float(betas[members].mean()), float(np.sqrt(max(between, 0.0)))
        for at in members:
            found[at] = shrunk(estimates[at], prior, spread)
    return found


def complex_factor(betas: Floats) -> float:
    """
    By how much the borrow sleeve is scaled, from the last year's betas of a VIX future on SPX (S51, D19).

    1 + kappa (|beta| / median |beta| - 1), within 0.8 and 1.25. NaN before a year of betas.

    >>> complex_factor(np.full(252, -2.0))
    1.0
    """
    part = np.abs(betas[-_YEAR:])
    if len(part) < _YEAR or not np.all(np.isfinite(part)):
        return float("nan")
    asked = 1.0 + _KAPPA * (float(part[-1]) / float(np.median(part)) - 1.0)
    return float(np.clip(asked, *_FACTOR_RANGE))


def quarterly(days: np.ndarray, factors: Floats) -> Floats:
    """Factors frozen at each quarter's first session: a table that is known beforehand (B:6, D19)."""
    quarter = days.astype("datetime64[M]").astype(np.int64) // 3
    first = np.searchsorted(quarter, quarter, side="left")
    return np.asarray(factors[first])


def _of_returns(
    one: str, two: str, answer: Callable[[Instants, Floats, Floats], Floats]
) -> Callable[[Observations, Axis], Column]:
    """`answer` from days and log returns of two series, over the days that both have; none where a run begins."""

    def change(days: Instants, first: Floats, second: Floats) -> Floats:
        returns = [np.diff(np.log(column)) for column in (first, second)]
        return np.append(np.nan, answer(days[1:], *returns))

    def compute(observations: Observations, axis: Axis) -> Column:
        days, released, values = in_step([observations[one], observations[two]])
        return in_order(days, released, [days, *values], axis, change, max_age_days=_FRESH)

    return compute


def rolling_beta(returns: Floats, market: Floats, window: int, *, lag: int = 0) -> tuple[Floats, Floats]:
    """`beta` and its standard error over each window of so many returns, NaN before the first is whole."""
    betas, errors = np.full(len(returns), np.nan), np.full(len(returns), np.nan)
    if len(returns) < window:
        return betas, errors
    count = window - lag
    view = np.lib.stride_tricks.sliding_window_view
    y = view(returns, window)[:, lag:]
    x = np.stack([view(market, window)[:, lag - back : window - back] for back in range(lag + 1)], axis=2)
    y, x = y - y.mean(axis=1, keepdims=True), x - x.mean(axis=1, keepdims=True)
    inverse = np.linalg.pinv(np.einsum("nwi,nwj->nij", x, x), hermitian=True)
    fit = np.einsum("nij,nwj,nw->ni", inverse, x, y)
    rest = y - np.einsum("nwi,ni->nw", x, fit)
    variance = np.sum(rest * rest, axis=1) / max(count - lag - 2, 1)
    betas[window - 1 :] = fit.sum(axis=1)
    errors[window - 1 :] = np.sqrt(variance * inverse.sum(axis=(1, 2)))
    return betas, errors


def _rising(_: Instants, returns: Floats, market: Floats) -> Floats:
    """1 where the 30-day beta has stood a standard error above the 90-day one for three closes (D19)."""
    if len(returns) < _LONG:
        return np.full(len(returns), np.nan)
    near, error = rolling_beta(returns, market, _SHORT, lag=1)
    far, _far_error = rolling_beta(returns, market, _LONG, lag=1)
    above = near - far >= error
    runs = np.convolve(above, np.ones(_RISING_CLOSES), "full")[: len(above)] == _RISING_CLOSES
    return np.where(np.isnan(far), np.nan, runs)


def _factor(days: Instants, returns: Floats, market: Floats) -> Floats:
    betas, _ = rolling_beta(returns, market, _LONG)
    return quarterly(days, rolling(betas, _YEAR, complex_factor))


SIGNALS: tuple[Signal, ...] = (
    Signal(
        "eth_beta_rising",
        Family.ONCHAIN,
        "yes",
        (Way(("eth", "spx"), _of_returns("eth", "spx", _rising)),),
        "S52, D19",
        "ether leans on SPX more than it did",
    ),
    Signal(
        "btc_beta_rising",
        Family.ONCHAIN,
        "yes",
        (Way(("btc", "spx"), _of_returns("btc", "spx", _rising)),),
        "S52, D19",
        "bitcoin leans on SPX more than it did",
    ),
    Signal(
        "complex_factor",
        Family.VOLATILITY,
        "x",
        (Way(("vx_30d", "spx"), _of_returns("vx_30d", "spx", _factor)),),
        "S51, D19",
        "scale of the borrow sleeve by the beta of the volatility complex, frozen per quarter",
    ),
)
"""Signals that are betas."""
