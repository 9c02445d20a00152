"""
A contract at an address, as its ABI describes it: calls to it, reads of it, and the events it logged.

>>> erc20 = [{"type": "function", "name": "transfer", "outputs": [{"type": "bool", "name": ""}],
...           "inputs": [{"type": "address", "name": "to"}, {"type": "uint256", "name": "amount"}]}]
>>> token = Contract(Address("0x" + "11" * 20), erc20)
>>> token.decode_call(token.encode("transfer", "0x" + "22" * 20, 5))[1]["amount"]
5
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from adapters.evm.abi import (
    Abi,
    AbiEntry,
    Event,
    RawLog,
    by_name,
    decode_arguments,
    decode_log,
    decode_result,
    encode_call,
    event_topic,
    selector,
)
from engine.errors import InputError, OrderRejected, VenueError
from engine.orders import Address

if TYPE_CHECKING:
    from adapters.evm.chain import BlockTag, Chain


@dataclass(frozen=True, slots=True)
class Query:
    """A read not yet made; `Chain.read_many` makes several at one block."""

    to: Address
    data: bytes
    entry: AbiEntry


@dataclass(frozen=True, slots=True)
class Contract:
    """
    A contract at an address, as its ABI describes it.

    An overloaded function is named by its full signature, e.g. ``multicall(uint256,bytes[])``.
    """

    address: Address
    abi: Abi = field(repr=False, compare=False)

    def encode(self, name: str, *arguments: object) -> bytes:
        """Calldata of `name(*arguments)`, selector first."""
        return encode_call(self._function(name), arguments)

    def decode(self, name: str, returned: bytes) -> Any:
        """What `name` returned, decoded."""
        return decode_result(self._function(name), returned)

    def decode_call(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """
        Name and arguments of a call to this contract.

        Raises `OrderRejected` for a selector that the ABI lacks, and for bytes that are not the one encoding of what
        they say (`decode_arguments`).
        """
        for entry in self.abi:
            if entry["type"] == "function" and selector(entry) == data[:4]:
                return entry["name"], decode_arguments(entry, data)
        raise OrderRejected(
            f"call 0x{data[:4].hex()} refused",
            why=f"the ABI of {self.address} has no such function",
            todo="refuse it, or add the function to the contract's ABI",
        )

    def query(self, name: str, *arguments: object) -> Query:
        """A read to be made later, together with others."""
        entry = self._function(name)
        return Query(self.address, encode_call(entry, arguments), entry)

    def read(self, chain: "Chain", name: str, *arguments: object, block: "BlockTag" = "latest") -> Any:
        """`name(*arguments)` as `block` answers it. Raises `Reverted` or `VenueUnavailable`."""
        query = self.query(name, *arguments)
        return decode_result(query.entry, chain.call(query.to, query.data, block=block))

    def events(self, name: str, logs: Iterable[RawLog]) -> list[Event]:
        """Every `name` event this very contract emitted among `logs`, in order."""
        entry = self._entry("event", name)
        topic, mine = "0x" + event_topic(entry).hex(), self.address.lower()
        try:
            return [
                decode_log(entry, log)
                for log in logs
                if log["topics"] and log["topics"][0] == topic and log["address"].lower() == mine
            ]
        except (DecodingError, ValueError, OverflowError) as error:
            raise VenueError(
                f"event {name} of {self.address} not readable",
                why=f"it is not as its ABI says: {error}",
                todo="check the contract's interface; nothing was read",
            ) from error

    def topic(self, name: str) -> str:
        """The first topic of event `name`, for log filters."""
        return "0x" + event_topic(self._entry("event", name)).hex()

    def at(self, address: str) -> "Contract":
        """The same interface at another address."""
        return Contract(Address(to_checksum_address(address)), self.abi)

    def _function(self, name: str) -> AbiEntry:
        return self._entry("function", name)

    def _entry(self, kind: str, name: str) -> AbiEntry:
        found = by_name(self.abi).get((kind, name), ())
        if len(found) != 1:
            raise InputError(
                f"{kind} {name} not understood",
                why=f"the ABI has {len(found)} of that name",
                todo="name it by its full signature" if found else "add it to the contract's ABI",
            )
        return found[0]
