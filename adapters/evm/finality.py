"""Where something sent stands on the chain, as a state the books can post: in flight, final, or void."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import rlp  # type: ignore[import-untyped]
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

from adapters.evm.fees import Fees
from adapters.evm.layout import checksummed
from engine.entries import EntryStatus
from engine.errors import InputError
from engine.orders import Address
from engine.ports import Receipt

_DYNAMIC_FEE, _FIELDS, _ADDRESS = 2, 12, 20


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction as it was remembered: its bytes, and what they say."""

    raw: bytes
    chain_id: int
    nonce: int
    fees: Fees
    gas: int
    to: Address
    data: bytes

    @property
    def hash(self) -> str:
        """The hash it has on chain."""
        return "0x" + keccak(self.raw).hex()


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where one nonce of the executor stands.

    `status` is `in_flight` while any attempt can still be mined or unmined, `final` once one of them is in
    a final block (`receipt`; its gas is spent also where it reverted), `void` once another transaction has
    used the nonce in a final block: no attempt can ever act, and nothing was paid for any.
    """

    nonce: int
    hashes: tuple[str, ...]
    status: EntryStatus
    receipt: Receipt | None
    why: str

    @property
    def gas_wei(self) -> int:
        """What its gas cost; 0 unless final."""
        paid = self.status is EntryStatus.FINAL and self.receipt is not None
        return self.receipt.gas_used * self.receipt.gas_price_wei if paid and self.receipt else 0


def attempt(raw: bytes) -> Attempt:
    """
    A remembered transaction, read back from its bytes.

    Raises `InputError` for anything but a signed EIP-1559 transaction.
    """
    try:
        fields = rlp.decode(raw[1:]) if raw[:1] == bytes([_DYNAMIC_FEE]) else []
    except RLPException as broken:
        raise _unreadable(str(broken)) from broken
    if len(fields) != _FIELDS or len(fields[5]) != _ADDRESS:
        raise _unreadable("it is no signed EIP-1559 transaction")
    chain_id, nonce, tip, fee, gas = (int.from_bytes(field) for field in fields[:5])
    return Attempt(raw, chain_id, nonce, Fees(fee, tip), gas, Address(checksummed(fields[5])), fields[7])


def standing(
    nonce: int, hashes: Sequence[str], receipts: Mapping[str, Receipt], *, used: int, used_finally: int
) -> Standing:
    """
    The state of one nonce from what the chain says now.

    Parameters
    ----------
    hashes : every attempt at this nonce, replacements included
    receipts : of those attempts that are mined
    used, used_finally : the account's transaction count at the latest and at the latest final block

    Source
    ------
    Faults F22, F24, F25: memory of what was sent is evidence, the chain alone decides.
    """
    mined = next((receipts[name] for name in hashes if name in receipts), None)
    if mined is not None and mined.final:
        status, why = EntryStatus.FINAL, f"final in block {mined.block}"
    elif mined is None and used_finally > nonce:
        status, why = EntryStatus.VOID, f"nonce {nonce} was used by another transaction, finally"
    elif mined is None and used > nonce:
        status, why = EntryStatus.IN_FLIGHT, f"nonce {nonce} is used by another transaction that can still go"
    elif mined is not None:
        status, why = EntryStatus.IN_FLIGHT, f"block {mined.block} can still go"
    else:
        status, why = EntryStatus.IN_FLIGHT, "not mined"
    return Standing(nonce, tuple(hashes), status, mined, why)


def missing_nonces(used: int, outstanding: Sequence[int]) -> tuple[int, ...]:
    """
    Nonces nobody sent a transaction for, below one that waits for them (faults F21).

    >>> missing_nonces(5, [7, 8, 10])
    (5, 6, 9)
    """
    waiting = {nonce for nonce in outstanding if nonce >= used}
    return tuple(nonce for nonce in range(used, max(waiting, default=used)) if nonce not in waiting)


def _unreadable(why: str) -> InputError:
    return InputError("remembered transaction not readable", why=why, todo="restore the journal from its backup")
