import numpy as np
import pytest

from engine.errors import ConfigError
from engine.policy.rule import Act, condition, effect, findings, rule_of, standing
from engine.signals.catalogue import names
from engine.signals.columns import Column, Signal, SignalTable
from engine.signals.panel import Family
from tests.engine.signals.stores import axis

LAYERS = ("vix-first", "vix-second")


def signal(name: str, unit: str) -> Signal:
    return Signal(name, Family.TECHNICAL, unit, (), "test", "")


SIGNALS = {
    s.name: s for s in (signal("rsi_spx", "points"), signal("iv_percentile", "%"), signal("ad_divergence", "yes"))
}


def table(**columns) -> SignalTable:
    rows = axis(len(next(iter(columns.values()))))
    filled = {
        name: Column(np.array(columns.get(name, np.full(len(rows), np.nan)), float), rows.closes, rows.closes)
        for name in SIGNALS
    }
    ways = {name: np.zeros(len(rows), np.int8) for name in SIGNALS}
    return SignalTable(rows, SIGNALS, filled, ways, {})


def rule(**terms):
    given = {
        "id": "second-layer",
        "when": ["rsi_spx < 45 points", "ad_divergence is yes"],
        "quorum": 1,
        "then": ["arm vix-second"],
        "source": "S23",
        "says": "breadth or momentum gives way",
    }
    return rule_of(**(given | terms), signals=SIGNALS, layers=LAYERS)


def test_a_share_may_be_written_in_percent_or_basis_points():
    percent = condition("iv_percentile >= 70%", SIGNALS, "r")
    points = condition("iv_percentile >= 7000 bp", SIGNALS, "r")

    assert (percent.level, points.level) == (pytest.approx(0.7), pytest.approx(0.7))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("rsi_spx < 45", "no unit"),
        ("rsi_spx < 45%", "the unit '%'"),
        ("rsi_spx = 45 points", "no condition"),
        ("rsi_spx < 4.5.1 points", "no number"),
        ("rsi_spy < 45 points", "did you mean 'rsi_spx'"),
        ("ad_divergence > 0 yes", "a truth"),
        ("rsi_spx is yes", "the unit 'yes'"),
        ("", "no condition"),
    ],
)
def test_a_condition_that_means_nothing_is_refused_with_its_key(written, why):
    with pytest.raises(ConfigError, match=why) as refused:
        condition(written, SIGNALS, "rules.second-layer.when")

    assert "rules.second-layer.when" in str(refused.value)


@pytest.mark.parametrize("written", ["arm vix-third", "shout loud", "score 200%", "score much", "vote", "freeze gold"])
def test_an_effect_that_means_nothing_is_refused(written):
    with pytest.raises(ConfigError):
        effect(written, LAYERS, "rules.x.then")


def test_a_score_is_a_share():
    found = effect("score -25%", LAYERS, "rules.x.then")

    assert (found.act, found.amount) == (Act.SCORE, -0.25)


@pytest.mark.parametrize(
    "terms", [{"quorum": 3}, {"quorum": 0}, {"source": " "}, {"until": ["rsi_spx > 50 points"], "until_quorum": 2}]
)
def test_a_rule_that_cannot_fire_or_has_no_source_is_refused(terms):
    with pytest.raises(ConfigError):
        rule(**terms)


def test_a_quorum_counts_what_holds_and_not_what_is_unseen():
    seen = table(rsi_spx=[40, 50, 50, np.nan, np.nan], ad_divergence=[0, 0, 1, 1, 0])

    assert standing(rule(), seen).tolist() == pytest.approx([1, 0, 1, 1, np.nan], nan_ok=True)


@pytest.mark.requirement("S23")
def test_a_latched_rule_stands_until_its_way_out():
    latched = rule(until=["rsi_spx > 50 points"])
    seen = table(rsi_spx=[46, 44, 46, 50, 50.1, 46], ad_divergence=np.zeros(6))

    assert standing(latched, seen).tolist() == [0, 1, 1, 1, 0, 0]


def test_a_latch_holds_while_its_signals_are_out_of_sight():
    latched = rule(until=["rsi_spx > 50 points"])
    seen = table(rsi_spx=[44, np.nan, np.nan, 51, np.nan], ad_divergence=np.full(5, np.nan))

    assert standing(latched, seen).tolist() == pytest.approx([1, 1, 1, np.nan, np.nan], nan_ok=True)


def test_a_finding_says_what_holds_what_does_not_and_since_when():
    (found,) = findings([rule()], table(rsi_spx=[50, 44, 43], ad_divergence=[0, np.nan, np.nan]))

    assert found.fires is True
    assert (found.met, found.unmet, found.unseen) == (("rsi_spx < 45 points",), (), ("ad_divergence is yes",))
    assert found.since == 2


def test_a_rule_that_cannot_be_told_says_so():
    (found,) = findings([rule()], table(rsi_spx=[np.nan], ad_divergence=[0]))

    assert found.fires is None
    assert found.since == 0


@pytest.mark.requirement("S66", "D22")
@pytest.mark.parametrize("before", [100.0, 3.3, 123_456_789.12, 0.7])
def test_a_fall_of_exactly_eight_per_cent_is_one_whatever_it_is_of(before):
    fall = condition("tvl_change <= -8%", names(), "rules.x.when")
    computed = np.array([(before * 0.92 - before) / before, (before * 0.920001 - before) / before])

    assert fall.holds(computed).tolist() == [1.0, 0.0]
