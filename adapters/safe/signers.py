"""Who signs for an owner: a key, in this process or behind a command, or a contract that vouches."""

from typing import Protocol, runtime_checkable

from engine.orders import Address


class KeySigner(Protocol):
    """Signs a 32-byte digest with an owner's key, wherever that key is."""

    @property
    def address(self) -> Address:
        """The owner."""

    def sign(self, digest: bytes) -> bytes:
        """65 bytes r, s, v with v 27 or 28."""


@runtime_checkable
class ContractSigner(Protocol):
    """Vouches for a message as a contract that owns the Safe."""

    @property
    def address(self) -> Address:
        """The owner."""

    def vouch(self, preimage: bytes) -> bytes:
        """The bytes its `isValidSignature(bytes,bytes)` accepts for the 66 bytes behind a hash."""


Signer = KeySigner | ContractSigner
