import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.errors import InputError
from engine.signals.betas import SIGNALS, Beta, beta, complex_factor, in_size_buckets, quarterly, rolling_beta, shrunk
from engine.signals.columns import read
from engine.signals.observations import Observations, Series
from tests.engine.signals.stores import axis, daily, store, walk

seeds = st.integers(0, 2**31)


def correlated(seed: int, count: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    market = g.normal(0, 0.01, count)
    return slope * market + g.normal(0, 0.005, count), market


@given(seeds)
@pytest.mark.requirement("D19", "S52")
def test_beta_and_its_error_equal_scipys(seed):
    returns, market = correlated(seed, 90, 1.5)

    found, theirs = beta(returns, market), stats.linregress(market, returns)

    assert found.beta == pytest.approx(theirs.slope)
    assert found.error == pytest.approx(theirs.stderr)


@given(seeds)
@pytest.mark.requirement("D19")
def test_dimsons_beta_is_the_sum_over_both_closes(seed):
    returns, market = correlated(seed, 60, 1.0)
    late = returns.copy()
    late[1:] += 0.8 * market[:-1]

    x = np.column_stack([np.ones(59), market[1:], market[:-1]])
    fit = np.linalg.lstsq(x, late[1:], rcond=None)[0]

    assert beta(late, market, lag=1).beta == pytest.approx(fit[1] + fit[2])


@given(seeds, st.integers(30, 59))
def test_a_rolling_beta_is_the_beta_of_its_window(seed, at):
    returns, market = correlated(seed, 60, 1.2)

    betas, errors = rolling_beta(returns, market, 30, lag=1)
    alone = beta(returns[at - 29 : at + 1], market[at - 29 : at + 1], lag=1)

    assert (betas[at], errors[at]) == pytest.approx(alone)


@given(st.floats(-3, 3), st.floats(0.01, 2), st.floats(-3, 3), st.floats(0.01, 2))
@pytest.mark.requirement("D19")
def test_shrinking_moves_towards_the_prior_and_never_past_it(own, error, prior, prior_error):
    found = shrunk(Beta(own, error), prior, prior_error)

    assert min(own, prior) - 1e-12 <= found.beta <= max(own, prior) + 1e-12
    assert found.error <= min(error, prior_error)


@pytest.mark.requirement("D19", "S51")
def test_the_factor_follows_the_beta_of_the_complex_within_its_bounds():
    usual = np.full(252, -2.0)

    assert complex_factor(np.append(usual, -2.5)) == pytest.approx(1.125)
    assert complex_factor(np.append(usual, -9.0)) == 1.25
    assert complex_factor(np.append(usual, -0.1)) == 0.8
    assert np.isnan(complex_factor(usual[1:]))


@pytest.mark.requirement("S51", "D19")
def test_the_factor_is_fixed_at_the_first_session_of_a_quarter():
    days = np.array(["2023-03-30", "2023-03-31", "2023-04-03", "2023-04-04"], "datetime64[D]")

    assert quarterly(days, np.array([1.0, 1.1, 1.2, 0.9])).tolist() == [1.0, 1.0, 1.2, 1.2]


@pytest.mark.requirement("S52", "D19")
def test_a_coin_that_starts_to_follow_the_index_is_noticed_after_three_closes():
    count = 160
    g = np.random.default_rng(7)
    market = g.normal(0, 0.01, count)
    own = g.normal(0, 0.004, count)
    own[-30:] += 3.0 * market[-30:]
    prices = {"spx": 4000 * np.exp(np.cumsum(market)), "eth": 2000 * np.exp(np.cumsum(own))}

    told = read(store(**prices), axis(count), SIGNALS)["eth_beta_rising"]

    assert told[-1] == 1.0
    assert told[-32] == 0.0


@given(seeds, st.integers(360, 459))
@pytest.mark.fault("F86")
def test_no_beta_looks_ahead(seed, cut):
    count = 460
    columns = {name: walk(count, seed + n, 100.0, 0.03) for n, name in enumerate(("spx", "eth", "btc", "vx_30d"))}

    whole = read(store(**columns), axis(count), SIGNALS)
    past = read(store(**{name: values[:cut] for name, values in columns.items()}), axis(cut), SIGNALS)

    for name in whole.signals:
        np.testing.assert_array_equal(past[name], whole[name][:cut], err_msg=name)


@pytest.mark.requirement("S52", "D19")
@pytest.mark.fault("F86")
def test_returns_across_a_hole_are_none():
    kept = (np.arange(400) < 150) | (np.arange(400) >= 250)
    parts = [daily("spx", walk(400, 1))]
    whole = daily("eth", walk(400, 2, 2000.0, 0.04))
    parts.append(Series("eth", "USD", whole.as_of[kept], whole.released[kept], whole.values[kept], "test"))

    told = read(Observations.of(parts), axis(400), SIGNALS)["eth_beta_rising"]

    assert np.isfinite(told[90:150]).all()
    assert np.isnan(told[250:340]).all()
    assert np.isfinite(told[340:]).all()


def test_too_few_returns_are_refused():
    with pytest.raises(InputError):
        beta(np.ones(2), np.ones(2))


@pytest.mark.requirement("D20")
def test_a_noisy_small_holding_moves_to_the_beta_of_its_own_size():
    """
    Small ones 1.2, 1.6, 2.0: mean 1.6, variance 0.16 less a mean squared error of 0.04 leaves 0.12, so that
    1.2 keeps 0.12 / (0.12 + 0.04) = 3/4 of its distance: 1.6 - 0.4 * 0.75 = 1.3. Large ones say one thing.
    """
    estimates = [Beta(b, 0.2) for b in (1.2, 0.9, 1.6, 0.9, 2.0, 0.9)]

    found = in_size_buckets(estimates, [1e8, 9e10, 2e8, 8e10, 3e8, 7e10], buckets=2)

    assert [one.beta for one in found] == pytest.approx([1.3, 0.9, 1.6, 0.9, 1.9, 0.9])


@pytest.mark.requirement("D20")
@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 0.0], [1.0, 2.0, 3.0, np.nan]])
def test_a_universe_too_small_or_without_a_value_is_refused(values):
    with pytest.raises(InputError, match="size buckets refused"):
        in_size_buckets([Beta(1.0, 0.1)] * 4, values, buckets=2)
