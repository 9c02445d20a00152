"""Native transactions as bytes: the fields of EIP-1559, what of them is signed, and the whole with its signature."""

from collections.abc import Callable, Mapping
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_utils.crypto import keccak

from engine.errors import InputError

DYNAMIC_FEE = 2
_NUMBERS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
_NAMES = frozenset({"type", *_NUMBERS, "to", "value", "data"})


def signed(terms: Mapping[str, Any], sign: Callable[[bytes], bytes]) -> bytes:
    """
    Raw bytes of an EIP-1559 transaction without an access list.

    Parameters
    ----------
    terms : `type` 2, `chainId`, `nonce`, `maxPriorityFeePerGas`, `maxFeePerGas`, `gas`, `to`, `value` in wei,
        `data` as 0x hex, and nothing else
    sign : 65 bytes r, s, v (27 or 28) over a 32-byte digest

    Raises `InputError` for other terms.

    Source
    ------
    EIP-1559: ``0x02 || rlp([chain_id, nonce, max_priority_fee_per_gas, max_fee_per_gas, gas_limit, destination,
    amount, data, access_list, signature_y_parity, signature_r, signature_s])``, signed without the last three.
    """
    fields = _fields(terms)
    kind = bytes([DYNAMIC_FEE])
    made = sign(keccak(kind + rlp.encode(fields)))
    r, s = int.from_bytes(made[:32]), int.from_bytes(made[32:64])
    raw: bytes = kind + rlp.encode([*fields, made[64] - 27, r, s])
    return raw


def _fields(terms: Mapping[str, Any]) -> list[Any]:
    try:
        if terms.keys() != _NAMES or terms["type"] != DYNAMIC_FEE:
            raise ValueError(f"they are {', '.join(terms)}")
        to, data = (bytes.fromhex(terms[name].removeprefix("0x")) for name in ("to", "data"))
        numbers = [terms[name] for name in (*_NUMBERS, "value")]
        if len(to) != 20 or not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("a number is negative, or the address is not 20 bytes")
    except (ValueError, TypeError, AttributeError) as broken:
        raise InputError(
            "terms of a native transaction refused", why=str(broken), todo="give those of EIP-1559, and no others"
        ) from broken
    *head, value = numbers
    return [*head, to, value, data, []]
