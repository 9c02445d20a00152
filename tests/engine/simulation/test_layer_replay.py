from dataclasses import replace
from datetime import date
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InputError, MissingQuote
from engine.policy.rule import rule_of
from engine.policy.rule_table import LAYERS
from engine.signals.catalogue import names
from engine.signals.columns import Axis, read
from engine.simulation.layer_replay import (
    Confusion,
    Interval,
    Stress,
    arming_rules,
    confusion,
    intervals,
    replay,
    session_closes,
    stress_follows,
)
from tests.adapters.files.chains import recorded
from tests.engine.signals.stores import axis, store, walk, weekdays

WEEK = Stress(sessions=5, fall=0.05, rise=0.5)
levels = st.lists(st.tuples(st.floats(50, 150), st.floats(10, 40)), min_size=1, max_size=40)


def rule(id, *when, then="arm tail", until=()):
    return rule_of(
        id=id, when=when, then=[then], source="S58", says="", signals=names(), layers=LAYERS, quorum=1, until=until
    )


HIGH = rule("high", "vix >= 25 points")
UNSEEN = rule("unseen", "pcf_compressed is yes", then="arm outer-short")


def replayed(spx, vix, rules=(HIGH,), stress=WEEK, closes=None):
    held = store(spx=spx, vix=vix)
    at = axis(len(spx)) if closes is None else closes
    table = read(held, at, [names()[name] for name in ("vix", "pcf_compressed")])
    return replay(rules, table, *(session_closes(held, at, name) for name in ("spx", "vix")), stress)


@pytest.mark.requirement("S58")
@given(levels, st.integers(1, 8))
def test_stress_is_what_a_search_through_the_window_finds(path, sessions):
    spx, vix = np.array(path).T
    stress = Stress(sessions, 0.05, 0.5)

    found = stress_follows(spx, vix, stress)

    for at in range(len(spx)):
        ahead = range(at + 1, at + 1 + sessions)
        if ahead[-1] >= len(spx):
            assert np.isnan(found[at])
        else:
            fell = any(spx[later] <= 0.95 * spx[at] for later in ahead)
            rose = any(vix[later] >= 1.5 * vix[at] for later in ahead)
            assert found[at] == float(fell or rose)


@pytest.mark.requirement("S58")
def test_the_matrix_counts_every_told_close_once():
    on = np.array([True, True, False, False, True, False, True])
    follows = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, np.nan])

    matrix = confusion(on, np.zeros(7, bool), follows)

    assert matrix == Confusion(on_stressed=2, on_calm=1, off_stressed=1, off_calm=2)
    assert (matrix.over_hedged, matrix.under_hedged) == (1 / 3, 1 / 3)
    assert matrix.precision == 2 / 3


@pytest.mark.requirement("S58")
def test_a_close_at_which_nothing_could_be_told_is_neither_on_nor_off():
    on = np.array([True, False, False, False, False])
    unseen = np.array([False, True, True, False, True])
    follows = np.array([1.0, 1.0, 0.0, 1.0, np.nan])

    matrix = confusion(on, unseen, follows)

    assert matrix == Confusion(on_stressed=1, on_calm=0, off_stressed=1, off_calm=0, unseen=2)
    assert (matrix.under_hedged, matrix.over_hedged) == (0.5, None)


@pytest.mark.requirement("S58")
def test_a_layer_that_could_only_be_seen_on_has_no_share_of_closes_it_missed():
    assert Confusion(3, 5, 0, 0, unseen=9).over_hedged is Confusion(3, 5, 0, 0, unseen=9).under_hedged is None
    assert Confusion(3, 5, 0, 0).over_hedged == 1.0


def test_rates_of_nothing_are_none():
    assert Confusion(0, 0, 0, 0).over_hedged is Confusion(0, 0, 0, 0).precision is None


@pytest.mark.requirement("S58")
def test_a_layer_is_on_from_close_to_close_and_hits_if_stress_follows_its_first():
    spx = np.array([100.0] * 12 + [94.0] * 12)
    vix = np.array([15.0, 26.0, 26.0] + [15.0] * 7 + [26.0] * 3 + [15.0] * 7 + [26.0] * 4)

    (tail,) = replayed(spx, vix, stress=Stress(5, 0.05, 1.0)).layers

    days = [day.item() for day in weekdays(24)]
    assert tail.intervals == (
        Interval(days[1], days[2], 2, hit=False),
        Interval(days[10], days[12], 3, hit=True),
        Interval(days[20], days[23], 4, hit=None),
    )
    assert tail.hit_rate == 0.5


@pytest.mark.requirement("S58")
def test_an_unseen_rule_arms_nothing_counts_nowhere_and_says_what_lacks():
    spx, vix = walk(40, 1), np.full(40, 20.0)

    tail, outer = replayed(spx, vix, (HIGH, UNSEEN)).layers

    assert (outer.layer, outer.intervals, outer.unseen, outer.lacking) == ("outer-short", (), 40, ("pcf_compressed",))
    assert (tail.unseen, tail.lacking) == (0, ())
    assert outer.confusion == Confusion(0, 0, 0, 0, unseen=35)
    assert (outer.confusion.over_hedged, outer.confusion.under_hedged) == (None, None)


def test_any_of_a_layers_rules_switches_it_on():
    low = rule("low", "vix < 12 points")
    vix = np.array([20.0, 26.0, 20.0, 11.0, 20.0, 20.0])

    (tail,) = replayed(np.full(6, 100.0), vix, (HIGH, low)).layers

    assert tail.rules == ("high", "low")
    assert [interval.sessions for interval in tail.intervals] == [1, 1]


@pytest.mark.requirement("S58")
@pytest.mark.parametrize("cut", [30, 61, 99])
def test_the_future_never_changes_when_a_layer_switched(cut):
    spx, vix = walk(120, 2), 20.0 + 8.0 * np.sin(np.arange(120) / 5.0)
    latched = rule("latched", "vix >= 25 points", until=["vix < 15 points"])

    whole = replayed(spx, vix, (latched,)).layers[0].intervals
    part = replayed(spx, vix, (latched,), closes=Axis(axis(120).closes[:cut])).layers[0].intervals

    end = weekdays(120)[cut - 1].item()
    known = [replace(each, last=min(each.last, end)) for each in whole if each.first <= end]
    assert [(each.first, each.last) for each in part] == [(each.first, each.last) for each in known]


def test_runs_at_both_ends_are_intervals():
    found = intervals(weekdays(3), np.array([True, False, True]), np.array([1.0, 0.0, np.nan]))

    assert [(each.sessions, each.hit) for each in found] == [(1, True), (1, None)]


def test_rules_are_gathered_by_the_layer_they_arm():
    scores = rule("scores", "vix >= 25 points", then="score +25%")

    assert {name: [one.id for one in rules] for name, rules in arming_rules([HIGH, scores, UNSEEN]).items()} == {
        "tail": ["high"],
        "outer-short": ["unseen"],
    }


def test_a_session_without_a_close_keeps_the_one_before_and_never_a_later_one():
    held = store(spx=[100.0, 101.0, 102.0])
    gap = Axis(np.append(axis(3).closes, axis(3).closes[-1] + np.timedelta64(1, "D")))

    assert session_closes(held, gap, "spx").tolist() == [100.0, 101.0, 102.0, 102.0]


def test_a_history_that_begins_later_or_is_not_there_is_refused():
    held = store(spx=[100.0, 101.0])

    with pytest.raises(MissingQuote, match="vix not replayed: no source"):
        session_closes(held, axis(2), "vix")
    with pytest.raises(MissingQuote, match="it begins 2015-01-05"):
        session_closes(held, axis(2, "2014-12-01"), "spx")


@pytest.mark.parametrize(
    ("terms", "key"), [({"sessions": 0}, "sessions"), ({"fall": 1.0}, "fall"), ({"rise": 0.0}, "rise")]
)
def test_a_stress_that_is_none_is_no_setting(terms, key):
    with pytest.raises(ConfigError, match=rf"stress\.{key}.*S58"):
        Stress(**terms)


def test_closes_of_two_lengths_are_refused():
    with pytest.raises(InputError, match="2 and 3 closes"):
        stress_follows(np.ones(2), np.ones(3))


@pytest.mark.requirement("S58")
def test_the_recorded_history_is_replayed_with_the_crises_where_they_were():
    import pandas as pd

    from adapters.files.observations import read_observations, session_axis
    from engine.policy.rule_table import RULES
    from engine.policy.rulebook import compiled

    spx_file, vix_file = recorded("equity/spx-daily-1999-2023.csv"), recorded("volatility/vix-daily-1990-2026.csv")
    started = process_time()
    held = read_observations(spx_file.parents[1])
    sessions = session_axis(date(2004, 3, 26), date(2017, 12, 29))
    rules = compiled(RULES, (), names(), LAYERS).rules
    asked = {name for arms in arming_rules(rules).values() for one in arms for name in one.signals}
    table = read(held, sessions, [names()[name] for name in asked])
    found = replay(rules, table, *(session_closes(held, sessions, name) for name in ("spx", "vix")))
    took = process_time() - started

    def closes(path, day, close):
        frame = pd.read_csv(path, index_col=day, parse_dates=[day])
        frame.columns = frame.columns.str.lower()
        return frame[close].reindex(pd.DatetimeIndex(sessions.days)).ffill()

    spx, vix = closes(spx_file, "date", "close"), closes(vix_file, "DATE", "close")
    lowest = pd.concat([spx.shift(-n) for n in range(1, 22)], axis=1).min(axis=1, skipna=False)
    highest = pd.concat([vix.shift(-n) for n in range(1, 22)], axis=1).max(axis=1, skipna=False)
    told = lowest.notna()
    stressed = (lowest / spx - 1 <= -0.05) | (highest / vix - 1 >= 0.5)
    assert (found.labelled, found.stressed) == (int(told.sum()), int((stressed & told).sum()))
    tail = next(layer for layer in found.layers if layer.layer == "tail")
    assert any(each.first <= date(2008, 10, 10) <= each.last for each in tail.intervals)
    assert not any(each.first <= date(2017, 5, 1) <= each.last for each in tail.intervals)
    assert took < 10.0
    bare = [replace(one, until=()) for one in rules]
    latched, loose = (_times_on(each, table, spx, vix) for each in (rules, bare))
    assert sum(days == 1 for days in latched) < sum(days == 1 for days in loose) / 3  # X15: 3 against 15
    assert len(latched) < len(loose)
    increment = next(layer for layer in found.layers if layer.layer == "vix-increment")
    assert (increment.confusion.seen, increment.confusion.under_hedged) == (0, None)


def _times_on(rules, table, spx, vix):
    """Sessions of each time the intermediate wings were on."""
    found = replay(rules, table, spx.to_numpy(), vix.to_numpy())
    wings = next(layer for layer in found.layers if layer.layer == "outer-intermediate")
    return [each.sessions for each in wings.intervals]
