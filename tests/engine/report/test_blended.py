import json
from dataclasses import replace
from datetime import datetime

import pytest

from engine.errors import InputError
from engine.money import usd
from engine.report.blended import SCHEMA
from engine.report.book_rows import FillRow
from engine.report.risk_rows import HeatMap, LimitRow, Unit
from tests.engine.report.sample_report import ASOF, heat, payoff, sample


def test_json_has_stable_keys_and_exact_amounts():
    document = sample().to_json()

    assert document["schema"] == SCHEMA
    assert list(document)[:5] == ["schema", "title", "asof", "since", "state"]
    assert document["headline"]["nav"] == {"amount": "1016101.00", "currency": "USD"}
    assert document["ledger"][1]["held"]["amount"] == "14.972118330000000000"


def test_json_survives_a_strict_round_trip():
    document = sample().to_json()

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["lending"][1]["health_factor"] == "inf"
    assert document["approvals"][2]["at"] is None


def test_equal_reports_have_equal_json():
    assert json.dumps(sample().to_json()) == json.dumps(sample().to_json())


@pytest.mark.parametrize(
    ("row", "headroom", "holds", "used"),
    [
        (LimitRow("cap", "S39", 0.20, 0.15, Unit.SHARE), 0.05, True, 0.75),
        (LimitRow("cap", "S39", 0.20, 0.25, Unit.SHARE), -0.05, False, 1.25),
        (LimitRow("quick", "D13", 1.0, 2.0, Unit.RATIO, floor=True), 1.0, True, 0.5),
        (LimitRow("quick", "D13", 1.0, 0.8, Unit.RATIO, floor=True), -0.2, False, 1.25),
        (LimitRow("quick", "D13", 1.0, float("inf"), Unit.RATIO, floor=True), float("inf"), True, 0.0),
        (LimitRow("none", "S41", 0.0, 0.0, Unit.SHARE), 0.0, True, 0.0),
        (LimitRow("none", "S41", 0.0, 0.1, Unit.SHARE), -0.1, False, float("inf")),
    ],
)
def test_headroom_and_use_of_a_limit_follow_its_direction(row, headroom, holds, used):
    assert row.headroom == pytest.approx(headroom)
    assert row.holds is holds
    assert row.used == pytest.approx(used)


def test_a_reading_that_is_not_a_number_is_a_breach():
    assert not LimitRow("cap", "S39", 0.20, float("nan"), Unit.SHARE).holds


def test_slippage_is_cash_against_the_arrival_mid_in_dollars_and_basis_points():
    fill = FillRow(ASOF, "sell", "paper", usd("22800.00"), usd("23100.00"), usd(0), usd(0), "exec 1")

    assert fill.slippage == usd("-300.00")
    assert fill.slippage_bp == pytest.approx(-300 / 23100 * 1e4)
    assert replace(fill, at_mid=usd(0)).slippage_bp is None


def test_the_total_of_a_day_is_the_sum_of_its_engines_and_transit():
    point = sample().nav[15]

    assert point.transit == usd(12_000)
    assert point.total == point.condor + point.defi + point.transit


def test_the_rows_of_the_cost_of_capital_add_up_to_it():
    assert sum(row.contribution for row in sample().wacc) == pytest.approx(sample().headline.wacc, abs=5e-5)


def test_engines_that_do_not_add_up_to_the_total_are_refused():
    with pytest.raises(InputError, match="add up to"):
        replace(sample().headline, nav=usd("1016101.01"))


def test_a_ragged_heat_map_is_refused():
    with pytest.raises(InputError, match="one result per pair"):
        HeatMap((0.0, 0.1), (0.0,), ((1.0,),))
    with pytest.raises(InputError, match="one result per pair"):
        replace(heat(), vol_shocks=(0.0,))


def test_a_pay_off_whose_levels_fall_or_do_not_pair_is_refused():
    curve = payoff()

    with pytest.raises(InputError, match="must rise"):
        replace(curve, spots=curve.spots[::-1])
    with pytest.raises(InputError, match="not finite"):
        replace(curve, today=(float("nan"), *curve.today[1:]))
    with pytest.raises(InputError, match="differ in number"):
        replace(curve, today=curve.today[1:])


def test_unordered_dates_and_naive_instants_are_refused():
    with pytest.raises(InputError, match="must rise"):
        sample(nav=sample().nav[::-1])
    with pytest.raises(InputError, match="no time zone"):
        sample(asof=datetime(2026, 11, 20, 21, 15))  # noqa: DTZ001
