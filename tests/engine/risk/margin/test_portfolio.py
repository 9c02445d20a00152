import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, MissingQuote
from engine.instruments import Settlement
from engine.risk.margin import MarginRule, portfolio_scans, requirement
from engine.risk.margin.portfolio import valuation_points
from engine.risk.smile import Smile
from engine.risk.valuation import PricingView
from tests.engine.risk.contracts import FRIDAY, condor, leg

SPOT, FORWARD, YEARS, RATE, VOL = 7350.0, 7380.0, 45 / 365, 0.042, 0.18


@pytest.fixture(scope="module")
def view():
    smile = Smile(FRIDAY, YEARS, FORWARD, RATE, np.array([-0.5, 0.5]), np.array([VOL, VOL]))
    return PricingView(FRIDAY, SPOT, {("SPXW", FRIDAY): smile}, {}, {})


def value(strike, right, move):
    """One option with the index moved, by QuantLib, volatility unchanged."""
    ql = pytest.importorskip("QuantLib")
    kind = ql.Option.Call if right == "C" else ql.Option.Put
    return ql.blackFormula(kind, strike, FORWARD * (1 + move), VOL * math.sqrt(YEARS), math.exp(-RATE * YEARS))


@pytest.mark.requirement("D32")
def test_the_ten_moves_are_five_equal_steps_a_side():
    down, up = [-0.08, -0.064, -0.048, -0.032, -0.016], [0.012, 0.024, 0.036, 0.048, 0.06]

    assert valuation_points(-0.08, 0.06) == pytest.approx([*down, *up])


@pytest.mark.requirement("D32")
def test_the_requirement_is_the_worst_of_the_ten_moves(view):
    book = condor(10, 6700, 6800, 7800, 7900, level=SPOT)

    answer = requirement(MarginRule.PORTFOLIO, book, view)

    rows = [(10, 6700, "P"), (-10, 6800, "P"), (-10, 7800, "C"), (10, 7900, "C")]
    losses = [
        -sum(q * (value(k, right, move) - value(k, right, 0.0)) for q, k, right in rows) * 100
        for move in (-0.08, -0.064, -0.048, -0.032, -0.016, 0.012, 0.024, 0.036, 0.048, 0.06)
    ]
    assert answer.usd == pytest.approx(max(losses))
    assert "index -8.0%" in answer.groups[0].strategy


@pytest.mark.requirement("D32")
def test_a_book_that_no_move_hurts_is_held_against_the_minimum_per_contract(view):
    far = [leg(-4, 3000, "P", mark=0.05, level=SPOT), leg(8, 2900, "P", mark=0.02, level=SPOT)]

    answer = requirement(MarginRule.PORTFOLIO, far, view)

    assert answer.usd == pytest.approx(4 * 37.50 + 8 * 2.00)  # a long one at most its market value
    assert "minimum" in answer.groups[0].strategy


rows = st.dictionaries(
    st.tuples(st.integers(60, 90), st.sampled_from("PC")), st.integers(-5, 5).filter(bool), min_size=1, max_size=6
).map(lambda held: [leg(q, k * 100, right, level=SPOT) for (k, right), q in held.items()])


@pytest.mark.requirement("D32")
@given(rows, st.randoms())
def test_the_order_changes_nothing_and_the_minimum_always_holds(view, book, random):
    shuffled = list(book)
    random.shuffle(shuffled)

    (scan,) = portfolio_scans(book, view)

    assert requirement(MarginRule.PORTFOLIO, shuffled, view) == requirement(MarginRule.PORTFOLIO, book, view)
    assert scan.requirement >= sum(abs(b.quantity) * 37.5 for b in book) - 1e-9
    assert scan.requirement >= -min(scan.results)


@given(rows, st.integers(2, 7))
def test_twice_the_book_requires_twice_as_much(view, book, times):
    larger = [replace(part, quantity=part.quantity * times) for part in book]

    assert requirement(MarginRule.PORTFOLIO, larger, view).usd == pytest.approx(
        times * requirement(MarginRule.PORTFOLIO, book, view).usd
    )


def test_opening_and_closing_settled_contracts_of_one_index_offset_each_other(view):
    both = replace(view, smiles={**view.smiles, ("SPX", FRIDAY): view.smiles["SPXW", FRIDAY]})
    book = [leg(-5, 7000, "P", level=SPOT), leg(5, 7000, "P", level=SPOT, root="SPX", settlement=Settlement.AM)]

    (scan,) = portfolio_scans(book, both)

    assert scan.worst == pytest.approx(0.0, abs=1e-9)


def test_an_index_without_a_range_or_a_smile_is_refused(view):
    vix = leg(-1, 20, "C", level=19.0, root="VIX", underlying="VIX", settlement=Settlement.AM)

    with pytest.raises(InputError, match="VIX"):
        portfolio_scans([vix], view)
    with pytest.raises(MissingQuote, match="SPX "):
        portfolio_scans([leg(-1, 7000, "P", root="SPX", settlement=Settlement.AM)], view)


@pytest.mark.parametrize("ends", [(0.01, 0.06), (-0.08, -0.06), (-1.0, 0.06), (float("nan"), 0.06)])
def test_a_range_that_does_not_surround_zero_is_refused(ends):
    with pytest.raises(InputError, match="range"):
        valuation_points(*ends)


@pytest.mark.requirement("D32")
def test_a_mini_contract_is_scanned_as_a_tenth_of_the_index(view):
    full = condor(10, 6700, 6800, 7800, 7900, level=SPOT)
    mini = condor(10, 670, 680, 780, 790, root="XSP", underlying="XSP", mark=0.5, level=SPOT / 10)

    answer = requirement(MarginRule.PORTFOLIO, mini, view)

    assert answer.usd == pytest.approx(requirement(MarginRule.PORTFOLIO, full, view).usd / 10.0)
