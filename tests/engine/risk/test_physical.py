"""The real-world measure: scale, centre, premium, and no sight of the future."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.recorded_closes import recorded_closes
from engine.errors import InputError, MissingQuote
from engine.market import DailySeries
from engine.risk.physical import PhysicalReturns, physical_returns, variance_premium

ASOF = date(2018, 4, 24)
DAYS = np.busday_offset(np.datetime64("2014-01-02"), np.arange(1400), roll="forward")


def history(seed: int = 3, vol: float = 0.12) -> DailySeries:
    steps = vol / np.sqrt(252) * np.random.default_rng(seed).standard_t(5, len(DAYS)) * np.sqrt(3 / 5)
    return DailySeries("SPX", DAYS, 1800 * np.exp(np.cumsum(steps)), "made up")


def flat_vix(level: float) -> DailySeries:
    return DailySeries("VIX", DAYS, np.full(len(DAYS), level), "made up")


def forecast(closes: DailySeries, **changes: float) -> PhysicalReturns:
    terms: dict[str, float] = {"years": 45 / 365, "implied_vol": 0.16, "vrp": 0.008} | changes
    return physical_returns(closes, ASOF, sessions=31, **terms)


def test_returns_are_scaled_to_the_implied_variance_less_the_premium() -> None:
    found = forecast(history())

    assert found.vol == pytest.approx(np.sqrt(0.16**2 - 0.008))
    assert found.log_returns.std() == pytest.approx(found.vol * np.sqrt(45 / 365), rel=1e-12)


def test_without_a_premium_the_implied_level_stays() -> None:
    found = forecast(history(), vrp=0.0)

    assert (found.vol, found.vrp) == (pytest.approx(0.16), 0.0)


def test_the_expected_level_is_the_forward_unless_a_drift_is_stated() -> None:
    assert np.exp(forecast(history()).log_returns).mean() == pytest.approx(1.0, rel=1e-12)
    assert np.exp(forecast(history(), drift=0.05).log_returns).mean() == pytest.approx(np.exp(0.05 * 45 / 365))


def test_a_premium_larger_than_the_implied_variance_leaves_a_quarter_of_it() -> None:
    assert forecast(history(), vrp=1.0).vol == pytest.approx(0.08)


@given(later=st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=40))
def test_what_happens_after_the_asof_changes_nothing(later: list[float]) -> None:
    closes, vix = history(), flat_vix(18.0)
    seen = closes.days <= np.datetime64(ASOF)
    values, other_vix = closes.values.copy(), vix.values.copy()
    at = int(seen.sum())
    values[at : at + len(later)] *= np.exp(np.cumsum(later))[: len(values) - at]
    other_vix[at:] *= 3
    changed = DailySeries("SPX", closes.days, values, "made up")

    assert forecast(changed).log_returns.tobytes() == forecast(closes.upto(ASOF)).log_returns.tobytes()
    assert variance_premium(changed, DailySeries("VIX", DAYS, other_vix, ""), ASOF) == variance_premium(
        closes, vix, ASOF
    )


def test_a_forecast_standardises_calm_and_wild_years_alike() -> None:
    """Volatility triples half-way: raw returns spread three times as wide, standardised ones do not."""
    steps = 0.1 / np.sqrt(252) * np.random.default_rng(5).standard_normal(len(DAYS))
    steps[600:] *= 3
    closes = DailySeries("SPX", DAYS, 1800 * np.exp(np.cumsum(steps)), "made up")

    found = physical_returns(closes, ASOF, sessions=5, years=7 / 365, implied_vol=0.16, vrp=0.0).log_returns
    calm, wild = found[:500], found[600:]

    assert 0.8 < wild.std() / calm.std() < 1.25


def test_the_shape_of_history_survives_the_scaling() -> None:
    """Skew and order of the recorded returns: a crash of history is the worst case of the forecast."""
    closes = history()
    crash = closes.values.copy()
    crash[700:] *= 0.8

    found = forecast(DailySeries("SPX", DAYS, crash, "made up")).log_returns

    assert found.argmin() in range(700 - 63 - 31, 700 - 63)


def test_the_premium_is_half_the_median_of_implied_less_subsequent_variance() -> None:
    """Alternating moves of exactly 1 %: realised variance is 252 * ln(1.01)^2 in every window."""
    steps = np.log(1.01) * np.where(np.arange(len(DAYS)) % 2, 1.0, -1.0)
    closes = DailySeries("SPX", DAYS, 1800 * np.exp(np.cumsum(steps)), "made up")

    found = variance_premium(closes, flat_vix(20.0), ASOF)

    assert found == pytest.approx(0.5 * (0.04 - 252 * np.log(1.01) ** 2))
    assert variance_premium(closes, flat_vix(20.0), ASOF, shrink=1.0) == pytest.approx(2 * found)


def test_only_completed_months_enter_the_premium() -> None:
    """A VIX spike in the last 21 sessions has no realised month yet, one session earlier it has."""
    closes, vix = history(), flat_vix(18.0)
    last = int(np.searchsorted(DAYS, np.datetime64(ASOF), side="right")) - 1
    late, complete = vix.values.copy(), vix.values.copy()
    late[last - 20 : last + 1] = 90.0
    complete[last - 21] = 90.0

    base = variance_premium(closes, vix, ASOF, window=1)

    assert variance_premium(closes, DailySeries("VIX", DAYS, late, ""), ASOF, window=1) == base
    assert variance_premium(closes, DailySeries("VIX", DAYS, complete, ""), ASOF, window=1) > base


def test_too_short_a_history_is_refused() -> None:
    short = history().upto(date(2014, 12, 31))

    with pytest.raises(MissingQuote, match="252 are needed"):
        variance_premium(short, flat_vix(18.0), ASOF)
    with pytest.raises(MissingQuote, match="longer history"):
        forecast(short)


@pytest.mark.parametrize("changes", [{"years": 0.0}, {"implied_vol": 0.0}, {"decay": 1.0}, {"years": float("nan")}])
def test_a_horizon_without_time_or_volatility_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must hold"):
        forecast(history(), **changes)


def test_recorded_history_gives_a_positive_premium_in_april_2018() -> None:
    spx, vix, _ = recorded_closes()
    found = variance_premium(spx, vix, ASOF)

    assert 0.0 < found < 0.01
