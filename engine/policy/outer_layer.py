"""What to trade beyond the core condor's wings: buy tails, sell a further condor, or cash in tails held (X04)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import InputError
from engine.instruments import IronCondor, VanillaOption
from engine.risk.structures import Leg


class OuterMode(StrEnum):
    """`buy_tail` protects and is the default; the other two earn premium without an uncovered short."""

    BUY_TAIL = "buy_tail"
    SELL_OUTER_CONDOR = "sell_outer_condor"
    MONETIZE = "monetize"


@dataclass(frozen=True, slots=True)
class TailHolding:
    """Long contracts of one tail option that the book already has."""

    option: VanillaOption
    contracts: int

    def __post_init__(self) -> None:
        if self.contracts < 1:
            raise InputError(
                f"tail {self.option.id} refused", why=f"{self.contracts} contracts held", todo="name long tails only"
            )


def tails_bought(tails: Sequence[VanillaOption], lots: int) -> tuple[Leg, ...]:
    """`lots` of each tail bought; raises `InputError` for no positive number of lots (S09)."""
    _positive(lots)
    return tuple((tail, lots) for tail in tails)


def outer_condor_sold(core: IronCondor, outer: IronCondor, lots: int) -> tuple[Leg, ...]:
    """
    `lots` of a condor whose shorts lie at or beyond the core's wings, with wings of its own.

    Raises `InputError` when its shorts lie inside, since the two would then lose together sooner.
    """
    _positive(lots)
    inside = outer.put_short.strike > core.put_wing.strike or outer.call_short.strike < core.call_wing.strike
    if inside:
        raise InputError(
            "outer condor refused",
            why=f"its shorts {outer.put_short.strike} and {outer.call_short.strike} lie inside the core's wings",
            todo="choose shorts at or beyond the core's wings",
        )
    return tuple((leg, quantity * lots) for leg, quantity in zip(outer.legs, outer.quantities, strict=True))


def tails_monetized(
    held: Sequence[TailHolding], *, iv_percentile: float, trigger: float = 0.70, share: float = 0.5
) -> tuple[Leg, ...]:
    """
    Sales of part of the tails held: `share` of each, whole contracts rounded down, at or above the trigger.

    Nothing below the trigger, and never more than is held.

    Parameters
    ----------
    iv_percentile : position of implied volatility in its window, 0 to 1 (X16)
    trigger, share : decimals in (0, 1]

    Source: X04, S63: rich levels begin at the 70th percentile.
    """
    if not (math.isfinite(iv_percentile) and 0 < trigger <= 1 and 0 < share <= 1):
        raise InputError(
            "monetising refused",
            why=f"percentile {iv_percentile}, trigger {trigger} and share {share} are not all in their range",
            todo="give decimals: 0.70 is the 70th percentile",
        )
    if iv_percentile < trigger:
        return ()
    sold = ((tail.option, -math.floor(share * tail.contracts)) for tail in held)
    return tuple((option, quantity) for option, quantity in sold if quantity)


def _positive(lots: int) -> None:
    if lots < 1:
        raise InputError(f"{lots} lots refused", why="a layer is at least one lot", todo="give a positive number")
