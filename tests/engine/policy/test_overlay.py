"""The overlay's sign and size, by the definition's integral and by simulation."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
import QuantLib

from engine.errors import InputError
from engine.policy.band import NoTradeBand
from engine.policy.condors import CondorOffer
from engine.policy.overlay import Direction, OverlayRules, choose_overlay, expected_scalping, scalping_result
from engine.risk.smile import Smile
from engine.simulation.hedging_paths import HedgedOptions, forward_paths, hedged_results
from tests.engine.terms import condor

ASOF = datetime(2025, 1, 2, 21, 15, tzinfo=UTC)
EXPIRY = ASOF + timedelta(days=18)
YEARS, F, IMPLIED = 18 / 365, 6_000.0, 0.18
OVERLAY = condor(5725, 5750, 6250, 6275, expiry=EXPIRY)
CORE = condor(5425, 5475, 6625, 6675, expiry=ASOF + timedelta(days=45))
FLAT = Smile(EXPIRY, YEARS, F, 0.0, np.array([-1.0, 1.0]), np.array([IMPLIED, IMPLIED]))


def legs(direction):
    return HedgedOptions(
        np.array([float(leg.strike) for leg in OVERLAY.legs]),
        np.array([leg.right.sign for leg in OVERLAY.legs]),
        direction.sign * np.array(OVERLAY.quantities) * 100.0,
        np.full(4, IMPLIED),
        YEARS,
    )


def offer(structure=OVERLAY, *, days=18.0, credit=6.0, mid=6.5):
    return CondorOffer(structure, credit, mid, 1.0, 1.0, days)


@pytest.mark.requirement("D24")
@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("realised", [0.12, 0.26])
def test_simulated_hedging_at_the_band_gains_what_is_expected(direction, realised):
    drawn = forward_paths(np.random.default_rng(24), forward=F, vol=realised, years=YEARS, marks=72, paths=8_000)

    gain = hedged_results(legs(direction), drawn, NoTradeBand(0.0002, 5e-6)).gain

    expected = expected_scalping(OVERLAY, FLAT, direction=direction, realised=realised)
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    assert abs(gain.mean() - expected) < 3 * error
    assert abs(expected) > 6 * error


@pytest.mark.requirement("D24")
@pytest.mark.parametrize(
    ("direction", "realised", "gains"),
    [("short", 0.26, False), ("short", 0.12, True), ("long", 0.26, True), ("long", 0.12, False)],
)
def test_a_short_overlay_loses_when_realised_exceeds_implied_and_a_long_one_gains(direction, realised, gains):
    assert (expected_scalping(OVERLAY, FLAT, direction=Direction(direction), realised=realised) > 0) is gains


@pytest.mark.requirement("D24")
@pytest.mark.parametrize("realised", [0.12, 0.26])
def test_the_sum_over_gamma_along_each_path_averages_to_the_expectation(realised):
    marks, short = 288, legs(Direction.SHORT)
    drawn = forward_paths(np.random.default_rng(9), forward=F, vol=realised, years=YEARS, marks=marks, paths=2_000)
    gamma = np.array([short.sensitivities(drawn[at], YEARS * (1 - at / marks))[1] for at in range(marks)])

    along = scalping_result(gamma, drawn[:-1], realised, IMPLIED, YEARS / marks)

    expected = expected_scalping(OVERLAY, FLAT, direction=Direction.SHORT, realised=realised)
    assert abs(along.mean() - expected) < 3 * along.std(ddof=1) / np.sqrt(len(along))


@pytest.mark.requirement("D24")
def test_the_expectation_is_quantlibs_value_at_realised_less_at_implied():
    def worth(vol):
        kinds = (QuantLib.Option.Put, QuantLib.Option.Put, QuantLib.Option.Call, QuantLib.Option.Call)
        strikes = [float(leg.strike) for leg in OVERLAY.legs]
        values = [QuantLib.blackFormula(k, x, F, vol * np.sqrt(YEARS)) for k, x in zip(kinds, strikes, strict=True)]
        return 100.0 * np.dot(OVERLAY.quantities, values)

    expected = expected_scalping(OVERLAY, FLAT, direction=Direction.SHORT, realised=0.25)

    assert expected == pytest.approx(worth(0.25) - worth(IMPLIED), rel=1e-9)


def test_realised_at_implied_expects_nothing():
    assert expected_scalping(OVERLAY, FLAT, direction=Direction.SHORT, realised=IMPLIED) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.requirement("S06")
def test_only_short_dated_condors_tighter_than_the_core_are_chosen():
    smiles = {("SPXW", EXPIRY): FLAT}
    as_wide = condor(5700, 5750, 6250, 6300, expiry=EXPIRY)

    chosen = choose_overlay([offer(as_wide), offer(days=14.9), offer(days=20.1), offer()], CORE, smiles, realised=0.12)

    assert chosen.offer == offer()
    assert chosen.offer.condor.width < CORE.width == Decimal(50)
    assert choose_overlay([offer(as_wide)], CORE, smiles, realised=0.12) is None


def test_an_overlay_that_does_not_earn_its_spread_is_not_chosen():
    smiles = {("SPXW", EXPIRY): FLAT}
    long = OverlayRules(direction=Direction.LONG)

    assert choose_overlay([offer(credit=6.0, mid=60.0)], CORE, smiles, realised=0.12) is None
    assert choose_overlay([offer()], CORE, smiles, realised=0.12, rules=long) is None
    bought = choose_overlay([offer()], CORE, smiles, realised=0.30, rules=long)
    assert bought.at_risk == pytest.approx(700.0)
    assert bought.expected == pytest.approx(bought.scalping - 50.0)


def test_a_volatility_that_is_none_is_refused():
    with pytest.raises(InputError, match="no volatility"):
        expected_scalping(OVERLAY, FLAT, direction=Direction.LONG, realised=-0.1)
