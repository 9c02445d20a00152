from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.observations import read_meetings, read_observations, session_axis
from engine.errors import ConfigError, MissingQuote
from engine.policy.consensus import Decision
from engine.policy.judgement import Judgement, hedge_ratio_of, judgement
from engine.policy.regime import TermStructure, Zone
from engine.policy.rule_table import RULES
from engine.policy.ruling import MeetingAction
from engine.policy.settings import Policy
from engine.signals.columns import Column
from engine.signals.observations import Observations, Series
from engine.signals.panel import Family
from tests.adapters.files.chains import RECORDED
from tests.engine.evidence_cases import DAYS, TEN_YEARS, judged
from tests.engine.signals.stores import axis, store, walk, weekdays

DEFAULT = Policy()
recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared/data beside the checkout")


@pytest.fixture(scope="module")
def evidence():
    return read_observations(RECORDED), read_meetings(RECORDED)


def on(evidence, day: date, policy: Policy = DEFAULT) -> Judgement:
    observations, meetings = evidence
    rows = session_axis(date(day.year - 1, day.month, day.day), day)
    ahead = session_axis(date(day.year - 1, day.month, day.day), date(day.year, 12, 1)).days
    return judgement(observations, rows, policy, meetings=meetings, sessions=ahead)


@recorded
@pytest.mark.requirement("X07", "S77")
def test_near_eighteen_the_market_bears_full_leverage(evidence):
    found = on(evidence, date(2023, 2, 7))

    assert (found.regime.zone, found.regime.term_structure) == (Zone.GOLDILOCKS, TermStructure.CONTANGO)
    assert (found.leverage, found.hedge_ratio, found.may_add) == (1.0, 1.0, True)


@recorded
@pytest.mark.requirement("X07", "X10", "S23")
def test_above_twenty_five_there_is_less_leverage_and_more_hedge(evidence):
    found = on(evidence, date(2022, 6, 10))

    assert found.regime.zone is Zone.HIGH
    assert found.leverage == 0.0
    assert found.hedge_ratio > 1.0
    assert "vix-second" in found.armed
    assert "loan" in found.frozen


@recorded
@pytest.mark.requirement("S75", "X08")
def test_around_a_meeting_nothing_is_added(evidence):
    found = on(evidence, date(2023, 2, 1))

    assert "all" in found.frozen
    assert (found.may_add, found.leverage) == (False, 0.0)


@recorded
def test_what_nobody_supplies_is_named_as_unseen(evidence):
    panel = on(evidence, date(2023, 2, 7)).table.panel()

    assert panel["ad_divergence"].why == "no source gives advances, declines"
    assert panel["backwardation"].inputs == ("vix", "vix3m")


@recorded
@pytest.mark.requirement("D29", "S88")
def test_no_single_reading_carries_an_increase(evidence):
    found = on(evidence, date(2023, 2, 7))
    inputs = {name for ballot in found.ballots for name in ballot.inputs}

    assert found.verdict.decision is Decision.INCREASE
    for name in inputs:
        assert found.verdict.base is Decision.INCREASE
        assert name not in found.verdict.pivotal


@pytest.mark.requirement("X10", "S53")
def test_the_presets_are_met_exactly():
    assert [hedge_ratio_of(score) for score in (-1.0, 0.0, 1.0)] == [0.7, 1.0, 1.3]


@given(st.floats(-5, 5), st.floats(0.7, 1.3))
@pytest.mark.requirement("X10")
def test_the_hedge_ratio_stays_in_its_range_and_rises_with_the_score(score, neutral):
    ratio = hedge_ratio_of(score, neutral)

    assert 0.7 <= ratio <= 1.3
    assert hedge_ratio_of(score + 0.1, neutral) >= ratio


def test_without_a_vix_nothing_is_decided():
    with pytest.raises(MissingQuote, match="no source gives vix"):
        judgement(store(spx=walk(60, 1)), axis(60), Policy())


def test_a_rule_that_means_nothing_is_refused_by_its_key():
    broken = RULES[0].model_copy(update={"when": ("rsi_spx < 45",), "quorum": 1})

    with pytest.raises(ConfigError, match=r"rules\.vix-second-layer\.when"):
        judgement(store(vix=np.full(60, 18.0)), axis(60), Policy(rules=(broken,)))


@recorded
@pytest.mark.fault("F89")
@pytest.mark.requirement("S66", "D22")
def test_a_feed_that_goes_missing_freezes_what_its_rule_would_freeze(evidence):
    observations, meetings = evidence
    whole = on((observations, meetings), date(2023, 10, 10))
    tvl = observations["tvl_usd"]
    kept = tvl.as_of < np.datetime64("2023-10-05")
    broken = Series(tvl.name, tvl.unit, tvl.as_of[kept], tvl.released[kept], tvl.values[kept], tvl.source)

    dropped = on((Observations({**observations.series, "tvl_usd": broken}), meetings), date(2023, 10, 10))
    never = on((observations.without("tvl_usd"), meetings), date(2023, 10, 10))

    assert (whole.leverage, never.leverage) == (1.0, 1.0)
    assert "defi" in dropped.frozen
    assert dropped.leverage == 0.0
    assert "tvl-run cannot be told, tvl_change went missing (F89)" in dropped.ruling.why


@recorded
@pytest.mark.fault("F89")
def test_inflation_between_two_releases_is_not_missing(evidence):
    found = on(evidence, date(2023, 9, 14))

    assert found.table.panel()["inflation_rising"].seen
    assert {"defi-protection"} <= found.armed
    assert "defi" in found.frozen


@recorded
@pytest.mark.requirement("D29", "X17")
@pytest.mark.parametrize("gone", ["cpi", "ppi", "tvl_usd", "gas_price", "spx"])
def test_on_the_recorded_day_of_a_decrease_no_single_series_taken_away_makes_an_increase(evidence, gone):
    """Earnings and the dollar are not supplied, so what inflation says is all that the fundamental family has."""
    observations, meetings = evidence
    few = observations.without("pe").without("reer")

    assert on((few, meetings), date(2020, 9, 29)).verdict.decision is Decision.DECREASE
    assert on((few.without(gone), meetings), date(2020, 9, 29)).verdict.decision is not Decision.INCREASE


@recorded
@pytest.mark.requirement("D29")
def test_a_family_that_is_expected_is_missed_when_its_last_series_goes(evidence):
    observations, meetings = evidence
    bare = observations.without("pe").without("reer").without("ppi").without("cpi")
    strict = Policy.model_validate({"consensus": {"expected": ["technical", "fundamental", "on-chain"]}})

    found = on((bare, meetings), date(2020, 9, 29), strict)

    assert found.verdict.vetoed_by == (Family.FUNDAMENTAL,)
    assert found.verdict.decision is Decision.NO_ACTION


@pytest.mark.fault("F69")
@pytest.mark.requirement("S43")
def test_a_rule_that_waits_for_a_dearer_loan_than_the_limit_permits_is_refused():
    dear = next(rule for rule in RULES if rule.id == "borrow-too-dear").model_copy(
        update={"when": ("borrow_rate > 60%",)}
    )

    with pytest.raises(ConfigError, match=r"rules\.borrow-too-dear\.when = 'borrow_rate > 60%'.*at most 6\.00%"):
        judgement(store(vix=np.full(60, 18.0)), axis(60), Policy(rules=(dear,)))


AGREED = {"pe": [*TEN_YEARS, 12.0], "pcf_top50": [*TEN_YEARS, 16.0]}
DIVIDED = {"fomc_dissents": [1.0], "ois_12m": [0.02], "sep_median": [0.02]}


def around(action: str, meeting: date, told=AGREED, rules=RULES) -> Judgement:
    """What a policy that a family of two seats lets add makes of the last close, Friday 26 January 2018."""
    settings = {"fomc": {"action": action}, "consensus": {"needed": 1, "families": ["fundamental"]}}
    policy = Policy.model_validate(settings | {"rules": rules})
    return judged(told, policy=policy, meetings=[meeting], sessions=weekdays(820))


@pytest.mark.requirement("X08", "S75", "D23")
@pytest.mark.parametrize("action", ["freeze", "reduce", "increase"])
@pytest.mark.parametrize("ahead", [6, 5, 2, 1, 0, -1, -2])
def test_a_meeting_stops_new_risk_around_it_and_where_it_reduces_from_the_watch_on(action, ahead):
    sessions = weekdays(820)
    found = around(action, sessions[len(DAYS) - 1 + ahead].astype(object))

    closed = -1 <= ahead <= (5 if action == "reduce" else 1)
    assert found.verdict.decision is Decision.INCREASE
    assert (found.may_add, found.leverage) == (not closed, float(not closed))
    assert ("X08" in found.ruling.why) is closed


@pytest.mark.requirement("X08")
def test_the_setting_freezes_whether_or_not_a_rule_does():
    bare = around("freeze", DAYS[-1].astype(object), rules=RULES[:1])

    assert not bare.may_add


def scaled(found: Judgement, factor: float) -> float:
    """The sleeve's factor, were this that of the volatility complex."""
    rows = found.table.axis.closes
    column = Column(np.full(len(rows), factor), rows, rows)
    return replace(
        found, table=replace(found.table, columns={**found.table.columns, "complex_factor": column})
    ).sleeve_factor


@pytest.mark.requirement("X08", "S51", "S75")
@pytest.mark.parametrize(
    ("action", "days", "told", "increases"),
    [
        ("increase", 21, AGREED | DIVIDED, True),
        ("increase", 20, AGREED | DIVIDED, False),  # before the minutes
        ("increase", 21, AGREED | DIVIDED | {"fomc_dissents": [0.0]}, False),  # they hint at nothing
        ("increase", 21, DIVIDED, False),  # the committee does not increase
        ("increase", 21, AGREED | DIVIDED | {"borrow_rate": [0.07]}, False),  # no loan may be drawn
        ("freeze", 21, AGREED | DIVIDED, False),
        ("reduce", 21, AGREED | DIVIDED, False),
    ],
)
def test_minutes_that_hint_at_divergence_increase_the_sleeve_where_the_policy_says_so(action, days, told, increases):
    found = around(action, (DAYS[-1] - np.timedelta64(days, "D")).astype(object), told)

    assert (found.meeting is MeetingAction.INCREASE) is increases
    assert scaled(found, 1.2) == pytest.approx(1.44 if increases else 1.2)
    assert scaled(found, 0.8) == 0.8
