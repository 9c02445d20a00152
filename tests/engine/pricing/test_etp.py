"""Funds on VIX futures: they are the futures they roll, less what resetting and fees take."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.errors import InputError
from engine.pricing.etp import drag, fund_levels, index_returns, reset_value, roll_weights, terms_on
from tests.engine.pricing.recorded_futures import column, settlements, settles

RETURNS = hnp.arrays(float, st.integers(1, 30), elements=st.floats(-0.3, 0.5))


@pytest.mark.requirement("D08")
def test_a_plain_fund_without_fee_earns_the_profit_and_loss_of_the_futures_it_rolls():
    rng = np.random.default_rng(8)
    near, far = (20 * np.exp(np.cumsum(0.04 * rng.standard_normal(21))) for _ in range(2))
    weights = roll_weights(np.arange(20, 0, -1), 20)
    worth, held = 1000.0, []
    for day in range(20):  # whole worth in contracts each evening, by hand
        contracts = worth / (weights[day] @ [near[day], far[day]]) * weights[day]
        worth += contracts @ [near[day + 1] - near[day], far[day + 1] - far[day]]
        held.append(worth)
    levels = np.stack([near, far], axis=-1)

    fund = fund_levels(1000.0, index_returns(weights, levels[:-1], levels[1:]), np.ones(20), leverage=1.0, fee=0.0)

    assert fund[1:] == pytest.approx(held, rel=1e-12)


@pytest.mark.requirement("D08")
@pytest.mark.parametrize("leverage", [1.5, 2.0, -0.5, -1.0])
def test_daily_resets_cost_half_of_l_times_l_less_one_of_variance(leverage):
    vol, days = 0.7, 252
    rng = np.random.default_rng(3)
    shocks = rng.standard_normal((4000, days)) * vol / days**0.5
    index = np.prod(1 + shocks, axis=1)
    fund = np.prod(1 + leverage * shocks, axis=1)

    cost = np.mean(leverage * np.log(index) - np.log(fund))

    error = np.std(leverage * np.log(index) - np.log(fund)) / 4000**0.5
    steps = 3 * vol**3 / days**0.5  # third-order terms of the daily steps
    assert cost == pytest.approx(float(drag(leverage, vol**2)), abs=4 * error + steps)


@pytest.mark.requirement("D08")
@given(RETURNS, st.floats(0.01, 0.02))
def test_fees_and_bills_accrue_by_calendar_days(returns, fee):
    weekend = np.full(returns.size, 3.0)

    charged = fund_levels(100.0, returns, weekend, leverage=1.0, fee=fee, bill=0.05)

    assert charged[1] == pytest.approx(100 * (1 + returns[0] + (0.05 - fee) * 3 / 365))


@pytest.mark.requirement("D08")
def test_a_fund_that_loses_everything_in_a_day_stays_at_zero():
    levels = fund_levels(10.0, np.array([0.5, 1.1, -0.5]), np.ones(3), leverage=-1.0, fee=0.01)

    assert levels[2:].tolist() == [0.0, 0.0]
    assert float(reset_value(2.1, 1, leverage=-1.0)) == 0.0


@given(st.floats(0.2, 5.0), st.floats(0.0, 60.0))
def test_without_leverage_the_path_does_not_matter(ratio, resets):
    assert float(reset_value(ratio, resets, leverage=1.0, variance=0.3)) == pytest.approx(ratio)


@pytest.mark.requirement("S20")
@pytest.mark.parametrize(
    ("symbol", "day", "leverage"),
    [("UVXY", "2018-02-27", 2.0), ("UVXY", "2018-02-28", 1.5), ("SVXY", "2018-02-28", -0.5), ("VXX", "2020-01-02", 1)],
)
def test_leverage_is_a_dated_fact(symbol, day, leverage):
    found = terms_on(symbol, day)

    assert found.leverage == leverage
    assert found.source


@pytest.mark.requirement("S20")
@pytest.mark.parametrize(("symbol", "day"), [("VIXY", "2010-01-04"), ("XIV", "2017-01-03")])
def test_a_fund_without_terms_on_that_day_is_refused(symbol, day):
    with pytest.raises(InputError, match="no terms"):
        terms_on(symbol, day)


@pytest.mark.requirement("D08")
@pytest.mark.parametrize(
    ("symbol", "file", "first"),
    [
        ("VIXY", "equity/vixy-close-to-2017.csv", "2011-01-04"),
        ("UVXY", "equity/uvxy-close-to-2017.csv", "2011-10-04"),
    ],
)
def test_recorded_funds_are_tracked_within_what_crossing_the_spread_to_roll_costs(symbol, file, first):
    closes, terms = column(file), terms_on(symbol, first)
    days, returns, spans, level = _recorded_index(np.datetime64(first))
    bills = _bills(days)

    fund = fund_levels(closes[np.datetime64(first)], returns, spans, leverage=terms.leverage, fee=terms.fee, bill=bills)

    recorded = np.array([closes[np.datetime64(first)], *(closes[day] for day in days)])
    years = spans.sum() / 365
    # both contracts cross half a tick of 0.05 twelve times a year on the leveraged notional
    rolling = terms.leverage * 12 * 2 * 0.025 / level
    assert abs(np.log(fund[-1] / recorded[-1])) / years < rolling
    weekly = np.diff(np.log(fund[::5])), np.diff(np.log(recorded[::5]))  # closes differ by 15 minutes
    assert np.corrcoef(*weekly)[0, 1] > 0.98


def _recorded_index(first):
    days, prices = settlements()
    contracts = sorted({c for row in prices.values() for c in row}, key=settles)
    eves = {c: int(np.searchsorted(days, settles(c))) - 1 for c in contracts if days[0] < settles(c) <= days[-1]}
    order, weights, before, after, kept = list(eves), [], [], [], []
    for at in range(int(np.searchsorted(days, first)), max(eves.values())):
        near = next(i for i, c in enumerate(order) if eves[c] > at)
        pair = order[near], order[near + 1] if near + 1 < len(order) else None
        if pair[1] is None:
            break
        weights.append(roll_weights(eves[pair[0]] - at, eves[pair[0]] - eves[order[near - 1]]))
        before.append([prices[days[at]].get(c, np.nan) for c in pair])
        after.append([prices[days[at + 1]].get(c, np.nan) for c in pair])
        kept.append(at + 1)
    returns = index_returns(np.array(weights), np.array(before), np.array(after))
    spans = np.diff(days[[kept[0] - 1, *kept]]).astype(float)
    return days[kept], returns, spans, float(np.nanmean(before))


def _bills(days):
    rates = column("macro/fedfunds.csv", "FEDFUNDS", "DATE")
    months = np.array(sorted(rates))
    return np.array([rates[month] for month in months])[np.searchsorted(months, days, side="right") - 1] / 100
