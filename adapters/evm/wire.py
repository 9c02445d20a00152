"""What every venue's translation shares: permits, events with their place in a receipt, fills and refusals."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from eth_utils.address import to_checksum_address

from adapters.evm.contract import Contract
from contracts_abi import load
from engine.errors import OrderRejected
from engine.instruments import Instrument
from engine.money import Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt
from engine.positions import Position, Sleeve

ZERO_ADDRESS = Address("0x0000000000000000000000000000000000000000")
VAULT = "vault"
"""Name of the place where everything on chain is held, for every protocol (the Safe owns it)."""


def address(raw: str | bytes) -> Address:
    """The EIP-55 spelling of 20 bytes or of 40 hex digits."""
    return Address(to_checksum_address(raw))


def as_bytes(raw: str) -> bytes:
    """The bytes behind hex, with or without `0x`."""
    return bytes.fromhex(raw.removeprefix("0x"))


def hex0x(raw: bytes) -> str:
    """Lower-case `0x` hex."""
    return "0x" + bytes(raw).hex()


@dataclass(frozen=True, slots=True)
class Permit:
    """
    One call that a vault may make: contract, function, and the words its arguments mean.

    `words` gets the decoded arguments and raises `OrderRejected` when one is outside its bounds, so
    that what is shown, what is allowed and what is signed come from the same bytes (faults I6).
    """

    contract: Contract
    function: str
    words: Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Found:
    """An event and its ordinal within its receipt: what survives a reorganisation (faults I2)."""

    ordinal: int
    fields: Mapping[str, Any]

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]


def events(contract: Contract, name: str, receipt: Receipt) -> list[Found]:
    """Every `name` event that this very contract logged in `receipt`, in order."""
    return [
        Found(ordinal, event.arguments)
        for ordinal, log in enumerate(receipt.logs)
        for event in contract.events(name, [log])
    ]


def between(others: Iterable[Found], event: Found) -> range:
    """Ordinals after the last of `others` before `event`, up to it: what a contract did before it logged the event."""
    return range(
        max((other.ordinal for other in others if other.ordinal < event.ordinal), default=-1) + 1, event.ordinal
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """The Safe whose effects are read, and the chain it is on."""

    chain_id: int
    safe: Address

    def executions(self, receipt: Receipt) -> dict[int, str]:
        """Hashes of the Safe transactions this receipt carried out, by the ordinal of the Safe's word on each."""
        return self._named("ExecutionSuccess", receipt)

    def failures(self, receipt: Receipt) -> dict[int, str]:
        """Hashes of those that failed and used their nonce, likewise."""
        return self._named("ExecutionFailure", receipt)

    def _named(self, event: str, receipt: Receipt) -> dict[int, str]:
        topic, safe = Contract(self.safe, load("safe-1.4.1")).topic(event), self.safe.lower()
        return {
            ordinal: log["topics"][1] if len(log["topics"]) > 1 else log["data"][:66]  # 1.3.0 does not index it
            for ordinal, log in enumerate(receipt.logs if receipt.status == 1 else ())
            if log["topics"] and log["topics"][0] == topic and log["address"].lower() == safe
        }

    def execution(self, receipt: Receipt) -> str | None:
        """Hash of the last Safe transaction this receipt carried out; None if it carried out none of ours."""
        return next(reversed(self.executions(receipt).values()), None)

    def own(self, receipt: Receipt, name: str) -> range:
        """
        Ordinals of what one Safe transaction did, its own word last: from behind the Safe's word before it.

        A stranger who sends it may act in front of the Safe and behind it in the same receipt: what is behind
        is outside, what is in front is not to be told from here. Empty where it was not carried out.
        """
        words = sorted({**self.executions(receipt), **self.failures(receipt)})
        mine = next((at for at, found in self.executions(receipt).items() if found == name), -1)
        return range(max((at for at in words if at < mine), default=-1) + 1, mine + 1)

    def only(self, receipt: Receipt, name: str) -> Receipt:
        """The receipt as if nothing but one Safe transaction's `own` had been logged; every log keeps its ordinal."""
        own = self.own(receipt, name)
        return silenced(receipt, [range(own.start), range(own.stop, len(receipt.logs))])

    def stem(self, name: str) -> str:
        """What every key of one Safe transaction's effects begins with."""
        return f"chain:{self.chain_id}:{self.safe}:{name}"

    def key(self, receipt: Receipt, ordinal: int) -> str:
        """
        Stable identity of one event (faults I2, F99).

        Our own effects hang on the hash of their Safe transaction, and are counted back from the Safe's
        word on it, which it logs last: whoever sends it may log something in front, and may send two at
        once. Foreign effects hang on the native transaction's hash and their ordinal in its receipt.
        """
        ours = next(((at, name) for at, name in self.executions(receipt).items() if at > ordinal), None)
        if ours is None:
            return f"chain:{self.chain_id}:{receipt.transaction_hash}:{ordinal}"
        at, name = ours
        return f"{self.stem(name)}:{at - ordinal}"


def silenced(receipt: Receipt, places: Iterable[range]) -> Receipt:
    """The receipt as if nothing had been logged at these places; every other log keeps its ordinal."""
    gone = {at for place in places for at in place}
    logs = tuple({**log, "topics": []} if at in gone else log for at, log in enumerate(receipt.logs))
    return replace(receipt, logs=logs)


def change(instrument: Instrument, units: int) -> Position:
    """A signed change of `units` smallest units of `instrument`, in the vault."""
    return Position(instrument, Money(units, instrument.unit), Sleeve.DEFI, VAULT)


def fill(
    order: Order,
    receipt: Receipt,
    holder: Holder,
    *,
    ordinal: int,
    changes: tuple[Position, ...],
    memo: str,
    fees: Mapping[str, Money] | None = None,
    slippage: Money | None = None,
) -> Fill:
    """What one event did for `order`, with the evidence an auditor asks for."""
    return Fill(
        key=holder.key(receipt, ordinal),
        order_id=order.id,
        at=receipt.at,
        changes=changes,
        fees=fees or {},
        slippage=slippage or Money.zero(order.arrival.currency),
        memo=memo,
        evidence=evidence(receipt, ordinal),
        final=receipt.final,
    )


def evidence(receipt: Receipt, ordinal: int) -> dict[str, str]:
    """Where on the chain an event was seen; evidence only, a reorganisation may move it."""
    return {
        "transaction": receipt.transaction_hash,
        "block": str(receipt.block),
        "block_hash": receipt.block_hash,
        "log": str(ordinal),
        "sender": receipt.sender,
    }


def slippage(order: Order, cash: Money) -> Money:
    """Cash received less cash at the arrival mid, negative = cost; zero if they are not one currency."""
    same = order.arrival.currency == cash.currency
    return cash - order.arrival if same else Money.zero(cash.currency)


def refused(order: Order, why: str, todo: str = "correct the order and make the plan again") -> OrderRejected:
    """The refusal of an order that this venue cannot carry out."""
    return OrderRejected(f"order {order.id} refused", why=why, todo=todo)


def plain_call(to: Address, data: bytes, description: str) -> Call:
    """A call without native value."""
    return Call(to, data, 0, description)


def instant(text: datetime) -> str:
    """An instant to the second, UTC, as shown to owners."""
    return text.strftime("%Y-%m-%d %H:%M:%S UTC")
