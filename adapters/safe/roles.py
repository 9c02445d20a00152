"""
What a vault may call, as data: a role with targets, functions, conditions and allowances.

The words and numbers are those of Zodiac Roles (v2), so that the same document can be put on chain as a
role, and read by those who know it.

Source
------
gnosisguild/zodiac-modifier-roles, `Types.sol`: `Operator`, `ParameterType`, `Clearance`,
`ExecutionOptions`, `Condition`, `Allowance`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from engine.errors import ConfigError, LimitOutOfRange
from engine.orders import Address

KEY_BYTES = 32
_LARGEST_ALLOWANCE = 2**128


class ParameterType(IntEnum):
    """How an argument is encoded."""

    NONE = 0
    STATIC = 1
    DYNAMIC = 2
    TUPLE = 3
    ARRAY = 4
    CALLDATA = 5


class Operator(IntEnum):
    """What an argument is held against. Others of Zodiac Roles are not spoken here and refused."""

    PASS = 0
    AND = 1
    OR = 2
    NOR = 3
    MATCHES = 5
    ARRAY_SOME = 6
    ARRAY_EVERY = 7
    EQUAL_TO_AVATAR = 15
    EQUAL_TO = 16
    GREATER_THAN = 17
    LESS_THAN = 18
    WITHIN_ALLOWANCE = 28
    CALL_WITHIN_ALLOWANCE = 30


class Clearance(IntEnum):
    """How much of a target is open."""

    NONE = 0
    TARGET = 1
    FUNCTION = 2


class ExecutionOptions(IntEnum):
    """What may come with a call: nothing, native value, delegation, both."""

    NONE = 0
    SEND = 1
    DELEGATE_CALL = 2
    BOTH = 3


_LOGICAL = {Operator.AND, Operator.OR, Operator.NOR}
_WITH_CHILDREN = _LOGICAL | {Operator.MATCHES, Operator.ARRAY_SOME, Operator.ARRAY_EVERY}
_FROM_ALLOWANCE = {Operator.WITHIN_ALLOWANCE, Operator.CALL_WITHIN_ALLOWANCE}
_WITH_VALUE = _FROM_ALLOWANCE | {Operator.EQUAL_TO, Operator.GREATER_THAN, Operator.LESS_THAN}


@dataclass(frozen=True, slots=True)
class Condition:
    """
    One node of a condition tree; `value` is the ABI word it compares with, or an allowance's key.

    Raises `ConfigError` where operator, children and value do not go together.
    """

    kind: ParameterType
    operator: Operator
    value: bytes = b""
    children: tuple["Condition", ...] = ()

    def __post_init__(self) -> None:
        structured = self.kind in (ParameterType.TUPLE, ParameterType.ARRAY) and self.operator is Operator.PASS
        if bool(self.children) != (self.operator in _WITH_CHILDREN) and not (structured and self.children):
            raise _malformed(f"{self.operator.name} {'needs' if not self.children else 'takes no'} children")
        if (len(self.value) == KEY_BYTES) != (self.operator in _WITH_VALUE) or len(self.value) % KEY_BYTES:
            raise _malformed(f"{self.operator.name} does not go with {len(self.value)} bytes of value")


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a target by its selector; without a condition any arguments pass (`wildcarded`)."""

    selector: bytes
    condition: Condition | None = None
    options: ExecutionOptions = ExecutionOptions.NONE


@dataclass(frozen=True, slots=True)
class Target:
    """One contract, the functions open on it, and how its code is known (`plain`, `eip1967`, ...)."""

    address: Address
    functions: tuple[Function, ...]
    identity: str = "plain"
    clearance: Clearance = Clearance.FUNCTION

    def function(self, selector: bytes) -> Function | None:
        """The function with that selector, if it is open."""
        return next((each for each in self.functions if each.selector == selector), None)


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    How much may still go, in smallest units, and how it comes back.

    Every `period` seconds since `timestamp` the balance grows by `refill` up to `max_refill`; a period of 0
    never refills.

    >>> Allowance(balance=5, refill=10, max_refill=12, period=60, timestamp=0).at(125).balance
    12
    """

    balance: int
    refill: int = 0
    max_refill: int = 0
    period: int = 0
    timestamp: int = 0

    def __post_init__(self) -> None:
        for name in ("balance", "refill", "max_refill", "period", "timestamp"):
            if not 0 <= getattr(self, name) < _LARGEST_ALLOWANCE:
                raise LimitOutOfRange(
                    f"allowance {name} refused",
                    why=f"{getattr(self, name)} is not within 0 and 2^128, the unlimited ones",
                    todo="give the smallest units that may go",
                )

    def at(self, now: int) -> "Allowance":
        """The same at `now` (seconds since 1970), what came back since included."""
        if not self.period or now < self.timestamp:
            return self
        periods = (now - self.timestamp) // self.period
        balance = self.balance
        if balance < self.max_refill:
            balance = min(balance + self.refill * periods, self.max_refill)
        return replace(self, balance=balance, timestamp=self.timestamp + periods * self.period)


@dataclass(frozen=True, slots=True)
class Role:
    """
    Everything a vault on one chain may do: the role its batches act in.

    `avatar` is the Safe. `allowances` by the 32-byte key that conditions name. Raises `ConfigError` for a
    target or function listed twice, or an allowance that a condition names and nobody gave.
    """

    key: str
    chain_id: int
    avatar: Address
    targets: tuple[Target, ...]
    allowances: Mapping[bytes, Allowance] = field(default_factory=dict)

    def __post_init__(self) -> None:
        places = [target.address for target in self.targets]
        if len(set(places)) != len(places):
            raise _malformed("a target stands in it twice")
        for target in self.targets:
            selectors = [function.selector for function in target.functions]
            if len(set(selectors)) != len(selectors):
                raise _malformed(f"a function of {target.address} stands in it twice")
            if target.clearance is not Clearance.FUNCTION:
                raise _malformed(f"{target.address} is open as a whole: each function must be named")
            if any(function.options is not ExecutionOptions.NONE for function in target.functions):
                raise _malformed(f"{target.address} may be sent value or delegated to")
            for function in target.functions:
                self._keys_known(function.condition)

    def target(self, address: Address) -> Target | None:
        """The target at that address, if any of it is open."""
        return next((each for each in self.targets if each.address == address), None)

    def _keys_known(self, condition: Condition | None) -> None:
        if condition is None:
            return
        if condition.operator in _FROM_ALLOWANCE and condition.value not in self.allowances:
            raise _malformed(f"a condition names allowance 0x{condition.value.hex()}, which it does not give")
        for child in condition.children:
            self._keys_known(child)


def _malformed(why: str) -> ConfigError:
    return ConfigError("call policy refused", why=why, todo="correct the policy file")
