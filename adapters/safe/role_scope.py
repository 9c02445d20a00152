"""A role made from permits: what follows from the interfaces alone, ready to be tightened by its owners."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from eth_utils.crypto import keccak

from adapters.evm.abi import AbiEntry, selector, signature
from adapters.evm.wire import Permit
from adapters.safe.allow import UNLIMITED, AllowList
from adapters.safe.roles import KEY_BYTES, Allowance, Condition, Function, Operator, ParameterType, Role, Target
from engine.orders import Address

_BENEFICIARIES = frozenset({"to", "onbehalfof", "recipient", "receiver", "owner", "holder", "account", "user"})
_PRICE_LIMIT = "sqrtpricelimitx96"
_PASS = {"tuple": ParameterType.TUPLE, "bytes": ParameterType.DYNAMIC, "string": ParameterType.DYNAMIC}


def role_of(
    permits: Iterable[Permit],
    *,
    chain_id: int,
    avatar: Address,
    payees: Collection[Address] = (),
    allowances: Mapping[Address, Allowance] | None = None,
    identities: Mapping[Address, str] | None = None,
    key: str = "hedge",
) -> Role:
    """
    The role that opens what `permits` name, and of each argument only what an interface can tell.

    Whoever receives is the vault itself; any other address is a target of this very role; a transfer goes to
    one of `payees`; a swap has no price limit, at which it would stop in part; an approval is below `UNLIMITED`
    and, as a transfer, within its token's allowance.

    Parameters
    ----------
    payees : where tokens may be sent for good, the off-ramp
    allowances : how much of a token may be approved and sent, in its smallest units, by the token's address
    identities : how each target's code is known (`state.identity`), "plain" if not given
    """
    budgets = allowances or {}
    listed = AllowList(permits).interfaces
    targets = sorted({target for target, _ in listed})
    known = frozenset(targets) | {avatar}
    scoped = {}
    for target in targets:
        token = allowance_key(target) if target in budgets else None
        entries = [entry for (at, _), entry in listed.items() if at == target]
        functions = [Function(selector(entry), _condition(entry, known, payees, token)) for entry in entries]
        scoped[target] = tuple(sorted(functions, key=lambda each: each.selector))
    return Role(
        key,
        chain_id,
        avatar,
        tuple(Target(at, functions, (identities or {}).get(at, "plain")) for at, functions in scoped.items()),
        {allowance_key(token): allowance for token, allowance in budgets.items()},
    )


def allowance_key(token: Address) -> bytes:
    """The key under which a role keeps a token's allowance."""
    return keccak(b"allowance" + bytes.fromhex(token[2:]))


def one_of(places: Iterable[Address]) -> Condition:
    """An address that is any of `places`; of none, an address that nothing is."""
    words = [bytes.fromhex(place[2:]).rjust(32, b"\0") for place in sorted(set(places))]
    equal = tuple(Condition(ParameterType.STATIC, Operator.EQUAL_TO, word) for word in words or [b"\xff" * 32])
    return equal[0] if len(equal) == 1 else Condition(ParameterType.NONE, Operator.OR, children=equal)


def _condition(
    entry: AbiEntry, known: Collection[Address], payees: Collection[Address], allowance: bytes | None
) -> Condition:
    match signature(entry):
        case "approve(address,uint256)":
            return _arguments(one_of(known), _bounded(allowance))
        case "transfer(address,uint256)":
            return _arguments(one_of(payees), _bounded(allowance))
    return _arguments(*(_member(part, known) for part in entry["inputs"]))


def _arguments(*children: Condition) -> Condition:
    return Condition(ParameterType.CALLDATA, Operator.MATCHES, children=children)


def _bounded(allowance: bytes | None) -> Condition:
    below = Condition(ParameterType.STATIC, Operator.LESS_THAN, UNLIMITED.to_bytes(32, "big"))
    if allowance is None:
        return below
    within = Condition(ParameterType.STATIC, Operator.WITHIN_ALLOWANCE, allowance)
    return Condition(ParameterType.NONE, Operator.AND, children=(below, within))


def _member(part: Mapping[str, Any], known: Collection[Address]) -> Condition:
    kind: str = part["type"]
    if kind.endswith("]"):
        inner = _member({**part, "type": kind[: kind.rindex("[")]}, known)
        return Condition(ParameterType.ARRAY, Operator.ARRAY_EVERY, children=(inner,))
    if kind == "tuple":
        children = tuple(_member(component, known) for component in part["components"])
        return Condition(ParameterType.TUPLE, Operator.MATCHES, children=children)
    if kind == "address":
        if part["name"].strip("_").lower() in _BENEFICIARIES:
            return Condition(ParameterType.STATIC, Operator.EQUAL_TO_AVATAR)
        return one_of(known)
    if part["name"].strip("_").lower() == _PRICE_LIMIT:
        return Condition(ParameterType.STATIC, Operator.EQUAL_TO, bytes(KEY_BYTES))
    return Condition(_PASS.get(kind, ParameterType.STATIC), Operator.PASS)
