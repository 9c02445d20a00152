"""Owners that are contracts: asked on the chain whether they vouch, and a Safe that signs as one (EIP-1271)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract
from adapters.safe.eip712 import safe_message_hash
from adapters.safe.packed import Part, join
from adapters.safe.signers import KeySigner
from contracts_abi import load
from engine.errors import ApprovalError
from engine.orders import Address

_LEGACY, _NEWER = "isValidSignature(bytes,bytes)", "isValidSignature(bytes32,bytes)"
_YES, _NEWER_YES = bytes.fromhex("20c13b0b"), bytes.fromhex("1626ba7e")
_DELEGATION = bytes.fromhex("ef0100")


@dataclass(frozen=True, slots=True)
class ContractOwners:
    """
    The owners of `safe` that have code, and what they vouch for, as the Safe itself would ask them.

    Safe 1.3.0 and 1.4.1 ask the legacy `isValidSignature(bytes,bytes)`; an account that merely delegates
    to code (EIP-7702) still signs with its key and is none of them.
    """

    chain: Chain
    safe: Address
    _known: dict[Address, bool] = field(default_factory=dict, repr=False, compare=False)

    def __contains__(self, owner: object) -> bool:
        name = Address(str(owner))
        if name not in self._known:
            code = self.chain.code(name)
            self._known[name] = bool(code) and not code.startswith(_DELEGATION)
        return self._known[name]

    def accept(self, owner: Address, preimage: bytes, signature: bytes) -> bool:
        """
        Whether `owner` vouches for the 66 bytes behind a hash.

        Raises `ApprovalError` for a contract that speaks only the newer EIP-1271, which no Safe up to
        1.4.1 asks: it would sign and the chain would refuse.
        """
        if self._answer(owner, _LEGACY, preimage, signature) == _YES:
            return True
        if self._answer(owner, _NEWER, keccak(preimage), signature) == _NEWER_YES:
            raise ApprovalError(
                f"contract owner {owner} refused",
                why="it knows isValidSignature(bytes32,bytes) only; this Safe asks isValidSignature(bytes,bytes)",
                todo="replace that owner by a key or by a Safe",
            )
        return False

    def _answer(self, owner: Address, function: str, message: bytes, signature: bytes) -> bytes | None:
        contract = Contract(owner, load("safe-fallback-handler-1.4.1"))
        try:
            said = self.chain.call(owner, contract.encode(function, message, signature), sender=self.safe)
        except Reverted:
            return None
        return said[:4] if len(said) >= 32 else None


@dataclass(frozen=True, slots=True)
class SafeOwner:
    """A Safe that owns the vault's Safe: its own owners sign, it vouches. `signers` meet its threshold."""

    address: Address
    chain_id: int
    signers: Sequence[KeySigner]

    def vouch(self, preimage: bytes) -> bytes:
        """The contract signature of this Safe over the 66 bytes behind a hash."""
        digest = safe_message_hash(preimage, chain_id=self.chain_id, safe=self.address)
        ordered = sorted(self.signers, key=lambda signer: int(signer.address, 16))
        return join([Part(signer.sign(digest)) for signer in ordered])
