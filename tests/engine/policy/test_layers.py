from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, UnknownKey
from engine.instruments import Right
from engine.policy.bands import Band, Horizons
from engine.policy.layers import DEFAULT, Kind, LayerTable, Role, days_to_expiry, widened
from engine.policy.outer_layer import OuterMode
from engine.policy.rule_table import LAYERS
from engine.policy.wings import BeyondBreakEven, OutOfTheMoney, WingBasis
from engine.pricing.events import wing_scale

TABLE = LayerTable()
TOKYO = timezone(timedelta(hours=9))


def changed(name, **terms):
    return tuple(replace(layer, **terms) if layer.name == name else layer for layer in DEFAULT)


def test_the_table_has_exactly_the_layers_that_rules_may_arm():
    assert {layer.name for layer in TABLE} == set(LAYERS)


@pytest.mark.requirement("S02", "S04", "S05", "X01")
def test_the_core_window_holds_the_tenor_that_all_three_articles_name():
    core = TABLE["core"].dte

    assert (core.shortest, core.longest) == (30, 60)
    assert core.holds(45)


@pytest.mark.requirement("S06", "X01")
def test_the_overlay_is_sold_with_fifteen_to_twenty_days():
    overlay = TABLE["overlay"].dte

    assert [days for days in range(401) if overlay.holds(days)] == list(range(15, 21))


@pytest.mark.requirement("S11", "X01")
def test_outer_layers_take_the_three_horizons_and_every_tenor_belongs_to_one():
    outer = [layer.dte for layer in TABLE if layer.role in {Role.OUTER, Role.TAIL}]

    assert [(band.shortest, band.longest) for band in outer] == [(0, 7), (15, 45), (60, None)]
    assert all(Horizons(outer).band(days) is not None for days in range(401))
    assert Horizons(outer).band(11).shortest == 0


@pytest.mark.requirement("S09", "S10", "X03")
def test_each_horizon_has_its_own_wing_rule():
    assert TABLE["outer-short"].wings == OutOfTheMoney(0.05, 0.07)
    assert TABLE["outer-intermediate"].wings == BeyondBreakEven(0.15, 0.20, WingBasis.DISTANCE)
    assert TABLE["tail"].wings == BeyondBreakEven(0.15, 0.20, WingBasis.PRICE)


@pytest.mark.requirement("S02")
@pytest.mark.parametrize(
    ("trade", "settles", "days"),
    [
        (datetime(2024, 1, 3, 4, 59, tzinfo=UTC), datetime(2024, 2, 16, 14, 30, tzinfo=UTC), 45),  # still 2 January
        (datetime(2024, 1, 3, 5, 0, tzinfo=UTC), datetime(2024, 2, 16, 14, 30, tzinfo=UTC), 44),
        (
            datetime(2024, 1, 2, 20, 0, tzinfo=UTC),
            datetime(2024, 2, 17, 5, 0, tzinfo=TOKYO),
            45,
        ),  # 16 February in New York
        (datetime(2024, 3, 8, 20, 0, tzinfo=UTC), datetime(2024, 3, 15, 20, 0, tzinfo=UTC), 7),  # over the clock change
    ],
)
def test_days_to_expiry_are_calendar_days_of_new_york(trade, settles, days):
    assert days_to_expiry(trade, settles) == days


@pytest.mark.requirement("X11", "S18", "S19", "S20")
def test_an_account_with_futures_holds_no_fund_and_one_without_no_future():
    assert TABLE.menu("vix-first", futures=True) == (Kind.VIX_FUTURE, Kind.VIX_CALL_SPREAD)
    assert TABLE.menu("vix-first", futures=False) == (Kind.VIX_CALL_SPREAD, Kind.VIX_FUND)


@pytest.mark.requirement("S24")
def test_the_increment_layer_holds_call_spreads_alone_and_is_paced():
    assert TABLE.menu("vix-increment", futures=True) == (Kind.VIX_CALL_SPREAD,)
    assert TABLE["vix-increment"].paced


@pytest.mark.requirement("X04", "X17")
@pytest.mark.parametrize(
    ("mode", "adds"),
    [(OuterMode.BUY_TAIL, False), (OuterMode.SELL_OUTER_CONDOR, True), (OuterMode.MONETIZE, True)],
)
def test_outer_wings_add_risk_in_every_mode_but_buying_tails(mode, adds):
    adding = {layer.name for layer in TABLE if layer.adds_risk(mode)}

    assert adding == {"core", "overlay"} | ({"outer-short", "outer-intermediate"} if adds else set())


def test_overlapping_windows_of_the_condor_books_are_refused():
    with pytest.raises(ConfigError, match=r"layers\.core\.dte = \[30, 60\].*overlay.*X01"):
        LayerTable(changed("overlay", dte=Band("overlay", 15, 30)))


def test_overlapping_outer_horizons_are_refused():
    with pytest.raises(ConfigError, match=r"layers\.tail\.dte.*outer-intermediate.*X01"):
        LayerTable(changed("outer-intermediate", dte=Band("intermediate", 15, 60)))


def test_a_hedge_budget_that_is_not_whole_is_refused():
    with pytest.raises(ConfigError, match=r"hedge\.budget = 90"):
        LayerTable(changed("tail", share=Decimal("0.10")))


def test_a_layer_named_twice_is_refused():
    with pytest.raises(ConfigError, match=r"layers\.core.*twice"):
        LayerTable((*DEFAULT, DEFAULT[0]))


def test_an_unknown_layer_is_answered_with_the_names_there_are():
    with pytest.raises(UnknownKey, match=r"layers\.vix-third.*vix-second"):
        TABLE["vix-third"]


@pytest.mark.requirement("S80", "D24b")
def test_an_event_pushes_wings_out_by_its_share_of_variance():
    scale = wing_scale(0.0011, 0.04, 0.1)  # s_e^2 = 27.5 % of sigma^2 T, so sqrt(1.275)

    wider = widened(OutOfTheMoney(0.05, 0.07), scale)

    assert wider.far == pytest.approx(0.07 * 1.275**0.5)


@given(st.floats(1.0, 3.0), st.sampled_from([Right.PUT, Right.CALL]))
def test_wings_only_ever_move_away_from_the_index(scale, right):
    for rule in (OutOfTheMoney(0.05, 0.07), BeyondBreakEven(0.15, 0.20, WingBasis.DISTANCE)):
        plain = rule.levels(right, spot=6000.0, break_even=6000.0 * (1 + right.sign * 0.09))
        wide = widened(rule, scale).levels(right, spot=6000.0, break_even=6000.0 * (1 + right.sign * 0.09))

        assert all(right.sign * (there - here) >= 0 for here, there in zip(plain, wide, strict=True))


def test_a_scale_that_narrows_is_refused():
    with pytest.raises(ConfigError, match="never narrows"):
        widened(OutOfTheMoney(0.05, 0.07), 0.99)
