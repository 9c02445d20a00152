from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InputError
from engine.policy.ladder import LadderRules, Rung, ladder, ladder_spread

JUNE, JULY = date(2024, 6, 21), date(2024, 7, 19)


@pytest.mark.requirement("S08")
@pytest.mark.parametrize(("losses", "spread"), [((70, 30), 0.84), ((85, 15), 0.5100), ((50, 50), 1.0)])
def test_the_spread_of_the_worked_splits(losses, spread):
    assert ladder_spread(losses) == pytest.approx(spread, abs=5e-3)


@pytest.mark.requirement("S08")
def test_one_expiry_or_one_width_is_no_ladder_however_even():
    one_expiry = ladder([Rung(JUNE, 50.0, 1.0), Rung(JUNE, 25.0, 1.0)])
    one_width = ladder([Rung(JUNE, 50.0, 1.0), Rung(JULY, 50.0, 1.0)])
    both = ladder([Rung(JUNE, 50.0, 1.0), Rung(JULY, 25.0, 1.0)])

    assert (one_expiry.spread, one_expiry.holds()) == (0.0, False)
    assert (one_width.spread, one_width.holds()) == (1.0, False)
    assert both.holds()


@pytest.mark.requirement("S08")
def test_a_split_more_lopsided_than_85_to_15_fails_the_default():
    assert ladder([Rung(JUNE, 50.0, 85.0), Rung(JULY, 25.0, 15.0)]).holds()
    assert not ladder([Rung(JUNE, 50.0, 86.0), Rung(JULY, 25.0, 14.0)]).holds()


@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=12))
def test_the_spread_lies_between_one_expiry_and_an_even_ladder(losses):
    assert 0.0 <= ladder_spread(losses) <= 1.0 + 1e-12
    assert ladder_spread([losses[0]] * len(losses)) == pytest.approx(1.0)


@pytest.mark.parametrize("losses", [[], [1.0, 0.0], [1.0, float("nan")]])
def test_losses_that_are_none_are_refused(losses):
    with pytest.raises(InputError, match="maximum losses"):
        ladder_spread(losses)


def test_a_spread_over_one_is_no_setting():
    with pytest.raises(ConfigError, match=r"ladder\.spread = 1\.5.*S08"):
        LadderRules(spread=1.5)
