"""Settlements under both measures: prices returned by one, history's paths by the other."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from engine.errors import InputError
from engine.instruments import Right, Settlement, VanillaOption
from engine.market import ExpiryQuotes
from engine.policy.outcomes import implied_settlements, real_world, risk_neutral
from engine.risk.pricing_view import PricingView
from engine.risk.smile import Smile

ASOF = datetime(2024, 3, 1, 21, tzinfo=UTC)
EXPIRIES = tuple(ASOF + timedelta(days=days) for days in (30, 45))


def smile(expiry=EXPIRIES[0], vol=0.18, slope=0.0):
    k = np.linspace(-0.6, 0.4, 201)
    years = (expiry - ASOF) / timedelta(days=365)
    return Smile(expiry, years, 5000.0 * np.exp(0.04 * years), 0.05, k, np.maximum(vol + slope * k, 0.03))


def view():
    strikes = np.arange(3000.0, 6500.0, 25.0)
    side = np.zeros_like(strikes)
    quotes = {("SPXW", e): ExpiryQuotes("SPXW", e, Settlement.PM, strikes, *[side] * 6) for e in EXPIRIES}
    return PricingView(ASOF, 5000.0, {("SPXW", e): smile(e, 0.18, -0.2) for e in EXPIRIES}, {}, {}, quotes=quotes)


def option(strike, right=Right.PUT, expiry=EXPIRIES[0]):
    return VanillaOption("SPXW", "SPX", expiry, Decimal(strike), right, Decimal(100), Settlement.PM)


def black(law, strike, sign):
    vol = float(law.vol(np.array([np.log(strike / law.forward)]))[0])
    sd = vol * np.sqrt(law.years)
    d1 = np.log(law.forward / strike) / sd + sd / 2
    return sign * (law.forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - sd)))


@given(st.floats(0.08, 0.6), st.floats(-0.3, 0.05))
def test_the_implied_law_is_expected_at_the_forward(vol, slope):
    law = smile(vol=vol, slope=slope)

    settled = implied_settlements(law, None, 2_000)

    assert settled.mean() == pytest.approx(law.forward, rel=1e-12)
    assert (np.diff(settled) >= -1e-6).all()
    assert settled[0] >= 0


@pytest.mark.requirement("D33")
@pytest.mark.parametrize(("strike", "right"), [(4500, "P"), (4900, "P"), (5100, "C"), (5400, "C")])
def test_under_the_measure_of_prices_a_payoff_is_expected_at_its_price(strike, right):
    market = view()
    law = market.smiles["SPXW", EXPIRIES[0]]
    contract = option(strike, Right(right))

    expected = risk_neutral(market, {("SPXW", EXPIRIES[0])}).outcome(contract).mean()

    price = 100 * np.exp(-law.rate * law.years) * black(law, strike, contract.right.sign)
    assert expected == pytest.approx(price, rel=1e-4)


def test_the_real_world_measure_follows_one_past_day_to_every_expiry():
    steps = np.random.default_rng(3).normal(0, 0.01, 400)
    levels = np.concatenate([[0.0], np.cumsum(steps)])

    def returns(days, _vol):
        ahead = max(round(days * 252 / 365), 1)
        return levels[ahead:] - levels[:-ahead]

    measure = real_world(view(), {("SPXW", expiry) for expiry in EXPIRIES}, returns, premium=0.01)

    near, far = (np.log(measure.levels["SPXW", expiry]) for expiry in EXPIRIES)
    between = far - near - np.mean(far - near)
    later = levels[31 : 31 + len(far)] - levels[21 : 21 + len(far)]
    np.testing.assert_allclose(between, later - later.mean(), atol=1e-12)
    assert len(measure) == 401 - 31
    assert np.exp(near).mean() == pytest.approx(view().smiles["SPXW", EXPIRIES[0]].forward, rel=1e-12)
    assert "+0.0100" in measure.name


@pytest.mark.requirement("S22")
def test_a_hedge_is_sold_after_twenty_one_days_where_it_lives_longer():
    still = real_world(view(), {("SPXW", expiry) for expiry in EXPIRIES}, lambda _days, _vol: np.zeros(5))
    law = view().smiles["SPXW", EXPIRIES[0]]
    contract = option(5000)

    sold = still.hedge_outcome(contract)

    assert still.rolls(contract)
    assert (sold > still.outcome(contract)).all()
    left = 9 / 365
    spot = 5000 * np.exp(0.04 * 21 / 365)
    sd = float(law.vol(np.array([np.log(5000 / (spot * np.exp(0.04 * left)))]))[0]) * np.sqrt(left)
    forward = spot * np.exp(0.04 * left)
    d1 = np.log(forward / 5000) / sd + sd / 2
    value = 5000 * ndtr(sd - d1) - forward * ndtr(-d1)
    assert sold[0] == pytest.approx(100 * value * np.exp(-0.05 * 30 / 365), rel=1e-6)


def test_a_measure_without_scenarios_is_refused():
    with pytest.raises(InputError, match="measure refused"):
        implied_settlements(smile(), None, 0)
