"""Numbers a formula admits: anything else is refused by name before it can spread as a silent NaN."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError

Floats = NDArray[np.float64]


def finite(what: str, numbers: ArrayLike) -> Floats:
    """
    The same numbers as floats; raises `InputError` naming `what` unless all are finite.

    >>> finite("funding", [0.1, -0.2]).tolist()
    [0.1, -0.2]
    """
    found = np.asarray(numbers, float)
    return _admit(what, found, np.isfinite(found), "must be finite")


def positive(what: str, numbers: ArrayLike) -> Floats:
    """
    The same numbers as floats; raises `InputError` naming `what` unless all are finite and above zero.

    >>> float(positive("price", 3))
    3.0
    """
    found = finite(what, numbers)
    return _admit(what, found, found > 0, "must be above zero")


def not_negative(what: str, numbers: ArrayLike) -> Floats:
    """The same numbers as floats; raises `InputError` naming `what` unless all are finite and at least zero."""
    found = finite(what, numbers)
    return _admit(what, found, found >= 0, "must not be negative")


def _admit(what: str, found: Floats, holds: NDArray[np.bool_], why: str) -> Floats:
    if not np.all(holds):
        wrong = np.atleast_1d(found)[~np.atleast_1d(holds)][0]
        raise InputError(f"{what} {wrong} refused", why=f"it {why}", todo="correct it at its source")
    return found
