"""Rules and seats held against the signals there are, and how every seat votes."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import ConfigError
from engine.market import Floats
from engine.policy.consensus import Ballot, Stance
from engine.policy.rule import Condition, Rule, condition, rule_of
from engine.policy.rule_reach import apart, can_hold, in_range, latch_lets_go
from engine.policy.rule_text import MemberText, RuleText
from engine.signals.columns import Signal, SignalTable
from engine.signals.panel import Family, SignalPanel

_PROVENANCE = re.compile(r"\b[SDX]\d{2}\b|\bown\b")


@dataclass(frozen=True, slots=True)
class Member:
    """A seat with its conditions understood."""

    name: str
    family: Family
    more: tuple[Condition, ...]
    less: tuple[Condition, ...]
    source: str

    @property
    def signals(self) -> tuple[str, ...]:
        """Every signal it asks about."""
        return tuple(dict.fromkeys(each.signal for each in (*self.less, *self.more)))


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules and seats of a policy, held against the signals there are."""

    rules: tuple[Rule, ...]
    members: tuple[Member, ...]


def compiled(
    rules: Sequence[RuleText], members: Sequence[MemberText], signals: Mapping[str, Signal], layers: Sequence[str]
) -> Rulebook:
    """
    The rulebook these texts mean.

    Raises `ConfigError` with the key path of the first that means nothing, can never be met or contradicts itself.
    """
    for kind, names in (("rules", [rule.id for rule in rules]), ("members", [member.name for member in members])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{kind}.{twice[0]}", why="the name stands twice", todo="rename one of them")
    return Rulebook(
        tuple(_rule(rule, signals, layers) for rule in rules),
        tuple(_member(member, signals) for member in members),
    )


def ballots(members: Sequence[Member], table: SignalTable, expected: Collection[Family] = ()) -> tuple[Ballot, ...]:
    """Every seat's vote at the last close of a table; a family that is `expected` is due whatever is supplied."""
    panel = table.panel()
    return tuple(
        replace(
            _ballot(member, panel),
            awaits=tuple(sorted({name for signal in member.signals for name in _awaited(signal, table)})),
            due=member.family in expected
            or any(name in table.supplied for signal in member.signals for name in table.signals[signal].inputs),
        )
        for member in members
    )


def _rule(text: RuleText, signals: Mapping[str, Signal], layers: Sequence[str]) -> Rule:
    rule, where = rule_of(**text.model_dump(), signals=signals, layers=layers), f"rules.{text.id}"
    for key, conditions, needed in (("when", rule.when, rule.quorum), ("until", rule.until, rule.until_quorum)):
        for each in conditions:
            in_range(each, signals[each.signal], f"{where}.{key}")
        if conditions:
            can_hold(conditions, needed, f"{where}.{key}")
    latch_lets_go(rule, f"{where}.until")
    _sourced(text.source, where)
    return rule


def _member(text: MemberText, signals: Mapping[str, Signal]) -> Member:
    where = f"members.{text.name}"
    more, less = (
        tuple(condition(written, signals, f"{where}.{key}") for written in texts)
        for key, texts in (("more", text.more), ("less", text.less))
    )
    for key, conditions in (("more", more), ("less", less)):
        for each in conditions:
            in_range(each, signals[each.signal], f"{where}.{key}")
    can_hold(more, len(more), f"{where}.more")
    apart(more, less, f"{where}.less", all_of_second=False)
    _sourced(text.source, where)
    return Member(text.name, text.family, more, less, text.source)


def _sourced(source: str, where: str) -> None:
    if not _PROVENANCE.search(source):
        raise ConfigError(
            f"{where}.source = {source!r}",
            why="it names no requirement",
            todo='write "S61", "D18", "X14" or "own choice"',
        )


def _awaited(name: str, table: SignalTable) -> Iterator[str]:
    """Observations nobody supplies, any one of which alone would give the signal, or give it a better way."""
    signal = table.signals[name]
    seen = bool(np.isfinite(table[name][-1]))
    for way in signal.ways[: table.ways[name][-1]] if seen else signal.ways:
        missing = [part for part in way.inputs if part not in table.supplied]
        if len(missing) == 1:
            yield missing[0]


def _ballot(member: Member, panel: SignalPanel) -> Ballot:
    states = {each.written: _state(each, panel) for each in (*member.less, *member.more)}
    asked = member.signals
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
