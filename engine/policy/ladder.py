"""How well condors are staggered over expiries and widths (S08)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

from engine.errors import InputError
from engine.policy.bounds import within


@dataclass(frozen=True, slots=True)
class Rung:
    """Condors of one expiry and width: `width` in points, `max_loss` in USD for all of them."""

    expiry: date
    width: float
    max_loss: float


@dataclass(frozen=True, slots=True)
class LadderRules:
    """How staggered is staggered enough."""

    expiries: int = 2  # S08
    widths: int = 2  # S08
    spread: float = 0.5  # S08

    def __post_init__(self) -> None:
        within("ladder.expiries", self.expiries, 1, 24, rule="S08")
        within("ladder.widths", self.widths, 1, 24, rule="S08")
        within("ladder.spread", self.spread, 0, 1, rule="S08")


@dataclass(frozen=True, slots=True)
class LadderReading:
    """Distinct expiries and widths held, and the spread of maximum loss over expiries: 0 in one, 1 when even."""

    expiries: int
    widths: int
    spread: float

    def holds(self, rules: LadderRules = LadderRules()) -> bool:
        """Whether the ladder is staggered enough."""
        return self.expiries >= rules.expiries and self.widths >= rules.widths and self.spread >= rules.spread


def ladder_spread(losses: Sequence[float]) -> float:
    """
    (1 - HHI) / (1 - 1/N) of maximum losses by expiry, N expiries held; 0 for a single expiry.

    HHI is the sum of squared shares.

    Source: S08.

    >>> [round(ladder_spread(losses), 2) for losses in ([70, 30], [85, 15], [50, 50], [100])]
    [0.84, 0.51, 1.0, 0.0]
    """
    total = sum(losses)
    if not (losses and all(isfinite(loss) and loss > 0 for loss in losses)):
        raise InputError("ladder not read", why=f"maximum losses {losses}", todo="give a positive loss per expiry")
    if len(losses) == 1:
        return 0.0
    concentration = sum((loss / total) ** 2 for loss in losses)
    return (1.0 - concentration) / (1.0 - 1.0 / len(losses))


def ladder(rungs: Sequence[Rung]) -> LadderReading:
    """The reading of a ladder, each expiry counted once. Raises `InputError` for an empty one."""
    by_expiry: defaultdict[date, float] = defaultdict(float)
    for rung in rungs:
        by_expiry[rung.expiry] += rung.max_loss
    return LadderReading(len(by_expiry), len({rung.width for rung in rungs}), ladder_spread(list(by_expiry.values())))
