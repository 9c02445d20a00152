"""What a formula refuses, it refuses by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.admitted import finite, not_negative, positive
from engine.pricing.conversion import conversion_cost, conversion_edge
from engine.pricing.ddm import annual, finite_value
from engine.pricing.distance import Basis, Deviation, deviations, strike_at, vix_deviation
from engine.pricing.etp import reset_value
from engine.pricing.forward import parity_forward
from engine.pricing.perpetual import option_on_perpetual
from engine.pricing.variance import Term, index_level, strip_variance, variance_swap
from engine.pricing.vix_futures import FutureLevel, vix_option_value


@pytest.mark.fault("F76")
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("admit", [finite, positive, not_negative])
def test_what_is_not_finite_is_refused_by_name(admit, broken):
    with pytest.raises(InputError, match="settlement price"):
        admit("settlement price", [1.0, broken, 2.0])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_bound_itself_tells_positive_from_not_negative(number):
    for admit, holds in ((positive, number > 0), (not_negative, number >= 0)):
        if holds:
            assert float(admit("level", number)) == number
        else:
            with pytest.raises(InputError, match="level"):
                admit("level", number)


ONES, STRIKES = np.ones(3), np.array([90.0, 100.0, 110.0])
BROKEN = {
    "years of a strip": lambda bad: strip_variance(STRIKES, *[ONES] * 4, years=-abs(bad), rate=0.0, forward=100.0),
    "forward of a strip": lambda bad: strip_variance(STRIKES, *[ONES] * 4, years=0.1, rate=0.0, forward=bad),
    "repeated strike": lambda _: strip_variance(STRIKES // 20, *[ONES] * 4, years=0.1, rate=0.0, forward=5.0),
    "term": lambda bad: index_level(Term(40_000.0, bad), Term(50_000.0, 0.04)),
    "one term twice": lambda _: index_level(Term(43_200.0, 0.04), Term(43_200.0, 0.04)),
    "swap strike": lambda bad: variance_swap(ONES, strike_variance=bad, notional=1.0, per_year=365, years=1.0),
    "strike": lambda bad: deviations(bad, 100.0, Deviation(0.1, Basis.ATMF)),
    "deviation": lambda bad: deviations(90.0, 100.0, Deviation(bad, Basis.ATMF)),
    "deviation of a target": lambda bad: strike_at(1.0, 100.0, Deviation(bad, Basis.ATMF), sign=1),
    "VIX": lambda bad: vix_deviation(bad, 30 / 365),
    "spot of a conversion": lambda bad: conversion_cost(bad, 1.0, 1.0, 0.5),
    "premium": lambda bad: conversion_cost(100.0, 1.0, bad * np.inf, 0.5),
    "cost": lambda bad: conversion_edge(bad * np.inf, 100.0, 1.0, 0.05),
    "fees": lambda _: conversion_edge(99.0, 100.0, 1.0, 0.05, fees=-1.0),
    "leverage": lambda bad: reset_value(1.1, 1.0, leverage=bad * np.inf),
    "resets": lambda bad: reset_value(1.1, bad * np.inf, leverage=1.0),
    "capital": lambda bad: finite_value(bad * np.inf, reinvested=0.4, roc=0.02, k=0.02, periods=3),
    "half a period": lambda _: finite_value(100.0, reinvested=0.4, roc=0.02, k=0.02, periods=2.5),
    "loss of everything": lambda _: annual(-2.0, 30.0),
    "rate of a future": lambda bad: vix_option_value(FutureLevel(20.0, 0.1), 20.0, 0.9, sign=1, rate=bad * np.inf),
    "rate of a perpetual": lambda bad: option_on_perpetual(2e3, 2e3, 0.1, 0.8, sign=1, rate=bad * np.inf),
    "rate of parity": lambda bad: parity_forward(STRIKES, ONES, ONES, years=0.1, rate=bad * np.inf),
}


@pytest.mark.fault("F76")
@pytest.mark.parametrize("bad", [np.nan, -np.inf, -1.0])
@pytest.mark.parametrize("formula", BROKEN.values(), ids=BROKEN)
def test_no_formula_answers_with_what_is_no_number(formula, bad):
    with pytest.raises(InputError, match="refused"):
        formula(bad)
