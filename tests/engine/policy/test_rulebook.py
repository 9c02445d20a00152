import numpy as np
import pytest

from engine.errors import ConfigError
from engine.policy.consensus import Stance
from engine.policy.rule_table import LAYERS, MEMBERS, RULES
from engine.policy.rule_text import MemberText, RuleText
from engine.policy.rulebook import ballots, compiled
from engine.signals.catalogue import names
from engine.signals.columns import Column, SignalTable
from engine.signals.panel import Family
from tests.engine.signals.stores import axis

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
