"""Whose key stands behind an act of the committee (S89)."""

from eth_utils.crypto import keccak

from adapters.evm.wire import hex0x
from adapters.safe.keystore import OwnerKey
from adapters.safe.recovery import recover
from engine.errors import OrderRejected
from engine.policy.committee_record import Act


def statement_hash(act: Act) -> bytes:
    """The 32 bytes a member signs; the prefix keeps them apart from any transaction and any typed message."""
    text = act.statement.encode()
    return bytes(keccak(b"\x19Hedge committee act:\n" + str(len(text)).encode() + text))


def sign_act(act: Act, key: OwnerKey) -> str:
    """The member's signature over the act's statement, in hex."""
    return hex0x(key.sign(statement_hash(act)))


def genuine(act: Act) -> bool:
    """Whether the member that the act names signed it."""
    try:
        return recover(statement_hash(act), bytes.fromhex(act.signature.removeprefix("0x"))) == act.member
    except (ValueError, OrderRejected):
        return False
