"""A role as a JSON document in the words of Zodiac Roles, written and read back without loss."""

from collections.abc import Mapping
from typing import Any

from adapters.evm.wire import address, as_bytes, hex0x
from adapters.safe.roles import (
    Allowance,
    Clearance,
    Condition,
    ExecutionOptions,
    Function,
    Operator,
    ParameterType,
    Role,
    Target,
)
from engine.errors import ConfigError
from engine.orders import Address

SCHEMA = "hedge.call-policy/1"


def document(role: Role) -> dict[str, Any]:
    """The role as JSON values; enumerations as the numbers that the contract takes, beside nothing else."""
    return {
        "schema": SCHEMA,
        "key": role.key,
        "chainId": role.chain_id,
        "avatar": role.avatar,
        "targets": [_target(target) for target in role.targets],
        "allowances": [
            {
                "key": hex0x(key),
                "balance": str(allowance.balance),
                "refill": str(allowance.refill),
                "maxRefill": str(allowance.max_refill),
                "period": allowance.period,
                "timestamp": allowance.timestamp,
            }
            for key, allowance in sorted(role.allowances.items())
        ],
    }


def parse(raw: Mapping[str, Any]) -> Role:
    """
    The role in a document. Raises `ConfigError` for anything that would not be written again the same.

    So no key is overlooked, no number rounded, no address misspelt, no unknown operator skipped.
    """
    try:
        role = Role(
            str(raw["key"]),
            int(raw["chainId"]),
            _address(raw["avatar"]),
            tuple(_read_target(each) for each in raw["targets"]),
            {as_bytes(each["key"]): _read_allowance(each) for each in raw["allowances"]},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as broken:
        raise _unfit(f"it is not whole: {broken}") from broken
    if document(role) != raw:
        raise _unfit("writing it again gives another document: something in it is unknown or not in its one form")
    return role


def _target(target: Target) -> dict[str, Any]:
    return {
        "address": target.address,
        "identity": target.identity,
        "clearance": int(target.clearance),
        "executionOptions": int(ExecutionOptions.NONE),
        "functions": [
            {
                "selector": hex0x(function.selector),
                "wildcarded": function.condition is None,
                "executionOptions": int(function.options),
                **({} if function.condition is None else {"condition": _condition(function.condition)}),
            }
            for function in target.functions
        ],
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "paramType": int(condition.kind),
        "operator": int(condition.operator),
        **({"compValue": hex0x(condition.value)} if condition.value else {}),
        **({"children": [_condition(child) for child in condition.children]} if condition.children else {}),
    }


def _read_target(raw: Mapping[str, Any]) -> Target:
    return Target(
        _address(raw["address"]),
        tuple(
            Function(
                as_bytes(each["selector"]),
                _read_condition(each["condition"]) if "condition" in each else None,
                ExecutionOptions(each["executionOptions"]),
            )
            for each in raw["functions"]
        ),
        str(raw["identity"]),
        Clearance(raw["clearance"]),
    )


def _read_condition(raw: Mapping[str, Any]) -> Condition:
    return Condition(
        ParameterType(raw["paramType"]),
        Operator(raw["operator"]),
        as_bytes(raw.get("compValue", "0x")),
        tuple(_read_condition(child) for child in raw.get("children", [])),
    )


def _read_allowance(raw: Mapping[str, Any]) -> Allowance:
    return Allowance(
        balance=int(raw["balance"]),
        refill=int(raw["refill"]),
        max_refill=int(raw["maxRefill"]),
        period=int(raw["period"]),
        timestamp=int(raw["timestamp"]),
    )


def _address(raw: str) -> Address:
    if raw != address(raw):
        raise ValueError(f"address {raw} has a wrong checksum")
    return Address(raw)


def _unfit(why: str) -> ConfigError:
    return ConfigError("call policy refused", why=why, todo="correct the policy file, or export it again")
