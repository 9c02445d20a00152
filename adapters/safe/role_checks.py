"""Holding calls against a role: every argument against its condition, every amount against its allowance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from eth_abi.abi import encode

from adapters.evm.abi import AbiEntry, type_string
from adapters.evm.contract import Contract
from adapters.safe.roles import Allowance, Condition, Operator, ParameterType, Role
from engine.errors import OrderRejected
from engine.orders import Address, Call

Interfaces = Mapping[tuple[Address, bytes], AbiEntry]
"""The ABI entry of each function the vault knows, by target and selector."""

Spent = tuple[datetime, Sequence[Call]]
"""A batch that was executed, or could still be, and when: it uses up allowances."""

_LOGICAL = {Operator.AND, Operator.OR, Operator.NOR}


def left(role: Role, interfaces: Interfaces, spent: Iterable[Spent], *, now: datetime) -> dict[bytes, Allowance]:
    """
    The role's allowances at `now`, by key, after the batches in `spent`.

    What was spent before an allowance's own timestamp is in its balance already.
    """
    state = dict(role.allowances)
    for at, calls in sorted(spent, key=lambda each: each[0]):
        second = int(at.timestamp())
        for call in calls:
            for key, units in _uses(role, interfaces, call):
                if second >= role.allowances[key].timestamp:
                    held = state[key].at(second)
                    state[key] = replace(held, balance=max(0, held.balance - units))
    return {key: allowance.at(int(now.timestamp())) for key, allowance in state.items()}


def hold(
    role: Role, interfaces: Interfaces, calls: Sequence[Call], allowances: Mapping[bytes, Allowance] | None = None
) -> None:
    """
    Raise `OrderRejected` unless the role opens every call and `allowances` cover what they take together.

    Without `allowances` amounts are not counted: that is for bytes alone, whenever they are looked at.

    The refusal names target, function and argument: not a target, not an open function, native value, an
    argument outside its condition, or an allowance used up.
    """
    state = {key: allowance.balance for key, allowance in (allowances or {}).items()}
    for call in calls:
        for key, units in _permitted(role, interfaces, call):
            if allowances is None:
                continue
            if units > state[key]:
                raise _refused(call, f"it takes {units} of an allowance that has {state[key]} left")
            state[key] -= units


def _permitted(role: Role, interfaces: Interfaces, call: Call) -> list[tuple[bytes, int]]:
    target = role.target(call.to)
    function = target.function(call.data[:4]) if target else None
    entry = interfaces.get((call.to, call.data[:4]))
    if function is None or entry is None:
        raise _refused(call, "the call policy does not open it")
    if call.value:
        raise _refused(call, f"it sends {call.value} wei")
    judged = _Judged(role.avatar)
    if function.condition is not None:
        judged.against(function.condition, _as_tuple(entry), _arguments(entry, call))
    if judged.trouble:
        raise _refused(call, judged.trouble)
    return judged.uses


def _uses(role: Role, interfaces: Interfaces, call: Call) -> list[tuple[bytes, int]]:
    try:
        return _permitted(role, interfaces, call)
    except OrderRejected:  # spent under another policy
        return []


def _arguments(entry: AbiEntry, call: Call) -> list[Any]:
    return list(Contract(call.to, [entry]).decode_call(call.data)[1].values())


def _as_tuple(entry: AbiEntry) -> dict[str, Any]:
    return {"type": "tuple", "name": entry["name"], "components": entry["inputs"]}


@dataclass(slots=True)
class _Judged:
    """One value held against one condition: the first trouble, and what it takes of allowances."""

    avatar: Address
    trouble: str = ""
    uses: list[tuple[bytes, int]] = field(default_factory=list)

    def against(self, condition: Condition, part: Mapping[str, Any], value: Any) -> None:
        """Judge, unless there was trouble before."""
        if self.trouble:
            return
        operator = condition.operator
        if operator in _LOGICAL:
            self._logical(condition, part, value)
        elif operator is Operator.MATCHES:
            self._members(condition, part, value)
        elif operator in (Operator.ARRAY_SOME, Operator.ARRAY_EVERY):
            self._elements(condition, part, value)
        elif operator is Operator.WITHIN_ALLOWANCE:
            self.uses.append((condition.value, _number(part, value)))
        elif operator is Operator.CALL_WITHIN_ALLOWANCE:
            self.uses.append((condition.value, 1))
        elif not _compares(condition, part, value, self.avatar):
            self.trouble = f"{part['name'] or part['type']} {value} is not what {operator.name} allows"

    def _logical(self, condition: Condition, part: Mapping[str, Any], value: Any) -> None:
        if condition.operator is Operator.AND:
            for child in condition.children:
                self.against(child, part, value)
            return
        tried = [self._alone(child, part, value) for child in condition.children]
        met = [each for each in tried if not each.trouble]
        if condition.operator is Operator.NOR and met:
            self.trouble = f"{part['name']} {value} is excluded"
        elif condition.operator is Operator.OR:
            self.trouble = "" if met else tried[0].trouble
            self.uses += met[0].uses if met else []

    def _members(self, condition: Condition, part: Mapping[str, Any], value: Any) -> None:
        """A struct, or the arguments of a call: a child per member in order; what judges the call stands beside."""
        members = list(value.values()) if isinstance(value, Mapping) else list(value)
        judging = [c for c in condition.children if c.kind is not ParameterType.NONE or c.operator in _LOGICAL]
        if len(judging) > len(members):
            self.trouble = f"{part['name']} has {len(members)} members, its condition {len(judging)}"
        for child, component, member in zip(judging, part["components"], members, strict=False):
            self.against(child, component, member)
        for child in condition.children:
            if child not in judging:
                self.against(child, part, value)

    def _elements(self, condition: Condition, part: Mapping[str, Any], value: Sequence[Any]) -> None:
        kind: str = part["type"]
        inner = {**part, "type": kind[: kind.rindex("[")]}
        tried = [self._alone(condition.children[0], inner, element) for element in value]
        met = [each for each in tried if not each.trouble]
        if condition.operator is Operator.ARRAY_EVERY and len(met) < len(tried):
            self.trouble = next(each.trouble for each in tried if each.trouble)
        elif condition.operator is Operator.ARRAY_SOME and not met:
            self.trouble = f"no element of {part['name']} is one allowed"
        self.uses += [use for each in met for use in each.uses]

    def _alone(self, condition: Condition, part: Mapping[str, Any], value: Any) -> "_Judged":
        judged = _Judged(self.avatar)
        judged.against(condition, part, value)
        return judged


def _compares(condition: Condition, part: Mapping[str, Any], value: Any, avatar: Address) -> bool:
    match condition.operator:
        case Operator.EQUAL_TO_AVATAR:
            return bool(value == avatar)
        case Operator.EQUAL_TO:
            return encode([type_string(part)], [value]) == condition.value
        case Operator.GREATER_THAN:
            return _number(part, value) > int.from_bytes(condition.value, "big")
        case Operator.LESS_THAN:
            return _number(part, value) < int.from_bytes(condition.value, "big")
        case _:
            return condition.operator is Operator.PASS


def _number(part: Mapping[str, Any], value: Any) -> int:
    if not part["type"].startswith("uint"):
        raise OrderRejected(
            f"{part['name']} refused",
            why=f"a bound on {part['type']} is not understood",
            todo="correct the call policy",
        )
    return int(value)


def _refused(call: Call, why: str) -> OrderRejected:
    return OrderRejected(
        f"call 0x{call.data[:4].hex()} to {call.to} refused", why=why, todo="make the plan again; sign nothing"
    )
