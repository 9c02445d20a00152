"""The executor: one native transaction at a time, remembered before it leaves, never sent blindly twice."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from eth_utils.crypto import keccak

from adapters.evm.chain import Chain
from engine.errors import OrderRejected, OutcomeUnknown, VenueUnavailable
from engine.orders import Address
from engine.ports import Receipt

GAS_MARGIN = 13, 10
"""Gas limit over estimate: Lyra's estimates came out 6-13 % too low (shared chain notes, trap 3)."""

_GWEI = 10**9
_POLL_SECONDS = 0.05

Remember = Callable[[str, bytes], None]
"""Makes hash and raw bytes durable; called before the bytes leave this machine."""


class Sender(Protocol):
    """An account that pays gas and has no power over the vault."""

    @property
    def address(self) -> Address:
        """Where its ether is."""

    def sign_native(self, transaction: dict[str, Any]) -> bytes:
        """Raw bytes of the signed transaction."""


@dataclass(frozen=True, slots=True)
class GasPolicy:
    """
    What may be paid: wei per gas at most, wei per gas to the proposer, wei that stay on the account.

    `wait_seconds` bounds the wait for a block and for finality together. `gas_limit` replaces the
    node's estimate where it has none to trust (a chain in this process).
    """

    max_fee_wei: int = 500 * _GWEI
    tip_wei: int = _GWEI
    floor_wei: int = 0
    wait_seconds: float = 900.0
    gas_limit: int | None = None


class Executor:
    """
    Sends what the vault decided, from an account of its own.

    Parameters
    ----------
    chain : where to
    sender : who pays the gas
    remember : see `Remember`
    policy : fees and waits
    local : a chain whose blocks we make ourselves; finality is then mined, not awaited
    """

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        *,
        remember: Remember,
        policy: GasPolicy | None = None,
        local: bool = False,
    ) -> None:
        self.chain, self.sender, self._remember = chain, sender, remember
        self.policy, self.local = policy or GasPolicy(), local
        self._one_in_flight = Lock()

    def send(self, to: Address, data: bytes) -> Receipt:
        """
        Send one transaction and wait until it is final; `receipt.status` says whether it reverted.

        Raises
        ------
        OrderRejected : refused before it left: it would revert, fees over the bound, too little ether
        VenueUnavailable : nothing left: no node, or an earlier transaction is still pending
        OutcomeUnknown : it left and is not final within the wait; give its raw bytes to `settle`
        """
        with self._one_in_flight:
            raw = self.sender.sign_native(self._transaction(to, data))
            self._remember("0x" + keccak(raw).hex(), raw)
            return self._broadcast(raw)

    def settle(self, raw: bytes) -> Receipt:
        """
        Bring a remembered transaction to its end: look its hash up, and only if no node knows it
        broadcast the same bytes again, which can never act twice (faults F19, F23, F24).
        """
        with self._one_in_flight:
            return self._await(raw) if self._known(raw) else self._broadcast(raw)

    def finality(self, transaction_hash: str) -> Receipt:
        """The receipt of a mined transaction, ours or another's, once final. Raises `OutcomeUnknown`."""
        until = time.monotonic() + self.policy.wait_seconds
        while True:
            receipt = self.chain.receipt(transaction_hash)
            if receipt is not None and receipt.final:
                return receipt
            if receipt is not None and self.local:
                self.chain.mine_to_final()
            elif receipt is None or time.monotonic() > until:
                raise OutcomeUnknown(
                    f"transaction {transaction_hash} is not final",
                    why="it left the chain" if receipt is None else f"block {receipt.block} can still go",
                    todo="wait and run `hedge resume`",
                )
            else:
                time.sleep(_POLL_SECONDS)

    def _broadcast(self, raw: bytes) -> Receipt:
        try:
            self.chain.send_raw(raw)
        except OutcomeUnknown as unsure:
            if not self._known(raw):
                raise OutcomeUnknown(
                    f"transaction 0x{keccak(raw).hex()} may be in",
                    why=f"{unsure.why}; the node does not know it now",
                    todo="run `hedge resume`: it looks the hash up before anything else",
                ) from unsure
        return self._await(raw)

    def _await(self, raw: bytes) -> Receipt:
        hash_ = "0x" + keccak(raw).hex()
        until = time.monotonic() + self.policy.wait_seconds
        while True:
            receipt = self.chain.receipt(hash_)
            if receipt is not None and receipt.final:
                return receipt
            if receipt is not None and self.local:
                self.chain.mine_to_final()
                continue
            if time.monotonic() > until:
                raise OutcomeUnknown(
                    f"transaction {hash_} is not final",
                    why="not mined in time" if receipt is None else f"block {receipt.block} can still go",
                    todo="wait and run `hedge resume`; it is not sent again while a node knows it",
                )
            if receipt is None and not self._known(raw):  # dropped by a reorganisation or evicted
                self._again(raw)
            time.sleep(_POLL_SECONDS)

    def _again(self, raw: bytes) -> None:
        try:
            self.chain.send_raw(raw)
        except OrderRejected as broken:
            raise OutcomeUnknown(
                f"transaction 0x{keccak(raw).hex()} vanished",
                why=f"the node takes the same bytes no more: {broken.why}",
                todo="run `hedge reconcile`: the chain says what happened",
            ) from broken
        except OutcomeUnknown:
            return  # looked up again in the next round

    def _known(self, raw: bytes) -> bool:
        return self.chain.transaction("0x" + keccak(raw).hex()) is not None

    def _transaction(self, to: Address, data: bytes) -> dict[str, Any]:
        sender, chain = self.sender.address, self.chain
        nonce = chain.nonce(sender)
        if chain.nonce(sender, block="pending") > nonce:
            raise VenueUnavailable(
                "executor is busy",
                why=f"transaction {nonce} of {sender} is still pending",
                todo="wait for it, or `hedge resume`; nothing was sent",
            )
        head = chain.block()
        gas = self.policy.gas_limit or min(
            chain.estimate_gas(to, data, sender=sender) * GAS_MARGIN[0] // GAS_MARGIN[1], head.gas_limit
        )
        fee = self._fee(head.base_fee_wei)
        needed = gas * fee + self.policy.floor_wei
        held = chain.balance(sender)
        if held < needed:
            raise OrderRejected(
                f"executor {sender} holds {held / 1e18:.6f} ether",
                why=f"{needed / 1e18:.6f} are needed, its floor included",
                todo="fund the executor; nothing was sent",
            )
        return {
            "type": 2,
            "chainId": chain.chain_id,
            "nonce": nonce,
            "to": to,
            "value": 0,
            "data": "0x" + data.hex(),
            "gas": gas,
            "maxFeePerGas": fee,
            "maxPriorityFeePerGas": min(self.policy.tip_wei, fee),
        }

    def _fee(self, base_fee_wei: int) -> int:
        """Twice the base fee and the tip, within the bound (EIP-1559); faults F47."""
        if base_fee_wei + self.policy.tip_wei > self.policy.max_fee_wei:
            raise OrderRejected(
                "gas is over its budget",
                why=f"{(base_fee_wei + self.policy.tip_wei) / _GWEI:.3g} gwei asked, "
                f"{self.policy.max_fee_wei / _GWEI:.3g} gwei allowed",
                todo="wait for cheaper gas or raise chain.max_fee_gwei; nothing was sent",
            )
        return min(2 * base_fee_wei + self.policy.tip_wei, self.policy.max_fee_wei)
