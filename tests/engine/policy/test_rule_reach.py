import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.policy.rule import Condition
from engine.policy.rule_reach import RANGES, apart, can_hold
from engine.signals.catalogue import names

GRID = np.arange(-6.0, 6.25, 0.25)
"""Finer than the whole levels drawn: it meets every reading that tells two conditions apart."""

conditions = st.lists(
    st.builds(
        lambda signal, op, level: Condition(signal, op, float(level), f"{signal} {op} {level}"),
        st.sampled_from(["basis", "skew"]),
        st.sampled_from(["<", "<=", ">", ">="]),
        st.integers(-4, 4),
    ),
    min_size=1,
    max_size=4,
)


def refused(check, *terms, **named) -> bool:
    try:
        check(*terms, "rules.x.when", **named)
    except ConfigError:
        return True
    return False


def met(some, basis, skew):
    at = {"basis": basis, "skew": skew}
    return np.array([each.holds(at[each.signal]) for each in some]).sum(axis=0)


@given(conditions, st.integers(1, 4))
def test_what_is_refused_as_never_met_is_what_a_search_over_readings_never_meets(some, needed):
    basis, skew = (axis.ravel() for axis in np.meshgrid(GRID, GRID))

    assert refused(can_hold, some, needed) == (met(some, basis, skew).max() < needed)


@given(conditions, conditions, st.booleans())
def test_what_is_refused_as_overlapping_is_one_reading_that_meets_both_sides(first, second, together):
    shared = {each.signal for each in first} & {each.signal for each in second}

    overlap = False
    for signal in shared:
        one, other = ([each for each in side if each.signal == signal] for side in (first, second))
        ends = met(other, GRID, GRID) >= (len(other) if together else 1)
        overlap |= bool(((met(one, GRID, GRID) == len(one)) & ends).any())

    assert refused(apart, first, second, all_of_second=together) == overlap


def test_ranges_are_of_signals_there_are():
    assert set(RANGES) <= set(names())
    assert all(low < high for low, high in RANGES.values())


@pytest.mark.parametrize("name", ["rsi_spx", "iv_percentile", "utilisation"])
def test_a_range_is_in_the_signals_own_number(name):
    assert RANGES[name][1] == (1.0 if names()[name].unit == "%" else 100.0)
