"""The interior point by the conditions that only a minimum meets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.quadratic import quadratic_minimum


@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), extra=st.integers(0, 8))
def test_no_feasible_direction_leads_lower(seed, n, extra):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n))
    hessian, linear = root @ root.T, rng.standard_normal(n)
    rows = np.vstack([np.eye(n), rng.standard_normal((extra, n))])
    inside = rng.random(n) + 0.5
    floors = rows @ inside - rng.random(len(rows)) * np.r_[np.full(n, 0.5), np.ones(extra)]
    hessian += 0.1 * np.eye(n)

    x = quadratic_minimum(hessian, linear, rows, floors)

    assert (rows @ x >= floors - 1e-8).all()
    slope = hessian @ x + linear
    for other in inside + 0.1 * rng.standard_normal((50, n)):
        if (rows @ other >= floors).all():
            assert slope @ (other - x) >= -1e-6  # the first-order condition of a convex programme


def test_a_corner_of_a_linear_programme_is_found():
    x = quadratic_minimum(np.zeros((2, 2)), np.array([1.0, 2.0]), np.vstack([np.eye(2), np.ones((1, 2))]), [0, 0, 3])

    assert x == pytest.approx([3.0, 0.0], abs=1e-9)


@pytest.mark.parametrize(
    ("linear", "rows", "floors"),
    [([1.0], [[1.0], [-1.0]], [1.0, 1.0]), ([-1.0], [[1.0]], [0.0])],
    ids=["contradiction", "without end"],
)
def test_what_has_no_minimum_is_refused(linear, rows, floors):
    with pytest.raises(InputError, match="no least cost"):
        quadratic_minimum(np.zeros((1, 1)), np.array(linear), np.array(rows), np.array(floors))
