"""
The real-world measure: what SPX may return over n sessions, by filtered historical simulation.

Recorded n-session returns are standardised by the volatility forecast of the day they began, so that
quiet and wild years speak alike, and rescaled to today's forecast: the implied variance less the part
of it that history says is premium. Past returns lend their shape only; level and drift are stated.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from engine.errors import InputError, MissingQuote
from engine.market import DailySeries, Floats

SESSIONS_PER_YEAR = 252
HORIZON = 21  # sessions that follow a VIX close: its thirty days
WINDOW = 252  # completed differences whose median is the premium
SHRINK = 0.5
DECAY = 0.94  # per session; RiskMetrics, technical document (1996)
BURN_IN = 63  # sessions before the first forecast is trusted
FLOOR = 0.25  # of implied variance, below which the physical variance never falls


@dataclass(frozen=True, slots=True, eq=False)
class PhysicalReturns:
    """
    Equally likely log returns ln(S_T / F) of one horizon, relative to today's forward.

    `vol` is the physical volatility they are scaled to and `implied_vol` the one it came from
    (decimals per year); `vrp` the variance premium taken off (per year, positive = implied above
    realised); `years` the horizon, ACT/365F.
    """

    log_returns: Floats
    vol: float
    implied_vol: float
    vrp: float
    years: float


def variance_premium(
    closes: DailySeries, vix: DailySeries, asof: date, *, window: int = WINDOW, shrink: float = SHRINK
) -> float:
    """
    Shrunk median of implied minus subsequently realised variance, per year.

    Parameters
    ----------
    closes, vix : daily closes in points; only those up to `asof` are read
    window : how many of the latest completed differences the median takes
    shrink : share of the median that is kept, 0 to 1

    Returns
    -------
    Positive where selling variance has paid. A difference is VIX squared at a close less the realised
    variance of the 21 sessions after it, and is completed once those are over.

    Source
    ------
    D33 (measure).
    """
    spx, known_vix = closes.upto(asof), vix.upto(asof)
    returns = np.diff(np.log(spx.values))
    sums = np.concatenate(([0.0], np.cumsum(returns**2)))
    realised = (sums[HORIZON:] - sums[:-HORIZON]) * SESSIONS_PER_YEAR / HORIZON
    starts = spx.days[: len(realised)]
    _, at_spx, at_vix = np.intersect1d(starts, known_vix.days, assume_unique=True, return_indices=True)
    if len(at_spx) < window:
        raise MissingQuote(
            f"no variance premium at {asof}",
            why=f"{len(at_spx)} completed pairs of {vix.name} and realised variance, {window} are needed",
            todo="give longer histories or state vrp=0",
        )
    premium = (known_vix.values[at_vix] / 100.0) ** 2 - realised[at_spx]
    return shrink * float(np.median(premium[-window:]))


def physical_returns(
    closes: DailySeries,
    asof: date,
    *,
    sessions: int,
    years: float,
    implied_vol: float,
    vrp: float,
    drift: float = 0.0,
    decay: float = DECAY,
) -> PhysicalReturns:
    """
    Every recorded `sessions`-long return up to `asof`, rescaled to today's physical volatility.

    Parameters
    ----------
    closes : daily closes in points; only those up to `asof` are read
    sessions : length of the horizon in sessions, >= 1
    years : the same horizon, ACT/365F, > 0
    implied_vol : at the forward for that horizon, decimal per year, > 0
    vrp : variance premium per year to take off, see `variance_premium`; 0 keeps the implied level
    drift : ln(E[S_T] / F) per year, decimal; 0 (default) expects the forward and no equity premium
    decay : weight of yesterday's variance in the exponentially weighted forecast, 0 < decay < 1

    Returns
    -------
    Overlapping and in order of time. Their standard deviation is exactly vol * sqrt(years), and the
    mean of exp(return) exactly exp(drift * years). Physical variance is implied_vol^2 - vrp, but
    never below a quarter of implied variance.

    `vrp = 0` takes away the premium of the level, not of the smile: out-of-the-money puts are dearer
    than this history's tail even then, so a condor's expectation need not be zero before costs.

    Source
    ------
    D33 (measure); Barone-Adesi, Giannopoulos and Vosper, "VaR without correlations for portfolios of
    derivative securities", J. Futures Markets 19 (1999).
    """
    if sessions < 1 or not (years > 0 and implied_vol > 0 and 0 < decay < 1):
        raise InputError(
            f"{sessions} sessions, {years:g} years, vol {implied_vol:g}, decay {decay:g} refused",
            why="sessions >= 1, years > 0, implied_vol > 0 and 0 < decay < 1 must hold",
            todo="state a horizon after the as-of and its implied volatility",
        )
    shapes = _standardised(closes.upto(asof), sessions, decay)
    variance = max(implied_vol**2 - vrp, FLOOR * implied_vol**2)
    scaled = np.sqrt(variance * years) * shapes
    centred = scaled - np.log(np.mean(np.exp(scaled))) + drift * years
    return PhysicalReturns(centred, float(np.sqrt(variance)), implied_vol, vrp, years)


def _standardised(known: DailySeries, sessions: int, decay: float) -> Floats:
    """Past returns over the forecast made when they began; zero mean, unit deviation."""
    logs = np.log(known.values)
    starts = np.arange(BURN_IN, len(logs) - sessions)
    if len(starts) < SESSIONS_PER_YEAR:
        raise MissingQuote(
            f"too few closes of {known.name}",
            why=f"{len(starts)} returns of {sessions} sessions after a burn-in, {SESSIONS_PER_YEAR} are needed",
            todo="give a longer history",
        )
    forecast = _trailing_variance(np.diff(logs), decay)
    # forecast[i] has seen the returns up to close i + 1: the window that starts at close i takes forecast[i - 1]
    shape = (logs[starts + sessions] - logs[starts]) / np.sqrt(forecast[starts - 1] * sessions)
    return np.asarray((shape - shape.mean()) / shape.std())


def _trailing_variance(returns: Floats, decay: float) -> Floats:
    """Exponentially weighted variance per session after each return, seeded by the first 21."""
    forecast = np.empty(len(returns))
    level = float(np.mean(returns[:HORIZON] ** 2))
    for at, squared in enumerate((returns**2).tolist()):
        level = decay * level + (1 - decay) * squared
        forecast[at] = level
    return forecast
