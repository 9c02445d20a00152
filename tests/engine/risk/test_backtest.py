"""Coverage tests against Kupiec's published regions and against scipy's binomial and contingency tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.risk.backtest import christoffersen, kupiec


@pytest.mark.requirement("D11")
@pytest.mark.parametrize(
    ("days", "probability", "low", "high"),
    [
        (255, 0.01, 0, 6),
        (255, 0.025, 3, 11),
        (255, 0.05, 7, 20),
        (255, 0.075, 12, 27),
        (255, 0.10, 17, 35),
        (1000, 0.01, 5, 16),
        (1000, 0.05, 38, 64),
        (1000, 0.10, 82, 119),
    ],
)
def test_kupiecs_published_regions_of_non_rejection(days, probability, low, high):
    """Kupiec (1995), table of non-rejection regions at 95 %: N < 7, 2 < N < 12, 6 < N < 21, ..."""
    kept = [n for n in range(days // 5) if not kupiec(n, days, probability).rejects(0.05)]

    floor = min(kept) if low else 0  # his open regions begin at no exceedance at all
    assert (floor, max(kept)) == (low, high)


@given(st.integers(0, 300), st.integers(1, 300), st.floats(0.001, 0.4))
def test_kupiec_is_the_ratio_of_two_binomial_likelihoods(exceedances, observations, probability):
    from scipy.stats import binom, chi2

    n = min(exceedances, observations)
    found = kupiec(n, observations, probability)

    ratio = 2 * (binom.logpmf(n, observations, n / observations) - binom.logpmf(n, observations, probability))
    assert found.statistic == pytest.approx(max(ratio, 0.0), abs=1e-8)
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 1), abs=1e-12)


@given(st.integers(0, 2**31), st.floats(0.1, 0.5))
def test_independence_is_the_likelihood_ratio_of_the_two_by_two_table(seed, rate):
    from scipy.stats import chi2, chi2_contingency

    hits = np.random.default_rng(seed).random(300) < rate
    table = np.zeros((2, 2))
    np.add.at(table, (hits[:-1].astype(int), hits[1:].astype(int)), 1)

    found = christoffersen(hits, 0.1)

    oracle = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    assert found.independence.statistic == pytest.approx(oracle.statistic, abs=1e-8)
    both = found.coverage.statistic + found.independence.statistic
    assert found.conditional.p_value == pytest.approx(chi2.sf(both, 2), abs=1e-12)


@pytest.mark.requirement("D11")
def test_exceedances_in_a_row_are_found_though_their_number_is_right():
    scattered, bunched = np.zeros(500, bool), np.zeros(500, bool)
    scattered[::20] = True
    bunched[:25] = True

    apart, together = christoffersen(scattered, 0.05), christoffersen(bunched, 0.05)

    assert not apart.coverage.rejects()
    assert not together.coverage.rejects()
    assert not apart.independence.rejects()
    assert together.independence.rejects(1e-6)
    assert together.conditional.rejects(1e-6)


def test_a_series_without_exceedances_has_figures_too():
    found = christoffersen(np.zeros(100, bool), 0.05)

    assert found.independence.statistic == 0.0
    assert found.coverage.statistic == pytest.approx(-200 * np.log(0.95))


@pytest.mark.parametrize("hits", [[], [True], [0, 2], [[True], [False]], [0.0, float("nan")]])
def test_what_is_no_series_of_yes_and_no_is_refused(hits):
    with pytest.raises(InputError):
        christoffersen(hits, 0.05)


@pytest.mark.parametrize(("n", "days", "p"), [(3, 2, 0.1), (-1, 9, 0.1), (0, 0, 0.1), (1, 9, 0.0), (1, 9, 1.0)])
def test_counts_and_probabilities_without_meaning_are_refused(n, days, p):
    with pytest.raises(InputError):
        kupiec(n, days, p)
