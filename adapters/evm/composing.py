"""What an executor would send: nonce, gas and fees of one transaction, refused before it is signed where it must be."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from adapters.evm.chain import Chain
from adapters.evm.fees import GasPolicy, afforded, first_fee
from adapters.evm.finality import attempt
from adapters.evm.node_replies import Reverted
from engine.errors import OrderRejected, VenueUnavailable
from engine.orders import Address

GAS_MARGIN = 13, 10
"""Gas limit over estimate: Lyra's estimates came out 6-13 % too low (shared chain notes, trap 3)."""

_TRANSFER_GAS = 21_000


class Sender(Protocol):
    """An account that pays gas and has no power over the vault."""

    @property
    def address(self) -> Address:
        """Where its ether is."""

    def sign_native(self, transaction: dict[str, Any]) -> bytes:
        """Raw bytes of the signed transaction."""


class Composer:
    """
    Terms of native transactions from one account, one in flight at a time.

    Parameters
    ----------
    chain, sender : where to, and who pays the gas
    policy : fees, budget and floor
    outstanding : raw bytes sent earlier that are not known to be final or void
    """

    def __init__(
        self, chain: Chain, sender: Sender, policy: GasPolicy, outstanding: Callable[[], Iterable[bytes]]
    ) -> None:
        self.chain, self.sender, self.policy, self._outstanding = chain, sender, policy, outstanding

    def _transaction(self, to: Address, data: bytes) -> dict[str, Any]:
        limit = self.policy.gas_limit
        sender = self.chain.sender(self.sender.address, None if limit else (to, data))
        waiting = [each.nonce for each in map(attempt, self._outstanding()) if each.nonce >= sender.nonce]
        if waiting or sender.pending > sender.nonce:
            raise VenueUnavailable(
                "executor is busy",
                why=f"transaction {min(waiting, default=sender.nonce)} of {self.sender.address} is still pending",
                todo="wait for it, or run `hedge apply` of its plan again; nothing was sent",
            )
        base = sender.head.base_fee_wei
        gas = limit or _with_room(sender.estimate, sender.head.gas_limit)
        fee = afforded(self._fee(base), gas, self.policy, least_wei=base + self.policy.tip_wei)
        self._funded(sender.balance, gas * fee + self.policy.floor_wei)
        return self._terms(sender.nonce, to, data, gas, fee, min(self.policy.tip_wei, fee))

    def _transfer(self, nonce: int) -> dict[str, Any]:
        """Nothing, to ourselves: what fills a nonce."""
        base = self.chain.block().base_fee_wei
        fee = afforded(self._fee(base), _TRANSFER_GAS, self.policy, least_wei=base + self.policy.tip_wei)
        return self._terms(nonce, self.sender.address, b"", _TRANSFER_GAS, fee, min(self.policy.tip_wei, fee))

    def _terms(self, nonce: int, to: str, data: bytes, gas: int, fee: int, tip: int) -> dict[str, Any]:
        return {
            "type": 2,
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "to": to,
            "value": 0,
            "data": "0x" + data.hex(),
            "gas": gas,
            "maxFeePerGas": fee,
            "maxPriorityFeePerGas": tip,
        }

    def _funded(self, held: int, needed: int) -> None:
        if held < needed:
            raise OrderRejected(
                f"executor {self.sender.address} holds {held / 1e18:.6f} ether",
                why=f"{needed / 1e18:.6f} are needed, its floor included",
                todo="fund the executor; nothing was sent",
            )

    def _fee(self, base_fee_wei: int) -> int:
        """Most wei per gas of a first try (EIP-1559); faults F47."""
        return first_fee(base_fee_wei, self.policy)


def _with_room(estimate: int | Reverted | None, most: int) -> int:
    """The gas limit: more than the node's estimate, no more than a block. Raises `Reverted` where it would revert."""
    if isinstance(estimate, Reverted):
        raise estimate
    return most if estimate is None else min(estimate * GAS_MARGIN[0] // GAS_MARGIN[1], most)
