"""Every kind of contract under every shock: by hand, by law, and fast."""

import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.errors import MissingQuote
from engine.instruments import Cash, Future, LendingDebt, LendingSupply, Perpetual, Right, VaultShare
from engine.money import USD
from engine.pricing.amm import range_value
from engine.pricing.black import forward_value
from engine.pricing.vix_futures import MONTHLY_BETA
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values, unit_gains, unit_values
from tests.engine.risk import cross_domain as x

NOW = Scenarios.now()
JOINT = st.builds(
    lambda rows: Scenarios.of(
        rows[:, 0], rows[:, 1], 20 * np.abs(rows[:, 2]), crypto=rows[:, 3], vix=rows[:, 4], peg=1 + 0.2 * rows[:, 5],
        gas=np.exp(rows[:, 6]), borrow=rows[:, 7] / 10, liquidity=np.exp(rows[:, 8]),
    ),
    hnp.arrays(float, (7, 9), elements=st.floats(-0.4, 0.4)),
)  # fmt: skip


def value(instrument, view=None, **shocks):
    return float(unit_values(instrument, view or x.view(), Scenarios.of(**shocks))[0])


def gain(instrument, view=None, **shocks):
    return float(unit_gains(instrument, view or x.view(), Scenarios.of(**shocks))[0])


@given(JOINT)
def test_a_book_is_the_sum_of_its_units_in_any_order_of_scenarios(scenarios):
    view, book = x.view(), x.book()

    together = book_values(book, view, scenarios)

    alone = sum(
        float(p.quantity)
        * (unit_gains if isinstance(p.instrument, Future | Perpetual) else unit_values)(p.instrument, view, scenarios)
        for p in book
    )
    assert np.isfinite(together).all()
    assert together == pytest.approx(alone, rel=1e-11, abs=1e-6)


@given(JOINT)
def test_what_is_held_and_what_is_owed_cancel(scenarios):
    other = tuple(-Decimal(str(q)) for q in x.QUANTITIES)
    both = x.book(x.EVERY + x.EVERY, x.QUANTITIES + other)

    assert book_values(both, x.view(), scenarios) == pytest.approx(np.zeros(len(scenarios)), abs=1e-6)


@pytest.mark.requirement("D06")
@pytest.mark.requirement("S18")
def test_vix_futures_follow_spot_by_beta_and_the_extra_move_by_tenor():
    months = x.ASOF + timedelta(days=365 * 1.5 / 12)
    later = Future("VX", "VIX", months, Decimal(1000))
    view = replace(x.view(), vix_futures={x.VIX_EXPIRY: 15.5, months: 16.0})
    at_thirty_days = np.interp(30 / 365 * 12, [0.5, 1.5], MONTHLY_BETA[:2])

    assert value(later, view, spot=-0.05) == pytest.approx(16_000 * np.exp(-0.05 * MONTHLY_BETA[1]))
    assert value(later, view, vix=0.3) == pytest.approx(16_000 * np.exp(0.3 * MONTHLY_BETA[1] / at_thirty_days))
    assert gain(x.VX, vix=0.3) > gain(later, view, vix=0.3) > 0


@pytest.mark.requirement("D06")
@pytest.mark.requirement("S19")
def test_a_vix_option_is_black_on_its_own_future_never_on_the_index():
    view = x.view(skewed=False)
    future = value(x.VX, view, spot=-0.08, vix=0.1) / 1000
    expected = np.exp(-0.05 * 40 / 365) * forward_value(future, 20.0, 40 / 365, 0.9, sign=1) * 100

    assert value(x.VIX_CALL, view, spot=-0.08, vix=0.1) == pytest.approx(float(expected))


def test_an_index_tenth_is_worth_a_tenth_of_the_index_contract():
    shocks = {"spot": -0.07, "vol": 0.04, "days": 10}

    assert 10 * value(x.MINI, **shocks) == pytest.approx(value(x.PUT, **shocks), rel=1e-12)


@pytest.mark.requirement("S27")
def test_an_option_stands_on_its_venues_perpetual_and_funding():
    view = x.view()
    years = 28 / 365
    forward = 3005.0 * np.exp(0.08 * years)
    usd = forward_value(forward, 3200.0, years, 0.7, sign=1) * np.exp(-0.08 * years)

    assert value(x.COIN_CALL, view) == pytest.approx(float(usd))


@pytest.mark.requirement("S27")
def test_without_a_perpetual_the_token_is_the_forward_and_the_premium_is_in_its_currency():
    expected = forward_value(3000.0, 2700.0, 28 / 365, 0.7, sign=-1) * 0.999

    assert value(x.LYRA_PUT) == pytest.approx(float(expected))
    assert value(x.LYRA_PUT, peg=0.88) == pytest.approx(0.88 * float(expected))


@pytest.mark.requirement("S27")
def test_a_perpetual_gains_in_its_margin_currency_less_funding():
    assert gain(x.PERP, crypto=np.log(1.1)) == pytest.approx(301.0)
    assert gain(x.PERP, crypto=np.log(1.1), peg=0.88) == pytest.approx(301.0 * 0.88)
    assert gain(x.PERP, peg=0.88) == pytest.approx(0.0)  # a depeg alone moves no index
    assert gain(x.PERP, days=10) == pytest.approx(-3010 * 0.10 * 10 / 365)


@pytest.mark.requirement("S27")
def test_a_coin_margined_contract_gains_coins_worth_its_dollar_notional():
    later = 3005 * 1.25
    coins = 10 * (1 / 3005 - 1 / later)

    assert gain(x.COIN_PERP, crypto=np.log(1.25)) == pytest.approx(coins * later)
    assert value(x.COIN_PERP) == pytest.approx(10.0)


@pytest.mark.requirement("S26")
def test_a_perpetual_on_a_volatility_index_moves_with_vix_not_with_ether():
    assert gain(x.VOL_PERP, crypto=0.5) == pytest.approx(0.0)
    assert gain(x.VOL_PERP, vix=np.log(1.2)) == pytest.approx(15.0 * 0.2)
    assert gain(x.VOL_PERP, spot=-0.05) > 0


@pytest.mark.requirement("S28")
def test_a_power_perpetual_squares_ether_and_pays_variance():
    mark = 3000**2 / 1e4 * 0.4 * np.exp(0.75**2 * 17.5 / 365)

    assert value(x.SQUEETH) == pytest.approx(mark)
    assert value(x.SQUEETH, crypto=np.log(2.0)) == pytest.approx(4 * mark)
    assert value(x.SQUEETH, days=17.5) == pytest.approx(mark * np.exp(-(0.75**2) * 17.5 / 365))


@pytest.mark.requirement("D07")
@pytest.mark.requirement("S32")
def test_a_range_is_worth_its_tokens_at_the_shocked_pool_price():
    down, depegged = np.log(0.7), 0.88

    assert value(x.RANGE) == pytest.approx(float(range_value(3001.0, 2500.0, 3600.0)))
    assert value(x.RANGE, crypto=down) == pytest.approx(float(range_value(3001 * 0.7, 2500.0, 3600.0)))
    # a falling stablecoin is swapped into the range: above it, nothing but the broken coin is left
    assert value(x.RANGE, peg=0.8) == pytest.approx((3600**0.5 - 2500**0.5) * 0.8)
    assert value(x.RANGE, peg=depegged) == pytest.approx(float(range_value(3001 / depegged, 2500.0, 3600.0)) * depegged)


def test_a_pools_liquidity_is_counted_in_its_tokens_smallest_units():
    six = replace(x.RANGE, currency=x.USDC)

    assert value(six) == pytest.approx(1e6 * value(x.RANGE))


@pytest.mark.requirement("D08")
@pytest.mark.requirement("S20")
def test_a_fund_moves_with_the_thirty_day_future_times_leverage_and_drags_with_time():
    up = np.log(1.3)
    years = 25 / 365
    drag = 1.5 * 0.5 / 2 * 0.9**2 * years

    assert value(x.VIXY, vix=up) == pytest.approx(14 * 1.3)
    assert value(x.UVXY, vix=up) == pytest.approx(8 * (1 + 1.5 * 0.3))
    flat = x.view(skewed=False)
    assert value(x.UVXY, flat, days=25) == pytest.approx(8 * np.exp(-drag + 0.044 * years))


@pytest.mark.requirement("S35")
def test_a_reit_moves_with_the_index_by_its_beta():
    assert value(x.REIT, spot=-0.1) == pytest.approx(53 * np.exp(-0.08))


def test_loans_and_deposits_gather_interest_and_only_loans_feel_the_shock():
    year = {"days": 365.0, "borrow": 0.15}

    assert value(x.DEBT, **year) == pytest.approx(np.exp(0.06 + 0.15))
    assert value(x.SUPPLY, **year) == pytest.approx(np.exp(0.04))
    assert value(x.DEBT, peg=0.88) == pytest.approx(0.88)
    assert value(LendingDebt("morpho", x.DAI), **year) == pytest.approx(np.exp(0.15))
    assert value(LendingSupply("aave", x.WETH), **year) == pytest.approx(3000.0)


def test_dollars_feel_nothing():
    assert value(Cash(USD), spot=-0.5, crypto=-0.5, peg=0.5, days=30) == 1.0


@pytest.mark.fault("F45")
def test_a_stablecoin_at_88_cents_counts_as_88_cents_everywhere():
    held = x.book((Cash(x.USDC), x.SUPPLY, x.DEBT), (1000, 1000, -500))

    assert float(book_values(held, x.view(), Scenarios.of(peg=0.88))[0]) == pytest.approx(0.88 * 1500)


@pytest.mark.parametrize(
    ("emptied", "instrument"),
    [
        ("perpetuals", x.PERP), ("powers", x.SQUEETH), ("funds", x.VIXY), ("vix_futures", x.VX), ("smiles", x.PUT),
        ("smiles", x.MINI), ("vix_smiles", x.VIX_CALL), ("token_vol", x.LYRA_PUT), ("token_usd", Cash(x.WETH)),
    ],
)  # fmt: skip
def test_what_the_market_does_not_quote_is_named_not_guessed(emptied, instrument):
    with pytest.raises(MissingQuote):
        unit_values(instrument, replace(x.view(), **{emptied: {}}), NOW)


@pytest.mark.parametrize("strike", ["1", "100", "4999", "9000", "100000"])
@pytest.mark.parametrize("right", Right)
def test_far_strikes_stay_between_intrinsic_and_their_bound(strike, right):
    option = replace(x.PUT, strike=Decimal(strike), right=right)
    scenarios = Scenarios.of(np.linspace(-0.9, 0.9, 50), vol=0.2, days=np.linspace(0, 45, 50))
    forward = x.SPOT * np.exp(scenarios.spot + 0.03 * (45 - scenarios.days) / 365)
    discount = np.exp(-0.05 * (45 - scenarios.days) / 365) * 100

    worth = unit_values(option, x.view(), scenarios)

    assert np.all(worth >= discount * np.maximum(right.sign * (forward - float(strike)), 0) - 1e-8)
    assert np.all(worth <= discount * (forward if right is Right.CALL else float(strike)) + 1e-8)


@pytest.mark.requirement("D27")
@given(JOINT, st.decimals("4000", "6000", places=0))
def test_an_arbitrage_package_knows_no_volatility(scenarios, strike):
    call, put = (replace(x.PUT, strike=strike, right=right) for right in (Right.CALL, Right.PUT))
    package = x.book((call, put), (1, -1))
    calm = replace(scenarios, vol=np.zeros(len(scenarios)))

    assert book_values(package, x.view(), scenarios) == pytest.approx(book_values(package, x.view(), calm), abs=1e-7)


def test_two_hundred_legs_in_ten_thousand_joint_scenarios_take_under_half_a_second():
    rng = np.random.default_rng(5)
    strikes = rng.integers(3500, 6500, 140)
    index = tuple(replace(x.PUT, strike=Decimal(int(k)), right=Right("CP"[i % 2])) for i, k in enumerate(strikes))
    vix = tuple(replace(x.VIX_CALL, strike=Decimal(int(k))) for k in rng.integers(10, 60, 20))
    lyra = tuple(
        replace(x.LYRA_PUT, strike=Decimal(int(k)), expiry=x.ASOF + timedelta(days=7 * (1 + i % 4)))
        for i, k in enumerate(rng.integers(2000, 4000, 20))
    )
    legs = (*index, *vix, *lyra, *x.EVERY)
    held = x.book(legs, tuple(int(q) for q in rng.integers(1, 9, len(legs))))
    shocks = rng.standard_normal((4, 10_000))
    scenarios = Scenarios.of(
        0.05 * shocks[0], 0.02 * shocks[1], rng.integers(0, 22, 10_000), crypto=0.1 * shocks[2], vix=0.1 * shocks[3]
    )
    book_values(held, x.view(), scenarios)

    taken = []
    for _ in range(5):
        began = time.perf_counter()
        book_values(held, x.view(), scenarios)
        taken.append(time.perf_counter() - began)

    assert len(held.positions) == 200
    assert np.median(taken) < 0.5


def test_a_vault_share_moves_with_its_asset_and_not_with_its_price():
    view = replace(x.view(), token_usd={**x.view().token_usd, "yvDAI": 1.08, "yvETH": 3_300.0})
    shocked = Scenarios.of([0.0], [0.0], [0.0], crypto=np.array([-0.5]), peg=np.array([0.9]))

    stable = unit_values(VaultShare("yvDAI", x.DAI), view, shocked)
    coin = unit_values(VaultShare("yvETH", x.WETH), view, shocked)

    assert unit_values(VaultShare("yvDAI", x.DAI), view, NOW)[0] == 1.08
    assert stable[0] == pytest.approx(1.08 * 0.9)
    assert coin[0] == pytest.approx(3_300 * np.exp(-0.5))


def test_a_vault_share_without_a_price_is_named():
    with pytest.raises(MissingQuote, match="yvDAI"):
        unit_values(VaultShare("yvDAI", x.DAI), x.view(), NOW)
