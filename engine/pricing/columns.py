"""Inputs of any shape as flat columns, worked through in blocks that stay in a core's cache."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def columns(*parts: ArrayLike) -> tuple[tuple[int, ...], list[Floats]]:
    """
    Common shape of the inputs, and each of them flat and full length; read them, never write.

    A single number becomes a view that takes no memory.

    >>> shape, flat = columns([1.0, 2.0], 3.0)
    >>> shape, [column.tolist() for column in flat]
    ((2,), [[1.0, 2.0], [3.0, 3.0]])
    """
    arrays = [np.asarray(part, np.float64) for part in parts]
    shape = np.broadcast(*arrays).shape
    count = prod(shape)
    return shape, [_flat(array, shape, count) for array in arrays]


def _flat(array: Floats, shape: tuple[int, ...], count: int) -> Floats:
    if array.size == 1 and count != 1:
        return np.broadcast_to(array.reshape(1), (count,))
    full = array if array.size == count else np.broadcast_to(array, shape)
    return np.ascontiguousarray(full).reshape(-1)


def blocks(count: int, length: int) -> Iterator[slice]:
    """
    Slices that cover `count` rows in nearly equal parts of at most `length`.

    >>> [(rows.start, rows.stop) for rows in blocks(10, 4)]
    [(0, 3), (3, 6), (6, 10)]
    """
    parts = -(-count // length)
    for part in range(parts):
        yield slice(part * count // parts, (part + 1) * count // parts)
