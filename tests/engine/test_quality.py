"""Findings on a chain, the index it gives, and the figures of D05 on recorded chains."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from adapters.files.chain_file import read_chain
from engine.errors import MarketDataError, MissingQuote
from engine.market import ExpiryQuotes, OptionChain, RateCurve, Severity
from engine.pricing.implied import VolStatus
from engine.signals.expiries import expiry_table, parity_curve
from engine.signals.quality import chain_findings, require_expiry, require_sound
from engine.signals.vix_index import volatility_index
from tests.adapters.files.chains import RATE, SPOT, cboe_lines, recorded

ASOF = datetime(2026, 3, 10, 20, 15, tzinfo=UTC)
CURVE = RateCurve((1.0,), (RATE,), "test")
WEEKS = [
    ("SPXW", date(2026, 4, 2)),
    ("SPX", date(2026, 4, 17)),
    ("SPXW", date(2026, 4, 17)),
    ("SPXW", date(2026, 4, 10)),
    ("SPX", date(2026, 4, 10)),
]


@pytest.fixture
def chain(tmp_path: Path) -> OptionChain:
    return _chain(tmp_path)


def _chain(tmp_path: Path, **market: object) -> OptionChain:
    lines = cboe_lines("March 10, 2026 at 4:40 PM EDT", ASOF, WEEKS, **market)  # type: ignore[arg-type]
    path = tmp_path / "chain.csv"
    path.write_text("\n".join(lines), "utf-8")
    return read_chain(path)


def _spoil(chain: OptionChain, at: int, **columns: np.ndarray) -> OptionChain:
    part = replace(chain.slices[at], **columns)
    return replace(chain, slices=(*chain.slices[:at], part, *chain.slices[at + 1 :]))


def _strikes(chain: OptionChain, code: str) -> list[tuple[float, ...]]:
    return [finding.strikes for finding in chain_findings(chain, CURVE) if finding.code == code]


def _put(column: np.ndarray, part: ExpiryQuotes, strike: float, price: float) -> np.ndarray:
    changed = column.copy()
    changed[part.strikes == strike] = price
    return changed


@pytest.mark.requirement("D01")
def test_a_consistent_market_gives_back_its_own_terms(chain: OptionChain) -> None:
    table = expiry_table(chain, CURVE)

    for row in table:
        assert row.forward == pytest.approx(SPOT * np.exp((RATE - 0.013) * row.years), abs=1e-4)
        assert row.parity_rate == pytest.approx(RATE, abs=1e-5)
        assert row.parity_residual < 0.05
        assert row.atm_vol == pytest.approx(0.18, abs=1e-4)
        assert row.discount == pytest.approx(np.exp(-RATE * row.years))
        assert (np.isfinite(row.vols) == (row.vol_status == VolStatus.OK)).all()
        np.testing.assert_allclose(row.vols[row.vol_status == VolStatus.OK], 0.18, atol=1e-3)
    assert parity_curve(chain).rates[0] == pytest.approx(RATE, abs=1e-5)
    assert {f.code for f in chain_findings(chain, CURVE)} <= {"stale", "zero_bid"}
    assert require_expiry(table, "SPX", date(2026, 4, 17)).root == "SPX"
    with pytest.raises(MissingQuote):
        require_expiry(table, "SPX", date(2026, 4, 3))


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("code", "side", "price"),
    [
        ("crossed", "call_bid", 900.0),
        ("zero_bid", "put_bid", 0.0),
        ("zero_bid", "put_bid", np.nan),
        ("wide", "put_ask", 400.0),
    ],
)
def test_a_bad_side_is_found_at_its_strike(chain: OptionChain, code: str, side: str, price: float) -> None:
    part = chain.slices[0]
    before = {k for strikes in _strikes(chain, code) for k in strikes if k == 5500.0}

    spoilt = _spoil(chain, 0, **{side: _put(getattr(part, side), part, 5500.0, price)})

    assert not before
    assert any(5500.0 in strikes for strikes in _strikes(spoilt, code))


def test_a_locked_quote_is_noted_and_used_a_crossed_one_is_not(chain: OptionChain) -> None:
    part = chain.slices[0]
    ask = float(part.put_ask[part.strikes == 5500.0][0])
    locked = _spoil(chain, 0, put_bid=_put(part.put_bid, part, 5500.0, ask))
    crossed = _spoil(chain, 0, put_bid=_put(part.put_bid, part, 5500.0, ask + 0.05))

    used = [expiry_table(c, CURVE)[0].put_usable[part.strikes == 5500.0].item() for c in (locked, crossed)]

    assert used == [True, False]
    assert _strikes(locked, "locked") == [(5500.0,)]


@pytest.mark.fault("F77")
def test_a_strike_with_one_right_only_is_one_sided(chain: OptionChain) -> None:
    part = chain.slices[0]
    nothing = {side: _put(getattr(part, side), part, 5500.0, np.nan) for side in ("call_bid", "call_ask")}

    assert _strikes(_spoil(chain, 0, **nothing), "one_sided") == [(5500.0,)]


@pytest.mark.fault("F78")
@pytest.mark.parametrize(("kind", "shift"), [("butterfly", 6.0), ("vertical", 40.0)])
def test_a_strike_bid_above_its_neighbours_is_arbitrage(chain: OptionChain, kind: str, shift: float) -> None:
    part = chain.slices[0]
    moved = {
        side: _put(getattr(part, side), part, 6000.0, float(getattr(part, side)[part.strikes == 6000.0][0]) + shift)
        for side in ("call_bid", "call_ask")
    }

    found = [f for f in chain_findings(_spoil(chain, 0, **moved), CURVE) if f.code == "arbitrage"]

    assert any(kind in f.detail and 6000.0 in f.strikes for f in found)


@pytest.mark.fault("F78")
def test_less_total_variance_later_is_calendar_arbitrage(tmp_path: Path) -> None:
    falling = _chain(tmp_path, vol=lambda _root, expiry: 0.30 if expiry == date(2026, 4, 2) else 0.15)

    found = [f for f in chain_findings(falling, CURVE) if f.code == "arbitrage"]

    assert any("calendar" in f.detail and f.expiry == date(2026, 4, 2) for f in found)


@pytest.mark.requirement("D01")
def test_a_curve_far_from_parity_or_a_spot_no_carry_explains_is_desynchronised(chain: OptionChain) -> None:
    off_curve = chain_findings(chain, RateCurve((1.0,), (RATE + 0.006,), "off"))
    off_spot = chain_findings(replace(chain, spot=SPOT * 0.98), CURVE)

    assert sum(f.code == "desynchronised" for f in off_curve) == len(chain.slices)
    assert sum(f.code == "desynchronised" for f in off_spot) == len(chain.slices)
    assert not any(
        f.code == "desynchronised" for f in chain_findings(chain, RateCurve((1.0,), (RATE + 0.004,), "near"))
    )


@pytest.mark.fault("F76")
def test_an_expiry_without_a_pair_is_named_and_a_chain_without_one_is_refused(chain: OptionChain) -> None:
    dead = _spoil(chain, 0, put_bid=np.zeros_like(chain.slices[0].put_bid))

    assert [f.expiry for f in chain_findings(dead, CURVE) if f.code == "no_forward"] == [dead.slices[0].expiry_date]
    assert len(expiry_table(dead, CURVE)) == len(chain.slices) - 1
    with pytest.raises(MissingQuote):
        expiry_table(replace(dead, slices=dead.slices[:1]), CURVE)
    with pytest.raises(MissingQuote):
        parity_curve(replace(dead, slices=dead.slices[:1]))


def test_a_refusal_finding_stops_the_decision_and_a_warning_does_not(chain: OptionChain) -> None:
    findings = chain_findings(chain, CURVE)
    require_sound(findings)

    stop = replace(findings[0], severity=Severity.REFUSAL, code="american_exercise")
    with pytest.raises(MarketDataError, match="american_exercise"):
        require_sound((*findings, stop))


def test_a_spot_that_cannot_be_held_ties_no_forward(chain: OptionChain) -> None:
    volatility = replace(chain, underlying="VIX", spot=SPOT * 1.6)

    assert len(expiry_table(volatility, CURVE)) == len(chain.slices)
    assert "desynchronised" not in {f.code for f in chain_findings(volatility, CURVE)}
    with pytest.raises(MissingQuote):
        expiry_table(replace(chain, spot=SPOT * 1.6), CURVE)


def test_a_generated_chain_says_so(chain: OptionChain) -> None:
    assert "modelled" in {f.code for f in chain_findings(replace(chain, source="modelled demo"), CURVE)}


@pytest.mark.requirement("D05")
@pytest.mark.fault("F82")
def test_third_fridays_enter_by_the_morning_root_and_others_by_the_afternoon_root(tmp_path: Path) -> None:
    def wrong_roots_are_wild(root: str, expiry: date) -> float:
        return 0.18 if (root == "SPX") == (expiry == date(2026, 4, 17)) else 0.60

    later = datetime(2026, 3, 17, 20, 15, tzinfo=UTC)
    lines = cboe_lines("March 17, 2026 at 4:40 PM EDT", later, WEEKS, vol=wrong_roots_are_wild)
    path = tmp_path / "roots.csv"
    path.write_text("\n".join(lines), "utf-8")

    index = volatility_index(read_chain(path), CURVE)

    assert [(term.root, term.expiry.expiry_date) for term in index.terms] == [
        ("SPXW", date(2026, 4, 10)),
        ("SPX", date(2026, 4, 17)),
    ]
    assert index.level == pytest.approx(18.0, abs=0.15)


@pytest.mark.requirement("D05")
def test_the_index_is_missing_with_a_reason_rather_than_guessed(chain: OptionChain) -> None:
    near = replace(chain, slices=tuple(part for part in chain.slices if part.expiry_date < date(2026, 4, 5)))
    other = replace(chain, underlying="XSP")
    afternoon = replace(
        chain, asof=chain.asof + timedelta(days=7), slices=tuple(part for part in chain.slices if part.root == "SPXW")
    )

    for market in (near, other, afternoon):
        index = volatility_index(market, CURVE)
        assert index.level is None
        assert index.reason


@pytest.mark.fault("F81")
@pytest.mark.requirement("D05")
def test_a_week_whose_friday_is_a_holiday_enters_by_its_thursday(chain: OptionChain) -> None:
    index = volatility_index(chain, CURVE)  # 2026-04-03 is Good Friday

    assert [term.expiry.expiry_date for term in index.terms] == [date(2026, 4, 2), date(2026, 4, 10)]
    assert "Thursday" in index.reason
    assert index.level == pytest.approx(18.0, abs=0.15)


GOLDEN = [
    (
        "spx-2022-06-10",
        0.0125,
        ("SPXW", 3908.15, 3905, 172, 27.614),
        ("SPX", 3908.50, 3905, 322, 27.909),
        27.716,
        27.75,
    ),
    (
        "spx-2023-02-07",
        0.0465,
        ("SPXW", 4162.16, 4160, 168, 18.197),
        ("SPXW", 4164.40, 4160, 148, 18.723),
        18.664,
        18.66,
    ),
    (
        "spx-2023-09-14",
        0.0545,
        ("SPXW", 4525.80, 4525, 158, 12.803),
        ("SPX", 4530.15, 4530, 301, 12.904),
        12.822,
        12.82,
    ),
]


@pytest.mark.requirement("D05")
@pytest.mark.parametrize(("name", "rate", "near", "after", "level", "close"), GOLDEN, ids=[row[0] for row in GOLDEN])
def test_recorded_chains_give_the_golden_terms_and_the_recorded_close(
    name: str, rate: float, near: tuple[object, ...], after: tuple[object, ...], level: float, close: float
) -> None:
    chain = read_chain(recorded(f"chains/{name}.csv"))

    index = volatility_index(chain, RateCurve((1.0,), (rate,), "golden"))
    unaided = volatility_index(chain, parity_curve(chain))

    for term, (root, forward, floor, count, vol) in zip(index.terms, (near, after), strict=True):
        assert (term.root, term.floor_strike, term.strikes_used) == (root, floor, count)
        assert term.forward == pytest.approx(forward, abs=0.005)
        assert 100 * term.vol == pytest.approx(vol, abs=0.01)
    assert index.level == pytest.approx(level, abs=0.001)
    assert index.level == pytest.approx(close, abs=0.05)
    assert unaided.level == pytest.approx(close, abs=0.05)


@pytest.mark.requirement("D01")
@pytest.mark.requirement("D05")
@pytest.mark.parametrize(
    ("name", "rate", "moved"),
    [("spx-2022-06-10", 0.0125, 0.014), ("spx-2023-02-07", 0.0465, 0.036), ("spx-2023-09-14", 0.0545, 0.029)],
)
def test_no_rate_at_all_moves_the_index_by_hundredths(name: str, rate: float, moved: float) -> None:
    chain = read_chain(recorded(f"chains/{name}.csv"))

    level, without = (volatility_index(chain, RateCurve((1.0,), (r,), "stated")).level for r in (rate, 0.0))

    assert level - without == pytest.approx(moved, abs=0.0005)


def test_a_recorded_chain_too_narrow_for_the_index_still_has_forwards() -> None:
    chain = read_chain(recorded("chains/spx-2026-07-23-near.csv.gz"))

    assert volatility_index(chain, parity_curve(chain)).level is None
    assert len(expiry_table(chain, parity_curve(chain))) == len(chain.slices)
