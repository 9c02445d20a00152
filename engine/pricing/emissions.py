"""Tokens handed out for taking part: what they may be counted at until sold, and all that stands at risk for them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.pricing.admitted import not_negative, positive

Floats = NDArray[np.float64]

HAIRCUT = 0.5


def emission_value(tokens: ArrayLike, average_price: ArrayLike, *, haircut: float = HAIRCUT) -> Floats:
    """
    What unsold emissions count for: tokens at their time-weighted price less the haircut.

    Parameters
    ----------
    tokens : earned and not sold, >= 0
    average_price : time-weighted, USD per token
    haircut : 0 to 1; none of the capital that earns them is haircut, it is at risk in full

    Source: S33.

    >>> float(emission_value(1000.0, 0.40))
    200.0
    """
    if not 0.0 <= haircut <= 1.0:
        raise InputError(f"haircut {haircut:g} refused", why="it is not between 0 and 1", todo="write 50 % as 0.5")
    return np.asarray(not_negative("tokens", tokens) * positive("average price", average_price) * (1.0 - haircut))
