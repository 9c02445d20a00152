"""Emissions count at half their average price until sold."""

import numpy as np
import pytest

from engine.errors import InputError
from engine.pricing.emissions import emission_value


@pytest.mark.requirement("S33")
def test_unsold_tokens_count_at_half_of_their_average_price():
    assert emission_value([1000.0, 0.0], 0.40).tolist() == [200.0, 0.0]
    assert float(emission_value(1000.0, 0.40, haircut=1.0)) == 0.0


@pytest.mark.fault("F76")
@pytest.mark.parametrize(("tokens", "price", "haircut"), [(-1, 1, 0.5), (1, np.nan, 0.5), (1, 0, 0.5), (1, 1, 50)])
def test_tokens_without_a_price_are_refused(tokens, price, haircut):
    with pytest.raises(InputError):
        emission_value(tokens, price, haircut=haircut)
