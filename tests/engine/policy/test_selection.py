"""The chosen condor follows the surface: its level, its skew, its slope (S12)."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, MissingQuote
from engine.instruments import Settlement
from engine.market import ExpiryQuotes
from engine.policy.condors import condor_offers
from engine.policy.selection import by_delta, by_deviation, by_expectation, scored, short_deltas
from engine.policy.settings import CoreSettings
from engine.pricing.black import forward_value
from engine.risk.smile import Smile

NOW = datetime(2026, 1, 5, 21, tzinfo=UTC)
SPOT, RATE, CARRY = 6000.0, 0.042, 0.029
STRIKES = np.arange(4000.0, 8000.0, 5.0)
NORMAL = np.random.default_rng(3).standard_normal(20_000)


def market(days, atm, skew=0.0):
    """Quotes and smile of one expiry whose volatility is `atm + skew * ln(K / F)`, five cents either side."""
    years = days / 365
    forward = SPOT * math.exp(CARRY * years)
    moneyness = np.log(STRIKES / forward)
    vols = np.clip(atm + skew * moneyness, 0.03, 2.0)
    sides = [forward_value(forward, STRIKES, years, vols, sign=s) * math.exp(-RATE * years) for s in (1, -1)]
    prices = [price + half for price in sides for half in (-0.05, 0.05)]
    expiry = NOW + timedelta(days=days)
    quotes = ExpiryQuotes("SPXW", expiry, Settlement.PM, STRIKES, *(np.maximum(p, 0.0) for p in prices), vols, vols)
    return quotes, Smile(expiry, years, forward, RATE, moneyness, vols)


def on_offer(*markets):
    return [offer for quotes, smile in markets for offer in condor_offers(quotes, smile, CoreSettings())]


def outcomes(offers, vol=0.15):
    """Lognormal returns without drift: the real world does not move with the surface."""
    return {
        days: -0.5 * vol**2 * days / 365 + vol * math.sqrt(days / 365) * NORMAL for days in {o.days for o in offers}
    }


def best(*markets, **terms):
    offers = on_offer(*markets)
    return by_expectation(offers, SPOT, outcomes(offers), **terms)


def strikes(offer):
    return [float(leg.strike) for leg in offer.condor.legs]


@pytest.mark.requirement("S12")
def test_shorts_by_deviation_move_out_with_the_level_of_volatility():
    chosen = [strikes(by_deviation(on_offer(market(45, atm)), 1.5)) for atm in (0.14, 0.18, 0.22, 0.26)]

    puts, calls = [k[1] for k in chosen], [k[2] for k in chosen]
    assert puts == sorted(puts, reverse=True)
    assert calls == sorted(calls)
    assert len(set(puts)) == len(set(calls)) == 4


@pytest.mark.requirement("S12")
def test_the_golden_market_gives_the_golden_strikes():
    assert strikes(by_deviation(on_offer(market(45, 0.18)), 1.5))[1:3] == [5475.0, 6625.0]


@pytest.mark.requirement("S12")
def test_shorts_by_delta_move_out_when_the_put_side_grows_dearer():
    flat, steep = market(45, 0.18), market(45, 0.18, skew=-0.3)

    def put(quoted):
        return strikes(by_delta(on_offer(quoted), {("SPXW", quoted[1].expiry): quoted[1]}, 0.05))[1]

    assert put(steep) <= put(flat)
    assert put(market(45, 0.18, skew=-0.5)) < put(flat)


@pytest.mark.requirement("S12")
def test_deltas_are_those_of_an_independent_library():
    ql = pytest.importorskip("QuantLib")
    quoted = market(45, 0.18, skew=-0.3)
    offer = on_offer(quoted)[0]

    found = short_deltas(offer, {("SPXW", quoted[1].expiry): quoted[1]})

    smile = quoted[1]
    for delta, leg, kind in zip(found, offer.condor.legs[1:3], (ql.Option.Put, ql.Option.Call), strict=True):
        vol = 0.18 - 0.3 * math.log(float(leg.strike) / smile.forward)
        payoff = ql.PlainVanillaPayoff(kind, float(leg.strike))
        calculator = ql.BlackCalculator(payoff, smile.forward, vol * math.sqrt(smile.years), 1.0)
        assert delta == pytest.approx(abs(calculator.deltaForward()), abs=1e-9)


@pytest.mark.requirement("S12")
def test_what_is_earned_per_tail_loss_rises_with_the_level_and_the_strikes_move():
    found = [best(market(45, atm)) for atm in (0.16, 0.18, 0.20, 0.24)]

    ratios = [score.ratio for score in found]
    assert ratios == sorted(ratios)
    assert len({tuple(strikes(score.offer)) for score in found}) == 4


@pytest.mark.requirement("S12")
def test_the_width_moves_with_the_skew():
    flat, steep = best(market(45, 0.18)), best(market(45, 0.18, skew=-0.5))

    assert flat.offer.condor.width != steep.offer.condor.width


@pytest.mark.requirement("S12")
def test_the_tenor_moves_to_where_volatility_is_dear():
    falling, rising = best(market(30, 0.22), market(60, 0.16)), best(market(30, 0.16), market(60, 0.22))

    assert falling.offer.days == pytest.approx(30)
    assert rising.offer.days == pytest.approx(60)


@pytest.mark.requirement("S12")
def test_nothing_is_sold_when_premium_is_below_what_happens():
    assert best(market(45, 0.13)) is None


@pytest.mark.requirement("S12")
def test_the_choice_is_the_best_of_every_offer_by_brute_force():
    offers = on_offer(market(30, 0.19, skew=-0.2), market(45, 0.18, skew=-0.3))
    returns = outcomes(offers)

    chosen = by_expectation(offers, SPOT, returns, fee=1.15)

    def ratio(offer):
        low, put, call, high = strikes(offer)
        level = SPOT * np.exp(returns[offer.days])
        owed = np.clip(put - level, 0, put - low) + np.clip(level - call, 0, high - call)
        result = np.sort((offer.credit - owed) * 100 - 4 * 1.15)
        return result.mean() / -result[:500].mean()

    assert chosen.ratio == pytest.approx(max(map(ratio, offers)))
    assert strikes(chosen.offer) == strikes(max(offers, key=ratio))


@pytest.mark.requirement("S12")
def test_only_what_keeps_the_limits_is_chosen():
    narrow = best(market(45, 0.24), allowed=lambda offer: offer.condor.width <= 50)

    assert narrow.offer.condor.width <= 50
    assert narrow.ratio <= best(market(45, 0.24)).ratio


@pytest.mark.requirement("X02")
@given(st.floats(0.10, 0.5), st.floats(1.5, 2.0), st.floats(0.0, 50.0))
def test_the_break_even_test_is_implied_by_shorts_at_one_and_a_half_deviations(vol, deviations, credit):
    forward, years = 6021.49, 45 / 365
    deviation = vol * math.sqrt(years)
    put, call = forward * math.exp(-deviations * deviation), forward * math.exp(deviations * deviation)

    for even in (put - credit, call + credit):
        assert abs(math.log(even / forward)) >= deviation


def test_a_gain_without_a_tail_loss_is_infinitely_good():
    offer = on_offer(market(45, 0.18))[0]

    assert scored(offer, SPOT, {offer.days: np.zeros(100)}).ratio == math.inf


def test_nothing_on_offer_missing_outcomes_and_broken_ones_are_refused():
    offer = on_offer(market(45, 0.18))[0]

    with pytest.raises(InputError, match="nothing is on offer"):
        by_deviation([], 1.5)
    with pytest.raises(InputError, match="delta"):
        by_delta([offer], {}, 0.6)
    with pytest.raises(MissingQuote, match="no smile"):
        by_delta([offer], {}, 0.1)
    with pytest.raises(MissingQuote, match="no outcomes"):
        scored(offer, SPOT, {})
    for broken in ([], [float("nan")]):
        with pytest.raises(InputError, match="outcomes"):
            scored(offer, SPOT, {offer.days: np.array(broken)})
