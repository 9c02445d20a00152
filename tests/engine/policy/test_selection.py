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
from engine.policy.selection import by_delta, by_deviation, by_expectation, ranked, scored, short_deltas, standing
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


def earned(offer, *, vol=0.15, fee=0.0):
    """USD at settlement under lognormal returns without drift: the real world does not move with the surface."""
    low, put, call, high = strikes(offer)
    years = offer.days / 365
    level = SPOT * np.exp(-0.5 * vol**2 * years + vol * math.sqrt(years) * NORMAL)
    owed = np.clip(put - level, 0, put - low) + np.clip(level - call, 0, high - call)
    return (offer.credit - owed) * 100 - 4 * fee


def results(offers, **terms):
    return [(offer, earned(offer, **terms)) for offer in offers]


def best(*markets):
    return by_expectation(results(on_offer(*markets)))


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

    chosen = by_expectation(results(offers, fee=1.15))

    def ratio(offer):
        result = np.sort(earned(offer, fee=1.15))
        return result.mean() / -result[:500].mean()  # 2.5 % of 20,000

    assert chosen.ratio == pytest.approx(max(map(ratio, offers)))
    assert strikes(chosen.offer) == strikes(max(offers, key=ratio))


@pytest.mark.requirement("S12")
def test_a_condor_stands_by_its_place_and_beside_the_choices_by_deviation_and_by_delta():
    quoted = market(45, 0.18, skew=-0.3)
    offers, smiles = on_offer(quoted), {("SPXW", quoted[1].expiry): quoted[1]}
    ranking = ranked(results(offers))
    second = ranking[1]

    earns, deviations, deltas = standing(second.offer, ranking, smiles, deviations=1.5)

    assert earns.endswith(
        f": 2 of {len(offers)} widths and tenors listed, {ranking[0].ratio:.4f} for {ranking[0].offer.id}"
    )
    assert deviations.endswith(f"nearest to 1.50 is {by_deviation(offers, 1.5).id}")
    assert deltas.endswith(f"nearest to 0.067 is {by_delta(offers, smiles, 0.0668072).id}")  # N(-1.5) = 0.0668072
    assert standing(ranking[0].offer, ranking, smiles, deviations=1.5)[0].endswith("widths and tenors listed")


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

    assert scored(offer, np.full(100, 50.0)).ratio == math.inf


def test_nothing_on_offer_a_missing_smile_and_broken_outcomes_are_refused():
    offer = on_offer(market(45, 0.18))[0]

    with pytest.raises(InputError, match="nothing is on offer"):
        by_deviation([], 1.5)
    with pytest.raises(InputError, match="delta"):
        by_delta([offer], {}, 0.6)
    with pytest.raises(MissingQuote, match="no smile"):
        by_delta([offer], {}, 0.1)
    for broken in ([], [float("nan")]):
        with pytest.raises(InputError, match="outcomes"):
            scored(offer, np.array(broken))
