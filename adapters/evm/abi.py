"""
The contract ABI as bytes: calls, results and events, from an ABI's entries alone; no node, no web3.

Structs come back as dicts by field name, and so do several named outputs; one output comes back
bare. Addresses come back checksummed, `bytesN` as `bytes`. When encoding, a struct may be given as a
dict or as a tuple in the ABI's order.

Source
------
Solidity, "Contract ABI Specification".

>>> transfer = {"type": "function", "name": "transfer", "outputs": [{"type": "bool", "name": ""}],
...             "inputs": [{"type": "address", "name": "to"}, {"type": "uint256", "name": "amount"}]}
>>> signature(transfer), encode_call(transfer, ["0x" + "22" * 20, 5]).hex()[:8]
('transfer(address,uint256)', 'a9059cbb')
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from adapters.evm.layout import Layout, checksummed, fixed
from engine.errors import InputError, OrderRejected, VenueUnavailable
from engine.orders import Address

AbiEntry = dict[str, Any]
Abi = list[AbiEntry]
RawLog = Mapping[str, Any]
"""A log object exactly as JSON-RPC gives it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded log, with what identifies it: `log_index` is its place in the block."""

    name: str
    address: Address
    arguments: Mapping[str, Any]
    transaction_hash: str
    block: int
    log_index: int

    def __getitem__(self, argument: str) -> Any:
        return self.arguments[argument]


def encode_call(entry: AbiEntry, arguments: Sequence[object]) -> bytes:
    """Calldata of one function entry, selector first. Raises `InputError` if the arguments do not fit."""
    inputs, known = entry["inputs"], _compiled(entry)
    try:
        if known.inputs is not None:
            return known.selector + known.inputs.write(arguments)
        values = [_plain(part, value) for part, value in zip(inputs, arguments, strict=True)]
        return known.selector + abi_encode([type_string(part) for part in inputs], values)
    except (EncodingError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(
            f"arguments of {entry['name']} refused", why=str(error), todo=f"pass {signature(entry)}"
        ) from error


def decode_arguments(entry: AbiEntry, data: bytes) -> dict[str, Any]:
    """
    Arguments of a call to `entry`, selector first, by name.

    Raises `OrderRejected` unless they encode back to the very same bytes: trailing bytes, or an encoding that two
    decoders could read differently, say one thing here and another elsewhere (faults F62).
    """
    try:
        values = _decoded(entry["inputs"], data[4:])
        canonical = encode_call(entry, values) == data
    except (InputError, DecodingError, OverflowError, ValueError) as broken:
        raise _not_canonical(entry, str(broken)) from broken
    if not canonical:
        raise _not_canonical(entry, "the bytes are not their canonical encoding")
    return dict(zip((part["name"] for part in entry["inputs"]), values, strict=True))


def encode_constructor(abi: Abi, arguments: Sequence[object]) -> bytes:
    """Constructor arguments, to be appended to the creation code."""
    none: AbiEntry = {"inputs": []}
    entry = next((entry for entry in abi if entry["type"] == "constructor"), none)
    values = [_plain(part, value) for part, value in zip(entry["inputs"], arguments, strict=True)]
    return abi_encode([type_string(part) for part in entry["inputs"]], values)


def decode_result(entry: AbiEntry, returned: bytes) -> Any:
    """One output bare, several as a dict if all are named, else as a tuple; None if there is none."""
    outputs = entry["outputs"]
    if not outputs:
        return None
    try:
        return _result(outputs, _compiled(entry).outputs, returned)
    except (DecodingError, OverflowError, ValueError) as error:
        raise VenueUnavailable(
            f"the answer of {entry['name']} is not readable",
            why=str(error) if returned else "nothing was returned: there is no such contract at that address",
            todo="check the address and the chain",
        ) from error


def decode_log(entry: AbiEntry, log: RawLog) -> Event:
    """A raw log as the event `entry` describes; indexed dynamic values stay their 32-byte hash."""
    indexed = [part for part in entry["inputs"] if part["indexed"]]
    plain = [part for part in entry["inputs"] if not part["indexed"]]
    values = dict(zip((p["name"] for p in plain), _decoded(plain, _octets(log["data"])), strict=True))
    for part, topic in zip(indexed, log["topics"][1:], strict=True):
        dynamic = part["type"] in {"string", "bytes"} or part["type"].endswith("]")
        kind = {"type": "bytes32", "name": part["name"]} if dynamic else part
        values[part["name"]] = _decoded([kind], _octets(topic))[0]
    return Event(
        entry["name"],
        Address(to_checksum_address(log["address"])),
        {part["name"]: values[part["name"]] for part in entry["inputs"]},
        log["transactionHash"],
        int(log["blockNumber"], 16),
        int(log["logIndex"], 16),
    )


def signature(entry: AbiEntry) -> str:
    """Canonical signature, e.g. ``transfer(address,uint256)``."""
    return f"{entry['name']}({','.join(type_string(part) for part in entry['inputs'])})"


def selector(entry: AbiEntry) -> bytes:
    """First four bytes of the signature's hash."""
    return _hash(signature(entry))[:4]


def event_topic(entry: AbiEntry) -> bytes:
    """Hash of the event's signature."""
    return _hash(signature(entry))


def type_string(part: Mapping[str, Any]) -> str:
    """Canonical ABI type; a struct is written as its tuple."""
    kind: str = part["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(type_string(inner) for inner in part['components'])}){kind[5:]}"


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What is worked out once per function; a row is None where its length is not fixed."""

    entry: AbiEntry
    selector: bytes
    inputs: Layout | None
    outputs: Layout | None


_COMPILED: dict[int, _Compiled] = {}  # by identity of the entry, which each value keeps alive
_NAMES: dict[int, tuple[Abi, Mapping[tuple[str, str], Sequence[AbiEntry]]]] = {}


def _compiled(entry: AbiEntry) -> _Compiled:
    if (known := _COMPILED.get(id(entry))) is None:
        rows = (entry["inputs"], entry.get("outputs", []))
        inputs, outputs = (Layout(row) if all(map(fixed, row)) else None for row in rows)
        known = _COMPILED[id(entry)] = _Compiled(entry, selector(entry), inputs, outputs)
    return known


def by_name(abi: Abi) -> Mapping[tuple[str, str], Sequence[AbiEntry]]:
    """Entries by kind and name, and by kind and full signature."""
    if (known := _NAMES.get(id(abi))) is None:
        index: dict[tuple[str, str], list[AbiEntry]] = {}
        for entry in abi:
            for name in (entry["name"], signature(entry)) if "name" in entry else ():
                index.setdefault((entry["type"], name), []).append(entry)
        known = _NAMES[id(abi)] = (abi, index)
    return known[1]


def _result(outputs: Sequence[Mapping[str, Any]], row: Layout | None, returned: bytes) -> Any:
    if row is not None:
        values = row.read(returned)
    else:
        decoded = abi_decode([type_string(part) for part in outputs], returned)
        values = [_readable(part, value) for part, value in zip(outputs, decoded, strict=True)]
    if len(outputs) == 1:
        return values[0]
    if all(part["name"] for part in outputs):
        return dict(zip((part["name"] for part in outputs), values, strict=True))
    return tuple(values)


@lru_cache(maxsize=4096)
def _hash(text: str) -> bytes:
    return bytes(keccak(text=text))


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _decoded(parts: Sequence[Mapping[str, Any]], data: bytes) -> list[Any]:
    values = abi_decode([type_string(part) for part in parts], data)
    return [_readable(part, value) for part, value in zip(parts, values, strict=True)]


def _named(parts: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    return {part["name"]: _readable(part, value) for part, value in zip(parts, values, strict=True)}


def _readable(part: Mapping[str, Any], value: Any) -> Any:
    kind: str = part["type"]
    if kind.endswith("]"):
        inner = {**part, "type": kind[: kind.rindex("[")]}
        return [_readable(inner, each) for each in value]
    if kind == "tuple":
        return _named(part["components"], value)
    return Address(checksummed(bytes.fromhex(value[2:]))) if kind == "address" else value


def _plain(part: Mapping[str, Any], value: Any) -> Any:
    kind: str = part["type"]
    if kind.endswith("]"):
        inner = {**part, "type": kind[: kind.rindex("[")]}
        return [_plain(inner, each) for each in value]
    if kind == "tuple":
        components = part["components"]
        fields = [value[c["name"]] for c in components] if isinstance(value, Mapping) else list(value)
        return tuple(_plain(c, each) for c, each in zip(components, fields, strict=True))
    return value


def _not_canonical(entry: AbiEntry, why: str) -> OrderRejected:
    return OrderRejected(f"call of {entry['name']} refused", why=why, todo="make the plan again; sign nothing")
