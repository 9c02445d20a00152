"""A line against REIT shares: drawn within the haircut, called at the covenant."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.risk.credit_line import CreditLine
from engine.risk.scenarios import Scenarios
from tests.engine.risk import cross_domain as x

LINE = CreditLine(0.065, 100_000.0, 0.7, x.REIT, haircut=0.4, call_days=5, undrawn_fee=0.0025)


@pytest.mark.requirement("S35")
@given(st.floats(0, 1e6), st.floats(0, 2e5))
def test_no_more_is_lent_than_limit_and_haircut_allow(worth, drawn):
    can = float(LINE.available(worth, drawn))

    assert 0.0 <= can <= 100_000.0
    assert can == 0.0 or drawn + can <= 0.6 * worth + 1e-6


@pytest.mark.requirement("S35")
def test_a_fall_through_the_covenant_calls_back_down_to_what_would_be_lent():
    worth = np.array([100_000.0, 86_000.0, 85_000.0, 0.0])  # 60,000 owed: the covenant breaks below 85,714

    assert LINE.called(worth, 60_000.0) == pytest.approx([0.0, 0.0, 60_000 - 51_000, 60_000])


@pytest.mark.requirement("S45", "S35")
def test_without_recourse_no_more_is_called_than_the_shares_are_worth():
    fenced = replace(LINE, recourse=False)

    assert fenced.called([85_000.0, 40_000.0, 0.0], 60_000.0) == pytest.approx([9_000.0, 36_000.0, 0.0])
    assert LINE.called([20_000.0], 60_000.0) == pytest.approx([48_000.0])
    assert fenced.called([20_000.0], 60_000.0) == pytest.approx([20_000.0])


@pytest.mark.requirement("S35")
def test_the_index_reaches_the_line_through_the_shares_beta():
    shares = 100_000 / 53
    calls = LINE.stressed_call(shares, 60_000.0, x.view(), Scenarios.of(spot=[0.0, np.log(0.8)]))

    assert calls == pytest.approx([0.0, 60_000 - 0.6 * 100_000 * 0.8**0.8])


@pytest.mark.requirement("S35")
def test_what_is_not_drawn_costs_its_commitment_fee():
    assert LINE.cost(60_000.0, 0.5) == pytest.approx(0.5 * (0.065 * 60_000 + 0.0025 * 40_000))


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("covenant", "haircut", "limit"), [(0.5, 0.4, 1e5), (1.2, 0.4, 1e5), (0.7, 1.0, 1e5), (0.7, 0.4, np.nan)]
)
def test_a_line_that_lends_beyond_its_covenant_is_refused(covenant, haircut, limit):
    with pytest.raises(InputError):
        CreditLine(0.065, limit, covenant, x.REIT, haircut=haircut, call_days=5)
