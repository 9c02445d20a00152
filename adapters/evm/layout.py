"""
ABI values whose every word has its fixed place: read and written by position, as `eth_abi` reads and writes them.

Most contract reads take and return nothing but numbers, addresses and structs of these; finding each
value's place once makes them some ten times cheaper. Anything of changing length is left to `eth_abi`.

Source
------
Solidity, "Contract ABI Specification", sections "Formal Specification of the Encoding" and "Strict
Encoding Mode": a value that does not fill its word is padded, and other padding is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from eth_utils.address import is_checksum_address, is_checksum_formatted_address, to_checksum_address

WORD = 32
_ONE_WORD = frozenset({"uint", "int", "bool", "address", "bytes"})
Part = Mapping[str, Any]
Reader = Callable[[bytes, int], Any]
Writer = Callable[[Any], bytes]


class Layout:
    """
    A row of parts of fixed size.

    Parameters
    ----------
    parts : ABI parameters, all static (see `fixed`)

    >>> row = Layout([{"name": "at", "type": "uint40"}, {"name": "open", "type": "bool"}])
    >>> row.write([7, True]).hex()[-2:], row.read(row.write([7, True]))
    ('01', [7, True])
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._names = [str(part["name"]) for part in parts]
        self._readers, self._writers, self.size = [], [], 0
        for part in parts:
            read, write, words = _codec(part)
            self._readers.append((read, self.size))
            self._writers.append(write)
            self.size += words * WORD

    def read(self, data: bytes, at: int = 0) -> list[Any]:
        """The values in `data` from byte `at`. Raises `ValueError` for too few bytes or wrong padding."""
        if len(data) < at + self.size:
            raise ValueError(f"{len(data) - at} bytes where {self.size} are needed")
        return [read(data, at + offset) for read, offset in self._readers]

    def named(self, data: bytes, at: int = 0) -> dict[str, Any]:
        """The same by name."""
        return dict(zip(self._names, self.read(data, at), strict=True))

    def write(self, values: Sequence[Any]) -> bytes:
        """The bytes of `values`. Raises `ValueError` or `TypeError` where one does not fit its part."""
        return b"".join(write(value) for write, value in zip(self._writers, values, strict=True))

    def write_struct(self, value: Any) -> bytes:
        """The bytes of a struct given by name or in order."""
        return self.write([value[name] for name in self._names] if isinstance(value, Mapping) else list(value))


def fixed(part: Part) -> bool:
    """
    Whether a part always fills the same number of words.

    >>> [fixed({"type": kind}) for kind in ("uint256", "bytes", "address[2]", "bytes32[]")]
    [True, False, True, False]
    """
    kind: str = part["type"]
    if kind.endswith("[]") or kind in {"string", "bytes"}:
        return False
    if kind.startswith("tuple"):
        return all(fixed(inner) for inner in part["components"])
    return "[]" not in kind and kind.partition("[")[0].rstrip("0123456789") in _ONE_WORD


@lru_cache(maxsize=8192)
def checksummed(raw: bytes) -> str:
    """The EIP-55 spelling of 20 bytes."""
    return to_checksum_address(raw)


def _codec(part: Part) -> tuple[Reader, Writer, int]:
    kind: str = part["type"]
    if kind.endswith("]"):
        return _array({**part, "type": kind[: kind.rindex("[")]}, int(kind[kind.rindex("[") + 1 : -1]))
    if kind == "tuple":
        row = Layout(part["components"])
        return row.named, row.write_struct, row.size // WORD
    if kind == "address":
        return _read_address, _address_word, 1
    if kind == "bool":
        return _read_bool, _bool_word, 1
    if kind.startswith("bytes"):
        return *_bytes(int(kind[5:])), 1
    signed = kind.startswith("int")
    return *_number(int(kind.lstrip("uint") or 256), signed=signed), 1


def _array(inner: Part, length: int) -> tuple[Reader, Writer, int]:
    read, write, words = _codec(inner)

    def read_all(data: bytes, at: int) -> list[Any]:
        return [read(data, at + index * words * WORD) for index in range(length)]

    def write_all(values: Any) -> bytes:
        if len(values) != length:
            raise ValueError(f"{len(values)} values where {length} are needed")
        return b"".join(map(write, values))

    return read_all, write_all, length * words


def _number(bits: int, *, signed: bool) -> tuple[Reader, Writer]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def read(data: bytes, at: int) -> int:
        value = int.from_bytes(data[at : at + WORD], signed=signed)
        if not low <= value <= high:
            raise ValueError(f"{value} is no {'int' if signed else 'uint'}{bits}")
        return value

    def write(value: Any) -> bytes:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{value!r} is no {'int' if signed else 'uint'}{bits}")
        return int(value).to_bytes(WORD, signed=signed)

    return read, write


def _bytes(length: int) -> tuple[Reader, Writer]:
    def read(data: bytes, at: int) -> bytes:
        if any(data[at + length : at + WORD]):
            raise ValueError(f"bytes{length} is not padded with zeros")
        return bytes(data[at : at + length])

    def write(value: Any) -> bytes:
        if not isinstance(value, bytes) or len(value) > length:
            raise ValueError(f"{value!r} is no bytes{length}")
        return value.ljust(WORD, b"\0")

    return read, write


def _read_address(data: bytes, at: int) -> str:
    if any(data[at : at + 12]):
        raise ValueError("an address is not padded with zeros")
    return checksummed(bytes(data[at + 12 : at + WORD]))


@lru_cache(maxsize=8192)
def _address_word(value: Any) -> bytes:
    text = "0x" + value.hex() if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) != 42 or not text.startswith("0x"):
        raise ValueError(f"{value!r} is no address")
    if is_checksum_formatted_address(text) and not is_checksum_address(text):
        raise ValueError(f"address {text} has a wrong checksum")
    return bytes.fromhex(text[2:]).rjust(WORD, b"\0")


def _read_bool(data: bytes, at: int) -> bool:
    value = int.from_bytes(data[at : at + WORD])
    if value > 1:
        raise ValueError(f"{value} is no bool")
    return value == 1


def _bool_word(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is no bool")  # noqa: TRY004 - one error for whatever does not fit
    return int(value).to_bytes(WORD)
