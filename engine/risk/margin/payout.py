"""The largest payout a book can owe at settlement, each set of legs that settle together by itself (D32)."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from engine.errors import InvalidStructure
from engine.instruments import VanillaOption
from engine.positions import Book, Sleeve
from engine.risk.margin.legs import MarginLeg
from engine.risk.structures import Payoff, expiry_payoff


def max_payout(strikes: list[float], signs: list[int], quantities: list[float]) -> float:
    """
    Largest amount a same-expiry book can owe at settlement, in points, gross of premium.

    The payoff is piecewise linear, so its minimum lies at zero, at a strike, or beyond the last one, where
    a negative slope makes it infinite (D32 `max_payout`, D03). Raises `InvalidStructure` for numbers that
    are no contract: a payout that is not a number must never read as nothing owed.

    >>> max_payout([90.0, 95.0, 105.0, 110.0], [-1, -1, 1, 1], [1, -1, -1, 1])
    5.0
    """
    k, s, q = np.array(strikes), np.array(signs), np.array(quantities)
    sound = np.isfinite(k) & (k > 0) & np.isfinite(q) & (np.abs(s) == 1)
    if not sound.all():
        broken = ", ".join(f"{quantity} at {strike}" for strike, quantity in zip(k[~sound], q[~sound], strict=True))
        raise InvalidStructure(f"{broken}: strikes are positive numbers, quantities finite, signs +1 or -1")
    if q[s > 0].sum() < 0:
        return float("inf")
    points = np.concatenate([[0.0], k])
    payoff = (q * np.maximum(s * (points[:, None] - k), 0.0)).sum(axis=1)
    return float(max(0.0, -payoff.min()))


def same_expiry_margin(book: Book) -> float:
    """
    USD the broker's book must hold, each (venue, root, expiry, settlement) by itself.

    Infinite when some expiry has a short option without its wing (faults I5).
    """
    groups: dict[tuple[str, str, object, str], list[tuple[VanillaOption, float]]] = defaultdict(list)
    for position in book.of(Sleeve.CONDOR):
        instrument = position.instrument
        if isinstance(instrument, VanillaOption):
            key = (position.venue, instrument.root, instrument.expiry, instrument.settlement)
            groups[key].append((instrument, float(position.quantity)))
    total = 0.0
    for held in groups.values():
        points = max_payout([float(o.strike) for o, _ in held], [o.right.sign for o, _ in held], [q for _, q in held])
        total += points * float(held[0][0].multiplier)
    return total


def payoff_of(legs: Sequence[MarginLeg]) -> Payoff:
    """Gross payoff at settlement of legs that settle together, points."""
    return expiry_payoff([(leg.option, leg.quantity) for leg in legs])


def payout_usd(legs: Sequence[MarginLeg]) -> float:
    """USD owed at worst by legs that settle together, premium left out; may be infinite (D32 `max_payout`)."""
    return max(0.0, -payoff_of(legs).worst) * legs[0].multiplier


def loss_usd(legs: Sequence[MarginLeg]) -> float:
    """
    USD that legs which settle together can still lose from their marks: payout less net credit at the marks.

    What was sold counts as credit, what was bought as premium paid (D03, D32 `max_loss`).
    """
    credit = -math.fsum(leg.quantity * leg.mark for leg in legs) * legs[0].multiplier
    return payout_usd(legs) - credit
