"""Closed integer search of the most units, against finding 4 and against trying every number."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.risk.drawdown import two_sd_scenarios
from engine.risk.room import most_lots, most_units
from tests.engine.risk.golden import EXPIRY, condors, golden_view


@pytest.mark.requirement("D11")
@pytest.mark.parametrize(("loss", "units"), [(115.0, 521), (359.7, 166), (505.0, 118), (692.9, 86), (4423.88, 13)])
def test_finding_four_allows_so_many_condors_per_million(loss, units):
    room = most_units(np.zeros(1), np.array([loss]), capital=1e6, limit=0.06)

    assert (room.units, room.holds) == (units, True)


def test_the_scenario_that_stops_the_next_unit_is_named():
    room = most_units(np.zeros(2), np.array([50.0, 60.0]), capital=1000.0, limit=0.2, names=("calm", "crash"))

    assert (room.units, room.cell) == (3, "crash")


def test_a_limit_reached_exactly_is_kept():
    assert most_units(np.zeros(1), np.array([15_000.0]), capital=1e6, limit=0.06).units == 4


@pytest.mark.parametrize(
    ("capital", "limit", "unit", "units"),
    [(1257 / 7, 0.086, 1257 / 7 * 0.086 / 49, 49), (540 / 7, 0.031, 0.7971428571428572, 2)],
)
def test_rounding_admits_neither_a_unit_too_many_nor_one_too_few(capital, limit, unit, units):
    """In doubles the quotient falls short of 49 in the first, and reaches 3 though three lose more in the second."""
    room = most_units(np.zeros(1), np.array([unit]), capital=capital, limit=limit)

    assert room.units == units
    assert units * unit / capital <= limit < (units + 1) * unit / capital


def test_what_never_loses_is_not_bounded():
    assert most_units(np.zeros(2), np.array([0.0, -5.0]), capital=1.0, limit=0.0).units is None


def test_a_hedge_that_lifts_the_book_back_is_a_number_of_units_that_holds():
    """The book loses 100 of 60 allowed; a unit gives back 10 there and costs 7 elsewhere: 4 to 8 units hold."""
    room = most_units(np.array([100.0, 0.0]), np.array([-10.0, 7.0]), capital=1000.0, limit=0.06)

    assert (room.units, room.holds) == (8, True)


def test_a_book_that_no_number_of_units_repairs_does_not_hold():
    room = most_units(np.array([100.0, 0.0]), np.array([-10.0, 30.0]), capital=1000.0, limit=0.06)
    idle = most_units(np.array([100.0]), np.array([0.0]), capital=1000.0, limit=0.06)

    assert (room.units, room.holds) == (0, False)
    assert (idle.units, idle.holds) == (0, False)


losses = st.lists(st.tuples(st.integers(-50, 90), st.integers(-20, 40)), min_size=1, max_size=5)


@pytest.mark.requirement("D11")
@given(losses, st.integers(0, 80))
@example([(61, -1), (0, 1)], 60)
def test_no_number_of_units_above_the_answer_keeps_the_limit(cells, allowed):
    carried, unit = (np.array(column, float) for column in zip(*cells, strict=True))
    kept = [n for n in range(400) if ((carried + n * unit) / 1000.0 <= allowed / 1000.0).all()]

    room = most_units(carried, unit, capital=1000.0, limit=allowed / 1000.0)

    assert room.holds is bool(kept)
    if room.units is None:
        assert kept[-1] == 399
    else:
        assert room.units == (kept[-1] if kept else 0)


def test_capital_that_is_no_sum_is_refused():
    with pytest.raises(InputError):
        most_units(np.zeros(1), np.ones(1), capital=0.0, limit=0.06)


@pytest.mark.fault("F76")
@pytest.mark.parametrize(("carried", "unit", "limit"), [(np.nan, 1.0, 0.06), (0.0, np.nan, 0.06), (0.0, 1.0, np.nan)])
def test_a_loss_that_is_no_number_leaves_no_room(carried, unit, limit):
    """A unit whose loss was no number once had room without end."""
    with pytest.raises(InputError, match="refused"):
        most_units(np.array([carried]), np.array([unit]), capital=1e6, limit=limit)


@pytest.mark.requirement("D11", "S40")
@pytest.mark.parametrize("held", [3, 13, 20])
def test_thirteen_condors_per_million_are_the_most_however_many_are_held(held):
    """Finding 4: to expiry each loses USD 4,423.88 of a million, of which 6 % may be lost."""
    book, view = condors(held, cash=1_000_000), golden_view()
    cells = two_sd_scenarios(view, next_expiry=EXPIRY, crypto_beta=1.2, crypto_idiosyncratic_vol=0.5)

    room = most_lots(book, condors(), held, view, cells, capital=1e6, limit=0.06)

    assert (room.units, room.holds) == (13, True)
    assert room.cell.startswith("to expiry")
