"""The hedge ratio: its target, its grid, and what counts as the loss to hedge."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.instruments import Cash, FundShare, LendingSupply, Right, Settlement, VanillaOption
from engine.money import Currency, Money
from engine.orders import OrderLeg
from engine.policy.hedge_effect import delta_vega_ratios, layer_effects, out_of_sample_r2
from engine.policy.hedge_ratio import (
    HedgeNeed,
    HedgeUnit,
    Sensitivities,
    for_account,
    hedge_need,
    hedge_ratio,
    hedge_unit,
    rank_by_relief,
    sensitivities,
    stress_grid,
    target_ratio,
)
from engine.policy.hedge_sizing import HedgeRules, size_hedge, size_lots
from engine.positions import Book, Position, Sleeve
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from engine.risk.valuation import PricingView
from tests.engine.terms import condor, spx

ASOF = datetime(2025, 1, 2, 21, 15, tzinfo=UTC)
EXPIRY = ASOF + timedelta(days=45)
YEARS = 45 / 365
WETH, DAI = Currency("WETH", 18), Currency("DAI", 18)
FLAT = Smile(EXPIRY, YEARS, 6_021.49, 0.042, np.array([-1.0, 1.0]), np.array([0.18, 0.18]))
VIEW = PricingView(ASOF, 6_000.0, {("SPXW", EXPIRY): FLAT}, {"WETH": 3_000.0, "DAI": 1.0}, {"WETH": 0.6})
GRID = stress_grid(VIEW)


def held(instrument, quantity, sleeve=Sleeve.CONDOR, venue="paper"):
    return Position(instrument, Money.of(Decimal(quantity), instrument.unit), sleeve, venue)


def condors(count):
    legs = condor(5425, 5475, 6625, 6675, expiry=EXPIRY)
    return Book(tuple(held(leg, q * count) for leg, q in zip(legs.legs, legs.quantities, strict=True)))


def ether(strike, right):
    expiry = ASOF + timedelta(days=30)
    return VanillaOption(
        "ETH", "WETH", expiry, Decimal(strike), Right(right), Decimal(1), Settlement.CHAIN, DAI, decimals=18
    )


def put(strike, **terms):
    legs = [OrderLeg(spx(strike, "P", EXPIRY), Decimal(1))]
    return hedge_unit(f"{strike} put", legs, VIEW, GRID, cost=60.0 + strike / 100, layer="puts", **terms)


MENU = [put(5_200), put(5_000), put(4_800)]


@pytest.mark.requirement("X10")
@pytest.mark.requirement("S53")
@pytest.mark.parametrize(("score", "ratio"), [(-1, 0.7), (0, 1.0), (1, 1.3), (0.5, 1.15), (-3, 0.7), (3, 1.3)])
def test_the_presets_are_scores_of_minus_one_nought_and_one(score, ratio):
    assert target_ratio(score) == ratio


@pytest.mark.requirement("X10")
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_more_worry_never_means_less_hedge(a, b):
    low, high = sorted((a, b))

    assert 0.7 <= target_ratio(low) <= target_ratio(high) <= 1.3


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(InputError, match="not a number"):
        target_ratio(float("nan"))


@pytest.mark.requirement("D10")
def test_the_reference_is_two_deviations_down_in_one_session_with_the_response_of_volatility():
    assert GRID.names[0] == "reference"
    assert GRID.spot[0] == pytest.approx(-2 * 0.18 / np.sqrt(252))
    assert GRID.vol[0] == pytest.approx(1.2 * 2 * 0.18 / np.sqrt(252))
    assert GRID.days[0] == 1.0


@pytest.mark.requirement("D10")
def test_the_loss_at_the_reference_is_what_the_golden_condor_loses_there():
    # finding 4: one condor loses USD 115.0 at an unmoved volatility, 359.7 at +2.5 points, 505.0 at +4
    grid = Scenarios.of(-2 * 0.18 / np.sqrt(252), [0.0, 0.025, 0.04], 1.0)
    flat_vols = grid.vol * np.sqrt(44 / 30)  # the finding shifts every tenor alike

    need = hedge_need(condors(1), VIEW, Scenarios.of(grid.spot, flat_vols, 1.0))

    assert need.losses == pytest.approx([115.0, 359.7, 505.0], abs=0.5)


@pytest.mark.requirement("D10")
def test_hedge_layers_in_the_book_are_no_part_of_its_loss():
    layer = spx(5_000, "P", EXPIRY)

    bare = hedge_need(condors(10), VIEW, GRID)
    hedged = hedge_need(condors(10).plus([held(layer, 4)]), VIEW, GRID, hedges=[layer])

    assert hedged.losses == pytest.approx(bare.losses)
    assert hedge_need(condors(10).plus([held(layer, 4)]), VIEW, GRID).reference_loss < bare.reference_loss


PACKAGES = {
    "conversion": [(Cash(WETH), 50), (ether(3_000, "P"), 50), (ether(3_000, "C"), -50)],
    "collateral": [(LendingSupply("pool", WETH), 50), (ether(2_500, "P"), 50), (ether(2_500, "C"), -50)],
    "reversal": [(Cash(WETH), -20), (ether(3_300, "P"), -20), (ether(3_300, "C"), 20)],
}


@pytest.mark.requirement("D27")
@pytest.mark.requirement("S31")
@pytest.mark.parametrize("name", PACKAGES)
def test_adding_a_riskless_package_changes_neither_ratio_nor_target_layers(name):
    plain = condors(10).plus([held(LendingSupply("pool", WETH), 3, Sleeve.DEFI, "vault")])
    crypto = Scenarios.of(GRID.spot, GRID.vol, GRID.days, crypto=4 * GRID.spot)
    added = plain.plus([held(instrument, n, Sleeve.DEFI, "vault") for instrument, n in PACKAGES[name]])

    before, after = (hedge_need(book, VIEW, crypto) for book in (plain, added))

    assert after.losses == pytest.approx(before.losses, rel=1e-12)
    assert after.sensitivities == before.sensitivities
    for size in (size_hedge, size_lots):
        assert size(after, MENU).quantities == pytest.approx(size(before, MENU).quantities)
        assert size(after, MENU).ratio == pytest.approx(size(before, MENU).ratio)


@pytest.mark.requirement("D10")
def test_the_ratio_is_gain_over_loss_at_the_reference():
    need = hedge_need(condors(10), VIEW, GRID)
    size = size_lots(need, MENU, HedgeRules(target=1.3))

    gained = sum(q * unit.gains[0] for q, unit in zip(size.quantities, MENU, strict=True))
    assert size.ratio == hedge_ratio(need, MENU, size.quantities) == pytest.approx(gained / need.losses[0])
    assert size.ratio >= 1.3


def test_there_is_no_ratio_to_a_book_that_gains():
    need = HedgeNeed(GRID, -np.ones(len(GRID)))

    with pytest.raises(InputError, match="no hedge ratio"):
        hedge_ratio(need, MENU, [1, 1, 1])


@pytest.mark.requirement("X11")
def test_the_menu_is_ranked_by_what_a_dollar_of_relief_costs():
    need = HedgeNeed(Scenarios.of([-0.02, 0.02]), np.array([100.0, 0.0]))
    menu = [
        HedgeUnit("future", "vix", np.array([400.0, -300.0]), 20.0),
        HedgeUnit("call", "vix", np.array([50.0, -10.0]), 10.0),
        HedgeUnit("put", "puts", np.array([300.0, -90.0]), 6.0),
        HedgeUnit("wrong way", "puts", np.array([-5.0, 5.0]), 1.0),
    ]

    ranked = rank_by_relief(need, menu)

    assert [relief.unit.name for relief in ranked] == ["put", "future", "call", "wrong way"]
    assert [relief.cost_per_relief for relief in ranked] == pytest.approx([0.02, 0.05, 0.2, np.inf])


@pytest.mark.requirement("X11")
def test_listed_funds_are_only_for_accounts_without_futures():
    share = HedgeUnit("VIXY", "etp", np.ones(1), 1.0, legs=(OrderLeg(FundShare("VIXY"), Decimal(1)),))
    menu = [put(5_000), share]

    assert [unit.name for unit in for_account(menu, futures=True)] == ["5000 put"]
    assert for_account(menu, futures=False) == tuple(menu)


@pytest.mark.requirement("D10")
def test_a_unit_of_several_legs_gains_what_its_legs_gain():
    spread = hedge_unit(
        "spread",
        [OrderLeg(spx(5_200, "P", EXPIRY), Decimal(1)), OrderLeg(spx(5_000, "P", EXPIRY), Decimal(-1))],
        VIEW,
        GRID,
        cost=5.0,
    )

    assert spread.gains == pytest.approx(put(5_200).gains - put(5_000).gains)
    assert spread.layer == "spread"


def test_dollar_delta_and_vega_are_quantlibs():
    ql = pytest.importorskip("QuantLib")
    sd = 0.18 * np.sqrt(YEARS)
    calculator = ql.BlackCalculator(ql.PlainVanillaPayoff(ql.Option.Put, 5_500.0), 6_021.49, sd, np.exp(-0.042 * YEARS))

    found = sensitivities(Book((held(spx(5_500, "P", EXPIRY), 2),)), VIEW)

    assert found.delta == pytest.approx(200 * calculator.deltaForward() * 6_021.49, rel=1e-5)
    # a 30-day shift reaches 45 days as the square root of 30/45
    assert found.vega == pytest.approx(200 * calculator.vega(YEARS) * np.sqrt(30 / 45), rel=1e-5)


@pytest.mark.requirement("D10")
def test_delta_and_vega_alone_are_reported_beside_the_ratio():
    need = HedgeNeed(Scenarios.of(-0.02), np.array([100.0]), sensitivities=Sensitivities(5_000.0, -800.0))
    menu = [HedgeUnit("put", "puts", np.array([40.0]), 1.0, sensitivities=Sensitivities(-1_000.0, 100.0))]

    assert delta_vega_ratios(need, menu, [3.0]) == (pytest.approx(0.6), pytest.approx(0.375))
    assert delta_vega_ratios(HedgeNeed(Scenarios.of(-0.02), np.array([100.0])), menu, [3.0]) == (None, None)


@pytest.mark.requirement("D10")
def test_out_of_sample_r2_is_judged_where_nothing_was_fitted():
    rng = np.random.default_rng(3)
    gain, noise = rng.standard_normal((2, 400))
    fitted = np.arange(400) < 200
    slope, level = np.polyfit(gain[fitted], (2 * gain + noise)[fitted], 1)
    missed = (2 * gain + noise - level - slope * gain)[~fitted]
    around = (2 * gain + noise)[~fitted] - (2 * gain + noise)[fitted].mean()

    assert out_of_sample_r2(2 * gain + noise, gain, fitted) == pytest.approx(1 - (missed**2).sum() / (around**2).sum())
    assert out_of_sample_r2(3 * gain + 1, gain, fitted) == pytest.approx(1.0)
    assert out_of_sample_r2(noise, gain, fitted) < 0.05
    assert out_of_sample_r2(np.ones(400), gain, fitted) is None
    assert out_of_sample_r2(gain, np.ones(400), fitted) is None


@pytest.mark.requirement("D10")
def test_each_layer_held_is_judged_by_its_own_gains():
    rng = np.random.default_rng(4)
    losses, other = rng.standard_normal((2, 100))
    need = HedgeNeed(Scenarios.of(np.full(100, -0.01)), losses)
    menu = [
        HedgeUnit("a", "exact", losses, 1.0),
        HedgeUnit("b", "blind", other, 1.0),
        HedgeUnit("c", "none", other, 1.0),
    ]

    effects = layer_effects(need, menu, [2.0, 1.0, 0.0], np.arange(100) % 2 == 0)

    assert effects["exact"] == pytest.approx(1.0)
    assert effects["blind"] < 0.2
    assert "none" not in effects


def test_a_sample_without_anything_left_out_has_no_r2():
    with pytest.raises(InputError, match="split the sample"):
        out_of_sample_r2([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], np.ones(3, bool))


@pytest.mark.parametrize(
    "broken", [{"cost": 0.0}, {"cost": -1.0}, {"lot": 0.0}, {"most": -1.0}, {"gains": np.array([np.nan])}]
)
def test_a_hedge_that_costs_nothing_or_has_no_lot_is_refused(broken):
    with pytest.raises(InputError, match="hedge x refused"):
        HedgeUnit(**({"name": "x", "layer": "x", "gains": np.ones(1), "cost": 1.0} | broken))


def test_losses_of_other_scenarios_are_refused():
    with pytest.raises(InputError, match="do not fit"):
        HedgeNeed(GRID, np.ones(3))
    with pytest.raises(InputError, match="1 gains for 22"):
        hedge_ratio(HedgeNeed(GRID, np.ones(len(GRID))), [HedgeUnit("x", "x", np.ones(1), 1.0)], [1.0])
