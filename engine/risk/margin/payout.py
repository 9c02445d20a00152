"""What the broker holds against short options: the largest payout of each expiry's book (D32)."""

from collections import defaultdict

import numpy as np

from engine.instruments import VanillaOption
from engine.positions import Book, Sleeve


def max_payout(strikes: list[float], signs: list[int], quantities: list[float]) -> float:
    """
    Largest amount a same-expiry book can owe at settlement, in points, gross of premium.

    The payoff is piecewise linear, so its minimum lies at zero, at a strike, or beyond the last one, where
    a negative slope makes it infinite (D32 `max_payout`, D03).

    >>> max_payout([90.0, 95.0, 105.0, 110.0], [-1, -1, 1, 1], [1, -1, -1, 1])
    5.0
    """
    k, s, q = np.array(strikes), np.array(signs), np.array(quantities)
    if q[s > 0].sum() < 0:
        return float("inf")
    points = np.concatenate([[0.0], k])
    payoff = (q * np.maximum(s * (points[:, None] - k), 0.0)).sum(axis=1)
    return float(max(0.0, -payoff.min()))


def same_expiry_margin(book: Book) -> float:
    """
    USD the broker's book must hold, each (root, expiry, settlement) by itself.

    Infinite when some expiry has a short option without its wing (faults I5).
    """
    groups: dict[tuple[str, object, str], list[tuple[VanillaOption, float]]] = defaultdict(list)
    for position in book.of(Sleeve.CONDOR):
        instrument = position.instrument
        if isinstance(instrument, VanillaOption):
            key = (instrument.root, instrument.expiry, instrument.settlement)
            groups[key].append((instrument, float(position.quantity)))
    total = 0.0
    for held in groups.values():
        points = max_payout([float(o.strike) for o, _ in held], [o.right.sign for o, _ in held], [q for _, q in held])
        total += points * float(held[0][0].multiplier)
    return total
