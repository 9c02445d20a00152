"""Greeks of a book are the differences of its values, kind by kind and domain by domain."""

from dataclasses import fields, replace

import numpy as np
import pytest
import QuantLib

from engine.errors import MissingQuote
from engine.instruments import Cash
from engine.money import USD
from engine.pricing.vix_futures import vix_beta
from engine.risk.book_greeks import STABLE_DOMAIN, Sensitivities, book_greeks, option_greeks, unit_greeks
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values
from tests.engine.risk import cross_domain as x

HELD = x.EVERY
H = 1e-4


def differences(book, view, shock, h=H):
    """First and second derivative of value by the logarithm of what `shock` moves."""
    moves = [-h, 0.0, h]
    if shock == "peg":
        moves = np.exp(moves)
    low, mid, high = book_values(book, view, Scenarios.of(**{shock: moves}))
    return (high - low) / (2 * h), (high - 2 * mid + low) / h**2


@pytest.mark.parametrize("instrument", HELD, ids=lambda i: i.id)
@pytest.mark.parametrize(("shock", "domain"), [("spot", "SPX"), ("crypto", "ETH"), ("peg", STABLE_DOMAIN)])
def test_dollar_delta_is_the_slope_of_value_in_its_domain(instrument, shock, domain):
    view = x.view()
    slope, _ = differences(x.book((instrument,), (1,)), view, shock)
    found = unit_greeks(instrument, view)
    expected = sum(one.delta + one.skew for name, one in found.items() if name == domain)
    if shock == "spot":  # VIX futures follow by their own beta
        expected += beta_of(instrument) * sum(one.delta + one.skew for name, one in found.items() if name == "VIX")

    assert expected == pytest.approx(slope, rel=2e-5, abs=2e-4)


@pytest.mark.parametrize("instrument", HELD, ids=lambda i: i.id)
@pytest.mark.parametrize(("shock", "domain"), [("spot", "SPX"), ("crypto", "ETH"), ("peg", STABLE_DOMAIN)])
def test_gamma_is_the_change_of_delta_on_a_flat_smile(instrument, shock, domain):
    view = x.view(skewed=False)
    if "VIX" in unit_greeks(instrument, view) and shock == "spot":
        pytest.skip("a move of SPX reaches it through beta")
    slope, bend = differences(x.book((instrument,), (1,)), view, shock, h=1e-3)
    found = sum(one.gamma for name, one in unit_greeks(instrument, view).items() if name == domain)

    assert found == pytest.approx(0.01 * (bend - slope), rel=1e-3, abs=2e-3)


@pytest.mark.parametrize("instrument", [x.VIX_CALL, x.VX, x.VIXY, x.UVXY, x.VOL_PERP], ids=lambda i: i.id)
def test_vix_deltas_are_per_move_of_the_future_itself(instrument):
    view = x.view()
    slope, _ = differences(x.book((instrument,), (1,)), view, "vix")
    weight = beta_of(instrument) / float(vix_beta(30 / 365))
    one = unit_greeks(instrument, view)["VIX"]

    assert weight * (one.delta + one.skew) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("instrument", HELD, ids=lambda i: i.id)
def test_theta_is_what_a_day_takes(instrument):
    view, h = x.view(), 1e-3
    flat = x.view(skewed=False)
    if instrument is x.UVXY:
        pytest.skip("resets cost variance, which is the path's and not the fund's theta")
    for market in (view, flat):
        values = book_values(x.book((instrument,), (1,)), market, Scenarios.of(days=[0.0, h, 2 * h]))
        forward_difference = (-3 * values[0] + 4 * values[1] - values[2]) / (2 * h)

        found = sum(one.theta for one in unit_greeks(instrument, market).values())

        assert found == pytest.approx(forward_difference, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("instrument", [x.PUT, x.CALL, x.MINI], ids=lambda i: i.id)
def test_vega_vanna_and_volga_are_differences_by_volatility(instrument):
    market, h = x.view(skewed=False), 1e-4
    root = np.sqrt(30 / 45)  # the shock is stated at thirty days
    point = {vol: unit_value(instrument, market, vol / root) for vol in (-h, 0.0, h)}
    delta = {vol: option_greeks(instrument, at_vol(market, 0.16 + vol)).delta for vol in (-h, h)}
    one = option_greeks(instrument, market)

    assert one.vega == pytest.approx(0.01 * (point[h] - point[-h]) / (2 * h), rel=1e-5)
    assert one.volga == pytest.approx(1e-4 * (point[h] - 2 * point[0.0] + point[-h]) / h**2, rel=1e-3)
    assert one.vanna == pytest.approx(0.01 * (delta[h] - delta[-h]) / (2 * h), rel=1e-5)


def test_an_index_option_has_the_librarys_greeks():
    market = x.view(skewed=False)
    years, forward = 45 / 365, x.SPOT * np.exp(0.03 * 45 / 365)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, 4750.0)
    black = QuantLib.BlackCalculator(payoff, forward, 0.16 * years**0.5, np.exp(-0.05 * years))

    one = option_greeks(x.PUT, market)

    assert one.delta == pytest.approx(100 * black.deltaForward() * forward, rel=1e-9)
    assert one.gamma == pytest.approx(100 * black.gammaForward() * forward**2 / 100, rel=1e-9)
    assert one.vega == pytest.approx(100 * black.vega(years) / 100, rel=1e-9)


def test_a_power_perpetuals_vega_family_is_its_marks_own():
    market, h = x.view(), 1e-4
    mark = market.powers["squeeth", "WETH"]
    moved = {
        vol: unit_greeks(x.SQUEETH, replace(market, powers={("squeeth", "WETH"): replace(mark, vol=0.75 + vol)}))["ETH"]
        for vol in (-h, 0.0, h)
    }

    assert moved[0.0].vanna == pytest.approx(0.01 * (moved[h].delta - moved[-h].delta) / (2 * h), rel=1e-6)
    assert moved[0.0].vega == pytest.approx(0.01 * (moved[h].delta - moved[-h].delta) / (4 * h), rel=1e-6)
    assert moved[0.0].volga == pytest.approx(0.01 * (moved[h].vega - moved[-h].vega) / (2 * h), rel=1e-6)


@pytest.mark.requirement("D36")
def test_a_books_greeks_are_the_sum_of_its_positions_and_explain_a_small_day():
    market, book = x.view(skewed=False), x.book()
    found = book_greeks(book, market)
    by_hand = {domain: Sensitivities() for domain in found}
    for position in book:
        for domain, one in unit_greeks(position.instrument, market).items():
            by_hand[domain] = by_hand[domain] + one * float(position.quantity)
    move = 0.002

    change = np.diff(book_values(book, market, Scenarios.of(crypto=[0.0, np.log(1 + move)], days=[0.0, 0.1])))[0]

    assert found == by_hand
    assert set(found) == {"ETH", "SPX", "VIX", STABLE_DOMAIN}
    ether = found["ETH"]
    explained = ether.delta * move + 0.5 * ether.gamma * 100 * move**2 + 0.1 * sum(one.theta for one in found.values())
    gross = sum(abs(getattr(one, f.name)) for one in found.values() for f in fields(one) if f.name == "theta")
    assert change == pytest.approx(explained, abs=0.02 * (abs(ether.delta) * move + 0.1 * gross))


def test_dollars_have_no_greeks_and_what_is_not_quoted_has_none_either():
    assert unit_greeks(Cash(USD), x.view()) == {}
    with pytest.raises(MissingQuote):
        unit_greeks(x.VIXY, replace(x.view(), funds={}))


def unit_value(instrument, market, vol):
    return float(book_values(x.book((instrument,), (1,)), market, Scenarios.of(vol=vol))[0])


def at_vol(market, vol):
    smiles = {key: replace(smile, vols=np.full_like(smile.vols, vol)) for key, smile in market.smiles.items()}
    return replace(market, smiles=smiles)


def beta_of(instrument):
    days = 40 if instrument in (x.VIX_CALL, x.VX) else 30
    return float(vix_beta(days / 365))


@pytest.mark.fault("F77")
@pytest.mark.parametrize("instrument", [Cash(x.USDC), x.SUPPLY, x.RANGE], ids=lambda i: i.id)
def test_a_token_without_a_price_is_named_as_missing(instrument):
    view = replace(x.view(), token_usd={"WETH": x.ETHER})

    with pytest.raises(MissingQuote, match="no price for"):
        unit_greeks(instrument, view)
