"""The peg by its tiers, its clocks, and the week of March 2023."""

import csv
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError, MissingQuote
from engine.risk.peg import (
    PegPrices,
    PegRules,
    PegSide,
    PegState,
    PegTier,
    cascades,
    health_impact,
    peg_ratio,
    time_weighted,
    watch_peg,
)

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "defi" / "usdc-usd-daily.csv"
NOON = datetime(2023, 3, 11, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def steady(source, price, *, spike=None, block=12.0):
    """An hour of blocks at one price; `spike` is the price of a single block ten minutes before noon."""
    seconds = NOON.timestamp() - np.arange(3600.0, -1.0, -block)
    prices = np.full(len(seconds), price)
    if spike is not None:
        prices[np.searchsorted(seconds, NOON.timestamp() - 600.0)] = spike
    return PegPrices(source, seconds, prices)


def after(readings, *, side=PegSide.COLLATERAL, start=NOON, every=MINUTE):
    state = PegState(side)
    for step, ratio in enumerate(readings):
        state = watch_peg(state, ratio, start + step * every)
    return state


@pytest.mark.requirement("D21")
@pytest.mark.requirement("S37")
def test_a_wrapped_token_worth_its_exchange_rate_is_no_depeg():
    ratio = peg_ratio([steady("a", 1.18), steady("b", 1.18)], 1.18, NOON)

    assert ratio == pytest.approx(1.0, abs=1e-12)
    assert after([ratio] * 60).tier is PegTier.HOLDS


@pytest.mark.requirement("D21")
def test_the_same_price_without_its_exchange_rate_would_alarm():
    assert after([peg_ratio([steady("a", 1.0), steady("b", 1.0)], 1.18, NOON)]).tier is PegTier.UNWIND


@pytest.mark.requirement("D21")
@pytest.mark.parametrize("spike", [0.5, 0.01, 1.9])
def test_one_block_of_a_flash_loan_is_not_seen(spike):
    ratio = peg_ratio([steady("a", 1.0, spike=spike), steady("b", 1.0)], 1.0, NOON)

    assert abs(ratio - 1.0) == pytest.approx(abs(spike - 1.0) * 12 / 1800 / 2)
    assert after([ratio] * 40).tier is PegTier.HOLDS


@pytest.mark.requirement("D21")
def test_with_three_sources_one_liar_moves_nothing():
    assert peg_ratio([steady("a", 0.2), steady("b", 1.0), steady("c", 1.0)], 1.0, NOON) == 1.0


@pytest.mark.requirement("D21")
@pytest.mark.parametrize(("minutes", "tier"), [(14, PegTier.HOLDS), (15, PegTier.WATCH), (600, PegTier.WATCH)])
def test_fifty_basis_points_are_watched_after_fifteen_minutes(minutes, tier):
    assert after([0.995] * (minutes + 1)).tier is tier


@pytest.mark.requirement("D21")
def test_a_return_inside_the_threshold_starts_the_quarter_hour_again():
    assert after([0.995] * 10 + [0.996] + [0.995] * 14).tier is PegTier.HOLDS


@pytest.mark.requirement("D21")
@pytest.mark.parametrize(
    ("ratio", "tier"),
    [(0.9801, PegTier.HOLDS), (0.98, PegTier.FREEZE), (0.9501, PegTier.FREEZE), (0.95, PegTier.UNWIND)],
)
def test_freeze_and_unwind_act_on_the_first_reading(ratio, tier):
    assert after([ratio]).tier is tier


@pytest.mark.requirement("D21")
@pytest.mark.parametrize(("ratio", "collateral", "debt"), [(1.03, 0, 2), (0.97, 2, 0), (1.05, 0, 3), (0.95, 3, 0)])
def test_collateral_hurts_below_par_and_debt_above(ratio, collateral, debt):
    assert after([ratio]).tier == collateral
    assert after([ratio], side=PegSide.DEBT).tier == debt


@pytest.mark.requirement("D21")
def test_a_tier_is_left_one_by_one_each_after_a_calm_hour_below_half_its_threshold():
    frozen = [0.975]

    assert after(frozen + [0.985] * 600).tier is PegTier.FREEZE
    assert after(frozen + [0.991] * 60).tier is PegTier.FREEZE
    assert after(frozen + [0.991] * 61).tier is PegTier.WATCH
    assert after(frozen + [1.0] * 61).tier is PegTier.WATCH
    assert after(frozen + [1.0] * 121).tier is PegTier.HOLDS


@pytest.mark.requirement("D21")
def test_a_peg_that_swings_about_its_threshold_does_not_flicker():
    states = [PegState(PegSide.COLLATERAL)]
    for step in range(300):
        states.append(watch_peg(states[-1], 0.979 if step % 2 else 0.981, NOON + step * MINUTE))

    assert sum(a.tier is not b.tier for a, b in pairwise(states)) == 1


@pytest.mark.requirement("S84")
@pytest.mark.requirement("D21")
def test_two_frozen_collaterals_or_a_tenth_of_health_is_a_cascade():
    frozen, fine = after([0.975]), after([1.0])
    frozen_debt = after([1.03], side=PegSide.DEBT)

    assert cascades({"a": frozen, "b": frozen}, 0.0)
    assert not cascades({"a": frozen, "b": fine}, 0.10)
    assert not cascades({"a": frozen, "b": frozen_debt}, 0.0)
    assert cascades({"a": fine}, 0.1001)


@pytest.mark.requirement("S30")
def test_health_lost_to_a_depeg_is_collateral_down_and_debt_up():
    collateral, debt = {"WETH": 80_000.0, "USDC": 40_000.0}, {"DAI": 60_000.0}

    lost = health_impact(collateral, debt, {"USDC": 0.88, "DAI": 1.02})

    assert lost == pytest.approx(1 - ((80_000 + 35_200) / 61_200) / 2.0)
    assert health_impact(collateral, {}, {"USDC": 0.5}) == 0.0


def test_one_source_is_not_enough_and_a_late_one_does_not_count():
    late = PegPrices("b", np.array([NOON.timestamp() - 60.0]), np.array([0.9]))

    with pytest.raises(MissingQuote, match=r"from 1 source\(s\)"):
        peg_ratio([steady("a", 1.0), late], 1.0, NOON)
    with pytest.raises(MissingQuote, match=r"from 1 source\(s\)"):
        peg_ratio([steady("a", 1.0), steady("a", 1.0)], 1.0, NOON)


def test_prices_after_the_instant_are_not_known_yet():
    prices = PegPrices("a", np.array([0.0, 1000.0, 2000.0]), np.array([1.0, 0.9, 0.1]))

    assert time_weighted(prices, 1500.0, 1000.0) == pytest.approx((500 * 1.0 + 500 * 0.9) / 1000)


@pytest.mark.parametrize("redemption", [0.0, -1.0, np.nan])
def test_a_redemption_value_of_nothing_is_refused(redemption):
    with pytest.raises(InputError, match="redemption value"):
        peg_ratio([steady("a", 1.0), steady("b", 1.0)], redemption, NOON)


@pytest.mark.parametrize("bad", [[1.0, 0.0], [1.0, np.nan], [1.0, -1.0]])
def test_a_price_of_nothing_is_refused(bad):
    with pytest.raises(InputError, match="prices of a"):
        time_weighted(PegPrices("a", np.array([0.0, 1.0]), np.array(bad)), 10.0, 5.0)


def test_readings_come_in_order_of_time():
    with pytest.raises(InputError, match="in order of time"):
        watch_peg(after([1.0, 1.0]), 1.0, NOON)
    with pytest.raises(InputError, match="positive"):
        watch_peg(after([1.0]), np.nan, NOON + MINUTE)


@pytest.mark.requirement("D21")
@pytest.mark.requirement("S84")
def test_march_2023_is_watched_frozen_and_released():
    if not RECORDED.exists():
        pytest.skip("recorded USDC prices are not beside the project")
    with RECORDED.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["snapped_at"].startswith("2023-03")]
    state, tiers = PegState(PegSide.COLLATERAL), {}
    for row in rows:
        day = datetime.fromisoformat(row["snapped_at"].replace(" UTC", "+00:00"))
        state = watch_peg(state, float(row["price"]), day, PegRules())
        tiers[day.day] = state.tier

    assert {tiers[day] for day in range(1, 12)} == {PegTier.HOLDS}
    assert [tiers[day] for day in (12, 13, 14, 15)] == [
        PegTier.FREEZE,
        PegTier.FREEZE,
        PegTier.WATCH,
        PegTier.HOLDS,
    ]
    assert {tiers[day] for day in range(15, 32)} == {PegTier.HOLDS}


@pytest.mark.fault("F76")
def test_the_share_of_health_that_no_number_takes_is_refused():
    with pytest.raises(InputError, match="collateral"):
        health_impact({"stETH": float("nan")}, {"USDC": 1.0}, {})
