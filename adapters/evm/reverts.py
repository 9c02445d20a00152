"""
What a contract said when it refused, in words.

A revert is `Error(string)`, `Panic(uint256)`, a custom error of one of the contracts whose ABI we
hold, or bytes we cannot name, which are shown in hex.
"""

from functools import cache
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from adapters.evm.abi import AbiEntry, selector, type_string

_ERROR, _PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")
_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division by zero",
    0x21: "value outside its enum",
    0x32: "index out of bounds",
    0x41: "out of memory",
    0x51: "call of an unset function",
}


def reason_of(data: bytes) -> str:
    """
    The revert's reason in words.

    >>> reason_of(bytes.fromhex("4e487b71" + "11".rjust(64, "0")))
    'panic 0x11: arithmetic overflow or underflow'
    """
    code, rest = data[:4], data[4:]
    try:
        if code == _ERROR:
            return str(abi_decode(["string"], rest)[0])
        if code == _PANIC:
            number = int(abi_decode(["uint256"], rest)[0])
            return f"panic {number:#04x}: {_PANICS.get(number, 'unknown')}"
        if entry := _custom_errors().get(code):
            values = abi_decode([type_string(part) for part in entry["inputs"]], rest)
            shown = (_shown(part, value) for part, value in zip(entry["inputs"], values, strict=True))
            return f"{entry['name']}({', '.join(shown)})"
    except (DecodingError, UnicodeDecodeError, OverflowError):
        pass
    return f"0x{data.hex()}" if data else "no reason given"


def _shown(part: dict[str, Any], value: object) -> str:
    shown = f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
    return f"{part['name']}={shown}" if part["name"] else shown


@cache
def _custom_errors() -> dict[bytes, AbiEntry]:
    from contracts_abi import every

    return {selector(entry): entry for abi in every().values() for entry in abi if entry["type"] == "error"}
