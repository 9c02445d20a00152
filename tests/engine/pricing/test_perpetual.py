"""Perpetuals and options on them: funding makes the forward, coins make the payoff."""

import csv

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.perpetual import (
    funding_forward,
    funding_paid,
    inverse_gain,
    inverse_option_value,
    option_on_perpetual,
)
from tests.adapters.files.chains import recorded

PRICES, FUNDING, YEARS, VOLS = st.floats(50, 5e4), st.floats(-0.5, 1.0), st.floats(0.003, 1.0), st.floats(0.2, 2.0)


@pytest.mark.requirement("S27")
@given(PRICES, st.floats(0.5, 2.0), FUNDING, YEARS, VOLS, st.sampled_from([1, -1]))
def test_an_option_on_a_perpetual_is_black_on_the_funding_forward(price, ratio, funding, years, vol, sign):
    forward, kind = price * np.exp(funding * years), QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put
    expected = QuantLib.blackFormula(kind, price * ratio, forward, vol * years**0.5, np.exp(-0.02 * years))

    value = option_on_perpetual(price, price * ratio, years, vol, sign=sign, funding=funding, rate=0.02)

    assert float(value) == pytest.approx(expected, abs=1e-11 * price * max(ratio, 1))


@pytest.mark.requirement("S27")
def test_funding_is_positive_when_longs_pay_and_lifts_the_forward():
    assert float(funding_forward(2000.0, 0.2, 0.5)) == pytest.approx(2000 * np.exp(0.1))
    assert float(funding_paid(2000.0, 0.2, 1 / 365)) == pytest.approx(2000 * 0.2 / 365)
    assert float(funding_forward(2000.0, -0.2, 0.5)) < 2000.0


@pytest.mark.requirement("S27")
@given(PRICES, st.floats(0.5, 2.0), FUNDING, YEARS, VOLS)
def test_coin_margined_call_less_put_is_one_coin_less_strike_over_forward(price, ratio, funding, years, vol):
    strike = price * ratio
    call, put = (float(inverse_option_value(price, strike, years, vol, sign=sign, funding=funding)) for sign in (1, -1))

    assert call - put == pytest.approx(1 - strike / (price * np.exp(funding * years)), abs=1e-11 * max(ratio, 1))
    assert call < 1.0


@pytest.mark.requirement("S27")
def test_a_coin_margined_option_pays_intrinsic_over_the_settlement_level():
    assert float(inverse_option_value(2500.0, 2000.0, 0.0, 0.8, sign=1)) == pytest.approx(500 / 2500)
    assert float(inverse_option_value(1600.0, 2000.0, 0.0, 0.8, sign=-1)) == pytest.approx(400 / 1600)


@pytest.mark.requirement("S27")
def test_recorded_premia_in_ether_obey_coin_parity_on_the_venues_own_forward():
    pairs = {}
    with recorded("crypto/deribit-eth-options-2024-01-08.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["mark_price"] and row["expire_date"] in ("26JAN24", "23FEB24", "29MAR24"):
                key = row["expire_date"], float(row["strike_price"]), float(row["underlying_price"])
                pairs.setdefault(key, {})[row["option_type"]] = float(row["mark_price"])
    gaps = [
        abs((pair["C"] - pair["P"]) - (1 - strike / forward)) * forward
        for (_, strike, forward), pair in pairs.items()
        if len(pair) == 2
    ]

    assert len(gaps) > 60
    assert max(gaps) < 1.1  # USD, what the record is known to hold parity within


@pytest.mark.requirement("S27")
@given(PRICES, PRICES, st.floats(-100, 100))
def test_an_inverse_contract_gains_dollars_that_no_longer_depend_on_its_coin(entry, price, notional):
    coins = float(inverse_gain(entry, price, notional))

    assert coins * price == pytest.approx(notional * (price / entry - 1), rel=1e-9, abs=1e-9 * abs(notional))


@pytest.mark.fault("F76")
@pytest.mark.parametrize("price", [np.nan, 0.0, -5.0, np.inf])
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(InputError, match="price"):
        funding_forward(price, 0.1, 0.5)
    with pytest.raises(InputError):
        option_on_perpetual(price, 100.0, 0.5, 0.6, sign=1)
    with pytest.raises(InputError, match="price"):
        inverse_gain(100.0, price)
