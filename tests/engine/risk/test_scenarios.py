import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.risk.scenarios import SHOCKS, Scenarios

shocks = st.floats(-0.5, 0.5)


def test_what_is_not_named_stays_unmoved():
    only_peg = Scenarios.of(peg=[0.88, 1.0])

    unmoved = Scenarios.of(np.zeros(2))
    for name in set(SHOCKS) - {"peg"}:
        assert np.array_equal(getattr(only_peg, name), getattr(unmoved, name))


@given(st.lists(shocks, min_size=1, max_size=4), st.lists(shocks, min_size=1, max_size=4))
def test_a_grid_holds_every_combination_once(spots, vols):
    cells = Scenarios.grid(spot=spots, vol=vols)

    assert list(zip(cells.spot.tolist(), cells.vol.tolist(), strict=True)) == [(s, v) for s in spots for v in vols]
    assert len(cells.names) == len(cells)


def test_a_part_and_the_rest_joined_are_the_whole():
    whole = Scenarios.grid(spot=[-0.1, 0.0, 0.1], gas=[1.0, 5.0])

    joined = whole.take([0, 1]).and_then(whole.take([2, 3, 4, 5]))

    assert joined.names == whole.names
    assert all(np.array_equal(getattr(joined, name), getattr(whole, name)) for name in SHOCKS)


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("shock", "value"),
    [("spot", np.nan), ("vol", np.inf), ("days", -1.0), ("peg", -0.1), ("gas", -5.0), ("liquidity", -1.0)],
)
def test_a_shock_without_meaning_is_refused_by_name(shock, value):
    with pytest.raises(InputError, match=f"{shock} = "):
        Scenarios.of(**{shock: [1.0, value]})


def test_an_unknown_shock_is_refused():
    with pytest.raises(InputError, match="'ether' refused"):
        Scenarios.of(ether=0.1)
