"""What a vault may do at all: the listed calls, each with the words that its bytes mean."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from adapters.evm.abi import AbiEntry, selector
from adapters.evm.wire import Permit
from engine.errors import OrderRejected
from engine.orders import Address, Call

UNLIMITED = 2**128
"""Units; an approval of as many or more is an unlimited one, whatever a permit says."""


class AllowList:
    """
    The permits of every venue behind one vault.

    A call that no permit covers is refused, whatever its description says (faults I6, F61, F62).
    `interfaces` has the ABI entry of each listed function by target and selector.
    """

    def __init__(self, permits: Iterable[Permit]) -> None:
        self._permits: dict[tuple[Address, bytes], list[Permit]] = {}
        self.interfaces: dict[tuple[Address, bytes], AbiEntry] = {}
        for permit in permits:
            for entry in permit.contract.abi:
                if entry["type"] == "function" and entry["name"] == permit.function:
                    key = permit.contract.address, selector(entry)
                    self._permits.setdefault(key, []).append(permit)
                    self.interfaces[key] = entry

    @property
    def targets(self) -> frozenset[Address]:
        """Every address that a listed call goes to."""
        return frozenset(target for target, _ in self._permits)

    def described(self, calls: Sequence[Call]) -> tuple[Call, ...]:
        """
        The same calls with words made from their bytes.

        Raises `OrderRejected`: unknown target or selector, native value, an argument outside its
        bounds, or an approval that is unlimited or that the batch leaves standing (faults F51).
        """
        worded = tuple(replace(call, description=self._words(call)) for call in calls)
        self._no_approval_left(calls)
        return worded

    def _words(self, call: Call) -> str:
        permits = self._permits.get((call.to, call.data[:4]))
        if permits is None:
            raise _refused(call, "this target and selector are not on the list")
        if call.value:
            raise _refused(call, f"it sends {call.value} wei")
        name, arguments = permits[0].contract.decode_call(call.data)
        refusal: OrderRejected | None = None
        for permit in permits:
            try:
                if name == permit.function:
                    return permit.words(arguments)
            except OrderRejected as refused:
                refusal = refused
        raise refusal or _refused(call, f"{name} is not on the list")

    def _no_approval_left(self, calls: Sequence[Call]) -> None:
        standing: dict[tuple[Address, str], Call] = {}
        for call in calls:
            name, arguments = self._permits[call.to, call.data[:4]][0].contract.decode_call(call.data)
            if name == "approve":
                spender = str(next(iter(arguments.values())))
                amount = list(arguments.values())[1]
                if amount >= UNLIMITED:
                    raise _refused(call, f"an approval of {amount} units is unlimited")
                standing.pop((call.to, spender), None)
                if amount:
                    standing[call.to, spender] = call
        for (_, spender), call in standing.items():
            raise _refused(call, f"its approval of {spender} is not taken back in the same batch")


def _refused(call: Call, why: str) -> OrderRejected:
    return OrderRejected(
        f"call 0x{call.data[:4].hex()} to {call.to} refused", why=why, todo="make the plan again; sign nothing"
    )
