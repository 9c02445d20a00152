"""The scaled tail against forty digits, and blocks that cover every row once."""

from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pricing.columns import blocks, columns
from engine.pricing.tail import scaled_tail


def _series(d: float) -> float:
    """N(-d) exp(d^2 / 2) by Taylor's series near the mean, Laplace's fraction far out (NIST DLMF 7.6, 7.9)."""
    getcontext().prec = 60
    x = Decimal(d)
    root = (2 * Decimal("3.14159265358979323846264338327950288419716939937510582097494459")).sqrt()
    if d > 6.0:
        fraction = x
        for k in range(400, 0, -1):
            fraction = x + k / fraction
        return float(1 / (fraction * root))
    term = total = x
    for k in range(1, 400):
        term *= x * x / (2 * k + 1)
        total += term
    return float((x * x / 2).exp() / 2 - total / root)


@pytest.mark.parametrize("length", [1, 2000])
def test_the_tail_is_correct_to_the_last_digits_from_the_mean_to_forty_deviations(length: int) -> None:
    distances = [0.0, 1e-9, 0.01, 0.3, 1.0, 2.0, 3.3, 4.7, 5.9, 6.1, 8.0, 12.5, 20.0, 30.0, 38.0]

    for distance in distances:
        found = scaled_tail(np.full(length, distance))[-1]

        assert found == pytest.approx(_series(distance), rel=1.5e-15)


@given(count=st.integers(0, 500), length=st.integers(1, 60))
def test_blocks_cover_every_row_once_in_nearly_equal_parts(count: int, length: int) -> None:
    parts = list(blocks(count, length))

    sizes = [rows.stop - rows.start for rows in parts]
    assert [row for rows in parts for row in range(rows.start, rows.stop)] == list(range(count))
    assert not sizes or (max(sizes) <= length and max(sizes) - min(sizes) <= 1)


def test_a_single_number_stands_for_a_column_without_taking_memory() -> None:
    shape, (column, alone) = columns(np.zeros((100, 10)), 3.0)

    assert shape == (100, 10)
    assert column.shape == alone.shape == (1000,)
    assert alone.strides == (0,)
