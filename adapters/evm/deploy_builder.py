"""
Hands for building a local world: funded accounts, creation of published contracts, checked calls.

For local chains only: keys come from the public test mnemonic and every call gets a fixed, ample gas
limit. What a vault sends on a real chain is made elsewhere.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from eth_typing import HexStr
from eth_utils.address import to_checksum_address

from adapters.evm.abi import encode_constructor
from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract
from adapters.evm.packages import artifact
from contracts_abi import load
from engine.errors import VenueUnavailable
from engine.orders import Address

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from eth_account.types import AccessListEntry

MNEMONIC = "test test test test test test test test test test test junk"
"""The public test mnemonic of anvil and Hardhat; worth nothing anywhere."""

ACCOUNTS = 10
GAS = 15_000_000
MINING_SECONDS = 30.0
MAX_FEE_WEI = 50_000_000_000
ZERO = Address("0x0000000000000000000000000000000000000000")


@cache
def account(index: int) -> "LocalAccount":
    """
    Funded test account `index` (0-9), the same on both backends.

    0 builds the world and owns its contracts, 9 supplies its liquidity; the others are free for use,
    e.g. 1-3 as vault owners and 4 as the executor.

    >>> account(0).address
    '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
    """
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    found: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return found


@dataclass(slots=True)
class Builder:
    """
    Creates contracts and calls them as a test account, one mined and checked transaction at a time.

    Parameters
    ----------
    chain : a local chain
    sender : test account that signs
    cache : where fetched packages are
    """

    chain: Chain
    sender: "LocalAccount" = field(default_factory=lambda: account(0))
    cache: Path | None = None

    @property
    def address(self) -> Address:
        """The sender's address."""
        return Address(self.sender.address)

    def create(
        self, package: str, name: str, *arguments: object, libraries: Mapping[str, Contract] | None = None
    ) -> Contract:
        """A new contract from a package's artifact, with the artifact's whole ABI."""
        made = artifact(package, name, self.cache)
        code = made.linked({key: library.address for key, library in (libraries or {}).items()})
        receipt = self._send(None, code + encode_constructor(made.abi, arguments), 0)
        return Contract(Address(to_checksum_address(str(receipt["contractAddress"]))), made.abi)

    def at(self, package: str, name: str, address: str) -> Contract:
        """An existing contract with an artifact's whole ABI (set-up functions included)."""
        return Contract(Address(to_checksum_address(address)), artifact(package, name, self.cache).abi)

    def send(self, contract: Contract, name: str, *arguments: object, value: int = 0) -> list[dict[str, object]]:
        """Call `name` in a transaction and return its raw logs. Raises `Reverted`."""
        receipt = self._send(contract.address, contract.encode(name, *arguments), value)
        logs = receipt["logs"]
        return logs if isinstance(logs, list) else []

    def send_data(self, to: str, data: bytes, *, value: int = 0) -> list[dict[str, object]]:
        """Send ready-made calldata in a transaction and return its raw logs. Raises `Reverted`."""
        logs = self._send(to, data, value)["logs"]
        return logs if isinstance(logs, list) else []

    def _send(self, to: str | None, data: bytes, value: int) -> dict[str, object]:
        transaction: dict[str, Sequence[AccessListEntry] | bytes | HexStr | int] = {
            "chainId": self.chain.chain_id,
            "nonce": self.chain.nonce(self.address),
            "gas": GAS,
            "maxFeePerGas": MAX_FEE_WEI,
            "maxPriorityFeePerGas": 1_000_000_000,
            "value": value,
            "data": data,
            "type": 2,
        }
        if to is not None:
            transaction["to"] = HexStr(to)
        receipt = self._mined(self._submitted(transaction))
        if receipt["status"] != "0x1":
            if to is not None:
                self.chain.call(to, data, sender=self.address, value=value)
            raise Reverted("no reason given")
        return receipt

    def _submitted(self, transaction: dict[str, "Sequence[AccessListEntry] | bytes | HexStr | int"]) -> str:
        """Hand a transaction to the node: anvil holds the test accounts' keys itself, which spares signing here."""
        if not self.chain.can_fork:
            return self.chain.send_raw(bytes(self.sender.sign_transaction(transaction).raw_transaction))
        plain = {
            key: hex(value) if isinstance(value, int) else "0x" + value.hex() if isinstance(value, bytes) else value
            for key, value in transaction.items()
        }
        return str(self.chain.request("eth_sendTransaction", {**plain, "from": self.address}))

    def _mined(self, transaction_hash: str) -> dict[str, object]:
        deadline = time.monotonic() + MINING_SECONDS
        while time.monotonic() < deadline:
            receipt: dict[str, object] | None = self.chain.request("eth_getTransactionReceipt", transaction_hash)
            if receipt is not None:
                return receipt
            time.sleep(0.0005)
        raise VenueUnavailable(
            f"{transaction_hash} not mined", why="the local chain does not mine by itself", todo="switch it on"
        )


def interface(name: str, address: str) -> Contract:
    """A committed interface (`contracts_abi`) at an address."""
    return Contract(Address(to_checksum_address(address)), load(name))
