"""The seams to the world outside: each docstring is the contract, a conformance suite its proof."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from engine.entries import Entry
from engine.market import MarketSnapshot
from engine.money import Money
from engine.orders import Call, Fill, Order, OrderId, SafeTx


class AckState(StrEnum):
    """What a venue knows of an order."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ack:
    """A venue's word on an order."""

    order_id: OrderId
    state: AckState
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction as the node tells it; `logs` are raw JSON-RPC log objects in order."""

    transaction_hash: str
    block: int
    block_hash: str
    at: datetime
    status: int
    gas_used: int
    gas_price_wei: int
    sender: str
    to: str
    logs: tuple[dict[str, Any], ...]
    final: bool


@dataclass(frozen=True, slots=True)
class SignedSafeTx:
    """A Safe transaction with at least the threshold of owner signatures, sorted by owner, packed."""

    transaction: SafeTx
    signatures: bytes


class Clock(Protocol):
    """Where now comes from; simulations pass their own."""

    def now(self) -> datetime:
        """The current instant, aware UTC."""


class MarketData(Protocol):
    """Observations of one instant."""

    def snapshot(self, asof: datetime | None = None) -> MarketSnapshot:
        """Everything observed at `asof` (latest if None). Raises `MarketDataError`."""


class BrokerVenue(Protocol):
    """Somewhere orders rest and fill over time."""

    name: str

    def quote(self, order: Order) -> Money:
        """Cash we would receive (+) or pay (-) now, fees included. Raises `VenueUnavailable`."""

    def submit(self, order: Order) -> Ack:
        """
        Place `order` at its limit or better.

        Submitting an id twice never places twice. Raises `OrderRejected` (nothing placed) or
        `OutcomeUnknown` (look the id up before anything else).
        """

    def status(self, order_id: OrderId) -> Ack:
        """What the venue knows of this id; `UNKNOWN` if it never saw it."""

    def fills(self, order_id: OrderId) -> Sequence[Fill]:
        """Every fill the venue knows for this order, whole units only; empty if none."""

    def cancel(self, order_id: OrderId) -> Ack:
        """Stop the rest; a fill may still have happened before the venue heard us."""

    def positions(self) -> dict[str, int]:
        """Units held per instrument id, cash included, as the venue books them."""


class OnchainVenue(Protocol):
    """A protocol reached from a vault: it encodes and reads, it never sends."""

    name: str

    def quote(self, order: Order) -> Money:
        """Cash we would receive (+) or pay (-) at this block, slippage and fees included."""

    def calls(self, order: Order) -> tuple[Call, ...]:
        """The calls that do it, with exact approvals, price bound and approval reset. Pure."""

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """What this receipt did for us, from events and balance deltas."""

    def positions(self, owner: str) -> dict[str, int]:
        """Units held per instrument id by `owner`, read at the latest final block."""


class Vault(Protocol):
    """Holds the on-chain book; the only thing that sends."""

    def propose(self, calls: Sequence[Call], *, deadline: datetime) -> SafeTx:
        """The Safe transaction that makes these calls, its deadline first. Sends nothing."""

    def execute(self, signed: SignedSafeTx) -> Receipt:
        """
        Send it and wait until it is final.

        Raises `OrderRejected` (refused before or on chain, nothing changed) or `OutcomeUnknown`.
        """


class Journal(Protocol):
    """The append-only book of intents and entries."""

    def intend(self, key: str, payload: str, at: datetime) -> bool:
        """Make an intent durable; False if it already was."""

    def post(self, entries: Sequence[Entry]) -> int:
        """Append entries whose key is new, in one transaction; returns how many were new."""

    def entries(self) -> Sequence[Entry]:
        """Every entry in order of posting."""

    def head(self) -> tuple[int, str]:
        """Serial and hash of the last record."""
