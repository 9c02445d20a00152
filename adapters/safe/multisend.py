"""A vault batch as bytes: calls packed for MultiSendCallOnly, the deadline always first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.wire import ZERO_ADDRESS, address, instant
from contracts_abi import load
from engine.errors import OrderRejected
from engine.orders import Address, Call

_DEADLINE = "multicall(uint256,bytes[])"
_HEAD = 1 + 20 + 32 + 32


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch's bytes say: when it dies, and the calls after the deadline. Words are not yet made."""

    deadline: datetime
    calls: tuple[Call, ...]


def deadline_call(router: Address, deadline: datetime) -> Call:
    """
    The call that makes the whole batch revert once the chain's clock is past `deadline`.

    Source
    ------
    `SwapRouter02.multicall(deadline, [])`, selector 0x5ae401dc: at the deadline it does nothing, one
    second later it reverts (faults, "What matters" 3).
    """
    data = Contract(router, load("uniswap-swap-router-02")).encode(_DEADLINE, _seconds(deadline), [])
    return Call(router, data, 0, f"only until {instant(deadline)}")


def encode_batch(calls: Sequence[Call], *, deadline: datetime, router: Address) -> bytes:
    """
    Call data for MultiSendCallOnly: the deadline, then `calls` in order.

    Raises `OrderRejected` for an empty batch: a deadline alone would only burn a nonce.
    """
    if not calls:
        raise OrderRejected("empty batch", why="it holds no call", todo="use cancel to burn a nonce")
    packed = b"".join(_pack(call) for call in (deadline_call(router, deadline), *calls))
    return _multi_send().encode("multiSend", packed)


def decode_batch(data: bytes, *, router: Address) -> Batch:
    """
    The deadline and the calls in `data`.

    Raises `OrderRejected` unless encoding the answer gives back `data` byte for byte, each inner call
    is a plain call, and the first is the deadline on `router` with nothing in it (faults F62).
    """
    _, arguments = _multi_send().decode_call(data)
    calls = _unpack(arguments["transactions"])
    if len(calls) < 2 or calls[0].to != router or calls[0].value:
        raise _refused("its first call is not the deadline on the pinned router")
    name, said = Contract(router, _deadline_only()).decode_call(calls[0].data)
    if said["data"]:
        raise _refused(f"the deadline's {name} carries calls of its own")
    seconds = said["deadline"]
    try:
        deadline = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as broken:
        raise _refused(f"its deadline {seconds} is no date") from broken
    return Batch(deadline, calls[1:])


def inner_calls(data: bytes) -> tuple[Call, ...]:
    """
    The calls in any MultiSendCallOnly data, a deadline or not: for reading what others had executed.

    Raises `OrderRejected` for bytes that are not the one encoding of these calls.
    """
    _, arguments = _multi_send().decode_call(data)
    return _unpack(arguments["transactions"])


def _multi_send() -> Contract:
    return Contract(ZERO_ADDRESS, load("safe-multi-send-call-only-1.4.1"))


def _deadline_only() -> list[dict[str, Any]]:
    return [entry for entry in load("uniswap-swap-router-02") if entry["name"] == "multicall"]


def _pack(call: Call) -> bytes:
    head = b"\x00" + bytes.fromhex(call.to[2:]) + call.value.to_bytes(32, "big")
    return head + len(call.data).to_bytes(32, "big") + call.data


def _unpack(packed: bytes) -> tuple[Call, ...]:
    calls, at = [], 0
    while at < len(packed):
        head = packed[at : at + _HEAD]
        if len(head) < _HEAD:
            raise _refused("it ends within a call's head")
        if head[0] != 0:
            raise _refused("it hides a delegatecall")
        length = int.from_bytes(head[53:85], "big")
        data = packed[at + _HEAD : at + _HEAD + length]
        if len(data) != length:
            raise _refused("it ends within a call's bytes")
        calls.append(Call(address(head[1:21]), data, int.from_bytes(head[21:53], "big"), ""))
        at += _HEAD + length
    return tuple(calls)


def _seconds(deadline: datetime) -> int:
    """Whole seconds since 1970; raises `OrderRejected` for a naive or fractional instant."""
    if deadline.tzinfo is None or deadline.microsecond:
        raise OrderRejected(
            f"deadline {deadline} refused",
            why="the chain's clock counts whole seconds of UTC",
            todo="give an aware instant without fractions",
        )
    return int(deadline.timestamp())


def _refused(why: str) -> OrderRejected:
    return OrderRejected("batch refused", why=why, todo="make the plan again; sign nothing")
