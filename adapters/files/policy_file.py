"""A policy as its file: every number with where it comes from, and what differs between two."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adapters.files.config import load_policy, parse_policy
from engine.policy.judgement import rulebook, signals_for
from engine.policy.layer_text import LayerText
from engine.policy.money_text import PoolText
from engine.policy.rule_text import MemberText, RuleText
from engine.policy.settings import Policy
from engine.policy.shares import share

_HEAD = (
    "# Every number of the method. Shares are percentages in quotes, money is in quotes; what is left out keeps",
    "# its default. A comment names the requirement a number comes from. Pools, layers, rules and members stand",
    "# whole: a file that lists any replaces the table.",
)
_TABLES = ("pools", "layers", "rules", "members")


class Difference(NamedTuple):
    """One key that two policies answer differently; None where one lacks it."""

    key: str
    first: str | None
    second: str | None


def read_policy(path: Path | None) -> Policy:
    """
    A policy whose rules mean something: the file is read, checked against its schema and its signals.

    Raises `ConfigError` with the key path, the value, the allowed range and the rule's id.
    """
    return _meaningful(load_policy(path))


def read_policy_text(text: str, name: str) -> Policy:
    """The same of a text that is called `name`."""
    return _meaningful(parse_policy(text, name))


def written(policy: Policy) -> str:
    """The policy as a TOML file that `read_policy` reads back to the same policy."""
    lines = list(_HEAD)
    for name in type(policy).model_fields:
        if name not in _TABLES:
            section: BaseModel = getattr(policy, name)
            lines += ["", f"[{name}]"]
            lines += [_line(key, field, getattr(section, key)) for key, field in type(section).model_fields.items()]
    for pool in policy.pools:
        lines += ["", "[[pools]]", *_pool(pool)]
    for layer in policy.layers:
        lines += ["", "[[layers]]", *_layer(layer)]
    for rule in policy.rules:
        lines += ["", "[[rules]]", *_rule(rule)]
    for member in policy.members:
        lines += ["", "[[members]]", *_member(member)]
    return "\n".join(lines) + "\n"


def differences(first: Policy, second: Policy) -> tuple[Difference, ...]:
    """Every key in which two policies differ, rules and members by their names."""
    one, two = dict(_flat(first)), dict(_flat(second))
    keys = [*one, *(key for key in two if key not in one)]
    return tuple(Difference(key, one.get(key), two.get(key)) for key in keys if one.get(key) != two.get(key))


def _meaningful(policy: Policy) -> Policy:
    import numpy as np

    rulebook(policy, signals_for((), np.zeros(0, "datetime64[D]"), policy.regime))
    return policy


def _flat(policy: Policy) -> Iterator[tuple[str, str]]:
    for name in type(policy).model_fields:
        if name not in _TABLES:
            section: BaseModel = getattr(policy, name)
            for key, field in type(section).model_fields.items():
                yield f"{name}.{key}", _value(field, getattr(section, key))
    for pool in policy.pools:
        yield f"pools.{pool.name}", "; ".join(_pool(pool))
    for layer in policy.layers:
        yield f"layers.{layer.name}", "; ".join(_layer(layer))
    for rule in policy.rules:
        yield f"rules.{rule.id}", "; ".join(_rule(rule))
    for member in policy.members:
        yield f"members.{member.name}", "; ".join(_member(member))


def _line(key: str, field: FieldInfo, value: Any) -> str:
    return f"{key} = {_value(field, value)}" + (f"  # {field.description}" if field.description else "")


def _value(field: FieldInfo, value: Any) -> str:
    if isinstance(value, Decimal):
        is_share = any(getattr(part, "func", None) is share for part in field.metadata)
        return f'"{(value * 100).normalize():f}%"' if is_share else f'"{value:f}"'
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_plain(part) for part in value)}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _pool(pool: PoolText) -> list[str]:
    fields = type(pool).model_fields
    return [_line(key, fields[key], getattr(pool, key)) for key in fields]


def _layer(layer: LayerText) -> list[str]:
    fields = type(layer).model_fields
    return [f"{key} = {_value(fields[key], getattr(layer, key))}" for key in fields]


def _rule(rule: RuleText) -> list[str]:
    lines = [f"{key} = {_plain(getattr(rule, key))}" for key in ("id", "source", "says", "when")]
    if rule.quorum is not None:
        lines.append(f"quorum = {rule.quorum}")
    if rule.until:
        lines += [f"until = {_plain(rule.until)}", f"until_quorum = {rule.until_quorum}"]
    return [*lines, f"then = {_plain(rule.then)}"]


def _member(member: MemberText) -> list[str]:
    return [f"{key} = {_plain(getattr(member, key))}" for key in ("name", "family", "source", "more", "less")]
