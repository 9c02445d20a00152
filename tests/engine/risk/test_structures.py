import math
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InvalidStructure
from engine.instruments import IronCondor, Right, Settlement, VanillaOption
from engine.money import ETH
from engine.risk.structures import condor_payoff, expiry_payoff
from tests.engine.risk.contracts import FRIDAY, listed

GOLDEN = IronCondor(listed(5425, "P"), listed(5475, "P"), listed(6625, "C"), listed(6675, "C"))


def black_scholes(strike, call):
    """Premium by QuantLib at the golden condor's market: S 6000, r 4.2 %, q 1.3 %, flat 18 %, 45 days."""
    ql = pytest.importorskip("QuantLib")
    years = 45 / 365
    forward = 6000 * math.exp((0.042 - 0.013) * years)
    kind = ql.Option.Call if call else ql.Option.Put
    return ql.blackFormula(kind, strike, forward, 0.18 * math.sqrt(years), math.exp(-0.042 * years))


@pytest.mark.requirement("D03")
@pytest.mark.requirement("S01")
def test_the_golden_condor_is_finding_four():
    credit = (
        black_scholes(5475, False) - black_scholes(5425, False) + black_scholes(6625, True) - black_scholes(6675, True)
    )

    payoff = condor_payoff(GOLDEN, credit)

    assert credit == pytest.approx(5.7612, abs=5e-5)
    assert payoff.max_loss * 100 == pytest.approx(4423.88, abs=5e-3)
    assert payoff.best == credit
    assert payoff.break_evens == pytest.approx((5469.24, 6630.76), abs=5e-3)


@pytest.mark.requirement("D03")
@pytest.mark.parametrize(("low", "put", "call", "high", "widest"), [(90, 95, 105, 110, 5), (60, 95, 105, 110, 35)])
def test_a_condor_loses_its_wider_side_less_the_credit(low, put, call, high, widest):
    condor = IronCondor(listed(low, "P"), listed(put, "P"), listed(call, "C"), listed(high, "C"))

    assert condor_payoff(condor, 1.5).max_loss == widest - 1.5


legs = st.dictionaries(
    st.tuples(st.integers(50, 150), st.sampled_from("PC")),
    st.integers(-3, 3).filter(bool),
    min_size=1,
    max_size=8,
)


@pytest.mark.requirement("D03")
@given(legs, st.floats(-20, 20))
@example({(100, "P"): 1, (100, "C"): -1}, 0.0)
def test_the_extremes_are_those_of_a_brute_grid(book, premium):
    payoff = expiry_payoff([(listed(k, right), q) for (k, right), q in book.items()], premium=premium)

    levels = np.linspace(0.0, 1000.0, 1001)  # every strike lies on the grid
    paid = premium + sum(
        q * np.maximum((levels - k) * (1 if right == "C" else -1), 0) for (k, right), q in book.items()
    )
    calls = sum(q for (_, right), q in book.items() if right == "C")
    assert payoff.worst == (-math.inf if calls < 0 else pytest.approx(paid.min()))
    assert payoff.best == (math.inf if calls > 0 else pytest.approx(paid.max()))
    assert payoff.at(levels) == pytest.approx(paid)


@pytest.mark.requirement("S17")
@given(legs, st.floats(-20, 20))
def test_every_break_even_is_a_zero_and_the_sign_changes_nowhere_else(book, premium):
    payoff = expiry_payoff([(listed(k, right), q) for (k, right), q in book.items()], premium=premium)

    evens = [even for even in payoff.break_evens if math.isfinite(even)]
    assert np.abs(payoff.at(evens)).max(initial=0.0) < 1e-6
    ends = [0.0, *evens, max([*evens, 150.0]) + 1e4]
    for low, high in pairwise(ends):
        inside = payoff.at(np.linspace(low, high, 50)[1:-1])
        assert (inside >= -1e-9).all() or (inside <= 1e-9).all()


def test_a_stretch_at_zero_is_reported_by_its_two_ends():
    spread = expiry_payoff([(listed(100, "C"), 1), (listed(110, "C"), -1)])
    put = expiry_payoff([(listed(100, "P"), 1)])

    assert spread.break_evens == (0.0, 100.0)
    assert put.break_evens == (100.0, math.inf)


def test_an_uncovered_short_call_loses_without_bound_and_a_short_put_its_strike():
    assert expiry_payoff([(listed(100, "C"), -1)], premium=3.0).max_loss == math.inf
    assert expiry_payoff([(listed(100, "P"), -1)], premium=3.0).max_loss == 97.0


@pytest.mark.fault("F82")
@pytest.mark.parametrize(
    ("second", "word"),
    [
        ({"expiry": FRIDAY + timedelta(days=7)}, "expiry instants"),
        ({"settlement": Settlement.AM}, "settlement styles"),
        ({"underlying": "VIX"}, "underlyings"),
        ({"root": "SPX"}, "roots"),
    ],
)
def test_legs_that_settle_apart_are_refused_by_name(second, word):
    with pytest.raises(InvalidStructure, match=word) as refused:
        expiry_payoff([(listed(100, "P"), -1), (listed(90, "P", **second), 1)])

    assert "P 100" in str(refused.value)
    assert "P 90" in str(refused.value)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("quantity", [0, float("nan"), float("inf"), Decimal("NaN")])
def test_a_quantity_that_is_no_number_of_contracts_is_refused_by_name(quantity):
    with pytest.raises(InvalidStructure, match="C 110"):
        expiry_payoff([(listed(100, "C"), 1), (listed(110, "C"), quantity)])


@pytest.mark.fault("F76")
def test_a_premium_without_meaning_and_an_empty_structure_are_refused():
    with pytest.raises(InvalidStructure):
        expiry_payoff([])
    with pytest.raises(InvalidStructure, match="premium"):
        expiry_payoff([(listed(100, "C"), 1)], premium=float("nan"))


def test_a_coin_margined_option_is_refused_since_its_payoff_is_curved():
    coin = VanillaOption(
        "ETH", "ETH", FRIDAY, Decimal(2000), Right.PUT, Decimal(1), Settlement.CHAIN, ETH, 18, inverse=True
    )

    with pytest.raises(InvalidStructure, match="coin"):
        expiry_payoff([(coin, 1)])
