"""A throw-away copy of a chain and what can be done to it: act as anybody, hand out tokens, replace code."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from adapters.evm.anvil import AnvilNode
from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.wire import address
from engine.errors import ConfigError, VenueError
from engine.orders import Address
from engine.ports import Receipt

GWEI = 10**9
CALL_GAS = 8_000_000
_ETHER = 10**18


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction of anybody's: no signature is needed on a copy."""

    sender: Address
    to: Address
    data: bytes
    gas: int = CALL_GAS


@dataclass(frozen=True, slots=True)
class Mark:
    """A state of the fork to go back to: anvil's snapshot, and what the next block then charged per gas."""

    next_base_fee_wei: int
    snapshot: str


class Fork:
    """
    A chain that may be bent, since it is an anvil of our own and gone afterwards.

    Raises `ConfigError` for any other chain: what is done here must never reach one that counts (faults F95).
    """

    def __init__(self, chain: Chain) -> None:
        if not isinstance(chain.node, AnvilNode):
            raise ConfigError(
                "chain refused",
                why=f"a shock is for a throw-away copy, and this node ({chain.node.name}) is not one that we started",
                todo="fork it first",
            )
        self.chain = chain

    def carry_out(self, sent: Sent) -> Receipt:
        """Mine one transaction by itself, its gas on us. Raises `Reverted` with the contract's reason."""
        if self.chain.balance(sent.sender) < _ETHER:
            self.chain.request("anvil_setBalance", sent.sender, hex(_ETHER))
        receipt = self.chain.mined(self._submit(sent, tip_wei=GWEI))
        if receipt.status != 1:
            self.chain.call(sent.to, sent.data, sender=sent.sender)
            raise Reverted("no reason given")
        return receipt

    def call_as(self, sender: Address, contract: Contract, function: str, *arguments: object) -> Receipt:
        """As `carry_out`, from a function and its arguments."""
        return self.carry_out(Sent(sender, contract.address, contract.encode(function, *arguments)))

    def in_one_block(self, sends: Sequence[Sent]) -> list[Receipt]:
        """Mine them in one block in this order, by falling tips, each at its sender's cost; status 0 = it reverted."""
        with self._by_hand():
            hashes = [self._submit(sent, tip_wei=(len(sends) - at) * GWEI) for at, sent in enumerate(sends)]
            self.chain.mine()
        return [self.chain.mined(each) for each in hashes]

    def give(self, token: Token, holder: Address, units: int) -> bool:
        """
        Write `holder`'s balance of a token; False where no single word of its storage holds it.

        The word is found by watching what ``balanceOf`` reads, so that proxies work too. The total supply stays.
        """
        asked = token.contract.query("balanceOf", holder)
        traced = self.chain.request(
            "debug_traceCall",
            {"to": asked.to, "data": "0x" + asked.data.hex()},
            "latest",
            {"tracer": "prestateTracer"},
        )
        for place, slot in _storage(traced):
            kept = self.chain.storage(place, slot)
            self.store(place, slot, units.to_bytes(32))
            if self._holds(token, holder, units):
                return True
            self.store(place, slot, kept)
        return False

    def _holds(self, token: Token, holder: Address, units: int) -> bool:
        """Whether the token says so; one whose implementation was just written over says nothing."""
        try:
            return int(token.contract.read(self.chain, "balanceOf", holder)) == units
        except VenueError:
            return False

    def store(self, place: Address, slot: int, word: bytes) -> None:
        """Write one word of an account's storage."""
        self.chain.request("anvil_setStorageAt", place, f"0x{slot:064x}", "0x" + word.hex())

    def put_code(self, place: Address, code: bytes) -> None:
        """Replace the code of an account; its storage stays."""
        self.chain.request("anvil_setCode", place, "0x" + code.hex())

    def mark(self) -> Mark:
        """A place to go back to, once."""
        return Mark(self.chain.gas_price_wei() - GWEI, self.chain.snapshot())

    def back(self, mark: Mark) -> Mark:
        """Go back to a mark, price of gas included, which anvil's own snapshots leave out; the mark to use next."""
        self.chain.revert(mark.snapshot)
        self.next_base_fee(mark.next_base_fee_wei)
        return Mark(mark.next_base_fee_wei, self.chain.snapshot())

    def next_base_fee(self, wei: int) -> None:
        """What the next block charges per gas."""
        self.chain.request("anvil_setNextBlockBaseFeePerGas", hex(wei))

    def _submit(self, sent: Sent, *, tip_wei: int) -> str:
        self.chain.request("anvil_impersonateAccount", sent.sender)
        base = self.chain.block().base_fee_wei
        terms = {
            "from": sent.sender,
            "to": sent.to,
            "data": "0x" + sent.data.hex(),
            "gas": hex(sent.gas),
            "maxFeePerGas": hex(2 * base + tip_wei),
            "maxPriorityFeePerGas": hex(tip_wei),
        }
        return str(self.chain.request("eth_sendTransaction", terms))

    @contextmanager
    def _by_hand(self) -> Iterator[None]:
        self.chain.request("evm_setAutomine", False)
        try:
            yield
        finally:
            self.chain.request("evm_setAutomine", True)


def _storage(traced: dict[str, Any]) -> Iterator[tuple[Address, int]]:
    for place, state in traced.items():
        for slot in (state or {}).get("storage") or {}:
            yield address(place), int(slot, 16)
