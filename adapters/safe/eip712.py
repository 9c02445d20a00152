"""
The hashes that owners sign, computed offline (EIP-712): a Safe transaction, and a whole plan.

An owner's key signs the hash. An owner that is a contract judges the 66 bytes behind it, the `preimage`.
"""

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from adapters.evm.wire import ZERO_ADDRESS, as_bytes, hex0x
from engine.errors import InputError
from engine.orders import Address, SafeTx

_SAFE_DOMAIN = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
_SAFE_TX = keccak(
    text="SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
    "uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)
_PLAN_DOMAIN = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_PLAN = keccak(text="PlanApproval(bytes32 planDigest,bytes32[] safeTxHashes,uint256 deadline)")
_SAFE_MESSAGE = keccak(text="SafeMessage(bytes message)")
PLAN_NAME, PLAN_VERSION = "HedgePlan", "1"


def safe_tx(
    *, chain_id: int, safe: Address, to: Address, value: int, data: bytes, operation: int, nonce: int
) -> SafeTx:
    """A Safe transaction with its hash, every gas and refund field zero (faults, "What matters" 3)."""
    digest = safe_tx_hash(chain_id=chain_id, safe=safe, to=to, value=value, data=data, operation=operation, nonce=nonce)
    return SafeTx(chain_id, safe, to, value, data, operation, nonce, hex0x(digest))


def safe_tx_hash(
    *, chain_id: int, safe: Address, to: Address, value: int, data: bytes, operation: int, nonce: int
) -> bytes:
    """
    The 32 bytes that `getTransactionHash` of Safe 1.3.0 and 1.4.1 returns, all refund fields zero.

    Parameters
    ----------
    chain_id, safe : the EIP-712 domain
    to, value, data : what the Safe does; `value` in wei
    operation : 0 call, 1 delegatecall
    nonce : of the Safe, not of the sender

    Source
    ------
    EIP-712; Safe 1.4.1 `encodeTransactionData`.
    """
    return keccak(
        _safe_tx_preimage(chain_id=chain_id, safe=safe, to=to, value=value, data=data, operation=operation, nonce=nonce)
    )


def rehash(transaction: SafeTx) -> bytes:
    """The hash computed again from the transaction's own fields, whatever hash it claims."""
    return keccak(preimage(transaction))


def preimage(transaction: SafeTx) -> bytes:
    """The 66 bytes whose hash owners sign, from the transaction's own fields: `encodeTransactionData`."""
    return _safe_tx_preimage(
        chain_id=transaction.chain_id,
        safe=transaction.safe,
        to=transaction.to,
        value=transaction.value,
        data=transaction.data,
        operation=transaction.operation,
        nonce=transaction.nonce,
    )


def safe_message_hash(message: bytes, *, chain_id: int, safe: Address) -> bytes:
    """
    The 32 bytes that owners of `safe` sign so that it vouches for `message` as a contract (EIP-1271).

    Source
    ------
    Safe 1.3.0 and 1.4.1 `CompatibilityFallbackHandler.getMessageHashForSafe`.
    """
    struct = keccak(encode(["bytes32", "bytes32"], [_SAFE_MESSAGE, keccak(message)]))
    return keccak(b"\x19\x01" + _safe_domain(chain_id, safe) + struct)


def plan_approval_preimage(
    *, plan_digest: str, safe_tx_hashes: Sequence[str], deadline: int, chain_id: int, safe: Address
) -> bytes:
    """
    The 66 bytes whose hash an owner signs to approve a plan, broker legs included (faults, section 4.2).

    Parameters
    ----------
    plan_digest : SHA-256 of the plan in hex
    safe_tx_hashes : of each vault transaction and each cancel, in the plan's order
    deadline : seconds since 1970
    chain_id, safe : the domain; its name is "HedgePlan", its version "1"

    Raises `InputError` for a digest or hash that is not 32 bytes.
    """
    hashes = [_word(item, "safe transaction hash") for item in safe_tx_hashes]
    domain = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [_PLAN_DOMAIN, keccak(text=PLAN_NAME), keccak(text=PLAN_VERSION), chain_id, safe],
        )
    )
    struct = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256"],
            [_PLAN, _word(plan_digest, "plan digest"), keccak(b"".join(hashes)), deadline],
        )
    )
    return b"\x19\x01" + domain + struct


def _safe_tx_preimage(
    *, chain_id: int, safe: Address, to: Address, value: int, data: bytes, operation: int, nonce: int
) -> bytes:
    struct = keccak(
        encode(
            ["bytes32", "address", "uint256", "bytes32", "uint8", *["uint256"] * 3, *["address"] * 2, "uint256"],
            [_SAFE_TX, to, value, keccak(data), operation, 0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS, nonce],
        )
    )
    return b"\x19\x01" + _safe_domain(chain_id, safe) + struct


def _safe_domain(chain_id: int, safe: Address) -> bytes:
    return keccak(encode(["bytes32", "uint256", "address"], [_SAFE_DOMAIN, chain_id, safe]))


def _word(raw: str, what: str) -> bytes:
    try:
        word = as_bytes(raw)
    except ValueError:
        word = b""
    if len(word) != 32:
        raise InputError(f"{what} {raw!r}", why="it is not 32 bytes of hex", todo="make the plan again")
    return word
