"""The robust residual against statsmodels' Huber regression, planted mispricings, and recorded settlements."""

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError, MissingQuote
from engine.signals.term_residual import WINDOW, ShortFuture, term_residual

VOLATILITY = Path(__file__).parents[4] / "shared" / "data" / "volatility"


def curve(last=0.0, seed=11, n=WINDOW):
    rng = np.random.default_rng(seed)
    vix = 18 * np.exp(np.cumsum(0.03 * rng.standard_normal(n)))
    gap = rng.choice([28, 35], n) / 365
    errors = 0.01 * rng.standard_t(3, n)
    errors[-1] = last
    second = 20 * np.ones(n)
    return second * np.exp(-0.6 + 0.2 * np.log(vix) + 0.3 * gap + errors), second, vix, gap


@pytest.mark.requirement("D13")
@pytest.mark.requirement("S48")
def test_coefficients_and_z_are_those_of_statsmodels_robust_regression():
    sm = pytest.importorskip("statsmodels.api")
    first, second, vix, gap = curve(last=0.004)
    design = np.column_stack([np.ones(WINDOW), np.log(vix), gap])

    found = term_residual(first, second, vix, gap)

    oracle = sm.RLM(np.log(first / second), design, M=sm.robust.norms.HuberT()).fit(maxiter=500, tol=1e-12)
    assert found.coefficients == pytest.approx(tuple(oracle.params), abs=1e-7)
    assert found.z == pytest.approx(oracle.resid[-1] / oracle.scale, rel=1e-5)


@pytest.mark.requirement("D13")
@pytest.mark.parametrize(
    ("planted", "said"), [(0.05, ShortFuture.RICH), (-0.05, ShortFuture.CHEAP), (0.0, ShortFuture.FAIR)]
)
def test_a_planted_mispricing_is_called_by_its_name(planted, said):
    found = term_residual(*curve(last=planted))

    assert found.short_future is said
    assert found.residual == pytest.approx(planted, abs=0.005)


def test_an_outlier_in_the_past_hardly_moves_todays_reading():
    columns = curve(last=0.02)
    clean = term_residual(*columns)
    first = columns[0].copy()
    first[100] *= 3

    assert term_residual(first, *columns[1:]).z == pytest.approx(clean.z, abs=0.1)


def test_only_the_last_252_sessions_are_seen():
    columns = curve(n=400, last=0.02)
    changed = [np.concatenate([column[:100] * 2, column[100:]]) for column in columns]

    assert term_residual(*changed) == term_residual(*columns)


def test_a_perfect_fit_has_no_deviation():
    vix, gap = np.linspace(12, 30, WINDOW), np.tile([28, 35], WINDOW // 2) / 365

    assert term_residual(np.full(WINDOW, 20.0), np.full(WINDOW, 20.0), vix, gap).short_future is ShortFuture.FAIR


def test_too_short_or_unpriced_histories_are_refused():
    first, second, vix, gap = curve()
    with pytest.raises(MissingQuote, match="251 of 252"):
        term_residual(first[1:], second, vix, gap)
    with pytest.raises(InputError):
        term_residual(np.where(np.arange(WINDOW) == 3, np.nan, first), second, vix, gap)


@pytest.mark.requirement("S48")
def test_recorded_settlements_of_2017_give_a_short_future_that_rises_with_vix():
    """Settlements and expiries of the last 252 sessions to the end of 2017, expiry days from the file's good part."""
    if not VOLATILITY.is_dir():
        pytest.skip("recorded market data is not beside the project")
    vix = {row["DATE"]: float(row["CLOSE"]) for row in _rows("vix-daily-1990-2026.csv")}
    ends = {row["date"]: row for row in _rows("vx-expirations-2004-2017.csv")}
    quoted = [
        (float(row["M1"]), float(row["M2"]), vix[row["date"]], _days(ends[row["date"]]) / 365)
        for row in _rows("vx-settle-2004-2017.csv")
        if "NA" not in (row["M1"], row["M2"]) and row["date"] in vix and row["date"] in ends
    ][-WINDOW:]

    found = term_residual(*zip(*quoted, strict=True))

    assert 0.05 < found.coefficients[1] < 1.0
    assert abs(found.z) < 10


def _rows(name):
    with (VOLATILITY / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _days(row):
    return (date.fromisoformat(row["V2"]) - date.fromisoformat(row["V1"])).days
