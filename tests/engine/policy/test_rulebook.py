import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import ConfigError, LimitOutOfRange
from engine.policy.consensus import Ballot, Decision, Quorum, Stance, judge
from engine.policy.rule import condition
from engine.policy.rule_table import LAYERS, MEMBERS, RULES
from engine.policy.rule_text import MemberText, RuleText
from engine.policy.rulebook import Member, ballots, compiled
from engine.signals.catalogue import names
from engine.signals.columns import Column, Signal, SignalTable, Way, read
from engine.signals.observations import Observations
from engine.signals.panel import Family
from tests.engine.signals.stores import axis, store

SIGNALS = names()
BOOK = compiled(RULES, MEMBERS, SIGNALS, LAYERS)


UNKNOWN = MemberText(
    name="y", family=Family.TECHNICAL, more=("rsi < 45 points",), less=("vix > 25 points",), source="S61"
)


def table(configured: bool = False, **values: float) -> SignalTable:
    rows = axis(1)
    columns = {name: Column(np.array([values.get(name, np.nan)]), rows.closes, rows.closes) for name in SIGNALS}
    reasons = {} if configured else {name: "no source" for name in SIGNALS if name not in values}
    return SignalTable(rows, SIGNALS, columns, {name: np.zeros(1, np.int8) for name in SIGNALS}, reasons)


def vote(member: str, seen: SignalTable):
    return next(ballot for ballot in ballots(BOOK.members, seen) if ballot.member == member)


def test_every_rule_and_seat_names_its_source():
    assert all(rule.source.startswith("S") and rule.says for rule in BOOK.rules)
    assert all(member.source for member in BOOK.members)


def test_every_default_rule_can_be_written_back_as_text():
    again = compiled([RuleText.model_validate(rule.model_dump()) for rule in RULES], MEMBERS, SIGNALS, LAYERS)

    assert again == BOOK


@pytest.mark.requirement("S61", "X14")
@pytest.mark.parametrize(
    ("rsi", "stance"),
    [(29.0, Stance.LESS), (40.0, Stance.HOLD), (45.0, Stance.MORE), (69.9, Stance.MORE), (70.0, Stance.LESS)],
)
def test_strength_votes_for_more_risk_between_45_and_70_and_for_less_at_the_extremes(rsi, stance):
    assert vote("rsi", table(rsi_spx=rsi)).stance is stance


@pytest.mark.requirement("S79")
def test_a_seat_whose_signal_is_unseen_casts_no_vote_and_says_why():
    ballot = vote("tvl", table())

    assert (ballot.stance, ballot.lost, ballot.why) == (None, False, "no source")


@pytest.mark.fault("F89")
def test_a_seat_whose_source_gives_nothing_is_lost():
    assert vote("tvl", table(configured=True)).lost


@pytest.mark.requirement("S71")
def test_one_of_two_signs_of_stress_is_enough_for_less():
    seen = table(funding_z=0.0, funding_annual=0.5)

    assert vote("funding", seen).stance is Stance.LESS


@pytest.mark.parametrize(
    ("rules", "members", "key"),
    [
        ((*RULES, RULES[0]), MEMBERS, "rules.vix-second-layer"),
        (RULES, (*MEMBERS, MEMBERS[0]), "members.rsi"),
        (
            (RuleText(id="x", when=("rsi_spx < 45",), then=("freeze all",), source="S61", says="x"),),
            MEMBERS,
            "rules.x.when",
        ),
        (
            RULES,
            (
                MemberText(
                    name="y", family=Family.TECHNICAL, more=("rsi < 45 points",), less=("vix > 25 points",), source="S"
                ),
            ),
            "members.y.more",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_by_its_key(rules, members, key):
    with pytest.raises(ConfigError) as refused:
        compiled(rules, members, SIGNALS, LAYERS)

    assert key in str(refused.value)


def rule(**terms):
    given = {"id": "x", "when": ["rsi_spx < 45 points"], "then": ["freeze all"], "source": "S61", "says": "x"}
    return RuleText.model_validate(given | terms)


def seat(**terms):
    given = {"name": "x", "family": "technical", "more": ["rsi_spx >= 45 points"], "less": ["rsi_spx < 30 points"]}
    return MemberText.model_validate(given | {"source": "S61"} | terms)


@pytest.mark.fault("F69")
@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"when": ["rsi_spx < 450 points"]}, "rules.x.when = 'rsi_spx < 450 points': it always holds; rsi_spx runs"),
        ({"when": ["rsi_spx < 0 points"]}, "it never holds; rsi_spx runs from 0 points to 100 points"),
        ({"when": ["iv_percentile >= 7000%"]}, "it never holds; iv_percentile runs from 0% to 100%"),
        (
            {"until": ["vix < -1 points"]},
            "rules.x.until = 'vix < -1 points': it never holds; vix runs from 0 points up",
        ),
        ({"when": ["tvl_change <= -101%"]}, "tvl_change runs from -100% up"),
    ],
)
def test_a_level_no_reading_reaches_is_refused_with_its_range(terms, said):
    with pytest.raises(LimitOutOfRange) as refused:
        compiled([rule(**terms)], (), SIGNALS, LAYERS)

    assert said in str(refused.value)


@pytest.mark.fault("F69")
@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"when": ["rsi_spx < 30 points", "rsi_spx > 70 points"]}, "rules.x.when = ['rsi_spx < 30 points', 'rsi_spx >"),
        ({"when": ["ad_divergence is yes", "ad_divergence is no"]}, "no readings meet more than 1 of the 2 needed"),
        ({"until": ["rsi_spx > 40 points"]}, "rules.x.until = ['rsi_spx > 40 points']: a rsi_spx that meets it also"),
        ({"until": ["rsi_spx < 45 points"]}, "rules.x.until"),
        ({"until": ["rsi_spx > 60 points", "rsi_spx < 50 points"], "until_quorum": 2}, "rules.x.until"),
        ({"when": ["ad_divergence is yes"], "until": ["ad_divergence is yes"]}, "rules.x.until"),
        ({"source": "zzz"}, "rules.x.source = 'zzz'"),
    ],
)
def test_a_rule_that_can_never_fire_or_never_let_go_is_refused(terms, said):
    with pytest.raises(ConfigError) as refused:
        compiled([rule(**terms)], (), SIGNALS, LAYERS)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    "terms",
    [
        {"when": ["rsi_spx < 30 points", "rsi_spx > 70 points"], "quorum": 1},
        {"until": ["rsi_spx > 45 points"]},
        {"until": ["rsi_spx >= 45 points", "vix < 20 points"]},
        {"when": ["vix >= 20 points", "vix < 25 points"], "until": ["vix < 18 points", "vix > 27 points"]},
        {"source": "this policy's own choice"},
    ],
)
def test_a_rule_whose_levels_leave_each_other_room_is_taken(terms):
    (found,) = compiled([rule(**terms)], (), SIGNALS, LAYERS).rules

    assert found.id == "x"


@pytest.mark.fault("F69")
@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"less": ["rsi_spx < 50 points"]}, "members.x.less = ['rsi_spx < 50 points']"),
        ({"less": ["rsi_spx >= 10 points"]}, "members.x.less"),
        ({"more": ["rsi_spx >= 70 points", "rsi_spx < 45 points"]}, "members.x.more"),
        ({"less": ["rsi_spx > 300 points"]}, "it never holds; rsi_spx runs from 0 points to 100 points"),
        ({"source": "zzz"}, "members.x.source"),
    ],
)
def test_a_seat_that_votes_both_ways_at_once_or_never_is_refused(terms, said):
    with pytest.raises(ConfigError) as refused:
        compiled((), [seat(**terms)], SIGNALS, LAYERS)

    assert said in str(refused.value)


OBSERVED = "abcdef"
_DEAD = 9.0  # an observation that gives nothing now


def added(*inputs: str) -> Way:
    """A way to a signal that is the sum of its inputs, unseen where one of them gives nothing."""

    def compute(observations: Observations, rows) -> Column:
        given = [observations[name].values[-1] for name in inputs]
        return Column(np.full(len(rows), np.nan if _DEAD in given else sum(given)), rows.closes, rows.closes)

    return Way(inputs, compute)


def committee(ways) -> tuple[dict[str, Signal], tuple[Member, ...]]:
    """A seat a signal, the families in turn; from 1 up it is for more risk, from -1 down for less."""
    families = (Family.TECHNICAL, Family.FUNDAMENTAL, Family.ONCHAIN)
    signals = {
        f"s{number}": Signal(
            f"s{number}", families[number % 3], "points", tuple(added(*way) for way in each), "S87", ""
        )
        for number, each in enumerate(ways)
    }
    members = (
        Member(
            name,
            signal.family,
            (condition(f"{name} >= 1 points", signals, ""),),
            (condition(f"{name} <= -1 points", signals, ""),),
            "S87",
        )
        for name, signal in signals.items()
    )
    return signals, tuple(members)


def decided(ways, supplied: dict[str, float], expected=tuple(Family)) -> Decision:
    signals, members = committee(ways)
    held = store(**{name: [value] for name, value in supplied.items()})
    return judge(ballots(members, read(held, axis(1), signals.values()), expected), Quorum(2, 3)).decision


one_way = st.lists(st.sampled_from(OBSERVED), min_size=1, max_size=2, unique=True).map(tuple)
seats = st.lists(st.lists(one_way, min_size=1, max_size=2, unique=True), min_size=3, max_size=9)
stores = st.dictionaries(st.sampled_from(OBSERVED), st.sampled_from([-1.0, 0.0, 1.0, 1.0, 1.0, _DEAD]), min_size=3)


@given(seats, stores)
@example([[("a",)], [("b",)], [("c",)], [("d",)], [("e",)]], dict.fromkeys("acd", 1.0) | {"b": -1.0, "e": 1.0})
@example(
    [[("a",)], [("b", "c"), ("c",)], [("d",)], [("e",)], [("f",)], [("d",)]], dict.fromkeys("acdef", 1.0) | {"b": -2.0}
)
@example([[(name,)] for name in "abcdbe"], dict.fromkeys("acde", 1.0) | {"b": -1.0})  # all that one family had
@pytest.mark.requirement("D29", "X17")
def test_an_observation_taken_out_of_the_store_never_turns_a_decrease_into_an_increase(ways, supplied):
    if decided(ways, supplied) is Decision.DECREASE:
        for gone in supplied:
            left = {name: value for name, value in supplied.items() if name != gone}
            assert decided(ways, left) is not Decision.INCREASE, gone


@pytest.mark.requirement("D29")
@pytest.mark.parametrize(
    ("expected", "decision"), [((), Decision.INCREASE), ((Family.FUNDAMENTAL,), Decision.NO_ACTION)]
)
def test_a_family_of_which_nothing_is_supplied_stops_nothing_unless_it_is_expected(expected, decision):
    ways = [[(name,)] for name in ("a", "b", "c", "d", "b", "e")]

    assert decided(ways, dict.fromkeys("acde", 1.0), expected) is decision


@pytest.mark.requirement("D29")
def test_one_absent_observation_counts_once_and_not_with_all_the_others():
    ways = [[(name,)] for name in ("a", "b", "c", "a", "d", "c", "e", "f", "e")]
    whole = dict.fromkeys("abce", 1.0)

    assert decided(ways, whole) is Decision.INCREASE  # d or f alone could not make the second family ask for less
    assert decided(ways, whole | {"b": 1.0, "d": -1.0}) is Decision.NO_ACTION  # it is split, and f could decide it


def test_a_vote_says_what_it_waits_for_and_whether_its_family_is_due():
    signals, members = committee([[("a", "b"), ("c",)], [("d",)], [("e", "f")]])
    cast = ballots(members, read(store(a=[1.0], c=[1.0]), axis(1), signals.values()), (Family.FUNDAMENTAL,))

    told: dict[str, Ballot] = {ballot.member: ballot for ballot in cast}
    assert (told["s0"].stance, told["s0"].awaits, told["s0"].due) == (Stance.MORE, ("b",), True)
    assert (told["s1"].stance, told["s1"].awaits, told["s1"].due) == (None, ("d",), True)
    assert (told["s2"].stance, told["s2"].awaits, told["s2"].due) == (None, (), False)
