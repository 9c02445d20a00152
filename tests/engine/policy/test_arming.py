import numpy as np
import pytest

from engine.policy.arming import armed_layers, openings
from engine.policy.consensus import Decision
from engine.policy.layers import Combine, LayerTable
from engine.policy.outer_layer import OuterMode
from engine.policy.rule import Finding, findings, standing
from engine.policy.rule_table import LAYERS, RULES
from engine.policy.rulebook import compiled
from engine.signals.catalogue import names
from engine.signals.columns import Column, SignalTable, read
from tests.engine.signals.stores import axis, store

TABLE = LayerTable()
RULEBOOK = {rule.id: rule for rule in compiled(RULES, (), names(), LAYERS).rules}


def found(**fires):
    """Every rule idle but those named, which fire (True) or cannot be told (None)."""
    told = {name.replace("_", "-"): fact for name, fact in fires.items()}
    return [Finding(rule, told.get(name, False), (), (), (), 1) for name, rule in RULEBOOK.items()]


def states(table=TABLE, **fires):
    return {state.layer.name: state for state in armed_layers(table, found(**fires))}


def allowed(decision, table=TABLE, frozen=(), **fires):
    opened = openings(table, armed_layers(table, found(**fires)), decision=decision, frozen=frozen)
    return {opening.layer.name for opening in opened if opening.allowed}


@pytest.mark.requirement("X17", "S23")
def test_a_single_trigger_arms_a_layer():
    second = states(vix_second_layer=True)["vix-second"]

    assert (second.armed, second.rules) == (True, ("vix-second-layer",))


def test_without_a_rule_only_the_core_and_the_first_layer_stand():
    assert {name for name, state in states().items() if state.armed} == {"core", "vix-first"}


@pytest.mark.fault("F89")
def test_a_layer_whose_rule_cannot_be_told_is_unknown_and_not_opened():
    unknown = states(tvl_run=None)["defi-protection"]

    assert (unknown.armed, unknown.rules) == (None, ("tvl-run",))
    assert "defi-protection" not in allowed(Decision.INCREASE, tvl_run=None)


def test_one_rule_that_fires_is_enough_however_many_cannot_be_told():
    assert states(tvl_run=None, funding_spike=True)["defi-protection"].armed is True


@pytest.mark.requirement("X15")
def test_outer_rules_are_independent_unless_both_are_asked_for():
    both = LayerTable(combine=Combine.ALL)
    names = ("outer-short", "outer-intermediate")

    assert [states(outer_short=True)[name].armed for name in names] == [True, False]
    assert [states(both, outer_short=True)[name].armed for name in names] == [False, False]
    assert [states(both, outer_short=True, outer_intermediate=True)[name].armed for name in names] == [True, True]
    assert [states(both, outer_short=True, outer_intermediate=None)[name].armed for name in names] == [None, None]


@pytest.mark.requirement("X17")
def test_adding_risk_needs_the_committee_and_protection_does_not():
    fires = {"short_overlay": True, "tail_in_backwardation": True, "vix_second_layer": True}

    assert allowed(Decision.INCREASE, **fires) == {"core", "overlay", "tail", "vix-first", "vix-second"}
    for decision in (Decision.NO_ACTION, Decision.DECREASE):
        assert allowed(decision, **fires) == {"tail", "vix-first", "vix-second"}


@pytest.mark.requirement("X04", "X17")
def test_selling_outer_condors_needs_the_committee():
    selling = LayerTable(outer_mode=OuterMode.SELL_OUTER_CONDOR)

    assert "outer-intermediate" in allowed(Decision.NO_ACTION, outer_intermediate=True)
    assert "outer-intermediate" not in allowed(Decision.NO_ACTION, selling, outer_intermediate=True)


@pytest.mark.requirement("X08")
def test_a_freeze_stops_new_risk_and_no_protection():
    fires = {"short_overlay": True, "tail_in_backwardation": True}

    assert allowed(Decision.INCREASE, frozen={"all"}, **fires) == {"tail", "vix-first"}


@pytest.mark.requirement("S23")
def test_the_second_layer_latches_under_45_and_lets_go_over_50():
    fall, flat = np.linspace(4000.0, 3600.0, 20), np.full(5, 3600.0)
    closes = np.concatenate([np.linspace(3800.0, 4000.0, 30), fall, flat, np.linspace(3605.0, 3900.0, 60)])
    rule = RULEBOOK["vix-second-layer"]
    table = read(store(spx=closes), axis(len(closes)), [names()[name] for name in ("rsi_spx", "ad_divergence")])
    rsi = table["rsi_spx"]

    armed = []
    for row in range(len(closes)):
        stand = armed_layers(TABLE, findings([rule], table, row))
        armed += [state.armed for state in stand if state.layer.name == "vix-second"]

    held = [at for at in range(len(closes)) if 45.0 <= rsi[at] <= 50.0 and at > 30]
    expected = None
    for at, strength in enumerate(rsi):
        expected = True if strength < 45.0 else None if strength > 50.0 else expected
        assert armed[at] is expected  # breadth is unseen, so off is unknown
    assert any(armed[at] for at in held), "the path comes back between the two thresholds"


def stands(name, **columns):
    """Whether a rule stands at each close, by what its signals read there."""
    rows = axis(len(next(iter(columns.values()))))
    told = {key: Column(np.array(values, float), rows.closes, rows.closes) for key, values in columns.items()}
    return standing(RULEBOOK[name], SignalTable(rows, {key: names()[key] for key in told}, told, {}, {})).tolist()


@pytest.mark.requirement("X15")
def test_wings_on_high_volatility_stand_until_it_is_back_in_its_lower_half():
    rank = [0.69, 0.70, 0.65, 0.71, 0.50, 0.49, 0.60, 0.69]
    denied = [1, 1, 0, 0, 0, 0, 1, 1]

    assert stands("outer-intermediate", iv_percentile=rank, macd_diverges=denied) == [0, 1, 1, 1, 1, 0, 0, 0]


@pytest.mark.requirement("X15")
def test_wings_on_an_inverted_curve_stand_until_it_is_plainly_up_or_multiples_recover():
    slope = [0.01, -0.01, 0.01, 0.019, 0.02, 0.01, -0.01, -0.02]
    inverted = [0, 1, 0, 0, 0, 0, 1, 1]
    cheap = [1, 1, 1, 1, 1, 1, 1, 0]

    found = stands("outer-short", term_slope=slope, backwardation=inverted, pcf_compressed=cheap)

    assert found == [0, 1, 1, 1, 0, 0, 1, 0]
