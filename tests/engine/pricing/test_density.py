"""The law an expiry's smile implies: whole, centred on the forward, and the same as an independent library's."""

from itertools import pairwise

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from engine.errors import InputError
from engine.pricing.black import forward_value
from engine.pricing.density import Law, cumulative, density, probability_between
from engine.pricing.ssvi import Ssvi
from engine.pricing.svi import RawSvi, flat

SMILES = [flat(0.0025), RawSvi(0.01, 0.1, -0.6, 0.02, 0.15), Ssvi(-0.7, 0.9, 0.4).slice(0.003)]


@pytest.mark.requirement("D04")
@pytest.mark.parametrize("smile", SMILES)
def test_the_density_integrates_to_one_and_recovers_the_forward(smile: RawSvi) -> None:
    scale = float(np.sqrt(smile.total_variance(0.0)))
    knots = scale * np.array([-60.0, -20.0, -6.0, -2.0, 0.0, 2.0, 6.0, 20.0, 60.0])

    def integral(weight: float) -> float:
        return sum(
            quad(lambda k: float(density(smile, k)) * np.exp(weight * k), low, high, limit=200)[0]
            for low, high in pairwise(knots)
        )

    assert integral(0.0) == pytest.approx(1.0, abs=1e-4)
    assert integral(1.0) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.requirement("D03")
@pytest.mark.parametrize("strike", [70.0, 90.0, 100.0, 110.0, 140.0])
def test_probabilities_are_those_of_an_independent_library(strike: float) -> None:
    smile = SMILES[1]
    other = QuantLib.SviSmileSection(0.5, 100.0, [smile.a, smile.b, smile.s, smile.rho, smile.m])

    above = other.digitalOptionPrice(strike, QuantLib.Option.Call, 1.0, 1e-3)

    assert 1.0 - float(cumulative(smile, np.log(strike / 100.0))) == pytest.approx(above, abs=1e-6)
    assert float(density(smile, np.log(strike / 100.0))) / strike == pytest.approx(
        other.density(strike, 1.0, 1e-2), abs=1e-6
    )


@pytest.mark.requirement("D03")
@pytest.mark.parametrize(("deviations", "expected"), [(1.5, 0.866), (2.0, 0.954)])
def test_a_lognormal_ends_inside_the_worked_shares(deviations: float, expected: float) -> None:
    sd = 0.05
    law = Law((flat(sd * sd),))

    inside = probability_between(law, 4000.0, 4000.0 * np.exp(-deviations * sd), 4000.0 * np.exp(deviations * sd))

    assert inside == pytest.approx(expected, abs=1e-3)


@pytest.mark.requirement("D03")
@given(low=st.floats(0.5, 0.99), high=st.floats(1.01, 1.8))
def test_the_probability_of_profit_is_the_integral_of_the_density(low: float, high: float) -> None:
    smile = SMILES[1]

    found = probability_between(Law((smile,)), 100.0, 100.0 * low, 100.0 * high)

    expected, _ = quad(lambda k: float(density(smile, k)), np.log(low), np.log(high))
    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.requirement("D04")
def test_a_mixture_of_two_expiries_prices_as_their_weighted_mean() -> None:
    near, far = Ssvi(-0.7, 0.9, 0.4).slice(0.003), Ssvi(-0.7, 0.9, 0.4).slice(0.006)
    law = Law((near, far), (0.3, 0.7))
    k = np.linspace(-0.4, 0.2, 13)
    sign = np.where(k < 0, -1.0, 1.0)

    mixed = forward_value(1.0, np.exp(k), 1.0, np.sqrt(law.total_variance(k)), sign=sign)

    ends = [forward_value(1.0, np.exp(k), 1.0, np.sqrt(part.total_variance(k)), sign=sign) for part in (near, far)]
    np.testing.assert_allclose(mixed, 0.3 * ends[0] + 0.7 * ends[1], atol=1e-14)
    np.testing.assert_allclose(law.cumulative(k), 0.3 * cumulative(near, k) + 0.7 * cumulative(far, k))
    assert (law.total_variance(k) >= near.total_variance(k)).all()
    assert (law.total_variance(k) <= far.total_variance(k)).all()


@pytest.mark.parametrize(("forward", "low", "high"), [(0.0, 1.0, 2.0), (100.0, 110.0, 90.0), (100.0, -5.0, 0.0)])
def test_a_range_that_is_none_is_refused(forward: float, low: float, high: float) -> None:
    with pytest.raises(InputError):
        probability_between(Law((flat(0.01),)), forward, low, high)


def test_a_break_even_at_or_below_zero_bounds_nothing() -> None:
    law = Law((flat(0.01),))

    assert probability_between(law, 100.0, -3.0, 100.0) == float(law.cumulative(0.0))


@pytest.mark.requirement("D03")
def test_a_range_without_an_upper_end_holds_everything_above():
    law = Law((flat(0.01),))

    assert probability_between(law, 100.0, 95.0, np.inf) == pytest.approx(
        1.0 - float(law.cumulative(np.log(0.95))), abs=1e-15
    )
