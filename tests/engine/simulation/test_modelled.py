"""The modelled market against recorded closes, Cboe's method worked out here, and absence of arbitrage."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from adapters.files.demo_parameters import demo_parameters
from adapters.files.recorded_closes import recorded_closes
from engine.errors import InputError, MissingQuote
from engine.instruments import MARKET_ZONE, Settlement
from engine.market import DailySeries, ExpiryQuotes
from engine.simulation.modelled import (
    MODELLED,
    SOURCE,
    ModelledMarket,
    eth_path,
    modelled_market,
    remark,
    sessions_of,
)
from engine.simulation.parameters import Smile

DAY = date(2018, 4, 24)  # VIX 18.02
CALM, WILD = date(2018, 6, 15), date(2018, 2, 8)  # VIX 11.98 and 33.46
NEAR_30 = date(2015, 9, 2)  # VIX 26.09
PARAMETERS = demo_parameters()
SPX, VIX, _ = recorded_closes()


def market(day: date = DAY) -> ModelledMarket:
    return modelled_market(PARAMETERS, SPX, VIX, day, seed=7)


def carry(found: ModelledMarket, part: ExpiryQuotes) -> tuple[float, float, float]:
    """Years, discount factor and forward, from the stated rates and dividends."""
    years = (part.expiry - found.asof).total_seconds() / 86_400 / 365
    rate = found.rates.rate(years)
    dividends = found.parameters.spx.dividend_yield
    return years, math.exp(-rate * years), found.spx.spot * math.exp((rate - dividends) * years)


def mids(part: ExpiryQuotes) -> tuple[np.ndarray, np.ndarray]:
    return (part.call_bid + part.call_ask) / 2, (part.put_bid + part.put_ask) / 2


def cboe_vix(found: ModelledMarket) -> float:
    """VIX by the white paper, one strike after the other."""
    terms = []
    for part in found.spx.slices:
        minutes = (part.expiry - found.asof).total_seconds() / 60
        if 23 * 1440 < minutes < 37 * 1440:
            terms.append((minutes, term_variance(part, minutes / 525_600, found.rates.rate(minutes / 525_600))))
    near = max(term for term in terms if term[0] <= 43_200)
    after = min(term for term in terms if term[0] > 43_200)
    (n1, v1), (n2, v2) = near, after
    total = n1 / 525_600 * v1 * (n2 - 43_200) / (n2 - n1) + n2 / 525_600 * v2 * (43_200 - n1) / (n2 - n1)
    return 100 * math.sqrt(total * 525_600 / 43_200)


def term_variance(part: ExpiryQuotes, years: float, rate: float) -> float:
    call, put = mids(part)
    both = [i for i in range(len(call)) if part.call_bid[i] > 0 and part.put_bid[i] > 0]
    at = min(both, key=lambda i: abs(call[i] - put[i]))
    forward = part.strikes[at] + math.exp(rate * years) * (call[at] - put[at])
    centre = max(i for i in range(len(call)) if part.strikes[i] <= forward)
    used = {centre: (call[centre] + put[centre]) / 2}
    for bids, prices, walk in (
        (part.put_bid, put, range(centre - 1, -1, -1)),
        (part.call_bid, call, range(centre + 1, len(call))),
    ):
        dead = 0
        for i in walk:
            dead = 0 if bids[i] > 0 else dead + 1
            if dead == 2:
                break
            if bids[i] > 0:
                used[i] = prices[i]
    order = sorted(used)
    total = 0.0
    for rank, i in enumerate(order):
        low, high = order[max(rank - 1, 0)], order[min(rank + 1, len(order) - 1)]
        span = part.strikes[high] - part.strikes[low]
        width = span / 2 if 0 < rank < len(order) - 1 else span
        total += width / part.strikes[i] ** 2 * math.exp(rate * years) * used[i]
    return (2 * total - (forward / part.strikes[centre] - 1) ** 2) / years


@pytest.mark.parametrize(
    "day", [DAY, CALM, WILD, NEAR_30, date(2017, 11, 3), date(2015, 8, 24), date(2018, 3, 28), date(2018, 12, 31)]
)
def test_vix_worked_out_from_the_chain_is_the_recorded_close(day: date) -> None:
    assert cboe_vix(market(day)) == pytest.approx(VIX.on(day), abs=0.05)


def test_spot_and_vix_are_the_recorded_closes_and_everything_else_is_labelled() -> None:
    found = market()

    assert (found.spx.spot, found.vix) == (2634.560059, 18.02)
    assert found.spx.source == found.vix_options.source == found.eth.source == SOURCE == "modelled from recorded closes"
    assert found.modelled == MODELLED
    assert {"SPX option chain", "VIX futures", "ETH price"} <= set(found.modelled)
    assert "VIX 18.02" in found.assumptions["SPX smile"]


def test_the_market_stands_at_quarter_past_four_in_new_york() -> None:
    found = market()

    assert found.asof == found.spx.asof == found.spx.stamp == datetime(2018, 4, 24, 20, 15, tzinfo=UTC)


@pytest.mark.parametrize("day", [DAY, CALM, WILD])
def test_values_inside_the_quotes_hold_no_butterfly_vertical_or_calendar_profit(day: date) -> None:
    """Black values at the listed vols: convex and falling in strike, and total variance rises in time."""
    found, grid = market(day), np.linspace(-0.5, 0.25, 301)
    before = np.zeros_like(grid)
    for part in found.spx.slices:
        years, discount, forward = carry(found, part)
        k = np.log(part.strikes / forward)
        call, put = black(forward, part.strikes, part.call_iv * math.sqrt(years))
        call_slope, put_slope = np.diff(call) / np.diff(part.strikes), np.diff(put) / np.diff(part.strikes)

        assert (call_slope > -1 - 1e-12).all()
        assert (call_slope < 1e-12).all()
        assert (put_slope > -1e-12).all()
        assert (put_slope < 1 + 1e-12).all()
        assert (np.diff(call_slope) > -1e-12).all()
        for worth, bid, ask in (
            (discount * call, part.call_bid, part.call_ask),
            (discount * put, part.put_bid, part.put_ask),
        ):
            assert (bid <= worth + 1e-9).all()
            assert (worth <= ask + 1e-9).all()
        total = np.interp(grid, k, part.call_iv**2 * years)
        listed = (grid > k[0]) & (grid < k[-1])
        assert (total > before - 1e-5)[listed].all()  # both sides interpolated between listed strikes
        before = total


def black(forward: float, strikes: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undiscounted call and put by the textbook, with the error function of the standard library."""
    d1 = np.log(forward / strikes) / sd + sd / 2
    cdf = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))
    call = forward * cdf(d1) - strikes * cdf(d1 - sd)
    return call, strikes * cdf(sd - d1) - forward * cdf(-d1)


@pytest.mark.parametrize("day", [DAY, CALM, WILD])
def test_mids_are_convex_and_monotone_up_to_their_ticks(day: date) -> None:
    for part in market(day).spx.slices:
        call, put = mids(part)
        near = np.diff(part.strikes) == 5.0
        tick = 0.1

        assert (np.diff(call) < tick).all()
        assert (np.diff(put) > -tick).all()
        for price in (call, put):
            butterfly = price[:-2] - 2 * price[1:-1] + price[2:]
            assert (butterfly > -2 * tick)[near[1:] & near[:-1]].all()


@pytest.mark.parametrize("day", [DAY, CALM, WILD])
def test_no_vertical_or_butterfly_pays_at_the_quotes(day: date) -> None:
    for part in market(day).spx.slices:
        k = part.strikes
        for bid, ask, falling in ((part.call_bid, part.call_ask, 1), (part.put_bid, part.put_ask, -1)):
            dear, cheap = (ask[:-1], bid[1:]) if falling == 1 else (ask[1:], bid[:-1])
            weight = (k[2:] - k[1:-1]) / (k[2:] - k[:-2])

            assert (dear >= cheap).all()
            assert (weight * ask[:-2] + (1 - weight) * ask[2:] >= bid[1:-1] - 1e-9).all()


@pytest.mark.parametrize("day", [DAY, CALM, WILD])
def test_put_call_parity_holds_at_mids_within_a_tick(day: date) -> None:
    found = market(day)
    for part in found.spx.slices:
        _, discount, forward = carry(found, part)
        call, put = mids(part)
        two_sided = (part.call_bid > 0) & (part.put_bid > 0)
        gap = call - put - discount * (forward - part.strikes)

        assert np.abs(gap[two_sided]).max() <= 0.1 + 1e-9


def test_quotes_stand_on_exchange_ticks_and_never_cross() -> None:
    for part in (*market().spx.slices, *market().vix_options.slices):
        for bid, ask in ((part.call_bid, part.call_ask), (part.put_bid, part.put_ask)):
            assert (bid < ask).all()
            assert (bid >= 0).all()
            for price in (bid, ask):
                ticks = price * np.where(price < 3, 20, 10)
                assert np.allclose(ticks, np.round(ticks), atol=1e-9)


def test_spreads_grow_with_the_premium_and_deep_wings_have_no_bid() -> None:
    part = by_date(market(), date(2018, 6, 8))
    put_spread = part.put_ask - part.put_bid
    at = np.searchsorted(part.strikes, [2050.0, 2350.0, 2635.0])

    assert list(put_spread[at]) == sorted(put_spread[at])
    assert 0.3 <= put_spread[at[2]] <= 1.0
    assert part.put_bid[0] == 0 < part.put_ask[0]
    assert part.call_bid[-1] == 0 < part.call_ask[-1]


def by_date(found: ModelledMarket, day: date) -> ExpiryQuotes:
    return next(part for part in found.spx.slices if part.expiry_date == day)


def test_puts_are_dearer_than_the_forward_and_calls_cheaper_most_so_near_expiry() -> None:
    skews = []
    for part in market().spx.slices:
        _, _, forward = carry(market(), part)
        low, mid, high = np.interp(forward * np.array([0.95, 1.0, 1.02]), part.strikes, part.put_iv)

        assert low > mid > high
        skews.append(low - mid)
    assert skews == sorted(skews, reverse=True)


def test_strikes_rise_by_five_near_spot_and_twenty_five_further_out() -> None:
    for part in market().spx.slices:
        steps = np.diff(part.strikes)
        near = (part.strikes[:-1] > 0.81 * 2634.56) & (part.strikes[1:] < 1.09 * 2634.56)

        assert (steps > 0).all()
        assert set(steps[near]) == {5.0}
        assert steps[0] == steps[-1] == 25.0
        assert part.strikes[0] <= 0.42 * 2634.56


def test_expiries_are_weekly_at_the_close_and_monthly_at_the_open() -> None:
    found = market()
    listed = {(part.root, part.expiry_date.isoformat()) for part in found.spx.slices}
    local = {(part.root, part.expiry.astimezone(MARKET_ZONE).strftime("%H:%M")) for part in found.spx.slices}
    days_left = [(part.expiry_date - DAY).days for part in found.spx.slices]

    assert {("SPX", "2018-05-18"), ("SPX", "2018-06-15"), ("SPX", "2018-10-19"), ("SPXW", "2018-06-08")} <= listed
    assert ("SPXW", "2018-05-18") not in listed
    assert local == {("SPX", "09:30"), ("SPXW", "16:00")}
    assert {part.settlement for part in found.spx.slices if part.root == "SPX"} == {Settlement.AM}
    assert sum(30 <= days <= 60 for days in days_left) >= 4
    assert [part.expiry for part in found.spx.slices] == sorted(part.expiry for part in found.spx.slices)


def test_good_friday_moves_the_expiry_to_thursday() -> None:
    found = market(date(2018, 3, 7))

    assert by_date(found, date(2018, 3, 29)).root == "SPXW"
    assert all(part.expiry_date != date(2018, 3, 30) for part in found.spx.slices)


def test_a_passed_calendar_decides_what_is_a_session() -> None:
    shut = date(2018, 5, 25)
    known = sessions_of(SPX)

    found = modelled_market(PARAMETERS, SPX, VIX, DAY, seed=7, is_session=lambda day: day != shut and known(day))

    assert by_date(found, date(2018, 5, 24)).root == "SPXW"


def test_beyond_the_recorded_span_a_weekday_is_a_session() -> None:
    is_session = sessions_of(SPX)

    assert not is_session(date(2018, 12, 25))
    assert is_session(date(2019, 3, 15))
    assert not is_session(date(2019, 3, 16))


@pytest.mark.parametrize("day", [DAY, CALM, WILD])
def test_vix_futures_lie_between_spot_vix_and_the_mean_and_below_forward_variance(day: date) -> None:
    found = market(day)
    levels = [level for _, level in found.vix_futures]
    mean = PARAMETERS.variance.vix_mean
    low, high = sorted((found.vix, mean))

    assert all(low < level < high for level in levels)
    assert levels == sorted(levels, reverse=found.vix > mean)
    for expiry, level in found.vix_futures:
        years = (expiry - found.asof).total_seconds() / 86_400 / 365
        assert level <= 100 * forward_vol(found, years) + 0.05  # VIX itself is truncated and discrete


def forward_vol(found: ModelledMarket, years: float) -> float:
    """Square root of the variance strip of the 30 days after `years`, integrated on a fine grid (D06)."""
    month = 30 / 365
    total = []
    for t in (years, years + month):
        k = np.linspace(-3.0, 1.5, 4001)
        atm = found.atm_vol(t) ** 2 * t
        sd = np.sqrt(PARAMETERS.spx.smile.variance(k, atm))
        call, put = black(1.0, np.exp(k), sd)
        total.append(2 * np.trapezoid(np.where(k < 0, put, call) * np.exp(-k), k))
    return math.sqrt((total[1] - total[0]) / month)


def test_vix_contracts_settle_thirty_days_before_the_next_spx_expiry() -> None:
    days = [expiry.astimezone(MARKET_ZONE).strftime("%Y-%m-%d %H:%M") for expiry, _ in market().vix_futures]

    assert days[:4] == ["2018-05-16 09:00", "2018-06-20 09:00", "2018-07-18 09:00", "2018-08-22 09:00"]


def test_a_vix_contract_moves_to_tuesday_when_the_spx_expiry_is_a_holiday() -> None:
    """Good Friday 2014 was the third Friday of April: the March contract settled on Tuesday the 18th."""
    expiry, _ = market(date(2014, 3, 3)).vix_futures[0]

    assert expiry.astimezone(MARKET_ZONE).date() == date(2014, 3, 18)


def test_vix_options_are_written_on_the_future_of_the_same_expiry_with_upward_skew() -> None:
    found = market()
    for (expiry, future), part in zip(found.vix_futures, found.vix_options.slices, strict=True):
        _, discount, _ = carry(found, part)
        call, put = mids(part)
        two_sided = (part.call_bid > 0) & (part.put_bid > 0)
        gap = call - put - discount * (future - part.strikes)
        at_money, above = np.interp([future, 1.5 * future], part.strikes, part.call_iv)

        assert part.expiry == expiry
        assert np.abs(gap[two_sided]).max() <= 0.1 + 1e-9
        assert above > at_money
        assert (part.put_bid == 0).any()


def test_the_same_inputs_give_the_same_bytes() -> None:
    first, second = market(), market()

    assert first.level == second.level
    assert first.eth.values.tobytes() == second.eth.values.tobytes()
    for one, other in zip(
        (*first.spx.slices, *first.vix_options.slices), (*second.spx.slices, *second.vix_options.slices), strict=True
    ):
        for name in ("strikes", "call_bid", "call_ask", "put_bid", "put_ask", "call_iv"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_later_closes_change_nothing() -> None:
    known = sessions_of(SPX)
    cut = modelled_market(PARAMETERS, SPX.upto(DAY), VIX.upto(DAY), DAY, seed=7, is_session=known)
    full = market()

    assert cut.level == full.level
    assert cut.eth.values.tobytes() == full.eth.values.tobytes()
    assert cut.eth.days[-1] == np.datetime64(DAY)


def test_remarking_keeps_every_listed_strike_alive_until_it_settles() -> None:
    first = market()
    later, day = first, DAY
    for ahead in range(1, 46):
        day = DAY + timedelta(days=ahead)
        if SPX.on(day) is None:
            continue
        later = remark(later, SPX, VIX, day)
        now = {(part.root, part.expiry): part.strikes for part in later.spx.slices}

        assert cboe_vix(later) == pytest.approx(VIX.on(day), abs=0.05)
        assert later.spx.spot == SPX.on(day)
        for part in first.spx.slices:
            if part.expiry > later.asof:
                assert np.isin(part.strikes, now[part.root, part.expiry]).all()
            else:
                assert (part.root, part.expiry) not in now
        assert np.isfinite(np.concatenate([part.call_ask for part in later.spx.slices])).all()
    assert day == date(2018, 6, 8)


def test_a_settling_option_is_there_the_day_before_and_gone_after_its_settlement() -> None:
    weekly, monthly = date(2018, 6, 8), date(2018, 6, 15)
    eve, last = remark(market(), SPX, VIX, date(2018, 6, 7)), remark(market(), SPX, VIX, weekly)

    assert by_date(eve, weekly).expiry > eve.asof
    assert all(part.expiry_date != weekly for part in last.spx.slices)
    assert by_date(last, monthly).root == "SPX"


def test_ether_stands_at_its_level_and_one_seed_is_one_path() -> None:
    whole = eth_path(PARAMETERS, SPX, date(2017, 4, 24), date(2018, 6, 8), 7)
    part = eth_path(PARAMETERS, SPX, date(2018, 1, 2), date(2018, 6, 8), np.random.default_rng(7))
    other = eth_path(PARAMETERS, SPX, date(2018, 1, 2), date(2018, 6, 8), 8)

    assert whole.on(DAY) == other.on(DAY) == pytest.approx(700.0)
    assert whole.values[-len(part.values) :].tobytes() == part.values.tobytes()
    assert not np.array_equal(part.values, other.values)
    assert (whole.values > 0).all()
    assert market().eth_price == pytest.approx(700.0)


def test_ether_moves_with_spx_by_its_beta_and_its_own_volatility() -> None:
    """Twenty-five independent paths: the mean slope within three standard errors of the stated beta."""
    index, days, seeds = np.diff(np.log(SPX.values)), np.diff(SPX.days).astype(float), range(25)
    first, last, eth = date(1999, 1, 4), date(2018, 12, 31), PARAMETERS.eth
    moves = [np.diff(np.log(eth_path(PARAMETERS, SPX, first, last, seed).values)) for seed in seeds]

    slopes = [np.polyfit(index, ether, 1)[0] for ether in moves]
    own = [np.std((ether - eth.beta * index) / np.sqrt(days / 365)) for ether in moves]
    error = eth.idiosyncratic_vol / math.sqrt(252) / (index.std() * math.sqrt(len(index) * len(seeds)))

    assert np.mean(slopes) == pytest.approx(eth.beta, abs=3 * error)
    assert np.mean(own) == pytest.approx(eth.idiosyncratic_vol, rel=0.01)


def test_without_own_volatility_ether_is_beta_times_spx() -> None:
    tied = replace(PARAMETERS, eth=replace(PARAMETERS.eth, idiosyncratic_vol=0.0))

    path = eth_path(tied, SPX, DAY, date(2018, 6, 8), 7)

    moved = math.log(SPX.on(date(2018, 6, 8)) / SPX.on(DAY))
    assert math.log(path.values[-1] / 700.0) == pytest.approx(tied.eth.beta * moved)


@pytest.mark.parametrize("day", [date(2018, 4, 22), date(2013, 12, 31), date(2019, 1, 2)])
def test_a_day_without_both_closes_is_refused(day: date) -> None:
    with pytest.raises(MissingQuote, match="choose a session"):
        market(day)


def test_a_vix_that_no_level_reaches_is_refused() -> None:
    absurd = DailySeries("VIX", VIX.days, np.full_like(VIX.values, 0.5), "made up")

    with pytest.raises(InputError, match="cannot be modelled"):
        modelled_market(PARAMETERS, SPX, absurd, DAY, seed=7)


@pytest.mark.parametrize(
    ("rho", "eta", "gamma"), [(-1.0, 0.5, 0.4), (-0.7, 1.2, 0.4), (-0.7, 1.0, 0.6), (0.0, 0.0, 0.4)]
)
def test_a_smile_with_arbitrage_is_refused(rho: float, eta: float, gamma: float) -> None:
    with pytest.raises(InputError, match="free of arbitrage"):
        Smile(rho, eta, gamma)


def test_the_smile_density_is_positive_everywhere() -> None:
    """g(k) of Gatheral and Jacquier by finite differences on k in [-1.5, 1] (D04)."""
    k, h = np.linspace(-1.5, 1.0, 2001), 1e-4
    for smile in (PARAMETERS.spx.smile, PARAMETERS.vix.smile):
        for theta in (0.0002, 0.002, 0.02, 0.1):
            w, up, down = (smile.variance(k + step, theta) for step in (0.0, h, -h))
            first, second = (up - down) / (2 * h), (up - 2 * w + down) / h**2
            g = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 0.25) + second / 2

            assert g.min() > -1e-6
