import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, InvalidStructure
from engine.instruments import IronCondor
from engine.money import Money
from engine.positions import Book, Position, Sleeve
from engine.risk.break_even import break_even_stress, capital_charge, charged_break_evens
from engine.risk.smile import Smile
from engine.risk.structures import condor_payoff, expiry_payoff
from engine.risk.valuation import PricingView
from tests.engine.risk.contracts import FRIDAY, listed

GOLDEN = IronCondor(listed(5425, "P"), listed(5475, "P"), listed(6625, "C"), listed(6675, "C"))
CREDIT, FORWARD, YEARS = 5.7612, 6021.49, 45 / 365


@pytest.mark.requirement("S15")
def test_the_charge_moves_both_break_evens_inward_by_wacc_times_time_times_margin():
    charge = capital_charge(0.0699, YEARS, 50.0)

    low, high = charged_break_evens(condor_payoff(GOLDEN, CREDIT), charge)

    assert charge == pytest.approx(0.0699 * 45 / 365 * 50)
    assert (low, high) == pytest.approx((5475 - (CREDIT - charge), 6625 + (CREDIT - charge)))


@pytest.mark.requirement("S15")
@given(st.lists(st.floats(0.001, 0.9), min_size=2, max_size=5, unique_by=lambda rate: round(rate, 4)))
def test_dearer_capital_brings_break_evens_strictly_nearer(rates):
    payoff = condor_payoff(GOLDEN, CREDIT)

    distance = [
        np.abs(np.array(charged_break_evens(payoff, capital_charge(rate, YEARS, 50.0))) - FORWARD)
        for rate in sorted(rates)
    ]
    assert all((nearer < further).all() for further, nearer in pairwise(distance))


@pytest.mark.requirement("S15")
@pytest.mark.parametrize(("right", "sign"), [("P", -1), ("C", 1)])
def test_a_single_leg_breaks_even_at_its_strike_and_what_is_left_of_the_premium(right, sign):
    sold = expiry_payoff([(listed(6000, right), -1)], premium=40.0)

    assert charged_break_evens(sold, 4.0) == pytest.approx((6000 + sign * 36.0,))


def test_capital_that_costs_more_than_the_credit_leaves_no_break_even():
    with pytest.raises(InvalidStructure, match="no level that gains"):
        charged_break_evens(condor_payoff(GOLDEN, CREDIT), CREDIT + 0.01)


@pytest.mark.parametrize("terms", [(-0.01, 0.1, 50.0), (0.07, float("nan"), 50.0), (0.07, 0.1, math.inf)])
def test_a_charge_on_what_is_no_number_is_refused(terms):
    with pytest.raises(InputError, match="capital charge"):
        capital_charge(*terms)


@pytest.fixture
def view():
    smile = Smile(FRIDAY, YEARS, FORWARD, 0.042, np.array([-0.5, 0.5]), np.array([0.18, 0.18]))
    return PricingView(FRIDAY, 6000.0, {("SPXW", FRIDAY): smile}, {}, {})


@pytest.mark.requirement("S15")
def test_the_stress_prices_the_book_one_deviation_beyond_each_break_even(view):
    ql = pytest.importorskip("QuantLib")
    book = Book(
        tuple(
            Position(leg, Money.of(quantity, leg.unit), Sleeve.CONDOR, "broker")
            for leg, quantity in zip(GOLDEN.legs, GOLDEN.quantities, strict=True)
        )
    )

    low, high = break_even_stress(book, view, (5469.24, 6630.76), vol=0.18, capital=10_000.0, limit=0.06)

    def value(spot):
        forward, out = spot * FORWARD / 6000.0, math.exp(-0.042 * YEARS)
        kinds = [ql.Option.Put, ql.Option.Put, ql.Option.Call, ql.Option.Call]
        rows = zip(kinds, GOLDEN.legs, GOLDEN.quantities, strict=True)
        return sum(q * ql.blackFormula(k, float(o.strike), forward, 0.18 * math.sqrt(YEARS), out) for k, o, q in rows)

    move = math.exp(0.18 * math.sqrt(5 / 252))
    for stress, level in ((low, 5469.24 / move), (high, 6630.76 * move)):
        assert stress.level == pytest.approx(level)
        assert stress.loss == pytest.approx((value(6000.0) - value(level)) * 100, abs=1e-6)
        assert stress.share == pytest.approx(stress.loss / 10_000)
        assert not stress.holds
        assert replace(stress, limit=stress.share).holds


def test_a_break_even_that_is_no_level_is_refused(view):
    with pytest.raises(InputError, match="break-evens"):
        break_even_stress(Book(), view, (math.inf,), vol=0.18, capital=1.0, limit=0.06)


@pytest.mark.parametrize("capital", [0.0, -1.0, math.nan])
def test_a_loss_is_no_share_of_capital_that_is_none(view, capital):
    with pytest.raises(InputError, match="committed capital"):
        break_even_stress(Book(), view, (5400.0,), vol=0.18, capital=capital, limit=0.06)
