"""Steward and promoter as policies that can be run: what each holds, closes and stakes (D31)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import ConfigError, InputError
from engine.market import Floats
from engine.policy.bounds import within
from engine.policy.paper_gate import LivePermit

Truths = NDArray[np.bool_]


class Move(StrEnum):
    """What to do with a position; a cut needs no quorum (X17)."""

    HOLD = "hold"
    HARVEST = "harvest"
    CUT = "cut"


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """
    What is ahead of a short condor, one element per case; scalars broadcast.

    Parameters
    ----------
    expected : mean of the result that remains until settlement, USD, after costs, under P (D33)
    shortfall : mean loss of the worst 2.5 % of it, USD, positive = a loss
    captured : share of the credit earned so far, 1 = all of it; None where the opening credit is unseen
    days : calendar days left
    stressed_capital : USD that the position ties up in D11's stress, >= 0
    limits_hold : whether every limit passes with it
    """

    expected: ArrayLike
    shortfall: ArrayLike
    captured: ArrayLike | None
    days: ArrayLike
    stressed_capital: ArrayLike
    limits_hold: ArrayLike = True


@dataclass(frozen=True, slots=True)
class Offer:
    """
    A condor that could be sold, per unit: `expected` and `shortfall` as in `Outlook`, in USD.

    `stressed_loss` is what it loses at two standard deviations to expiry (D11), >= 0: nothing where its shorts lie
    beyond them. `margin` is what the broker holds against it, > 0.
    """

    expected: float
    shortfall: float
    stressed_loss: float
    margin: float

    def __post_init__(self) -> None:
        if not (self.stressed_loss >= 0 and self.margin > 0):
            raise InputError("offer refused", why=f"{self} has no risk", todo="give what it loses and ties up")


@dataclass(frozen=True, slots=True)
class Reasoned:
    """A move with everything that speaks for it, empty for a plain hold."""

    move: Move
    reasons: tuple[str, ...] = ()


class Conduct(Protocol):
    """How positions are sized and closed."""

    def stake(self, offer: Offer) -> float:
        """Units to sell per USD of capital, >= 0."""

    def holds(self, outlook: Outlook) -> Truths:
        """Whether to keep the position, one element per case."""


@dataclass(frozen=True, slots=True)
class Steward:
    """
    Holds what pays for its tail, takes profit early, and keeps every limit.

    `wacc` and `hurdle` are decimals, the hurdle per USD of expected shortfall; `drawdown` is the share of
    capital that two standard deviations may cost.
    """

    wacc: float
    hurdle: float = 0.02  # D31; this policy's own choice
    harvest: float = 0.50  # D31: of the credit
    days: float = 21.0  # D31
    drawdown: float = 0.06  # S40

    def __post_init__(self) -> None:
        within("steward.harvest", self.harvest, 0.05, 1, rule="D31")
        within("steward.days", self.days, 0, 60, rule="D31")
        within("limits.drawdown_2sd", self.drawdown, 0, 1, rule="S40")
        within("steward.wacc", self.wacc, -1, 10, rule="D31, D14")
        within("steward.hurdle", self.hurdle, 0, 10, rule="D31")

    def stake(self, offer: Offer) -> float:
        """As many as the two-sigma rule bears and margin allows, none where the tail is not paid for."""
        if not _pays(offer.expected, offer.shortfall, self.hurdle):
            return 0.0
        margin = 1.0 / offer.margin
        return min(self.drawdown / offer.stressed_loss, margin) if offer.stressed_loss > 0 else margin

    def holds(self, outlook: Outlook) -> Truths:
        """Whether nothing speaks for closing: no limit, no harvest, a tail that is paid for."""
        speaks = np.broadcast_arrays(*(fact for fact, _ in self._grounds(outlook)))
        return np.asarray(~np.logical_or.reduce(speaks))

    def move(self, outlook: Outlook) -> Reasoned:
        """
        The move for one case: cut where a limit is broken, harvest where anything else speaks against holding.

        >>> Steward(wacc=0.07).move(Outlook(100.0, 1_000.0, 0.55, 30.0, 5_000.0)).reasons
        ('55 % of the credit is earned',)
        """
        reasons = tuple(why for fact, why in self._grounds(outlook) if bool(np.all(fact)))
        if not np.all(outlook.limits_hold):
            return Reasoned(Move.CUT, reasons)
        return Reasoned(Move.HARVEST, reasons) if reasons else Reasoned(Move.HOLD)

    def _grounds(self, outlook: Outlook) -> tuple[tuple[Truths, str], ...]:
        days = np.asarray(outlook.days, float)
        earns = annual_return(outlook.expected, outlook.stressed_capital, days)
        return (
            (~np.asarray(outlook.limits_hold, bool), "a limit is broken"),
            *self._earned(outlook.captured),
            (days <= self.days, f"{np.min(days):.3g} days are left"),
            (
                earns < self.wacc,
                f"it earns {_percent(earns)} a year on stressed capital, capital costs {self.wacc:.2%}",
            ),
            (
                ~_pays(outlook.expected, outlook.shortfall, self.hurdle),
                f"it pays less than {self.hurdle:g} of its tail",
            ),
        )

    def _earned(self, captured: ArrayLike | None) -> tuple[tuple[Truths, str], ...]:
        if captured is None:
            return ()
        share = np.asarray(captured, float)
        return ((share >= self.harvest, f"{_percent(share)} of the credit is earned"),)


@dataclass(frozen=True, slots=True)
class Simulated:
    """The mark of a world in which nobody's money moves; `engine.simulation` alone makes one."""


@dataclass(frozen=True, slots=True)
class Promoter:
    """
    Takes all the carry that margin allows and keeps it while any is expected: no limit, no harvest.

    It exists to be compared with, in a simulated world alone. Raises `ConfigError` anywhere else.
    """

    world: Simulated

    def __post_init__(self) -> None:
        if not isinstance(self.world, Simulated):
            raise ConfigError(
                "conduct = promoter", why="it knows no limits, so it runs in simulations only (D31)", todo="use steward"
            )

    def stake(self, offer: Offer) -> float:
        """All that capital can carry in margin, where carry is expected at all."""
        return 1.0 / offer.margin if offer.expected > 0 else 0.0

    def holds(self, outlook: Outlook) -> Truths:
        """Whether any carry remains."""
        return np.asarray(np.asarray(outlook.expected, float) > 0)


@dataclass(frozen=True, slots=True)
class LiveConduct:
    """How a live desk behaves: a steward with a permit. Raises `ConfigError` for any other conduct (D31, S54)."""

    steward: Steward
    permit: LivePermit

    def __post_init__(self) -> None:
        if not isinstance(self.steward, Steward):
            raise ConfigError(
                f"conduct = {type(self.steward).__name__.lower()}",
                why="only a steward trades live (D31)",
                todo="use steward",
            )
        if not isinstance(self.permit, LivePermit):
            raise ConfigError("live = true", why="no permit of the paper gate is shown (S54)", todo="trade paper first")


def annual_return(expected: ArrayLike, capital: ArrayLike, days: ArrayLike) -> Floats:
    """
    Effective annual return of `expected` USD on `capital` over `days`, decimal.

    Nothing left to earn on, or no time, is -1 where a loss is expected, 0 where nothing is, else infinite.

    >>> round(float(annual_return(100.0, 10_000.0, 36.5)), 6)
    0.104622
    """
    gain, base, left = (np.asarray(one, float) for one in (expected, capital, days))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        grown = np.maximum(1.0 + gain / base, 0.0) ** (365.0 / left) - 1.0
    return np.asarray(
        np.where((base > 0) & (left > 0), grown, np.where(gain > 0, np.inf, np.where(gain < 0, -1.0, 0.0)))
    )


def _pays(expected: ArrayLike, shortfall: ArrayLike, hurdle: float) -> Truths:
    gain, tail = np.asarray(expected, float), np.asarray(shortfall, float)
    return np.asarray(np.where(tail > 0, gain >= hurdle * tail, gain > 0))


def _percent(share: Floats) -> str:
    return f"{float(np.min(share)) * 100:.0f} %"
