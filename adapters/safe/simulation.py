"""Trying a Safe transaction without a signature: would it revert, where, and what would it change."""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract, encode_call
from adapters.evm.reverts import reason_of
from adapters.evm.wire import address, as_bytes
from engine.errors import OrderRejected, VenueUnavailable
from engine.orders import Address, SafeTx

NONCE_SLOT = 5
_SIMULATE: dict[str, Any] = {
    "type": "function",
    "name": "simulateAndRevert",
    "inputs": [{"name": "targetContract", "type": "address"}, {"name": "calldataPayload", "type": "bytes"}],
    "outputs": [],
}


def try_batch(chain: Chain, transaction: SafeTx) -> None:
    """
    Run a delegatecall batch as the Safe, signatures aside; raises `OrderRejected` if it would revert.

    Source
    ------
    Safe 1.4.1 `StorageAccessible.simulateAndRevert`: runs the payload, then reverts with (success,
    length, bytes), so nothing can stay.
    """
    data = encode_call(_SIMULATE, [transaction.to, transaction.data])
    try:
        chain.call(transaction.safe, data)
    except Reverted as reverted:
        if len(reverted.data) >= 64 and int.from_bytes(reverted.data[:32], "big") == 1:
            return
        raise _would_revert(transaction, first_revert(chain, transaction.safe, data)) from reverted
    raise _would_revert(transaction, "the Safe does not simulate")


def try_execution(chain: Chain, safe: Contract, data: bytes, *, sender: Address, transaction: SafeTx) -> None:
    """
    Run `execTransaction` with its real signatures from the executor, and look at what it would write.

    Raises `OrderRejected` if it reverts, or if any slot of the Safe but its nonce would change
    (faults, "What matters" 4).
    """
    try:
        done = chain.call(safe.address, data, sender=sender)
    except Reverted as reverted:
        inner = first_revert(chain, safe.address, data, sender=sender)
        raise _would_revert(transaction, inner or reverted.reason) from reverted
    if not safe.decode("execTransaction", done):
        raise _would_revert(transaction, "the Safe would log ExecutionFailure")
    changed = written_slots(chain, safe.address, data, sender=sender)
    if changed is not None and changed - {NONCE_SLOT}:
        raise OrderRejected(
            f"Safe transaction {transaction.hash[:10]} refused",
            why=f"it writes the Safe's own storage at {sorted(hex(slot) for slot in changed - {NONCE_SLOT})}",
            todo="do not sign it; find out who made it",
        )


def written_slots(chain: Chain, safe: Address, data: bytes, *, sender: Address) -> set[int] | None:
    """Slots of the Safe's own storage that the call would change; None where the node cannot trace."""
    options = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    traced = _trace(chain, safe, data, sender, options)
    if traced is None:
        return None
    slots: set[int] = set()
    for when in ("pre", "post"):
        accounts: Mapping[str, Any] = traced.get(when, {})
        for account, state in accounts.items():
            if account.lower() == safe.lower():
                slots |= {int(slot, 16) for slot in state.get("storage", {})}
    return slots


def first_revert(chain: Chain, safe: Address, data: bytes, *, sender: Address | None = None) -> str:
    """The batch's call that reverts and the deepest reason, from a trace; empty where the node cannot trace."""
    traced = _trace(chain, safe, data, sender, {"tracer": "callTracer"})
    failing = list(_failing(traced)) if traced else []
    if not failing:
        return ""
    own = [call for call in failing if call["type"] == "CALL" and call["from"].lower() == safe.lower()]
    call = own[0] if own else failing[-1]
    said = next((inner["output"] for inner in reversed(failing) if inner.get("output")), "0x")
    return f"call {call['input'][:10]} to {address(call['to'])}: {reason_of(as_bytes(said))}"


def _failing(call: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if call.get("error"):
        yield call
        for inner in call.get("calls", []):
            if inner.get("error"):
                yield from _failing(inner)
                return


def _trace(
    chain: Chain, to: Address, data: bytes, sender: Address | None, options: dict[str, Any]
) -> dict[str, Any] | None:
    call = {"to": to, "data": "0x" + data.hex(), **({"from": sender} if sender else {})}
    try:
        found: dict[str, Any] = chain.request("debug_traceCall", call, "latest", options)
    except (VenueUnavailable, Reverted):
        return None
    return found


def _would_revert(transaction: SafeTx, why: str) -> OrderRejected:
    return OrderRejected(
        f"Safe transaction {transaction.hash[:10]} would revert",
        why=why or "no reason given",
        todo="make a new plan at today's prices; nothing was sent",
    )
