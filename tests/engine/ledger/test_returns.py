import math
from datetime import date

import numpy as np
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.ledger.irr import Basis, CashFlow, irr, mirr
from engine.ledger.returns import Convention, in_numeraire, positive_irr, return_on_margin, side_by_side
from tests.engine.ledger.events import days, steady

RATES = {"finance_rate": 0.065, "reinvestment_rate": 0.042}
pytestmark = pytest.mark.requirement("D15")


def flows(*pairs):
    return [CashFlow(day, usd) for day, usd in zip(days(*(p[0] for p in pairs)), (p[1] for p in pairs), strict=True)]


def test_money_and_time_weighted_returns_part_when_money_comes_late():
    values = list(zip(days(0, 182, 365), (1000.0, 2100.0, 1890.0), strict=True))

    found = side_by_side(values, flows((182, -1000)), **RATES)

    assert found.convention is Convention.NAV
    assert found.time_weighted.rate == pytest.approx(1.1 * 0.9 - 1, abs=1e-12)
    assert found.irr.rate == pytest.approx(pyxirr.xirr(days(0, 182, 365), [-1000, -1000, 1890]), abs=1e-9)
    assert found.modified_dietz.rate == pytest.approx(-110 / (1000 + 1000 * 183 / 365), abs=1e-12)
    assert found.irr.rate < found.time_weighted.rate
    assert "financing at 6.50%, reinvesting at 4.20%" in found.mirr.note


@steady
@given(st.floats(-0.5, 2.0), st.integers(30, 2000))
def test_without_flows_all_four_are_one(growth, span):
    values = list(zip(days(0, span), (1000.0, 1000.0 * (1 + growth)), strict=True))
    found = side_by_side(values, [], **RATES)

    annual = math.expm1(math.log1p(growth) * 365 / span)

    for one in (found.irr, found.mirr, found.modified_dietz, found.time_weighted):
        assert one.rate is None or one.rate == pytest.approx(annual, rel=1e-9, abs=1e-11)


def test_under_thirty_days_none_is_annualised():
    found = side_by_side(list(zip(days(0, 29), (100.0, 101.0), strict=True)), [], **RATES)

    for one in (found.irr, found.mirr, found.modified_dietz, found.time_weighted):
        assert one.basis is Basis.HOLDING_PERIOD
        assert one.rate == pytest.approx(0.01, abs=1e-12)
        assert "not annualised (29 days)" in one.note


def test_return_on_margin_names_its_convention():
    start, end = date(2025, 1, 1), date(2026, 1, 1)

    found = return_on_margin({start: 1000.0, end: 1000.0}, {end: 80.0}, **RATES)

    assert found.rate == pytest.approx(0.08, abs=1e-12)
    assert found.note == "margin_as_outflow"


def test_in_ether_a_dollar_gain_may_be_a_loss():
    start, end = days(0, 365)
    ether = {start: 2000.0, end: 3000.0}

    counted = in_numeraire([CashFlow(start, -1000.0), CashFlow(end, 1200.0)], ether.__getitem__)

    assert irr(counted, **RATES).rate == pytest.approx(1.2 * 2 / 3 - 1, abs=1e-12)
    with pytest.raises(InputError, match="a price is positive"):
        in_numeraire(counted, lambda day: 0.0)


@pytest.mark.requirement("S50")
@pytest.mark.parametrize(
    ("confidence", "holds", "closing"), [(0.5, True, 1050.0), (0.9, False, 990.0), (1.0, False, 980.0)]
)
def test_the_rule_asks_for_a_positive_rate_at_its_confidence(confidence, holds, closing):
    marks = [1100.0, 1090, 1080, 1070, 1060, 1050, 1040, 1030, 1020, 990, 980]

    found = positive_irr(flows((0, -1000)), days(365)[0], marks, confidence=confidence, **RATES)

    assert (found.holds, found.closing) == (holds, closing)
    assert found.net.rate == pytest.approx(closing / 1000 - 1, abs=1e-12)


@pytest.mark.requirement("S50")
@steady
@given(st.lists(st.floats(1, 1e5), min_size=1, max_size=30), st.floats(0.01, 1), st.floats(0.01, 1))
def test_more_confidence_never_turns_a_failure_into_a_pass(marks, one, other):
    low, high = sorted((one, other))
    cautious, bold = (
        positive_irr(flows((0, -1000)), days(365)[0], marks, confidence=c, **RATES).holds for c in (high, low)
    )

    assert bold or not cautious


def test_a_rate_that_is_undefined_or_nothing_fails_the_rule():
    gone = positive_irr(flows((0, -1000)), days(365)[0], [-5.0], confidence=0.9, **RATES)
    flat = positive_irr(flows((0, -1000)), days(365)[0], [1000.0], confidence=0.9, **RATES)

    assert (gone.holds, gone.net.defined, flat.holds) == (False, False, False)
    for confidence, marks in ((0.0, [1.0]), (0.9, []), (0.9, [math.nan])):
        with pytest.raises(InputError, match="positive-IRR"):
            positive_irr(flows((0, -1000)), days(365)[0], marks, confidence=confidence, **RATES)


def test_one_valuation_makes_no_return_and_a_rate_below_all_no_mirr():
    with pytest.raises(InputError, match="two ends"):
        side_by_side([(days(0)[0], 1.0)], [], **RATES)
    with pytest.raises(InputError, match="above -100"):
        mirr(flows((0, -1), (365, 1)), finance_rate=-1.0, reinvestment_rate=0.0)


@steady
@given(st.lists(st.floats(-500, 500), min_size=1, max_size=9), st.floats(100, 5000))
def test_mirr_agrees_with_an_independent_library(inner, closing):
    usd = [-1000.0, *inner, closing]
    found = mirr(flows(*((365 * year, cash) for year, cash in enumerate(usd))), **RATES)

    assert found.rate == pytest.approx(pyxirr.mirr(np.array(usd), 0.065, 0.042), rel=1e-9, abs=1e-11)
