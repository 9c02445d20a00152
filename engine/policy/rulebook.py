"""Rules and seats held against the signals there are, and how every seat votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import ConfigError
from engine.market import Floats
from engine.policy.consensus import Ballot, Stance
from engine.policy.rule import Condition, Rule, condition, rule_of
from engine.policy.rule_text import MemberText, RuleText
from engine.signals.columns import Signal, SignalTable
from engine.signals.panel import Family, SignalPanel


@dataclass(frozen=True, slots=True)
class Member:
    """A seat with its conditions understood."""

    name: str
    family: Family
    more: tuple[Condition, ...]
    less: tuple[Condition, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules and seats of a policy, held against the signals there are."""

    rules: tuple[Rule, ...]
    members: tuple[Member, ...]


def compiled(
    rules: Sequence[RuleText], members: Sequence[MemberText], signals: Mapping[str, Signal], layers: Sequence[str]
) -> Rulebook:
    """The rulebook these texts mean. Raises `ConfigError` with the key path of the first that means nothing."""
    for kind, names in (("rules", [rule.id for rule in rules]), ("members", [member.name for member in members])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{kind}.{twice[0]}", why="the name stands twice", todo="rename one of them")
    return Rulebook(
        tuple(rule_of(**rule.model_dump(), signals=signals, layers=layers) for rule in rules),
        tuple(_member(member, signals) for member in members),
    )


def ballots(members: Sequence[Member], table: SignalTable) -> tuple[Ballot, ...]:
    """Every seat's vote at the last close of a table."""
    panel = table.panel()
    return tuple(_ballot(member, panel) for member in members)


def _member(text: MemberText, signals: Mapping[str, Signal]) -> Member:
    where = f"members.{text.name}"
    return Member(
        text.name,
        text.family,
        tuple(condition(written, signals, f"{where}.more") for written in text.more),
        tuple(condition(written, signals, f"{where}.less") for written in text.less),
        text.source,
    )


def _ballot(member: Member, panel: SignalPanel) -> Ballot:
    states = {each.written: _state(each, panel) for each in (*member.less, *member.more)}
    asked = tuple(dict.fromkeys(each.signal for each in (*member.less, *member.more)))
    if any(states[each.written] == 1.0 for each in member.less):
        stance, why = Stance.LESS, [each.written for each in member.less if states[each.written] == 1.0]
    elif any(np.isnan(states[each.written]) for each in (*member.less, *member.more)):
        unseen = [panel[signal] for signal in asked if not panel[signal].seen]
        why_not = "; ".join(dict.fromkeys(reading.why for reading in unseen))
        lost = all(reading.lost for reading in unseen)
        return Ballot(member.name, member.family, None, asked, why_not, lost=lost)
    elif all(states[each.written] == 1.0 for each in member.more):
        stance, why = Stance.MORE, [each.written for each in member.more]
    else:
        stance, why = Stance.HOLD, [f"not {each.written}" for each in member.more if states[each.written] == 0.0]
    return Ballot(member.name, member.family, stance, asked, ", ".join(why))


def _state(each: Condition, panel: SignalPanel) -> float:
    value = panel.value(each.signal)
    column: Floats = np.array([np.nan if value is None else value])
    return float(each.holds(column)[0])
