"""What becomes of each condor held: keep it, take its profit, cut it, or roll it (D31, D25, S90)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.ledger.openings import Legs
from engine.market import Floats
from engine.policy.candidates import Columns
from engine.policy.condors import CondorOffer
from engine.policy.mean_cvar import TAIL, tail_weights, worst
from engine.policy.stewardship import Move, Outlook, Reasoned, Steward


@dataclass(frozen=True, slots=True)
class Conducted:
    """One condor held, its lots, what lies ahead of them all, and the steward's advice."""

    offer: CondorOffer
    lots: int
    outlook: Outlook
    advice: Reasoned

    @property
    def words(self) -> str:
        """The move with its grounds, and what the tail is paid with where it is kept."""
        grounds = "; ".join(self.advice.reasons) or (
            f"expects {float(np.min(self.outlook.expected)):,.0f} USD against a shortfall of "
            f"{float(np.max(self.outlook.shortfall)):,.0f}"
        )
        unseen = "" if self.outlook.captured is not None else "; what it was opened for is unseen"
        return f"{self.advice.move} {self.lots} {self.offer.id}: {grounds}{unseen} (D31)"

    @property
    def closes(self) -> bool:
        """Whether the steward would be rid of it."""
        return self.advice.move is not Move.HOLD


def conducted(
    condors: Sequence[tuple[CondorOffer, int]],
    columns: Columns,
    steward: Steward,
    *,
    limits_hold: bool,
    opened: Mapping[Legs, float] | None = None,
) -> tuple[Conducted, ...]:
    """
    The steward's advice on every condor held, each with its remaining result under the columns' measure.

    Parameters
    ----------
    condors : held, with their lots > 0
    columns : value these condors' options in the measure and the drawdown rule's cells
    limits_hold : whether every hard limit holds on the book as it stands
    opened : credit in points each was opened for, by its contracts; one that is not there is unseen

    Source
    ------
    D31: expected remaining result over ES at 97.5 %, half the credit, 21 days, return on stressed capital.
    """
    return tuple(_conducted(offer, lots, columns, steward, limits_hold, opened or {}) for offer, lots in condors)


def _conducted(
    offer: CondorOffer,
    lots: int,
    columns: Columns,
    steward: Steward,
    limits_hold: bool,
    opened: Mapping[Legs, float],
) -> Conducted:
    each = columns.condor(offer, held=lots, most=lots)
    brought = opened.get(frozenset(offer.condor.legs))
    outlook = Outlook(
        expected=lots * float(each.outcomes.mean()),
        shortfall=lots * _shortfall(each.outcomes),
        captured=None if brought is None else 1.0 - offer.mid_credit / brought,
        days=offer.days,
        stressed_capital=lots * max(float(each.losses.max()), 0.0),
        limits_hold=limits_hold,
    )
    return Conducted(offer, lots, outlook, steward.move(outlook))


def _shortfall(outcomes: Floats) -> float:
    weights = tail_weights(len(outcomes), TAIL)
    losses = -outcomes
    return float(weights @ losses[worst(losses, len(weights))])
