import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InputError
from engine.policy.priority import (
    Domain,
    SleeveCaps,
    SleeveRoom,
    SleeveState,
    domain_order,
    read_sleeve,
    sleeve_target,
)
from engine.policy.rule import Finding
from engine.policy.rule_table import LAYERS, RULES
from engine.policy.rulebook import compiled
from engine.signals.catalogue import names

WIDE = SleeveRoom(1.0, 1.0)
RULEBOOK = {rule.id: rule for rule in compiled(RULES, (), names(), LAYERS).rules}


@pytest.mark.requirement("S51", "X05")
@pytest.mark.parametrize(
    ("factor", "room", "share", "clipped_by"),
    [
        (1.0, WIDE, 0.15, ""),
        (0.8, WIDE, 0.12, ""),
        (1.25, WIDE, 0.1875, ""),
        (1.25, SleeveRoom(0.16, 1.0), 0.16, "two-sigma rule (S40)"),
        (1.25, SleeveRoom(0.16, 0.05), 0.05, "quick ratio (S47)"),
    ],
)
def test_the_factor_multiplies_the_target_and_every_limit_clips_it(factor, room, share, clipped_by):
    target = sleeve_target(factor, room)

    assert target.share == pytest.approx(share)
    assert target.clipped_by == clipped_by


@pytest.mark.requirement("X05")
def test_the_hard_cap_clips_a_target_that_the_factor_lifts_over_it():
    target = sleeve_target(1.25, WIDE, SleeveCaps(soft=0.18, hard=0.20))

    assert (target.share, target.clipped_by) == (0.20, "hard cap (S39)")


@pytest.mark.requirement("S51", "S39")
@given(st.floats(0.8, 1.25), st.floats(0, 1), st.floats(0, 1))
def test_no_factor_lifts_the_sleeve_over_any_limit(factor, drawdown, quick):
    target = sleeve_target(factor, SleeveRoom(drawdown, quick))

    assert target.share <= min(0.20, drawdown, quick, 0.25)
    assert (target.clipped_by == "") == (target.share == target.asked)


@pytest.mark.requirement("D19")
def test_a_factor_outside_its_table_is_refused():
    with pytest.raises(InputError, match="D19"):
        sleeve_target(1.3, WIDE)


@pytest.mark.requirement("S39", "X05")
@pytest.mark.parametrize(
    ("sleeve", "state", "grows"),
    [
        (150_000.0, SleeveState.WITHIN, True),
        (150_001.0, SleeveState.SOFT, False),
        (200_000.0, SleeveState.SOFT, False),
        (200_001.0, SleeveState.HARD, False),
    ],
)
def test_a_soft_breach_stops_new_risk_and_a_hard_one_forces_a_reduction(sleeve, state, grows):
    reading = read_sleeve(sleeve, 1_000_000.0)

    assert (reading.state, reading.may_grow) == (state, grows)
    assert (reading.reduce_by > 0) == (state is SleeveState.HARD)


@pytest.mark.requirement("S39", "X05")
@given(st.floats(210_000.0, 1_000_000.0), st.floats(0.0, 0.05))
def test_the_forced_reduction_brings_the_sleeve_to_the_soft_cap_after_its_cost(sleeve, cost):
    reading = read_sleeve(sleeve, 1_000_000.0, exit_cost=cost)

    after = (sleeve - reading.reduce_by) / (1_000_000.0 - cost * reading.reduce_by)
    assert after == pytest.approx(0.15)


@pytest.mark.requirement("S39", "X05")
def test_caps_over_25_percent_or_out_of_order_are_no_setting():
    with pytest.raises(ConfigError, match=r"limits\.sleeve_cap = 0\.26.*0\.25.*X05"):
        SleeveCaps(hard=0.26)
    with pytest.raises(ConfigError, match=r"limits\.sleeve_target = 0\.21.*0\.2 "):
        SleeveCaps(soft=0.21)


def finding(rule, fires):
    return Finding(RULEBOOK[rule], fires, (), (), (), 1)


@pytest.mark.requirement("S52")
@pytest.mark.parametrize(("fires", "first"), [(True, Domain.DEFI), (False, Domain.SPX), (None, Domain.SPX)])
def test_a_rising_coin_beta_puts_defi_protection_first(fires, first):
    assert domain_order([finding("crypto-leans-on-spx", fires)])[0] is first


@pytest.mark.parametrize(("sleeve", "nav"), [(1.0, 0.0), (float("nan"), 1.0), (-1.0, 1.0), (1.0, float("inf"))])
def test_a_sleeve_without_a_value_is_refused(sleeve, nav):
    with pytest.raises(InputError, match="sleeve not read"):
        read_sleeve(sleeve, nav)
