"""One contract's sheet: value, volatility, greeks in its own units, and what was assumed."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
import QuantLib

from engine.errors import InputError, MissingQuote
from engine.instruments import MARKET_ZONE, Future, Right, Settlement
from engine.market import ExpiryQuotes
from engine.risk.price_sheet import price_row
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from engine.risk.valuation import unit_values
from tests.engine.risk import cross_domain as x


def two_expiries():
    view = x.view()
    (key, near), later = next(iter(view.smiles.items())), x.SPX_EXPIRY + timedelta(days=30)
    far = Smile(later, 75 / 365, x.SPOT * np.exp(0.03 * 75 / 365), 0.05, near.moneyness, near.vols + 0.01)
    futures = {x.ASOF + timedelta(days=days): level for days, level in ((20, 15.0), (48, 16.0), (76, 16.8))}
    return replace(view, smiles={key: near, ("SPXW", later): far}, vix_futures=futures)


@pytest.mark.requirement("S14")
@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("strike", ["4000", "5000", "6000"])
def test_extrinsic_value_is_premium_less_discounted_intrinsic(right, strike):
    option = replace(x.PUT, right=right, strike=Decimal(strike))
    forward, discount = x.SPOT * np.exp(0.03 * 45 / 365), np.exp(-0.05 * 45 / 365)

    row = price_row(option, x.view())

    intrinsic = discount * max(right.sign * (forward - float(strike)), 0.0)
    assert row.option.extrinsic == pytest.approx(row.value - 100 * intrinsic)
    assert row.option.extrinsic > 0


def test_an_options_own_greeks_are_the_librarys():
    market = x.view(skewed=False)
    forward = x.SPOT * np.exp(0.03 * 45 / 365)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, 4750.0)
    black = QuantLib.BlackCalculator(payoff, forward, 0.16 * (45 / 365) ** 0.5)

    option = price_row(x.PUT, market).option

    assert (option.forward, option.vol) == pytest.approx((forward, 0.16))
    assert option.delta == pytest.approx(black.deltaForward())
    assert option.gamma == pytest.approx(black.gammaForward())


def test_the_quoted_volatility_is_that_of_the_quoted_mid():
    view = x.view()
    model = float(unit_values(x.PUT, view, Scenarios.now())[0]) / 100
    mids, none = np.array([0.0, model, 0.0]), np.full(3, np.nan)
    quotes = ExpiryQuotes(
        "SPXW", x.SPX_EXPIRY, Settlement.PM, np.array([4700.0, 4750.0, 4800.0]), none, none,
        mids - 0.5, mids + 0.5, none, none,
    )  # fmt: skip
    row = price_row(x.PUT, replace(view, quotes={("SPXW", x.SPX_EXPIRY): quotes}))

    assert (row.option.bid, row.option.ask) == pytest.approx((model - 0.5, model + 0.5))
    assert row.option.quoted_vol == pytest.approx(row.option.vol, abs=1e-9)
    assert row.notes == ()


def test_an_expiry_between_two_listed_ones_is_priced_off_the_smile_and_says_so():
    view = two_expiries()
    between = replace(x.PUT, expiry=x.SPX_EXPIRY + timedelta(days=15))

    row = price_row(between, view)

    near, far = (price_row(replace(x.PUT, expiry=expiry), view) for _, expiry in view.smiles)
    assert near.value < row.value < far.value
    assert near.option.vol < row.option.vol < far.option.vol
    assert "off the smile" in row.notes[0]


def test_a_future_between_listed_ones_stands_on_the_fitted_curve_and_says_so():
    row = price_row(Future("VX", "VIX", x.ASOF + timedelta(days=34), Decimal(1000)), two_expiries())

    assert 15_000 < row.value < 16_000
    assert not row.holding
    assert "mean-reverting" in row.notes[0]


def test_beyond_what_is_listed_nothing_is_priced():
    with pytest.raises(MissingQuote):
        price_row(replace(x.PUT, expiry=x.SPX_EXPIRY + timedelta(days=300)), two_expiries())
    with pytest.raises(MissingQuote):
        price_row(Future("VX", "VIX", x.ASOF + timedelta(days=200), Decimal(1000)), two_expiries())


def test_an_expired_contract_is_refused():
    with pytest.raises(InputError, match="expired"):
        price_row(replace(x.PUT, expiry=x.ASOF), x.view())


@pytest.mark.parametrize("instrument", x.EVERY, ids=lambda i: i.id)
def test_every_kind_of_contract_has_a_sheet(instrument):
    row = price_row(instrument, x.view())

    assert np.isfinite(row.value)
    assert row.value > 0
    assert all(np.isfinite(one.delta) for one in row.greeks.values())


def test_a_refusal_tells_both_instants_in_one_zone():
    view = replace(x.view(), asof=x.ASOF.astimezone(MARKET_ZONE))

    with pytest.raises(InputError, match="expired at 2024-03-01 21:15 UTC, the market is of 2024-03-01 21:15 UTC"):
        price_row(replace(x.PUT, expiry=x.ASOF), view)
