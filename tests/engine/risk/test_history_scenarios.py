"""The gap pack against recorded days, and the golden condor through it (F83)."""

import csv
import json
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine.risk.history_scenarios import FUTURE_SHARE, GAPS, correlation_to_one, gap_scenarios
from engine.risk.margin import same_expiry_margin
from engine.risk.scenarios import Scenarios
from engine.risk.stress_rows import stated_loss
from engine.risk.valuation import book_values
from tests.engine.risk.golden import condors, golden_view

RECORDED = Path(__file__).parents[4] / "shared" / "data"
MOVES = [(gap.name, move) for gap in GAPS for move in gap.moves]


@cache
def series(what):
    """Recorded levels by day, None where the data holds no such series."""
    match what:
        case "SPX":
            return column("equity/spx-daily-1999-2023.csv", "date", "close")
        case "VIX":
            return column("volatility/vix-daily-1990-2026.csv", "DATE", "CLOSE")
        case "BTC":
            return column("crypto/btc-daily.csv", "date", "price")
        case "ETH":
            rows = json.loads((RECORDED / "crypto/eth-daily.json").read_text(encoding="utf-8"))
            return {datetime.fromtimestamp(ms / 1000, UTC).date(): level for ms, level in rows}
        case "gas":
            with (RECORDED / "defi/eth-gas-price-daily.csv").open(encoding="utf-8") as lines:
                rows = [(row["Date(UTC)"].split("/"), row["Value (Wei)"]) for row in csv.DictReader(lines)]
            return {date(int(y), int(m), int(d)): int(wei) / 1e9 for (m, d, y), wei in rows}
    return {}


def column(name, day, level):
    with (RECORDED / name).open(encoding="utf-8") as lines:
        return {date.fromisoformat(row[day][:10]): float(row[level]) for row in csv.DictReader(lines)}


@pytest.mark.fault("F83")
@pytest.mark.parametrize(("name", "move"), MOVES, ids=[f"{name}: {move.what}" for name, move in MOVES])
def test_every_figure_whose_day_is_recorded_is_the_recorded_one(name, move):
    if not RECORDED.is_dir():
        pytest.skip("recorded market data is not beside the project")
    recorded = series(move.what) if move.before != 1.0 else {}  # stated as a ratio, no level to compare

    for day, level in ((move.first, move.before), (move.last, move.after)):
        if day in recorded:
            assert level == pytest.approx(recorded[day], rel=2e-4)


@pytest.mark.fault("F83")
def test_at_least_eighteen_figures_are_held_against_recorded_days():
    if not RECORDED.is_dir():
        pytest.skip("recorded market data is not beside the project")

    assert sum(move.last in series(move.what) for _, move in MOVES) >= 18


@pytest.mark.fault("F83")
def test_the_pack_holds_the_gaps_that_are_asked_for():
    by_name = {gap.name: gap for gap in GAPS}

    assert by_name["October 1987"].index.ratio == pytest.approx(0.7953, abs=1e-4)  # -20.47 %
    assert (by_name["February 2018"].volatility.before, by_name["February 2018"].volatility.after) == (17.31, 37.32)
    assert by_name["August 2024"].volatility.after == 65.73
    assert by_name["March 2023, USDC"].peg.after == 0.88
    assert {"March 2020, Thursday 12", "November 2022, FTX", "April 2025"} <= by_name.keys()
    assert all(move.source for gap in GAPS for move in gap.moves)


@pytest.mark.fault("F83")
def test_vix_high_of_august_2024_and_weekend_low_of_usdc_are_beyond_the_recorded_closes():
    if not RECORDED.is_dir():
        pytest.skip("recorded market data is not beside the project")
    highs = column("volatility/vix-daily-1990-2026.csv", "DATE", "HIGH")
    usdc = column("defi/usdc-usd-daily.csv", "snapped_at", "price")

    assert highs[date(2024, 8, 5)] == 65.73
    assert 0.88 < min(usdc[date(2023, 3, day)] for day in (11, 12, 13)) < 0.97


@pytest.mark.requirement("S85")
def test_the_geopolitical_shock_compresses_multiples_and_lifts_volatility_and_credit():
    pack = gap_scenarios(crypto_beta=1.0)
    shock = pack.take(pack.names.index("geopolitical shock"))

    assert np.expm1(shock.spot[0]) == pytest.approx(-0.15)
    assert shock.vol[0] == pytest.approx(0.20)
    assert shock.borrow[0] == pytest.approx(0.01)


def test_what_did_not_exist_follows_the_index_by_its_beta():
    pack = gap_scenarios(crypto_beta=1.5)

    assert pack.crypto[0] == pytest.approx(1.5 * pack.spot[0])
    assert (pack.peg[0], pack.gas[0]) == (1.0, 1.0)


def test_what_did_happen_is_applied_as_it_happened():
    pack = gap_scenarios(crypto_beta=1.5)
    usdc, thursday = (pack.names.index(name) for name in ("March 2023, USDC", "March 2020, Thursday 12"))

    assert np.exp(pack.crypto[thursday]) == pytest.approx(0.57)
    assert pack.gas[thursday] == pytest.approx(77.903 / 12.884)
    assert pack.peg[usdc] == pytest.approx(0.88)
    assert pack.vol[thursday] == pytest.approx(0.2157)
    assert set(pack.days) == {0.0}


def test_vix_futures_follow_vix_by_the_recorded_share():
    from engine.risk.moves import vix_move

    pack = gap_scenarios(crypto_beta=0.0)
    future = np.log(vix_move(30 / 365, pack))

    assert future == pytest.approx([FUTURE_SHARE * gap.volatility.log for gap in GAPS], rel=1e-2)


@pytest.mark.fault("F83")
def test_in_every_gap_the_condor_loses_no_more_than_stated_and_needs_no_more_margin():
    """Finding 4: the stated maximum is USD 4,423.88 a condor, whatever happens overnight."""
    view, book = golden_view(), condors(13)
    gaps = gap_scenarios(crypto_beta=0.0)

    losses = book_values(book, view, Scenarios.now())[0] - book_values(book, view, gaps)

    assert stated_loss(book, view) == pytest.approx(13 * 4423.88, abs=0.2)
    assert losses.max() <= stated_loss(book, view)
    assert losses[0] > 0.5 * stated_loss(book, view)  # October 1987 costs more than half of it at once
    assert same_expiry_margin(book) == 13 * 5_000


@pytest.mark.requirement("D11")
def test_correlation_to_one_is_the_month_in_which_everything_falls_together():
    one = correlation_to_one(golden_view(), crypto_beta=1.2, crypto_idiosyncratic_vol=0.5)
    root = np.sqrt(21 / 252)

    assert one.names == ("correlation to one",)
    assert one.spot[0] == pytest.approx(-2 * 0.18 * root)
    assert one.crypto[0] == pytest.approx(-2 * root * (1.2 * 0.18 + 0.5))
    assert one.vol[0] > 0.12
    assert (one.gas[0], one.peg[0]) == (5.0, 0.99)
