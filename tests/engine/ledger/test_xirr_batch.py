import math
from fractions import Fraction

import numpy as np
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.ledger.roots import rate_roots
from engine.ledger.xirr_batch import xirr_many
from tests.engine.ledger.events import days as dates
from tests.engine.ledger.events import steady

PATHS = [
    pytest.param(False, id="numpy"),
    pytest.param(True, id="compiled", marks=pytest.mark.skipif("not __import__('importlib').util.find_spec('numba')")),
]
pytestmark = pytest.mark.parametrize("fast", PATHS)
MONTHS = np.arange(13) * 30


def loans(count, seed=1):
    rng = np.random.default_rng(seed)
    flows = rng.normal(0.0, 50.0, (count, 13))
    flows[:, 0], flows[:, -1] = -1000.0, rng.uniform(700.0, 1600.0, count)
    return flows


@pytest.mark.requirement("D15")
@pytest.mark.fault("F85")
def test_all_roots_of_the_published_vector_are_reported(fast):
    found = xirr_many([[-100.0, 230.0, -132.0], [-100.0, 0.0, 121.0]], [0, 365, 730], fast=fast)

    assert found.count.tolist() == [2, 1]
    assert found.of(0) == pytest.approx((0.10, 0.20), abs=1e-12)
    assert found.of(1) == pytest.approx((0.10,), abs=1e-12)
    assert math.isnan(found.rate[0])


def test_each_root_is_within_1e_12_of_exact_arithmetic(fast):
    flows = loans(60)

    found = xirr_many(flows, MONTHS * 365 // 30, fast=fast)  # whole years: powers of a fraction are exact

    assert (found.count == 1).all()
    for row, rate in zip(flows, found.rate, strict=True):
        worth = [value(row, Fraction(rate) + Fraction(shift)) for shift in (-1e-12, 1e-12)]
        assert worth[0] * worth[1] < 0


def value(row, rate):
    return sum(Fraction(cash) / (1 + rate) ** years for years, cash in enumerate(row))


def test_one_root_agrees_with_pyxirr(fast):
    flows = loans(500)
    when = dates(*MONTHS.tolist())

    found = xirr_many(flows, MONTHS, fast=fast)

    assert found.rate == pytest.approx([pyxirr.xirr(when, row) for row in flows], abs=1e-8)


def test_a_row_of_days_for_each_series_and_one_for_all_agree(fast):
    flows = loans(300)

    each = xirr_many(flows, np.tile(MONTHS, (300, 1)), fast=fast)

    assert np.abs(each.rate - xirr_many(flows, MONTHS, fast=fast).rate).max() <= 1e-13


def test_a_short_series_may_be_filled_with_zeros_at_both_ends(fast):
    bare = xirr_many([[-100.0, 60.0, 60.0]], [30, 60, 90], fast=fast)

    filled = xirr_many([[0.0, -100.0, 60.0, 60.0, 0.0]], [0, 30, 60, 90, 400], fast=fast)

    assert filled.rate == pytest.approx(bare.rate, abs=1e-13)


@pytest.mark.fault("F85")
@pytest.mark.parametrize(
    ("flows", "days"),
    [
        ([-100.0, -5.0], [0, 365]),
        ([0.0, 0.0], [0, 365]),
        ([-100.0, 110.0], [0, 0]),
        ([-100.0, 1e-3], [0, 365]),
        ([-100.0, 1e9], [0, 365]),
        ([-100.0, 50.0, -100.0], [0, 365, 730]),
        ([-100.0], [0]),
    ],
)
def test_what_has_no_rate_has_none_and_never_a_number(flows, days, fast):
    found = xirr_many([flows], [days], fast=fast)

    assert found.count[0] == 0
    assert found.of(0) == ()
    assert math.isnan(found.rate[0])


@steady
@given(
    rows=st.lists(st.lists(st.integers(-10_000, 10_000).map(float), min_size=6, max_size=6), min_size=1, max_size=8),
    days=st.lists(st.integers(0, 900), min_size=6, max_size=6).map(sorted),
)
def test_the_batch_finds_exactly_what_exclusion_proves(rows, days, fast):
    found = xirr_many(rows, days, fast=fast)

    for row, series in enumerate(rows):
        proven = rate_roots((np.array(days) - days[0]) / 365.0, np.array(series))
        assert len(found.of(row)) == len(proven)
        for ours, theirs in zip(found.of(row), proven, strict=True):
            assert math.log1p(ours) == pytest.approx(math.log1p(theirs), abs=2e-6)  # a nearly double root is ill-posed


@pytest.mark.parametrize(
    ("flows", "days", "why"),
    [
        ([[1.0, -1.0]], [0, 1, 2], "do not fit"),
        ([[1.0, math.nan]], [0, 1], "not finite"),
        ([[1.0, -1.0]], [1, 0], "days fall"),
    ],
)
def test_what_cannot_be_solved_is_refused_before_it_is_tried(flows, days, why, fast):
    with pytest.raises(InputError, match=why):
        xirr_many(flows, days, fast=fast)
