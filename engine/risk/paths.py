"""Many joint moves, at one horizon or day by day: both domains correlated as measured, or as one (finding 11)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.market import Floats
from engine.positions import Book
from engine.risk.drawdown import (
    GAS_STRESS,
    SPREAD_STRESS,
    STABLE_HAIRCUT,
    VOL_OF_VOL,
    settling_parts,
    vol_response,
)
from engine.risk.scenarios import Scenarios
from engine.risk.stress import Progress
from engine.risk.valuation import PricingView, book_values

_SESSIONS_A_YEAR = 252.0
_DAYS_A_SESSION = 365.0 / _SESSIONS_A_YEAR
_RULE_SIGMAS = 2.0


@dataclass(frozen=True, slots=True)
class JointModel:
    """
    How the index and crypto move together.

    `index_vol` and `crypto_vol` are decimals per year, `correlation` is that of their logarithms. Both share
    one tail: `freedom` degrees of a Student t, above 2, infinite for normal moves.

    Source: R. Cont, "Empirical properties of asset returns", Quant. Finance 1 (2001): tail index of daily
    returns above two and at most five.
    """

    index_vol: float
    crypto_vol: float
    correlation: float
    freedom: float = 4.0

    def __post_init__(self) -> None:
        sound = (
            0 < self.index_vol < np.inf
            and 0 <= self.crypto_vol < np.inf
            and abs(self.correlation) <= 1
            and self.freedom > 2
        )
        if not sound:
            raise InputError("joint moves refused", why=f"{self}", todo="give volatilities, a correlation, a tail > 2")


def joint_scenarios(
    model: JointModel, rng: np.random.Generator, count: int, *, sessions: int, corr_one: bool = False
) -> Scenarios:
    """
    `count` joint moves over so many sessions, drawn from `rng`.

    Volatility answers the index as in D11 and moves by itself besides. Haircut, gas and half spread grow with
    the fall of crypto and of the index, and reach the values of D11 where those reach two deviations.
    `corr_one` lets crypto follow the index in every draw.

    >>> moves = joint_scenarios(JointModel(0.18, 0.7, 0.4), np.random.default_rng(7), 3, sessions=5)
    >>> len(moves), moves.names
    (3, ())
    """
    return joint_paths(model, rng, count, sessions=sessions, steps=1, corr_one=corr_one)[-1]


def joint_paths(
    model: JointModel,
    rng: np.random.Generator,
    count: int,
    *,
    sessions: int,
    steps: int | None = None,
    corr_one: bool = False,
) -> tuple[Scenarios, ...]:
    """`count` paths, marked at each of `steps` (default: every session), shocks counted from today."""
    marks = sessions if steps is None else steps
    if count < 1 or sessions < 1 or not 1 <= marks <= sessions:
        raise InputError("paths refused", why=f"{count} over {sessions} sessions", todo="give one path and one session")
    tau = sessions / marks / _SESSIONS_A_YEAR
    spot, crypto, own_vol = np.zeros(count), np.zeros(count), np.zeros(count)
    days = []
    for step in range(1, marks + 1):
        market, coin, vol = rng.standard_normal((3, count))
        tail = _tail(model.freedom, rng, count)
        link = float(np.sign(model.correlation) or 1.0) if corr_one else model.correlation
        spot = spot + model.index_vol * np.sqrt(tau) * tail * market
        joined = link * market + np.sqrt(1.0 - link**2) * coin
        crypto = crypto + model.crypto_vol * np.sqrt(tau) * tail * joined
        own_vol = own_vol + VOL_OF_VOL * np.sqrt(tau) * vol
        days.append(_marks(model, spot, crypto, own_vol, step * tau))
    return tuple(days)


def worst_on_paths(
    book: Book, view: PricingView, days: Sequence[Scenarios], *, progress: Progress | None = None
) -> Floats:
    """
    Worst drawdown of each path, USD from its highest mark so far, today's included, >= 0.

    What settles is paid at the first mark on or after its expiry and moves no more.

    Parameters
    ----------
    days : the marks in order of time; each holds one scenario per path, shocks counted from today
    """
    if not days or len({len(day) for day in days}) != 1:
        raise InputError("paths refused", why="days do not hold the same paths", todo="give each day one a path")
    high = np.full(len(days[0]), book_values(book, view, Scenarios.now())[0])
    worst, passed = np.zeros(len(days[0])), np.full(len(days[0]), -1.0)
    parts = settling_parts(book, view.asof)
    worth = {key: np.zeros(len(days[0])) for key in parts}
    for done, day in enumerate(days):
        for key, part in parts.items():
            if (live := passed < key[0]).any():
                worth[key] = np.where(live, book_values(part, view, day), worth[key])
        mark = np.sum(list(worth.values()), axis=0) if worth else np.zeros(len(day))
        high = np.maximum(high, mark)
        worst = np.maximum(worst, high - mark)
        passed = day.days
        if progress is not None:
            progress(done + 1, len(days))
    return worst


def _tail(freedom: float, rng: np.random.Generator, count: int) -> Floats:
    """What widens a normal draw into a Student t of the same variance."""
    if np.isinf(freedom):
        return np.ones(count)
    return np.asarray(np.sqrt((freedom - 2.0) / rng.chisquare(freedom, count)))


def _marks(model: JointModel, spot: Floats, crypto: Floats, own_vol: Floats, tau: float) -> Scenarios:
    answered = model.index_vol + vol_response(spot)
    stressed = np.maximum(answered, 0.01) * np.exp(own_vol - 0.5 * VOL_OF_VOL**2 * tau)
    fallen = _rule_falls(spot, model.index_vol, tau)
    coin_fallen = _rule_falls(crypto, model.crypto_vol, tau)
    return Scenarios.of(
        spot,
        stressed - model.index_vol,
        tau * _SESSIONS_A_YEAR * _DAYS_A_SESSION,
        crypto=crypto,
        peg=np.maximum(1.0 - STABLE_HAIRCUT * coin_fallen, 0.0),
        gas=GAS_STRESS ** np.minimum(coin_fallen, 2.0),
        liquidity=SPREAD_STRESS ** np.minimum(fallen, 2.0),
    )


def _rule_falls(moves: Floats, vol: float, tau: float) -> Floats:
    """Falls in units of the rule's two deviations, 0 for a rise."""
    if vol == 0:
        return np.zeros_like(moves)
    return np.asarray(np.maximum(-moves, 0.0) / (_RULE_SIGMAS * vol * np.sqrt(tau)))
