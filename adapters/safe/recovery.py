"""Whose key made a signature."""

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from adapters.evm.wire import address
from adapters.safe.packed import LENGTH
from engine.errors import OrderRejected
from engine.orders import Address


def recover(digest: bytes, signature: bytes) -> Address:
    """
    The owner whose key signed `digest`. Raises `OrderRejected` for anything but a plain ECDSA signature.

    Pre-approved (v=1) and eth_sign (v>30) signatures are refused: they say less.
    """
    if len(signature) != LENGTH or signature[64] not in (27, 28):
        raise OrderRejected(
            "signature refused",
            why=f"{len(signature)} bytes ending in v={signature[64] if len(signature) == LENGTH else '?'}",
            todo="sign with an owner's key; approved-hash and eth_sign signatures are not taken",
        )
    try:
        found = Signature(signature[:64] + bytes([signature[64] - 27]))
        return address(found.recover_public_key_from_msg_hash(digest).to_canonical_address())
    except (BadSignature, ValidationError) as broken:
        raise OrderRejected("signature refused", why="no key made it", todo="sign again") from broken
