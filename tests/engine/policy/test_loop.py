"""The loop by its worked vectors, by its rounds, and by each of its stops."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.loop import LoopReadings, LoopTerms, limit_state, run_loop, stops

FINE = LoopReadings(
    project_return=0.09,
    marginal_cost=0.08,
    health=1.6,
    quick_ratio=1.2,
    drawdown=0.05,
    sleeve=0.15,
    borrow_rate=0.05,
)
VECTORS = [(0.0, 1.6000), (0.1, 1.6383), (0.5, 1.8571), (1.0, 2.5000)]


@pytest.mark.requirement("D16")
@pytest.mark.parametrize(("phi", "gross"), VECTORS)
def test_leverage_at_sixty_per_cent_is_the_worked_vector(phi, gross):
    state = limit_state(1_000_000.0, LoopTerms(0.6, phi))

    assert state.leverage == pytest.approx(gross, abs=5e-5)


@pytest.mark.requirement("D16")
@pytest.mark.parametrize("phi", [0.0, 0.1, 0.5, 1.0])
def test_the_closed_forms_are_the_definitions(phi):
    e, ltv = 250_000.0, 0.6
    state = limit_state(e, LoopTerms(ltv, phi))

    assert state.collateral == pytest.approx(e / (1 - ltv * phi))
    assert state.debt == pytest.approx(ltv * e / (1 - ltv * phi))
    assert state.margin == pytest.approx(ltv * (1 - phi) * e / (1 - ltv * phi))


@pytest.mark.requirement("D16")
@given(
    ltv=st.floats(0.05, 0.9),
    phi=st.floats(0.0, 1.0),
    fee=st.floats(0.0, 0.02),
)
def test_rounds_without_a_stop_lead_to_the_closed_form(ltv, phi, fee):
    terms = LoopTerms(ltv, min(phi, 1.0 - fee), fee, smallest_draw=1e-7)

    run = run_loop(1_000.0, terms, lambda _: FINE)

    wanted = limit_state(1_000.0, terms)
    for name in ("collateral", "debt", "margin", "fees"):
        assert getattr(run.final, name) == pytest.approx(getattr(wanted, name), abs=1e-5)
    assert "smallest draw" in run.stopped_by[0]


@given(ltv=st.floats(0.0, 0.95), phi=st.floats(0.0, 0.98), fee=st.floats(0.0, 0.02))
def test_every_borrowed_dollar_is_collateral_margin_or_fee(ltv, phi, fee):
    for state in run_loop(1e6, LoopTerms(ltv, phi, fee), lambda _: FINE).states:
        spent = (state.collateral - state.equity) + state.margin + state.fees
        assert spent == pytest.approx(state.debt, rel=1e-12, abs=1e-6)


STOPS = [
    ({"project_return": 0.08}, "short by"),
    ({"health": 1.4999}, "health"),
    ({"quick_ratio": 0.99}, "quick ratio"),
    ({"drawdown": 0.0601}, "drawdown"),
    ({"sleeve": 0.2001}, "sleeve"),
    ({"borrow_rate": 0.0601}, "borrow rate"),
]


@pytest.mark.requirement("D16")
@pytest.mark.parametrize(("broken", "word"), STOPS)
def test_each_limit_alone_stops_the_loop_before_the_round_that_breaks_it(broken, word):
    def readings(state):
        return replace(FINE, **broken) if state.debt > 800_000 else FINE

    run = run_loop(1_000_000.0, LoopTerms(0.6, 0.5), readings)

    assert [state.debt for state in run.states] == pytest.approx([0.0, 600_000, 780_000])
    assert word in run.stopped_by[0]
    assert len(stops(replace(FINE, **broken))) == 1


@pytest.mark.requirement("S44")
def test_every_broken_limit_is_named_not_only_the_first():
    worst = LoopReadings(0.01, 0.08, 1.0, 0.5, 0.2, 0.5, 0.2)

    assert len(stops(worst)) == len(STOPS)


def test_a_reading_that_is_not_a_number_stops_the_loop():
    for name in ("project_return", "marginal_cost", "health", "quick_ratio", "drawdown", "sleeve", "borrow_rate"):
        assert len(stops(replace(FINE, **{name: math.nan}))) == 1


@pytest.mark.parametrize(
    "terms", [(1.0, 0.5), (-0.1, 0.5), (0.6, 1.1), (0.6, -0.1), (math.nan, 0.5), (0.6, 0.99, 0.02)]
)
def test_a_loop_that_spends_a_dollar_twice_is_refused(terms):
    with pytest.raises(InputError, match="spent once"):
        LoopTerms(*terms)


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan, math.inf])
def test_a_loop_without_equity_is_refused(equity):
    with pytest.raises(InputError, match="nothing to borrow against"):
        run_loop(equity, LoopTerms(0.6, 0.5), lambda _: FINE)
