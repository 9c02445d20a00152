"""The largest payout a book can owe at settlement, each set of legs that settle together by itself (D32)."""

import math
from collections import defaultdict
from collections.abc import Sequence

from engine.instruments import VanillaOption
from engine.positions import Book, Sleeve
from engine.risk.margin.legs import MarginLeg
from engine.risk.structures import Leg, expiry_payoff


def max_payout(legs: Sequence[Leg]) -> float:
    """
    Largest amount legs that settle together can owe, in points, gross of premium (D32 `max_payout`, D03).

    Infinite where their payoff falls without end. Raises `InvalidStructure` as `expiry_payoff` does: a
    payout that is not a number must never read as nothing owed.
    """
    return expiry_payoff(legs).max_loss


def same_expiry_margin(book: Book) -> float:
    """
    USD the broker's book must hold, each (venue, root, expiry, settlement) by itself.

    Infinite when some expiry has a short option without its wing (faults I5).
    """
    groups: defaultdict[tuple[object, ...], list[Leg]] = defaultdict(list)
    for position in book.of(Sleeve.CONDOR):
        option = position.instrument
        if isinstance(option, VanillaOption) and position.quantity:
            groups[position.venue, option.root, option.expiry, option.settlement].append((option, position.quantity))
    return math.fsum(max_payout(legs) * float(legs[0][0].multiplier) for legs in groups.values())


def payout_usd(legs: Sequence[MarginLeg]) -> float:
    """USD owed at worst by legs that settle together, premium left out; may be infinite (D32 `max_payout`)."""
    return max_payout([(leg.option, leg.quantity) for leg in legs]) * legs[0].multiplier


def loss_usd(legs: Sequence[MarginLeg]) -> float:
    """
    USD that legs which settle together can still lose from their marks: payout less net credit at the marks.

    What was sold counts as credit, what was bought as premium paid (D03, D32 `max_loss`).
    """
    credit = -math.fsum(leg.quantity * leg.mark for leg in legs) * legs[0].multiplier
    return payout_usd(legs) - credit
