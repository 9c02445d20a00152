"""
Owner signatures as the Safe reads them: 65 bytes per owner, contract signatures in a tail behind.

Source
------
Safe 1.3.0 and 1.4.1 `checkNSignatures`: a key's signature is r, s, v; a contract's is its address in 32
bytes, the offset of its tail in 32 bytes and v = 0, the tail being length and bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.evm.wire import address
from engine.errors import OrderRejected
from engine.orders import Address

LENGTH = 65


@dataclass(frozen=True, slots=True)
class Part:
    """One owner's signature; `contract` is None for a key's, whose owner is recovered from it."""

    raw: bytes
    contract: Address | None = None


def join(parts: Sequence[Part]) -> bytes:
    r"""
    The bytes `execTransaction` takes, `parts` in the order given.

    >>> join([Part(bytes(64) + b"\x1b")]).hex()[-2:]
    '1b'
    """
    heads, tail = b"", b""
    for part in parts:
        if part.contract is None:
            heads += part.raw
            continue
        offset = LENGTH * len(parts) + len(tail)
        heads += bytes.fromhex(part.contract[2:]).rjust(32, b"\0") + offset.to_bytes(32, "big") + b"\0"
        tail += len(part.raw).to_bytes(32, "big") + part.raw
    return heads + tail


def split(packed: bytes) -> tuple[Part, ...]:
    """
    The parts of `packed`; `join` gives it back byte for byte.

    Raises `OrderRejected` for tails that overlap, leave gaps or point elsewhere, dirty padding, and bytes
    that are no whole signature: two readers could see two things in them.
    """
    parts: list[Part] = []
    at, heads_end = 0, len(packed)
    while at < heads_end:
        head = packed[at : at + LENGTH]
        if len(head) < LENGTH:
            raise _refused(f"{len(packed)} bytes are not whole signatures")
        at += LENGTH
        if head[64]:
            parts.append(Part(head))
            continue
        offset = int.from_bytes(head[32:64], "big")
        heads_end = min(heads_end, offset)
        length = int.from_bytes(packed[offset : offset + 32], "big")
        parts.append(Part(packed[offset + 32 : offset + 32 + length], address(head[12:32])))
    if join(parts) != packed:
        raise _refused("the tails of its contract signatures are not in their places")
    return tuple(parts)


def _refused(why: str) -> OrderRejected:
    return OrderRejected("signatures refused", why=why, todo="collect the owners' signatures again")
