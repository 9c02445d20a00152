import math
from datetime import date, timedelta

import numpy as np
import pytest
import pyxirr
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.ledger.irr import (
    Basis,
    CashFlow,
    holding_period,
    irr,
    margin_flows,
    mirr,
    modified_dietz,
    time_weighted,
)
from engine.ledger.roots import rate_roots
from tests.engine.ledger.events import days, steady

RATES = {"finance_rate": 0.065, "reinvestment_rate": 0.042}


def flows(*pairs):
    return [CashFlow(day, usd) for day, usd in zip(days(*(p[0] for p in pairs)), (p[1] for p in pairs), strict=True)]


@pytest.mark.requirement("D15")
@pytest.mark.fault("F85")
def test_two_roots_are_listed_and_the_headline_is_mirr():
    found = irr(flows((0, -100), (365, 230), (730, -132)), **RATES)

    assert found.roots == pytest.approx((0.10, 0.20), abs=1e-12)
    assert found.method == "MIRR"
    assert found.rate == pytest.approx(math.sqrt(230 * 1.042 / (100 + 132 / 1.065**2)) - 1, abs=1e-12)
    assert "10.0000%, 20.0000%" in found.note
    assert "6.50%" in found.note
    assert "4.20%" in found.note


@pytest.mark.parametrize("planted", [(0.1, 0.1), (0.1, 0.2, 0.3), (-0.9, 0.0, 5.0, 90.0), (-0.5, -0.4, 0.05, 0.06)])
def test_every_planted_root_is_found(planted):
    polynomial = np.poly([1 + rate for rate in planted]) * -100

    found = rate_roots(np.arange(len(polynomial), dtype=float), polynomial)

    assert found == pytest.approx(sorted(set(planted)), abs=1e-6)


@pytest.mark.fault("F85")
@pytest.mark.parametrize(
    ("given_flows", "why"),
    [
        ([], "do not change sign"),
        ([(0, -100)], "do not change sign"),
        ([(0, -100), (365, -5)], "do not change sign"),
        ([(0, -100), (0, 110)], "do not change sign"),
        ([(0, -100), (365, 0.001)], "no rate in"),
        ([(0, -100), (365, 50), (730, -100)], "no rate in"),
    ],
)
def test_what_has_no_rate_says_so_and_never_gives_a_number(given_flows, why):
    found = irr(flows(*given_flows), **RATES)

    assert found.rate is None
    assert found.basis is Basis.UNDEFINED
    assert not found.defined
    assert why in found.note


def test_flows_of_one_day_count_as_one():
    split = irr(flows((0, -60), (0, -40), (365, 100), (365, 10)), **RATES)

    assert split == irr(flows((0, -100), (365, 110)), **RATES)


def test_a_flow_that_is_not_finite_is_refused():
    with pytest.raises(InputError, match="not finite"):
        irr(flows((0, -100), (365, math.nan)), **RATES)


@pytest.mark.requirement("D15")
def test_spans_under_thirty_days_are_not_annualised():
    week, month = irr(flows((0, -100), (7, 120)), **RATES), irr(flows((0, -100), (30, 101)), **RATES)

    assert (week.basis, week.note) == (Basis.HOLDING_PERIOD, "not annualised (7 days)")
    assert week.rate == pytest.approx(0.20, abs=1e-13)
    assert month.basis is Basis.ANNUAL
    assert holding_period(month.rate, 30) == pytest.approx(0.01, abs=1e-13)


schedules = st.lists(st.tuples(st.integers(1, 2000), st.floats(-1e5, 1e5, allow_nan=False)), min_size=1, max_size=13)


@steady
@given(schedules)
@example([(365, 110.0)])
def test_one_root_agrees_with_pyxirr_and_solves_the_equation(rest):
    series = flows((0, -50_000.0), *rest)

    found = irr(series, **RATES)

    if found.method == "IRR" and found.basis is Basis.ANNUAL:
        scale = sum(abs(f.usd) * (1 + found.rate) ** (-(f.day - series[0].day).days / 365) for f in series)
        assert abs(pyxirr.xnpv(found.rate, [f.day for f in series], [f.usd for f in series])) <= 1e-9 * scale
    if sum(f.usd < 0 for f in series) == 1 and found.method == "IRR" and found.basis is Basis.ANNUAL:
        theirs = pyxirr.xirr([f.day for f in series], [f.usd for f in series])
        if theirs is not None:
            assert found.rate == pytest.approx(theirs, rel=1e-6, abs=1e-8)


@steady
@given(schedules)
def test_no_sign_change_on_a_fine_grid_is_missed(rest):
    series = {}
    for day, usd in [(0, -50_000.0), *rest]:
        series[day] = series.get(day, 0.0) + usd
    times, usd = np.array(sorted(series)) / 365, np.array([series[day] for day in sorted(series)])
    grid = np.linspace(math.log(1.01e-4), math.log(100.9), 2001)
    values = np.exp(-np.outer(grid, times)) @ usd
    noise = np.exp(-np.outer(grid, times)) @ np.abs(usd)
    sure = np.abs(values) > 1e-11 * noise
    roots = np.log1p(np.array(rate_roots(times, usd)))

    for left, right in zip(np.flatnonzero(sure)[:-1], np.flatnonzero(sure)[1:], strict=True):
        inside = ((roots >= grid[left] - 1e-6) & (roots <= grid[right] + 1e-6)).sum()
        assert values[left] * values[right] > 0 or inside >= 1


def test_mirr_agrees_with_its_closed_form():
    found = mirr(flows((0, -100), (365, -50), (730, 180)), **RATES)

    assert found.rate == pytest.approx(math.sqrt(180 / (100 + 50 / 1.065)) - 1, abs=1e-12)


def test_modified_dietz_weights_each_flow_by_its_share_of_the_span():
    start, end = date(2025, 1, 1), date(2025, 1, 11)

    found = modified_dietz(100.0, 165.0, [CashFlow(date(2025, 1, 6), -50.0)], start, end)

    assert found.rate == pytest.approx(15 / (100 + 50 * 0.5), abs=1e-15)
    assert found.note == "not annualised (10 days)"


def test_modified_dietz_without_capital_is_undefined_and_outside_its_span_refused():
    start, end = date(2025, 1, 1), date(2025, 1, 11)

    assert not modified_dietz(0.0, 10.0, [], start, end).defined
    with pytest.raises(InputError, match="outside"):
        modified_dietz(1.0, 1.0, [CashFlow(start, 1.0)], start, end)


def test_time_weighted_return_ignores_when_money_came():
    values = list(zip(days(0, 1, 2), (100.0, 1110.0, 1221.0), strict=True))

    found = time_weighted(values, flows((1, -1000)))

    assert found.rate == pytest.approx(1.10 * 1.10 - 1, abs=1e-12)
    assert found.basis is Basis.HOLDING_PERIOD


def test_time_weighted_return_over_a_broken_link_names_the_day():
    values = list(zip(days(0, 1, 2), (100.0, -5.0, 10.0), strict=True))

    found = time_weighted(values, [])

    assert found.rate is None
    assert "2025-01-02 is -5.00" in found.note
    with pytest.raises(InputError, match="valuation days"):
        time_weighted(values, flows((7, 1)))


def test_return_on_margin_takes_what_is_posted_as_paid_in():
    start, end = date(2025, 1, 1), date(2026, 1, 1)
    paid = margin_flows({start: 1000.0, end: 1000.0}, {end: 80.0})

    assert [flow.usd for flow in paid] == [-1000.0, 1080.0]
    assert irr(paid, **RATES).rate == pytest.approx(0.08, abs=1e-12)
    assert (end - start) == timedelta(days=365)
