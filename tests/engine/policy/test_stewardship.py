from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InputError
from engine.policy.paper_gate import LivePermit, PaperRecord
from engine.policy.stewardship import (
    LiveConduct,
    Move,
    Offer,
    Outlook,
    Promoter,
    Simulated,
    Steward,
    annual_return,
)

STEWARD = Steward(wacc=0.07)
GOOD = Outlook(expected=100.0, shortfall=1_000.0, captured=0.2, days=30.0, stressed_capital=5_000.0)
PERMIT = LivePermit(PaperRecord((date(2024, 1, 19), date(2024, 2, 16), date(2024, 3, 15)), 0))


@pytest.mark.requirement("D31", "S90")
def test_the_steward_holds_what_pays_for_its_tail_within_every_limit():
    assert STEWARD.move(GOOD).move is Move.HOLD


@pytest.mark.requirement("D31")
@pytest.mark.parametrize(
    ("change", "move", "why"),
    [
        ({"captured": 0.5}, Move.HARVEST, "50 % of the credit"),
        ({"days": 21.0}, Move.HARVEST, "21 days"),
        ({"stressed_capital": 20_000.0}, Move.HARVEST, "capital costs 7.00%"),  # 0.5 % in 30 days is 6.3 % a year
        ({"expected": 19.9, "stressed_capital": 100.0}, Move.HARVEST, "0.02 of its tail"),
        ({"limits_hold": False}, Move.CUT, "limit"),
    ],
)
def test_each_ground_alone_ends_the_holding(change, move, why):
    found = STEWARD.move(replace(GOOD, **change))

    assert found.move is move
    assert len(found.reasons) == 1
    assert why in found.reasons[0]


@pytest.mark.requirement("D31")
def test_just_short_of_each_ground_is_held():
    assert STEWARD.move(replace(GOOD, captured=0.499)).move is Move.HOLD
    assert STEWARD.move(replace(GOOD, days=21.01)).move is Move.HOLD
    assert STEWARD.move(replace(GOOD, expected=20.0, stressed_capital=100.0)).move is Move.HOLD


@pytest.mark.requirement("D31", "X17")
def test_a_broken_limit_is_cut_by_the_steward_alone_whatever_else_speaks():
    assert STEWARD.move(replace(GOOD, limits_hold=False, captured=0.9, days=3.0)).move is Move.CUT


@given(
    st.lists(
        st.tuples(st.floats(-100, 100), st.floats(0, 500), st.floats(-1, 1), st.floats(0, 60)), min_size=1, max_size=20
    )
)
def test_many_cases_at_once_answer_as_one_by_one(cases):
    expected, shortfall, captured, days = np.array(cases).T
    together = STEWARD.holds(Outlook(expected, shortfall, captured, days, 1_000.0))

    alone = [STEWARD.move(Outlook(*case, 1_000.0)).move is Move.HOLD for case in cases]
    assert together.tolist() == alone


@pytest.mark.requirement("D31", "S40")
def test_the_steward_stakes_what_two_sigma_bears_and_the_promoter_all_its_margin():
    offer = Offer(expected=100.0, shortfall=4_000.0, stressed_loss=4_424.0, margin=4_500.0)

    assert STEWARD.stake(offer) * 1_000_000 == pytest.approx(13.56, abs=0.01)  # finding 4: 13 condors per million
    assert Promoter(Simulated()).stake(offer) * 1_000_000 == pytest.approx(222.2, abs=0.1)


def test_shorts_beyond_two_sigma_are_bound_by_margin():
    offer = Offer(expected=100.0, shortfall=4_000.0, stressed_loss=0.0, margin=4_500.0)

    assert STEWARD.stake(offer) == Promoter(Simulated()).stake(offer)


@pytest.mark.requirement("D31")
def test_neither_sells_what_is_expected_to_lose():
    offer = Offer(expected=-1.0, shortfall=4_000.0, stressed_loss=4_424.0, margin=4_500.0)

    assert STEWARD.stake(offer) == Promoter(Simulated()).stake(offer) == 0.0


@pytest.mark.requirement("D31", "S90")
def test_the_promoter_keeps_what_the_steward_cuts():
    broken = replace(GOOD, limits_hold=False)

    assert Promoter(Simulated()).holds(broken)
    assert not STEWARD.holds(broken)


@pytest.mark.requirement("D31")
@pytest.mark.parametrize("world", [None, "live", PERMIT])
def test_a_promoter_exists_in_a_simulated_world_alone(world):
    with pytest.raises(ConfigError, match=r"conduct = promoter.*D31"):
        Promoter(world)


@pytest.mark.requirement("D31")
def test_no_live_desk_takes_a_promoter():
    with pytest.raises(ConfigError, match=r"conduct = promoter.*only a steward"):
        LiveConduct(Promoter(Simulated()), PERMIT)
    assert get_type_hints(LiveConduct)["steward"] is Steward
    assert not issubclass(Promoter, Steward)


@pytest.mark.requirement("D31")
def test_nothing_outside_the_simulation_makes_a_simulated_world():
    root = Path(__file__).parents[3]
    makers = {
        path.relative_to(root).parts[:2]
        for folder in ("engine", "adapters", "scripts")
        for path in (root / folder).rglob("*.py")
        if "Simulated()" in path.read_text(encoding="utf-8")
    }

    assert makers == {("engine", "simulation")}


@pytest.mark.requirement("S54", "D31")
def test_a_live_steward_shows_the_permit_of_the_paper_gate():
    assert LiveConduct(STEWARD, PERMIT).steward is STEWARD
    with pytest.raises(ConfigError, match="S54"):
        LiveConduct(STEWARD, None)


@pytest.mark.requirement("D31")
def test_one_percent_in_a_tenth_of_a_year_compounds_to_1046():
    assert float(annual_return(1.0, 100.0, 36.5)) == pytest.approx(1.01**10 - 1)


@pytest.mark.parametrize(
    ("gain", "capital", "days", "rate"),
    [
        (1.0, 0.0, 10.0, np.inf),
        (-1.0, 0.0, 10.0, -1.0),
        (0.0, 0.0, 10.0, 0.0),
        (1.0, 10.0, 0.0, np.inf),
        (-20.0, 10.0, 5.0, -1.0),
    ],
)
def test_returns_without_capital_or_time_have_a_sign_and_no_nan(gain, capital, days, rate):
    assert float(annual_return(gain, capital, days)) == rate


@pytest.mark.requirement("S40")
def test_settings_outside_their_range_are_refused():
    with pytest.raises(ConfigError, match=r"steward\.harvest = 1\.2.*D31"):
        Steward(wacc=0.07, harvest=1.2)
    with pytest.raises(InputError, match="offer refused"):
        Offer(1.0, 1.0, 0.0, 0.0)
