from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InputError
from engine.orders import OrderId
from engine.policy.layers import LayerTable
from engine.policy.priority import SleeveCaps
from engine.policy.regime import Regime, TermStructure, Zone
from engine.policy.scaling import ScalingRules, addition, increment, room_left
from engine.risk.session_cap import OuterEnd, OuterOrder, session_use

CLOSES = [datetime(2024, 1, 2, 21, 15, tzinfo=UTC) + timedelta(days=at) for at in range(3)]
TABLE, RULES = LayerTable(), ScalingRules()


def regime(zone):
    return Regime(date(2024, 1, 2), 30.0, zone, 0.0, TermStructure.UNSEEN, False, ())


CALM, HIGH = regime(Zone.GOLDILOCKS), regime(Zone.HIGH)


@pytest.mark.requirement("S24")
def test_a_layer_of_a_hundred_is_reached_in_four_sessions_of_twenty_five():
    held, sessions = 0, []
    while held < 100:
        sessions.append(increment(100, held, 0))
        held += sessions[-1]

    assert sessions == [25, 25, 25, 25]


@pytest.mark.requirement("S24")
@given(st.integers(0, 200), st.lists(st.integers(1, 60), max_size=12))
def test_retries_within_a_session_never_add_more_than_its_step(target, tries):
    held = added = 0

    for wanted in tries:
        sent = min(wanted, increment(target, held, added))
        held, added = held + sent, added + sent

    assert added <= max(1, target // 4)
    assert held <= target


def test_more_added_than_held_is_refused():
    with pytest.raises(InputError, match="3 held, 4 of them added"):
        increment(10, 3, 4)


@pytest.mark.requirement("S41", "D12")
@pytest.mark.fault("F88")
def test_three_runs_of_one_session_share_one_cap():
    at = CLOSES[0] - timedelta(hours=5)
    runs = [OuterOrder(OrderId(f"o-{n}"), at + timedelta(hours=n), 5, 5_000.0) for n in range(3)]

    rooms = [room_left(session_use(runs[:n], CLOSES[0], CLOSES), defined_risk=300_000.0) for n in range(4)]

    assert rooms == [75_000.0, 50_000.0, 25_000.0, 0.0]


@pytest.mark.requirement("D12")
def test_an_order_that_still_works_counts_and_one_that_ended_does_not():
    order = OuterOrder(OrderId("o"), CLOSES[0] - timedelta(hours=1), 10, 5_000.0)
    ended = OuterEnd(OrderId("o"), CLOSES[0] + timedelta(hours=1))

    working = room_left(session_use([order], CLOSES[1], CLOSES), defined_risk=300_000.0)

    assert working == 25_000.0
    assert room_left(session_use([order, ended], CLOSES[1], CLOSES), defined_risk=300_000.0) == 75_000.0


@pytest.mark.requirement("S41", "D12")
def test_the_cap_binds_in_high_volatility_and_elsewhere_only_if_asked_always():
    def lots(state, rules=RULES):
        return addition(TABLE["tail"], 20, 0, 0, max_loss=5_000.0, room=12_000.0, regime=state, rules=rules)

    assert lots(CALM).lots == 20
    assert lots(CALM, ScalingRules(always=True)).lots == 2
    assert (lots(HIGH).lots, lots(HIGH).bound_by) == (2, ("12,000 USD of the session's cap left (D12)",))


@pytest.mark.requirement("S24", "S41")
def test_every_layer_is_scaled_in_while_volatility_is_high_and_paced_ones_always():
    def lots(name, state):
        return addition(TABLE[name], 20, 0, 0, max_loss=100.0, room=1e9, regime=state).lots

    assert [lots("vix-first", CALM), lots("vix-first", HIGH)] == [20, 5]
    assert [lots("vix-increment", CALM), lots("vix-increment", HIGH)] == [5, 5]


def test_a_target_already_held_adds_nothing_and_says_nothing():
    added = addition(TABLE["tail"], 5, 7, 0, max_loss=100.0, room=0.0, regime=HIGH)

    assert (added.lots, added.wanted, added.bound_by) == (0, 0, ())


@pytest.mark.parametrize("loss", [float("inf"), float("nan"), -1.0])
def test_a_lot_that_may_lose_anything_is_refused(loss):
    with pytest.raises(InputError, match="finite maximum loss"):
        addition(TABLE["tail"], 1, 0, 0, max_loss=loss, room=1.0, regime=CALM)


@pytest.mark.requirement("X12")
def test_two_rules_of_25_percent_have_two_names_and_two_denominators():
    defined_risk, nav = 300_000.0, 1_000_000.0

    room = room_left(0.0, defined_risk=defined_risk)

    assert room == 75_000.0 != SleeveCaps(hard=0.25).hard * nav
    with pytest.raises(ConfigError, match=r"limits\.session_new_outer = 0\.3.*0\.25.*S41"):
        ScalingRules(session_share=0.3)
    with pytest.raises(ConfigError, match=r"limits\.sleeve_cap = 0\.3.*0\.25.*S39"):
        SleeveCaps(hard=0.3)


@pytest.mark.requirement("S24")
def test_a_step_over_a_quarter_is_no_setting():
    with pytest.raises(ConfigError, match=r"layers\.step = 0\.5.*S24"):
        ScalingRules(step=0.5)
