"""What stewardship is worth: steward and promoter sell the same condors on common paths (D31, S90)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from engine.errors import InputError
from engine.market import Floats
from engine.policy.bounds import within
from engine.policy.stewardship import Conduct, Offer, Outlook, Promoter, Simulated, Steward
from engine.pricing.black import forward_value
from engine.risk.drawdown import vol_response

_SESSIONS_A_YEAR = 252.0
_DAYS_A_SESSION = 365.0 / _SESSIONS_A_YEAR
_GRID = 241
_POINTS = 500  # equally likely moves by which what is ahead is judged
_DRAWS_A_POINT = 40
_TAIL = 0.025
_SIGMAS = 2.0


@dataclass(frozen=True, slots=True)
class World:
    """
    A market in which one condor after another is sold, each on a forward of 1, and held for `sessions` at most.

    `implied` prices it and `realised` moves it, decimals a year; returns have the tail of a Student t of
    `freedom` degrees (infinite for normal ones). Shorts lie `short_sd` implied deviations out, wings `width`
    (share of the forward) beyond. `cost` is the share of the price that crossing the spreads takes, each way;
    `ruin` the share of capital whose loss is ruin. All are this policy's own choice but the tenor (S05) and the
    shorts (S03).
    """

    implied: float = 0.18
    realised: float = 0.15
    freedom: float = 4.0
    sessions: int = 31  # S05: 45 days
    cycles: int = 40
    short_sd: float = 1.5  # S03
    width: float = 50.0 / 6000.0
    cost: float = 0.05
    ruin: float = 0.5

    def __post_init__(self) -> None:
        positive = self.implied > 0 and self.realised > 0 and self.freedom > 2 and self.short_sd > 0 and self.width > 0
        if not (positive and self.sessions >= 1 and self.cycles >= 1 and 0 <= self.cost < 1):
            raise InputError("world refused", why=f"{self}", todo="give positive terms and a tail above 2")
        within("simulate.ruin", self.ruin, 0.01, 1, rule="D31")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Per path: worst drawdown from a high, whether ruined (1 or 0), growth a year; -1 where nothing is left."""

    drawdown: Floats
    ruined: Floats
    growth: Floats


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean over common paths with its standard error; positive speaks for the steward."""

    mean: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class StewardPremium:
    """Both outcomes, and what the steward saves in drawdown and ruin and gains or gives up in growth a year."""

    steward: Outcome
    promoter: Outcome
    drawdown: Difference
    ruin: Difference
    growth: Difference


def common_moves(world: World, rng: np.random.Generator, paths: int) -> Floats:
    """Log moves from each condor's opening, shape (cycles, sessions, paths): driftless, heavy-tailed."""
    if paths < 2:
        raise InputError(f"{paths} paths refused", why="a standard error takes two", todo="draw more")
    steps = _steps(world, rng, (world.cycles, world.sessions, paths))
    return np.asarray(np.cumsum(steps, axis=1))


def moves_ahead(world: World, rng: np.random.Generator) -> Floats:
    """Equally likely log moves over 1, 2, ... sessions, rising, shape (sessions, points), each a martingale."""
    if np.isinf(world.freedom):
        years = np.arange(1, world.sessions + 1)[:, None] / _SESSIONS_A_YEAR
        moves = world.realised * np.sqrt(years) * ndtri((np.arange(_POINTS) + 0.5) / _POINTS)
    else:
        drawn = np.cumsum(_steps(world, rng, (world.sessions, _POINTS * _DRAWS_A_POINT // 2)), axis=0)
        both = np.sort(np.hstack([drawn, -drawn]), axis=1)
        moves = both.reshape(world.sessions, _POINTS, _DRAWS_A_POINT).mean(axis=2)
    return np.asarray(moves - np.log(np.exp(moves).mean(axis=1, keepdims=True)))


def steward_premium(world: World, rng: np.random.Generator, *, steward: Steward, paths: int = 1_000) -> StewardPremium:
    """
    Steward and promoter over the same `paths`; everything is drawn from `rng`.

    Source: D31, S90.
    """
    moves, ahead = common_moves(world, rng, paths), moves_ahead(world, rng)
    kept, driven = (outcome(world, moves, ahead, conduct) for conduct in (steward, Promoter(Simulated())))
    return StewardPremium(
        kept,
        driven,
        _difference(driven.drawdown - kept.drawdown),
        _difference(driven.ruined - kept.ruined),
        _difference(kept.growth - driven.growth),
    )


def outcome(world: World, moves: Floats, ahead: Floats, conduct: Conduct) -> Outcome:
    """
    What a conduct does with its capital on these paths, staking anew at each opening.

    Parameters
    ----------
    moves : from `common_moves`
    ahead : equally likely log moves over each number of sessions left, from `moves_ahead`: what the conduct expects
    """
    book = _Condor.of(world)
    stake = conduct.stake(book.offer(ahead))
    grid = _levels(world)
    values = np.array([book.owed(grid, session) for session in range(world.sessions + 1)])
    holds = [conduct.holds(book.outlook(grid, session, ahead, stake, conduct)) for session in range(1, world.sessions)]
    wealth = np.ones(moves.shape[2])
    high, worst, least = wealth.copy(), np.zeros_like(wealth), wealth.copy()
    for cycle in moves:
        results = _results(book, cycle, grid, values, holds)
        for marked in wealth * (1.0 + stake * results):
            high = np.maximum(high, marked)
            worst = np.maximum(worst, 1.0 - marked / high)
            least = np.minimum(least, marked)
        wealth = np.maximum(wealth * (1.0 + stake * results[-1]), 0.0)
    years = world.cycles * world.sessions / _SESSIONS_A_YEAR
    return Outcome(worst, (least <= 1.0 - world.ruin).astype(float), wealth ** (1.0 / years) - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Condor:
    """A short condor on a forward of 1; money in shares of the forward per unit."""

    world: World
    strikes: Floats
    mid: float

    @property
    def credit(self) -> float:
        """What opening a unit brings after its cost."""
        return self.mid * (1.0 - self.world.cost)

    @classmethod
    def of(cls, world: World) -> "_Condor":
        years = world.sessions / _SESSIONS_A_YEAR
        put, call = np.exp(world.short_sd * world.implied * np.sqrt(years) * np.array([-1.0, 1.0]))
        strikes = np.array([put - world.width, put, call, call + world.width])
        return cls(world, strikes, float(_liability(strikes, np.zeros(1), years, np.array([world.implied]))[0]))

    @property
    def most(self) -> float:
        """What a unit can lose, costs included: the margin it ties up."""
        return self.world.width * (1.0 + self.world.cost) - self.credit

    def owed(self, logs: Floats, session: int) -> Floats:
        """What buying it back at mid would take at each log level after so many sessions."""
        years = (self.world.sessions - session) / _SESSIONS_A_YEAR
        vols = np.maximum(self.world.implied + vol_response(logs), 0.01)
        return _liability(self.strikes, logs, years, vols)

    def offer(self, ahead: Floats) -> Offer:
        """The condor before it is sold."""
        paid = _liability(self.strikes, ahead[-1], 0.0, np.ones(1))
        results = self.credit - paid
        deviation = _SIGMAS * self.world.implied * np.sqrt(self.world.sessions / _SESSIONS_A_YEAR)
        stressed = _liability(self.strikes, deviation * np.array([-1.0, 1.0]), 0.0, np.ones(1)).max()
        loss = max(float(stressed) - self.credit, 0.0)
        return Offer(float(results.mean()), float(_shortfall(results)), loss, self.most)

    def outlook(self, grid: Floats, session: int, ahead: Floats, stake: float, conduct: Conduct) -> Outlook:
        """What is ahead at each level after so many sessions."""
        owed = self.owed(grid, session)
        left = self.world.sessions - session
        paid = _liability(self.strikes, grid[:, None] + ahead[left - 1], 0.0, np.ones(1))
        results = owed[:, None] - paid
        limit = conduct.drawdown if isinstance(conduct, Steward) else np.inf
        session_move = _SIGMAS * self.world.implied / np.sqrt(_SESSIONS_A_YEAR)
        after = np.maximum(self.owed(grid - session_move, session), self.owed(grid + session_move, session))
        return Outlook(
            expected=results.mean(axis=1),
            shortfall=_shortfall(results),
            captured=(self.mid - owed) / self.mid,
            days=left * _DAYS_A_SESSION,
            stressed_capital=np.maximum(self.world.width - owed, 0.0),
            limits_hold=stake * (after - owed) <= limit,
        )


def _results(book: _Condor, cycle: Floats, grid: Floats, values: Floats, holds: list[np.ndarray]) -> Floats:
    """Result per unit at each session, shape (sessions, paths), frozen at what closing brought."""
    last = len(cycle) - 1
    open_still = np.ones(cycle.shape[1], bool)
    results = np.empty_like(cycle)
    closed = np.zeros(cycle.shape[1])
    for at, logs in enumerate(cycle):
        settles = at == last
        owed = _liability(book.strikes, logs, 0.0, np.ones(1)) if settles else np.interp(logs, grid, values[at + 1])
        marked = book.credit - owed
        results[at] = np.where(open_still, marked, closed)
        if settles:
            break
        near = np.clip(np.rint((logs - grid[0]) / (grid[1] - grid[0])).astype(int), 0, len(grid) - 1)
        closes = open_still & ~holds[at][near]
        closed = np.where(closes, marked - book.world.cost * owed, closed)
        results[at] = np.where(closes, closed, results[at])
        open_still &= ~closes
    return results


def _liability(strikes: Floats, logs: Floats, years: float, vols: Floats) -> Floats:
    """What a short condor owes at log levels `logs` with `years` left."""
    forward = np.exp(logs)
    owed = np.zeros(np.shape(logs))
    for strike, quantity, sign in zip(strikes, (-1.0, 1.0, 1.0, -1.0), (-1, -1, 1, 1), strict=True):
        if years > 0:
            owed = owed + quantity * forward_value(forward, strike, years, vols, sign=sign)
        else:
            owed = owed + quantity * np.maximum(sign * (forward - strike), 0.0)
    return np.asarray(owed)


def _levels(world: World) -> Floats:
    reach = 6.0 * max(world.implied, world.realised) * np.sqrt(world.sessions / _SESSIONS_A_YEAR)
    return np.linspace(-reach, reach, _GRID)


def _steps(world: World, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    variance = world.realised**2 / _SESSIONS_A_YEAR
    drawn = rng.standard_normal(shape)
    if np.isfinite(world.freedom):
        drawn = drawn * np.sqrt((world.freedom - 2.0) / rng.chisquare(world.freedom, shape))
    return np.asarray(np.sqrt(variance) * drawn - 0.5 * variance)


def _shortfall(results: Floats) -> Floats:
    """Mean loss of the worst 2.5 % along the last axis, positive = a loss."""
    worst = max(1, int(_TAIL * results.shape[-1]))
    return -np.asarray(np.partition(results, worst - 1, axis=-1)[..., :worst].mean(axis=-1))


def _difference(values: Floats) -> Difference:
    return Difference(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))
