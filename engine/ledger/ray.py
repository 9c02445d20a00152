"""
Interest of a lending pool in its own integers, to the unit.

A ray is 27 decimals. The pool keeps scaled balances and two indices; a balance is their product. Source:
Aave v3 core 1.19.3, `WadRayMath` (rounds half up) and `MathUtils` (three terms of the binomial series).
"""

from engine.errors import InputError

RAY = 10**27
SECONDS_PER_YEAR = 365 * 86_400


def ray_mul(a: int, b: int) -> int:
    """
    The product of two rays, half rounded up; both >= 0.

    >>> ray_mul(3, RAY // 2)
    2
    """
    _require_counts(a, b)
    return (a * b + RAY // 2) // RAY


def ray_div(a: int, b: int) -> int:
    """
    The quotient a / b of two rays, half rounded up; a >= 0, b > 0.

    >>> ray_div(1, 2 * RAY)
    1
    """
    _require_counts(a, b - 1)
    return (a * RAY + b // 2) // b


def supply_index(index: int, rate: int, seconds: int) -> int:
    """
    The supply index after `seconds` without a transaction: linear interest.

    Parameters
    ----------
    index, rate : ray, as last stored; the rate per year
    seconds : >= 0

    >>> supply_index(RAY, RAY // 10, SECONDS_PER_YEAR) == RAY + RAY // 10
    True
    """
    _require_counts(index, rate, seconds)
    return ray_mul(RAY + rate * seconds // SECONDS_PER_YEAR, index)


def borrow_index(index: int, rate: int, seconds: int) -> int:
    """
    The variable borrow index after `seconds` without a transaction: compounded each second.

    Parameters
    ----------
    index, rate : ray, as last stored; the rate per year
    seconds : >= 0

    Returns
    -------
    Below the true compound factor: the pool cuts the series after its third term, and the powers of the
    rate per second to whole rays before it multiplies.

    >>> round(borrow_index(RAY, RAY // 20, SECONDS_PER_YEAR) / RAY, 6)
    1.051266
    """
    _require_counts(index, rate, seconds)
    squared = ray_mul(rate, rate) // SECONDS_PER_YEAR**2
    cubed = ray_mul(squared, rate) // SECONDS_PER_YEAR
    second = seconds * max(seconds - 1, 0) * squared // 2
    third = seconds * max(seconds - 1, 0) * max(seconds - 2, 0) * cubed // 6
    return ray_mul(RAY + rate * seconds // SECONDS_PER_YEAR + second + third, index)


def balance(scaled: int, index: int) -> int:
    """Smallest units supplied or owed, positive, for a scaled balance at an index."""
    return ray_mul(scaled, index)


def scaled_balance(units: int, index: int) -> int:
    """What the pool stores for `units` supplied or borrowed at an index."""
    return ray_div(units, index)


def _require_counts(*numbers: int) -> None:
    if min(numbers) < 0:
        raise InputError(
            f"ray arithmetic on {numbers}",
            why="the pool's numbers are unsigned",
            todo="pass balances and times as positive integers",
        )
