import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.policy.outer_layer import TailHolding, outer_condor_sold, tails_bought, tails_monetized
from engine.risk.structures import expiry_payoff
from tests.engine.terms import condor, spx

CORE = condor(5425, 5475, 6625, 6675)
TAILS = (spx(5000, "P"), spx(7000, "C"))


def sold(lots):
    return [(leg, quantity * lots) for leg, quantity in zip(CORE.legs, CORE.quantities, strict=True)]


def together(*groups):
    held = {}
    for option, quantity in (leg for group in groups for leg in group):
        held[option] = held.get(option, 0) + quantity
    return expiry_payoff([(option, quantity) for option, quantity in held.items() if quantity])


@pytest.mark.requirement("X04")
@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(0, 40),
    st.integers(1, 40),
    st.floats(0.0, 1.0),
    st.floats(0.01, 1.0),
)
def test_all_three_modes_keep_the_largest_loss_finite(lots, outer_lots, gap, width, percentile, share):
    strikes = (5425 - 5 * gap - 5 * width, 5425 - 5 * gap, 6675 + 5 * gap, 6675 + 5 * gap + 5 * width)
    bought = tails_bought(TAILS, outer_lots)
    modes = (
        bought,
        outer_condor_sold(CORE, condor(*strikes), outer_lots),
        (*bought, *tails_monetized([TailHolding(t, outer_lots) for t in TAILS], iv_percentile=percentile, share=share)),
    )

    for outer in modes:
        assert together(sold(lots), outer).max_loss <= lots * 50 + outer_lots * 5 * width


@pytest.mark.requirement("X04")
@pytest.mark.parametrize(("percentile", "left"), [(0.69, 9), (0.70, 5), (0.95, 5)])
def test_tails_are_cashed_in_from_the_trigger_on_and_in_whole_contracts(percentile, left):
    held = TailHolding(TAILS[0], 9)

    sales = tails_monetized([held], iv_percentile=percentile)

    assert 9 + sum(quantity for _, quantity in sales) == left


def test_an_outer_condor_inside_the_core_wings_is_refused():
    with pytest.raises(InputError, match="5450"):
        outer_condor_sold(CORE, condor(5400, 5450, 6675, 6725), 1)


@pytest.mark.parametrize("terms", [{"iv_percentile": math.nan}, {"share": 0.0}, {"trigger": 1.5}])
def test_a_percentile_or_share_that_is_none_is_refused(terms):
    with pytest.raises(InputError, match="monetising"):
        tails_monetized([], **({"iv_percentile": 0.8} | terms))


def test_no_lots_and_short_tails_are_refused():
    with pytest.raises(InputError, match="0 lots"):
        tails_bought(TAILS, 0)
    with pytest.raises(InputError, match="-2 contracts"):
        TailHolding(TAILS[0], -2)
