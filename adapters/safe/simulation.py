"""Trying a Safe transaction without sending it: would it revert, where, and what would it change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from adapters.evm.abi import encode_call
from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract
from adapters.evm.reverts import reason_of
from adapters.evm.wire import ZERO_ADDRESS, address, as_bytes
from engine.errors import OrderRejected, VenueUnavailable
from engine.orders import Address, SafeTx

NONCE_SLOT = 5
_APPROVED_HASHES_SLOT = 8
_FROM = address(b"\0" * 18 + b"\xca\x11")  # nobody: the sender has no power over the Safe
_SIMULATE: dict[str, Any] = {
    "type": "function",
    "name": "simulateAndRevert",
    "inputs": [{"name": "targetContract", "type": "address"}, {"name": "calldataPayload", "type": "bytes"}],
    "outputs": [],
}

Overrides = dict[str, dict[str, dict[str, str]]]
"""State as if it were another, in the node's own words: account -> `stateDiff` -> slot -> word."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What a Safe transaction would change: slots of the Safe's own storage, and every contract written to."""

    slots: frozenset[int]
    written: frozenset[Address]


def execution(safe: Contract, transaction: SafeTx, signatures: bytes) -> bytes:
    """`execTransaction` with every gas and refund field zero; anybody may send it."""
    tx, zeros = transaction, (0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS)
    return safe.encode("execTransaction", tx.to, tx.value, tx.data, tx.operation, *zeros, signatures)


def approved_by(quorum: Sequence[Address]) -> bytes:
    """The packed signatures of owners who approved the hash on chain (v = 1); for rehearsals only."""
    ordered = sorted(quorum, key=lambda owner: int(owner, 16))
    return b"".join(as_bytes(owner).rjust(32, b"\0") + bytes(32) + b"\x01" for owner in ordered)


def as_if_approved(transaction: SafeTx, quorum: Sequence[Address]) -> Overrides:
    """
    The Safe's storage as if it were at the transaction's nonce and `quorum` had approved its hash.

    Source
    ------
    Safe 1.3.0 and 1.4.1: `nonce` is slot 5, `approvedHashes[owner][hash]` is a mapping in slot 8.
    """
    word = "0x" + "1".rjust(64, "0")
    slots = {"0x" + f"{NONCE_SLOT:064x}": f"0x{transaction.nonce:064x}"}
    for owner in quorum:
        outer = keccak(encode(["address", "uint256"], [owner, _APPROVED_HASHES_SLOT]))
        slots["0x" + keccak(as_bytes(transaction.hash) + outer).hex()] = word
    return {transaction.safe: {"stateDiff": slots}}


def rehearse(chain: Chain, safe: Contract, transaction: SafeTx, quorum: Sequence[Address]) -> Effects | None:
    """
    Run the very `execTransaction` on the latest block as if `quorum` had approved it; nothing stays.

    None where the chain is one in this process: there the batch alone is run, and no storage is seen.
    Raises `OrderRejected` if it would revert, naming the failing call, or write the Safe's own storage
    beside the nonce (faults, "What matters" 4).
    """
    if not _overrides(chain):
        if transaction.operation == 1:
            _try_batch(chain, transaction)
        return None
    data = execution(safe, transaction, approved_by(quorum))
    return _tried(chain, safe, transaction, data, _FROM, as_if_approved(transaction, quorum))


def try_execution(chain: Chain, safe: Contract, data: bytes, *, sender: Address, transaction: SafeTx) -> Effects | None:
    """
    Run `execTransaction` with its real signatures from the executor, and look at what it would write.

    Raises as `rehearse` does.
    """
    return _tried(chain, safe, transaction, data, sender, None)


def written_slots(chain: Chain, safe: Address, data: bytes, *, sender: Address) -> frozenset[int] | None:
    """Slots of the Safe's own storage that the call would change; None where the node cannot trace."""
    found = _effects(chain, safe, data, sender, None)
    return None if found is None else found.slots


def _tried(
    chain: Chain, safe: Contract, transaction: SafeTx, data: bytes, sender: Address, overrides: Overrides | None
) -> Effects | None:
    try:
        done = _call(chain, safe.address, data, sender, overrides)
    except Reverted as reverted:
        inner = _first_revert(chain, safe.address, data, sender, overrides)
        raise _would_revert(transaction, inner or reverted.reason) from reverted
    if not safe.decode("execTransaction", done):
        raise _would_revert(transaction, "the Safe would log ExecutionFailure")
    found = _effects(chain, safe.address, data, sender, overrides)
    if found is None and _overrides(chain):
        raise VenueUnavailable(
            "the node shows no storage",
            why="it does not trace calls",
            todo="use a node with debug_traceCall, or a fork",
        )
    if found is not None and found.slots - {NONCE_SLOT}:
        raise OrderRejected(
            f"Safe transaction {transaction.hash[:10]} refused",
            why=f"it writes the Safe's own storage at {sorted(hex(slot) for slot in found.slots - {NONCE_SLOT})}",
            todo="do not sign it; find out who made it",
        )
    return found


def _try_batch(chain: Chain, transaction: SafeTx) -> None:
    """
    Run a delegatecall batch as the Safe, signatures aside.

    `simulateAndRevert` of 1.3.0 and 1.4.1 runs the payload, then reverts with (success, length, bytes).
    """
    data = encode_call(_SIMULATE, [transaction.to, transaction.data])
    try:
        chain.call(transaction.safe, data)
    except Reverted as reverted:
        if len(reverted.data) >= 64 and int.from_bytes(reverted.data[:32], "big") == 1:
            return
        raise _would_revert(transaction, "no reason given") from reverted
    raise _would_revert(transaction, "the Safe does not simulate")


def _effects(chain: Chain, safe: Address, data: bytes, sender: Address, overrides: Overrides | None) -> Effects | None:
    options = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    traced = _trace(chain, safe, data, sender, options, overrides)
    if traced is None:
        return None
    slots: set[int] = set()
    written: set[Address] = set()
    for when in ("pre", "post"):
        accounts: Mapping[str, Any] = traced.get(when) or {}
        for account, state in accounts.items():
            storage = (state or {}).get("storage") or {}
            if storage:
                written.add(address(account))
            if account.lower() == safe.lower():
                slots |= {int(slot, 16) for slot in storage}
    return Effects(frozenset(slots), frozenset(written))


def _first_revert(chain: Chain, safe: Address, data: bytes, sender: Address, overrides: Overrides | None) -> str:
    """The batch's call that reverts and the deepest reason, from a trace; empty where the node cannot trace."""
    traced = _trace(chain, safe, data, sender, {"tracer": "callTracer"}, overrides)
    failing = list(_failing(traced)) if traced else []
    own = [call for call in failing if call["type"] == "CALL" and call["from"].lower() == safe.lower()]
    if not own:
        return ""  # the Safe itself refused; its own code says why
    said = next((inner["output"] for inner in reversed(failing) if inner.get("output")), "0x")
    return f"call {own[0]['input'][:10]} to {address(own[0]['to'])}: {reason_of(as_bytes(said))}"


def _failing(call: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The calls that failed, outermost first; of several within one the last, since those before were caught."""
    if not call.get("error"):
        return
    yield call
    for inner in reversed(call.get("calls", [])):
        if inner.get("error"):
            yield from _failing(inner)
            return


def _trace(
    chain: Chain,
    to: Address,
    data: bytes,
    sender: Address,
    options: dict[str, Any],
    overrides: Overrides | None,
) -> dict[str, Any] | None:
    call = {"to": to, "data": "0x" + data.hex(), "from": sender}
    asked = {**options, "stateOverrides": overrides} if overrides else options
    try:
        found: dict[str, Any] = chain.request("debug_traceCall", call, "latest", asked)
    except (VenueUnavailable, Reverted):
        return None
    return found


def _call(chain: Chain, to: Address, data: bytes, sender: Address, overrides: Overrides | None) -> bytes:
    if overrides is None:
        return chain.call(to, data, sender=sender)
    call = {"to": to, "data": "0x" + data.hex(), "from": sender}
    return as_bytes(str(chain.request("eth_call", call, "latest", overrides)))


def _overrides(chain: Chain) -> bool:
    """A node behind a wire takes overrides and traces; a chain in this process does neither."""
    return chain.node.takes_overrides


def _would_revert(transaction: SafeTx, why: str) -> OrderRejected:
    return OrderRejected(
        f"Safe transaction {transaction.hash[:10]} would revert",
        why=why or "no reason given",
        todo="make a new plan at today's prices; nothing was sent",
    )
