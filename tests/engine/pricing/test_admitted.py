"""What a formula refuses, it refuses by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.admitted import finite, not_negative, positive


@pytest.mark.fault("F76")
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("admit", [finite, positive, not_negative])
def test_what_is_not_finite_is_refused_by_name(admit, broken):
    with pytest.raises(InputError, match="settlement price"):
        admit("settlement price", [1.0, broken, 2.0])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_bound_itself_tells_positive_from_not_negative(number):
    for admit, holds in ((positive, number > 0), (not_negative, number >= 0)):
        if holds:
            assert float(admit("level", number)) == number
        else:
            with pytest.raises(InputError, match="level"):
                admit("level", number)
