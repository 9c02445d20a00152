"""Leverage of the borrow loop: its closed forms, its rounds, and what stops them (D16)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import InputError

_MOST_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class LoopTerms:
    """
    What each round does with the vault's latest collateral.

    `ltv` is borrowed per dollar of it; of each borrowed dollar the ramp keeps `ramp_fee`, the share
    `returned` comes back to the vault as collateral (phi), and the rest stays as condor margin. All are
    decimals; `smallest_draw` is the loan in USD below which a round is not worth its gas.

    Raises `InputError` unless 0 <= ltv < 1, returned and ramp_fee >= 0, and returned + ramp_fee <= 1.
    """

    ltv: float
    returned: float
    ramp_fee: float = 0.0
    smallest_draw: float = 1.0

    def __post_init__(self) -> None:
        shares = self.returned >= 0 and self.ramp_fee >= 0 and self.returned + self.ramp_fee <= 1
        if not (0 <= self.ltv < 1 and shares and self.smallest_draw > 0):
            raise InputError(
                f"loop of {self.ltv:.4g} loan to value, {self.returned:.4g} returned, fee {self.ramp_fee:.4g} refused",
                why="a loan is less than its collateral, and a borrowed dollar is spent once",
                todo="give 0 <= ltv < 1, returned + ramp_fee <= 1 and a positive smallest draw",
            )


@dataclass(frozen=True, slots=True)
class LoopState:
    """Where the loop stands, all in USD and >= 0: own equity, collateral, debt, condor margin, fees paid."""

    equity: float
    collateral: float
    debt: float = 0.0
    margin: float = 0.0
    fees: float = 0.0

    @property
    def leverage(self) -> float:
        """Gross leverage: collateral and margin per dollar of equity."""
        return (self.collateral + self.margin) / self.equity


@dataclass(frozen=True, slots=True)
class LoopReadings:
    """
    What is read of the portfolio as it would stand after a round.

    `project_return` and `marginal_cost` are effective annual rates of the same kind (D14 (i));
    `health` is the factor after the joint two-sigma stress; `quick_ratio` is D13's; `drawdown` and
    `sleeve` are shares of capital; `borrow_rate` is the market's APY.
    """

    project_return: float
    marginal_cost: float
    health: float
    quick_ratio: float
    drawdown: float
    sleeve: float
    borrow_rate: float


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """Where each reading stops the loop."""

    health_min: float = 1.5  # D16
    quick_ratio_min: float = 1.0  # D13
    drawdown_max: float = 0.06  # S40
    sleeve_max: float = 0.20  # S39, X05
    borrow_rate_max: float = 0.06  # S43


@dataclass(frozen=True, slots=True)
class LoopRun:
    """The states before the first round and after each one made, and why no further round was made."""

    states: tuple[LoopState, ...]
    stopped_by: tuple[str, ...]

    @property
    def final(self) -> LoopState:
        return self.states[-1]


def limit_state(equity: float, terms: LoopTerms) -> LoopState:
    """
    Where rounds without end would lead, by the geometric series in ltv * returned.

    Parameters
    ----------
    equity : USD first supplied, > 0

    Returns
    -------
    Collateral E / (1 - l phi), debt l E / (1 - l phi), margin l (1 - phi - f) E / (1 - l phi); gross leverage
    (1 + l (1 - phi)) / (1 - l phi) where the ramp is free.

    Source
    ------
    D16.

    >>> [round(limit_state(1.0, LoopTerms(0.6, phi)).leverage, 4) for phi in (0.0, 0.1, 0.5, 1.0)]
    [1.6, 1.6383, 1.8571, 2.5]
    """
    _positive(equity)
    collateral = equity / (1.0 - terms.ltv * terms.returned)
    debt = terms.ltv * collateral
    return LoopState(equity, collateral, debt, _kept(terms) * debt, terms.ramp_fee * debt)


def run_loop(
    equity: float,
    terms: LoopTerms,
    readings: Callable[[LoopState], LoopReadings],
    limits: LoopLimits = LoopLimits(),
) -> LoopRun:
    """
    Rounds of borrowing, each made only if every limit holds after it (S44).

    Parameters
    ----------
    equity : USD first supplied, > 0
    readings : what the portfolio would show in a state the loop has not yet entered

    Returns
    -------
    Every state entered. A loop that no limit stops ends when a round's loan is below the smallest draw.
    """
    _positive(equity)
    states = [LoopState(equity, equity)]
    fresh = equity
    for _ in range(_MOST_ROUNDS):
        loan = terms.ltv * fresh
        if loan < terms.smallest_draw:
            return LoopRun(tuple(states), (f"a loan of {loan:,.2f} USD is below the smallest draw",))
        after = _after_round(states[-1], loan, terms)
        if reasons := stops(readings(after), limits):
            return LoopRun(tuple(states), reasons)
        states.append(after)
        fresh = terms.returned * loan
    return LoopRun(tuple(states), (f"{_MOST_ROUNDS} rounds made",))


def stops(after: LoopReadings, limits: LoopLimits = LoopLimits()) -> tuple[str, ...]:
    """
    Every reason not to make the round, empty if it may be made; a reading that is not a number stops it.

    >>> stops(LoopReadings(0.09, 0.08, 1.6, 1.2, 0.05, 0.15, 0.05))
    ()
    """
    r = after
    earned = f"extra condors earn {r.project_return:.2%} a year"
    short = f"short by {(r.marginal_cost - r.project_return) * 1e4:,.0f} bp"
    conditions = (
        (r.project_return > r.marginal_cost, f"{earned}, the loan costs {r.marginal_cost:.2%}: {short} (D16)"),
        (r.health >= limits.health_min, f"health {r.health:.2f} after stress below {limits.health_min:.2f} (D16)"),
        (r.quick_ratio >= limits.quick_ratio_min, f"quick ratio {r.quick_ratio:.2f} below its floor (D13)"),
        (r.drawdown <= limits.drawdown_max, f"drawdown {r.drawdown:.2%} above {limits.drawdown_max:.2%} (S40)"),
        (
            r.sleeve <= limits.sleeve_max,
            f"the sleeve is {r.sleeve:.1%} of NAV, above its {limits.sleeve_max:.0%} target (S39, X05)",
        ),
        (
            r.borrow_rate <= limits.borrow_rate_max,
            f"borrow rate {r.borrow_rate:.2%} is above the {limits.borrow_rate_max:.0%} limit (S43)",
        ),
    )
    return tuple(reason for holds, reason in conditions if not holds)


def _after_round(before: LoopState, loan: float, terms: LoopTerms) -> LoopState:
    return LoopState(
        before.equity,
        before.collateral + terms.returned * loan,
        before.debt + loan,
        before.margin + _kept(terms) * loan,
        before.fees + terms.ramp_fee * loan,
    )


def _kept(terms: LoopTerms) -> float:
    return 1.0 - terms.returned - terms.ramp_fee


def _positive(equity: float) -> None:
    if not (equity > 0 and math.isfinite(equity)):
        raise InputError(f"loop on {equity} USD refused", why="nothing to borrow against", todo="supply equity first")
