"""The grammar of rules: conditions on signals, how many must hold, and what follows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

import numpy as np

from engine.errors import ConfigError
from engine.market import Floats
from engine.signals.columns import Signal, SignalTable

_SCALES = {"%": Decimal("0.01"), "bp": Decimal("0.0001")} | dict.fromkeys(
    ("points", "sd", "x", "sessions", "days", "sign", "yes"), Decimal(1)
)
_SHARES = frozenset({"%", "bp"})
_PLACES = 12  # a share worked out of two sums carries float noise: a fall of exactly 8 % is one (D22)
_CONDITION = re.compile(r"(?P<signal>\w+)\s*(?P<op><=|>=|<|>)\s*(?P<level>[+-]?[\d.]+)\s*(?P<unit>\S*)")
_TRUTH = re.compile(r"(?P<signal>\w+)\s+is\s+(?P<truth>yes|no)")
_EFFECT = re.compile(r"(?P<act>\w+)\s+(?P<what>\S+)")


class Act(StrEnum):
    """What a rule may do."""

    ARM = "arm"
    SCORE = "score"
    FAVOUR = "favour"
    FREEZE = "freeze"
    ROLL = "roll"
    BIND = "bind"


_WHAT: Mapping[Act, frozenset[str] | None] = {
    Act.ARM: None,
    Act.SCORE: None,
    Act.FAVOUR: frozenset({"defi", "spx", "near-vix", "far-vix"}),
    Act.FREEZE: frozenset({"loan", "defi", "all"}),
    Act.ROLL: frozenset({"core"}),
    Act.BIND: frozenset({"beta"}),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """
    A signal against a level, `level` in the signal's own number (a share is a decimal).

    `written` is how the policy file says it.
    """

    signal: str
    op: str
    level: float
    written: str

    def holds(self, values: Floats) -> Floats:
        """1 where it holds, 0 where it does not, NaN where the signal is unseen; a level met to 12 places is met."""
        values = np.round(values, _PLACES)
        with np.errstate(invalid="ignore"):
            match self.op:
                case "<":
                    met = values < self.level
                case "<=":
                    met = values <= self.level
                case ">":
                    met = values > self.level
                case ">=":
                    met = values >= self.level
                case _:
                    met = values == self.level
        return np.where(np.isnan(values), np.nan, met)


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows when a rule fires: an act and its object; a score's object is its amount."""

    act: Act
    what: str

    @property
    def amount(self) -> float:
        """The number of a score, decimal."""
        return float(self.what.removesuffix("%")) / 100.0


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Conditions, the number of them that must hold, and what follows.

    A rule with `until` latches: once it has fired it stands until `until_quorum` of those hold.
    `source` gives S-ids and the line of the article, `says` its meaning in a few words.
    """

    id: str
    when: tuple[Condition, ...]
    quorum: int
    then: tuple[Effect, ...]
    source: str
    says: str
    until: tuple[Condition, ...] = ()
    until_quorum: int = 1

    @property
    def signals(self) -> tuple[str, ...]:
        """Every signal it asks about."""
        return tuple(dict.fromkeys(condition.signal for condition in (*self.when, *self.until)))


@dataclass(frozen=True, slots=True)
class Finding:
    """
    How one rule stands at one close.

    `fires` is None where too much is unseen to tell; `met`, `unmet` and `unseen` are its conditions as
    written; `since` counts the closes for which it has stood, today's included. `dropped` are signals that
    were seen at an earlier close and without which it cannot be told now.
    """

    rule: Rule
    fires: bool | None
    met: tuple[str, ...]
    unmet: tuple[str, ...]
    unseen: tuple[str, ...]
    since: int
    dropped: tuple[str, ...] = ()


def condition(written: str, signals: Mapping[str, Signal], where: str) -> Condition:
    """
    The condition in a text such as "rsi_spx < 45 points", "iv_percentile >= 70%" or "ad_divergence is yes".

    Raises `ConfigError` with the key path `where`: an unknown signal, a missing or foreign unit, no number.
    """
    if truth := _TRUTH.fullmatch(written.strip()):
        name, unit, op, level = truth["signal"], "yes", "is", float(truth["truth"] == "yes")
    elif found := _CONDITION.fullmatch(written.strip()):
        name, unit, op = found["signal"], found["unit"], found["op"]
        level = float(_number(found["level"], where, written) * _SCALES.get(unit, Decimal(1)))
    else:
        raise _refused(where, written, "it is no condition", 'write "signal < 45 points" or "signal is yes"')
    signal = signals.get(name)
    if signal is None:
        raise _refused(where, written, f"there is no signal {name!r}", _nearest(name, signals))
    if not (unit == signal.unit or {unit, signal.unit} <= _SHARES) or unit not in _SCALES:
        said = f"the unit {unit!r}" if unit else "no unit"
        raise _refused(where, written, f"it has {said}", f"{name} is written in {signal.unit}")
    if (op == "is") != (signal.unit == "yes"):
        raise _refused(where, written, f"{name} is a {'truth' if signal.unit == 'yes' else 'number'}", "compare it so")
    return Condition(name, op, level, written.strip())


def effect(written: str, layers: Sequence[str], where: str) -> Effect:
    """The effect in a text such as "arm vix-second", "freeze loan" or "score +25%". Raises `ConfigError`."""
    found = _EFFECT.fullmatch(written.strip())
    if not found or found["act"] not in set(Act):
        raise _refused(where, written, "it is no effect", f"begin with one of {', '.join(Act)}")
    act, what = Act(found["act"]), found["what"]
    allowed = frozenset(layers) if act is Act.ARM else _WHAT[act]
    if allowed is not None and what not in allowed:
        raise _refused(where, written, f"{act} knows no {what!r}", f"use one of {', '.join(sorted(allowed))}")
    if act is Act.SCORE and (not what.endswith("%") or not -100 <= _number(what[:-1], where, written) <= 100):
        raise _refused(where, written, "a score is a percentage from -100% to +100%", 'write "score +25%"')
    return Effect(act, what)


def rule_of(
    *,
    id: str,
    when: Sequence[str],
    then: Sequence[str],
    source: str,
    says: str,
    signals: Mapping[str, Signal],
    layers: Sequence[str],
    quorum: int | None = None,
    until: Sequence[str] = (),
    until_quorum: int = 1,
) -> Rule:
    """A rule from its texts, all conditions needed unless `quorum` says fewer. Raises `ConfigError` with its key."""
    where = f"rules.{id}"
    needed = len(when) if quorum is None else quorum
    if not 1 <= needed <= len(when):
        raise _refused(f"{where}.quorum", str(needed), "more are needed than there are conditions", f"1 to {len(when)}")
    if until and not 1 <= until_quorum <= len(until):
        raise _refused(f"{where}.until_quorum", str(until_quorum), "as for quorum", f"1 to {len(until)}")
    if not source.strip():
        raise _refused(f"{where}.source", repr(source), "a rule without a source is nobody's", "name its S-ids")
    return Rule(
        id=id,
        when=tuple(condition(text, signals, f"{where}.when") for text in when),
        quorum=needed,
        then=tuple(effect(text, layers, f"{where}.then") for text in then),
        source=source,
        says=says,
        until=tuple(condition(text, signals, f"{where}.until") for text in until),
        until_quorum=until_quorum,
    )


def standing(rule: Rule, table: SignalTable) -> Floats:
    """Whether the rule stands at each close: 1, 0, or NaN where too much is unseen to tell."""
    fired = _quorum(rule.when, rule.quorum, table)
    if not rule.until:
        return fired
    released = _quorum(rule.until, rule.until_quorum, table)
    answers = np.empty(len(fired))
    on = 0.0
    for row, (fires, ends) in enumerate(zip(fired.tolist(), released.tolist(), strict=True)):
        if fires == 1.0:
            on = 1.0
        elif ends == 1.0:
            on = 0.0
        answers[row] = on if on == 1.0 or not np.isnan(fires) else np.nan
    return answers


def findings(rules: Sequence[Rule], table: SignalTable, row: int = -1) -> tuple[Finding, ...]:
    """How every rule stands at one close, with the conditions behind it."""
    found = []
    for rule in rules:
        column = standing(rule, table)
        states = {c.written: float(c.holds(table[c.signal])[row]) for c in rule.when}
        now = float(column[row])
        end = len(column) + row if row < 0 else row
        before = np.flatnonzero(column[: end + 1] != now)
        since = 0 if np.isnan(now) else end - (int(before[-1]) if len(before) else -1)
        found.append(
            Finding(
                rule,
                None if np.isnan(now) else now == 1.0,
                tuple(text for text, state in states.items() if state == 1.0),
                tuple(text for text, state in states.items() if state == 0.0),
                tuple(text for text, state in states.items() if np.isnan(state)),
                since,
                tuple(name for name in rule.signals if table.dropped(name, row)) if np.isnan(now) else (),
            )
        )
    return tuple(found)


def _quorum(conditions: Sequence[Condition], needed: int, table: SignalTable) -> Floats:
    states = np.array([each.holds(table[each.signal]) for each in conditions])
    met, unseen = np.nansum(states, axis=0), np.isnan(states).sum(axis=0)
    return np.where(met >= needed, 1.0, np.where(met + unseen >= needed, np.nan, 0.0))


def _number(text: str, where: str, written: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _refused(where, written, f"{text!r} is no number", "write a number") from None


def _nearest(name: str, signals: Mapping[str, Signal]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    close = get_close_matches(name, signals, n=1)
    return f"did you mean {close[0]!r}?" if close else "`hedge signals` lists them"


def _refused(where: str, written: str, why: str, todo: str) -> ConfigError:
    return ConfigError(f"{where} = {written!r}", why=why, todo=todo)
