"""The surface of a chain: free of arbitrage on real and spoilt quotes, and what it says between expiries."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from adapters.files.chain_file import read_chain
from engine.errors import InputError, MarketDataError, MissingQuote
from engine.instruments import Settlement
from engine.market import ExpiryQuotes, OptionChain, RateCurve
from engine.pricing.black import forward_value
from engine.pricing.density import probability_between
from engine.pricing.ssvi import Ssvi
from engine.pricing.surface_checks import crossings
from engine.pricing.svi import RawSvi, SviSum
from engine.risk.surface import VolSurface, fit_surface, surface_findings
from engine.risk.surface_slice import CHECKED
from engine.signals.expiries import expiry_table, parity_curve
from tests.adapters.files.chains import recorded

ASOF = datetime(2026, 3, 10, 20, 15, tzinfo=UTC)
RATE, CARRY, SPOT = 0.042, 0.029, 6000.0
CURVE = RateCurve((1.0,), (RATE,), "test")
SHAPE = Ssvi(rho=-0.65, eta=0.9, gamma=0.4)
DAYS = (9, 30, 65, 130)
STRIKES = np.arange(4000.0, 7501.0, 25.0)
K = np.linspace(-0.35, 0.2, 56)


def _theta(years: float) -> float:
    return 0.18**2 * years


def _quotes(days: int, half_spread: float = 0.1) -> ExpiryQuotes:
    years = days / 365.0
    forward, discount = SPOT * np.exp(CARRY * years), np.exp(-RATE * years)
    vols = np.sqrt(SHAPE.slice(_theta(years)).total_variance(np.log(STRIKES / forward)) / years)
    call, put = (discount * forward_value(forward, STRIKES, years, vols, sign=sign) for sign in (1, -1))
    sides = {}
    for name, price in (("call", call), ("put", put)):
        sides[f"{name}_bid"] = np.where(price > 2 * half_spread, price - half_spread, 0.0)
        sides[f"{name}_ask"] = price + half_spread
    nothing = np.full(STRIKES.size, np.nan)
    return ExpiryQuotes(
        "SPXW", ASOF + timedelta(days=days), Settlement.PM, STRIKES, call_iv=nothing, put_iv=nothing, **sides
    )


def _chain(slices: tuple[ExpiryQuotes, ...]) -> OptionChain:
    return OptionChain("SPX", ASOF, SPOT, slices, "test", ASOF)


@pytest.fixture(scope="module")
def chain() -> OptionChain:
    return _chain(tuple(_quotes(days) for days in DAYS))


@pytest.fixture(scope="module")
def surface(chain: OptionChain) -> VolSurface:
    return fit_surface(chain, CURVE)


@pytest.mark.requirement("D04")
def test_a_known_surface_comes_back_within_its_spread(surface: VolSurface) -> None:
    for part, days in zip(surface.slices, DAYS, strict=True):
        true = SHAPE.slice(_theta(days / 365))
        quoted = part.moneyness
        off = np.sqrt(part.smile.total_variance(quoted) / part.years) - np.sqrt(
            true.total_variance(quoted) / part.years
        )
        assert np.abs(off[np.abs(quoted) < 3 * 0.18 * part.years**0.5]).max() < 2e-3
        assert part.fit.inside > 0.99
        assert part.atm_vol == pytest.approx(0.18, abs=3e-4)
        assert part.skew == pytest.approx(float(true.slope(0.0)) / (2 * 0.18 * part.years), rel=0.03)
    assert surface.findings == ()
    shape = surface.ssvi()
    assert (shape.rho, shape.gamma) == pytest.approx((SHAPE.rho, SHAPE.gamma), abs=0.05)


@pytest.mark.requirement("D04")
def test_total_variance_never_falls_with_time(surface: VolSurface) -> None:
    times = np.linspace(1 / 365, 200 / 365, 60)

    levels = np.array([surface.total_variance(K, float(years)) for years in times])

    assert (np.diff(levels, axis=0) > -1e-12).all()


@pytest.mark.requirement("D04")
def test_laws_between_before_and_after_expiries_are_whole_and_nowhere_negative(surface: VolSurface) -> None:
    grid = np.linspace(-1.5, 1.0, 501)
    for days in (0.5, 5, 20, 29.9, 100, 300):
        law = surface.law(days / 365)

        assert law.density(grid).min() >= -1e-12
        assert float(law.cumulative(3.0) - law.cumulative(-6.0)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.requirement("D04")
def test_at_the_money_variance_is_linear_between_expiries_and_forward_variance_flat_beyond(surface: VolSurface) -> None:
    near, far = surface.slices[1], surface.slices[2]
    middle = 0.5 * (near.years + far.years)
    ends = [float(part.smile.total_variance(0.0)) for part in (near, far)]
    before, last = (float(part.smile.total_variance(0.0)) for part in surface.slices[-2:])
    ahead = (last - before) / (surface.slices[-1].years - surface.slices[-2].years)

    assert float(surface.total_variance(0.0, middle)) == pytest.approx(np.mean(ends), rel=1e-9)
    assert float(surface.total_variance(0.0, surface.slices[-1].years + 0.1)) == pytest.approx(last + 0.1 * ahead)
    assert float(surface.vol(surface.forward(2 / 365), 2 / 365)) == pytest.approx(surface.slices[0].atm_vol)
    assert float(surface.total_variance(0.1, near.years)) == pytest.approx(float(near.smile.total_variance(0.1)))
    assert surface.forward(0.1) == pytest.approx(SPOT * np.exp(CARRY * 0.1), rel=1e-6)
    assert surface.forward(1.0) == pytest.approx(SPOT * np.exp(CARRY), rel=1e-5)
    with pytest.raises(InputError):
        surface.law(0.0)


@pytest.mark.requirement("D03")
def test_the_probability_of_profit_is_read_off_the_smile_not_off_a_normal(surface: VolSurface) -> None:
    part = surface.slice("SPXW", (ASOF + timedelta(days=30)).date())
    true = SHAPE.slice(_theta(30 / 365))

    found = probability_between(part.law, part.forward, 5600.0, 6300.0)

    steps = 1e-3
    strikes = np.array([5600.0 - steps, 5600.0 + steps, 6300.0 - steps, 6300.0 + steps])
    sds = np.sqrt(true.total_variance(np.log(strikes / part.forward)))
    calls = forward_value(part.forward, strikes, 1.0, sds, sign=1)
    expected = (calls[3] - calls[2] - calls[1] + calls[0]) / (2 * steps)
    assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.requirement("D04")
@pytest.mark.fault("F78")
@pytest.mark.parametrize("narrow", [0, 1])
def test_quotes_that_cross_in_time_give_a_surface_that_does_not(narrow: int) -> None:
    wide = [_quotes(30), replace(_quotes(25), expiry=ASOF + timedelta(days=40))]
    wide[narrow] = _thinned(wide[narrow], np.abs(STRIKES - SPOT) <= 500.0)

    surface = fit_surface(_chain(tuple(wide)), CURVE)

    near, after = surface.slices
    assert crossings(near.smile, after.smile, low=surface.quoted[0], high=surface.quoted[1]) == ()
    assert near.worst_g.level >= 0
    assert after.worst_g.level >= 0
    assert max(near.error, after.error) > 1.0  # the price of being free of arbitrage


@pytest.mark.requirement("D04")
@pytest.mark.fault("F78")
def test_a_smile_that_holds_arbitrage_is_named_with_its_strikes(surface: VolSurface) -> None:
    vogt = SviSum(0.0, (RawSvi(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, s=0.4153),))
    last = surface.slices[-1]
    bad = (*surface.slices[:-1], replace(last, smile=vogt))
    swapped = (replace(last, years=surface.slices[0].years), *surface.slices[1:])

    butterfly = [f for f in surface_findings(bad) if "butterfly" in f.detail]
    calendar = [f for f in surface_findings(swapped) if "calendar" in f.detail]

    assert [finding.expiry for finding in butterfly] == [last.expiry_date]
    assert butterfly[0].strikes
    assert "worst side" in butterfly[0].detail
    assert calendar[0].expiry == last.expiry_date
    assert set(calendar[0].strikes) <= set(last.strikes)


@pytest.mark.fault("F78")
def test_sizing_takes_the_worse_of_smile_and_quote(surface: VolSurface) -> None:
    part = surface.slices[1]
    at = int(np.searchsorted(part.strikes, 5500.0))

    owed, owned = part.worst_vol(5500.0, quantity=-1), part.worst_vol(5500.0, quantity=1)

    assert owned <= part.bid_vol[at] < part.ask_vol[at] <= owed
    assert part.worst_vol(5510.0, quantity=-1) >= float(part.vol(5510.0)) >= part.worst_vol(5510.0, quantity=1)
    assert part.worst_vol(9000.0, quantity=-1) >= float(part.vol(9000.0))


@pytest.mark.fault("F77")
def test_missing_strikes_and_one_sided_wings_leave_a_smile_or_a_finding(chain: OptionChain) -> None:
    gappy = _thinned(chain.slices[1], np.abs(STRIKES - 5750.0) > 120.0)
    calls_only = _thinned(chain.slices[2], STRIKES > SPOT + 200.0)
    few = _thinned(chain.slices[0], np.isin(STRIKES, (5900.0, 5950.0, 6000.0, 6050.0)))

    surface = fit_surface(_chain((few, gappy, calls_only, chain.slices[3])), CURVE)

    assert [part.expiry_date for part in surface.slices] == [gappy.expiry_date, chain.slices[3].expiry_date]
    assert [f.expiry for f in surface.findings if f.code == "sparse"] == [few.expiry_date, calls_only.expiry_date]
    whole = fit_surface(_chain(chain.slices[1:2]), CURVE).slices[0]
    assert np.abs(surface.slices[0].vol(5750.0) - whole.vol(5750.0)) < 2e-3
    with pytest.raises(MissingQuote):
        fit_surface(_chain((few,)), CURVE)
    with pytest.raises(MissingQuote):
        surface.slice("SPXW", date(2030, 1, 1))


def _thinned(part: ExpiryQuotes, keep: np.ndarray) -> ExpiryQuotes:
    columns = ("strikes", "call_bid", "call_ask", "put_bid", "put_ask", "call_iv", "put_iv")
    return replace(part, **{name: getattr(part, name)[keep] for name in columns})


@pytest.mark.fault("F76")
def test_zero_and_crossed_bids_have_no_say(chain: OptionChain) -> None:
    part = chain.slices[1]
    bid, ask = part.put_bid.copy(), part.put_ask.copy()
    bid[STRIKES == 5500.0], ask[STRIKES == 5500.0] = 400.0, 300.0
    bid[STRIKES == 5600.0], ask[STRIKES == 5600.0] = 0.0, 500.0

    spoilt = fit_surface(_chain((replace(part, put_bid=bid, put_ask=ask),)), CURVE).slices[0]
    clean = fit_surface(_chain((part,)), CURVE).slices[0]

    assert {5500.0, 5600.0}.isdisjoint(spoilt.strikes)
    np.testing.assert_allclose(spoilt.vol(STRIKES[40:100]), clean.vol(STRIKES[40:100]), atol=2e-4)


@pytest.mark.fault("F76")
def test_locked_quotes_leave_a_smile_and_a_finding_with_the_strikes() -> None:
    surface = fit_surface(_chain(tuple(_quotes(days, half_spread=0.0) for days in DAYS)), CURVE)

    for part in surface.slices:
        assert np.isfinite(part.vol(STRIKES)).all()
        np.testing.assert_allclose(part.vol(part.strikes), part.mid_vol, atol=0.005)
    locked = [finding for finding in surface.findings if finding.code == "locked"]
    assert [finding.expiry for finding in locked] == [part.expiry_date for part in surface.slices]
    assert locked[0].strikes == tuple(surface.slices[0].strikes)


def test_a_few_locked_quotes_are_no_finding_and_change_no_smile(chain: OptionChain, surface: VolSurface) -> None:
    part = chain.slices[1]
    put_ask = np.where(np.isin(STRIKES, (5500.0, 5600.0)), part.put_bid, part.put_ask)
    few = fit_surface(_chain((replace(part, put_ask=put_ask),)), CURVE)

    assert not [finding for finding in few.findings if finding.code == "locked"]
    assert not [finding for finding in surface.findings if finding.code == "locked"]


@pytest.mark.fault("F76")
@pytest.mark.parametrize("rate", [-73.08, 1.01, float("nan")])
def test_a_rate_that_no_market_pays_is_refused_with_the_expiry(chain: OptionChain, rate: float) -> None:
    with pytest.raises(MarketDataError, match=rf"parity: .*% a year to SPXW {chain.slices[0].expiry_date}"):
        fit_surface(chain, RateCurve((1.0,), (rate,), "parity"))


CHAINS = [
    ("spx-2023-02-07.csv", 0.93),
    ("spx-2026-07-23-near.csv.gz", 0.93),
]


@pytest.mark.requirement("D04")
@pytest.mark.parametrize(("name", "share"), CHAINS, ids=[name for name, _ in CHAINS])
def test_recorded_chains_have_a_surface_free_of_arbitrage_between_bid_and_ask(name: str, share: float) -> None:
    chain = read_chain(recorded(f"chains/{name}"))

    surface = fit_surface(chain, parity_curve(chain))

    low, high = surface.quoted
    assert not [finding for finding in surface.findings if finding.code == "arbitrage"]
    for near, after in zip(surface.slices[:-1], surface.slices[1:], strict=True):
        grid = np.linspace(low, high, 4_001)
        assert (after.smile.total_variance(grid) >= near.smile.total_variance(grid) * (1 - 1e-6)).all()
    for part in surface.slices:
        grid = np.linspace(min(CHECKED[0], low), max(CHECKED[1], high), 4_001)
        assert part.law.density(grid[(grid >= CHECKED[0]) & (grid <= CHECKED[1])]).min() >= -1e-9
    quotes = sum(part.strikes.size for part in surface.slices)
    assert sum(part.fit.inside * part.strikes.size for part in surface.slices) / quotes > share


@pytest.mark.requirement("D04")
@pytest.mark.parametrize("name", ["spx-2022-06-10", "spx-2023-02-07", "spx-2023-09-14", "xsp-2023-09-14"])
def test_own_volatilities_agree_with_the_vendors(name: str) -> None:
    chain = read_chain(recorded(f"chains/{name}.csv"))
    parts = {(part.root, part.expiry): part for part in chain.slices}

    gaps = []
    for row in expiry_table(chain, parity_curve(chain)):
        part = parts[row.root, row.expiry]
        vendor = np.where(part.strikes <= row.forward, part.put_iv, part.call_iv)
        both = np.isfinite(row.vols) & (vendor > 0)
        gaps.append(np.abs(row.vols[both] - vendor[both]))

    assert np.median(np.concatenate(gaps)) < 0.001
