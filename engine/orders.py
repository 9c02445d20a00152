"""What we intend to do, and what happened: orders, vault transactions, plans, fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NewType

from engine.instruments import Instrument
from engine.money import Money
from engine.positions import Position, Sleeve

OrderId = NewType("OrderId", str)
"""Ours, made and written to the journal before anything is sent; unique per plan and step."""

Address = NewType("Address", str)
"""EIP-55 checksummed."""


@dataclass(frozen=True, slots=True)
class OrderLeg:
    """A signed quantity of one instrument: positive is bought or received."""

    instrument: Instrument
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """
    Something one venue is asked to do, all legs or none.

    `limit` is the least cash we accept, fees excluded: +120.00 = receive at least that, -80.00 = pay
    at most that. `arrival` is the cash at mid when it was decided, for slippage (D35). `step` names
    the intent in words; `role` groups it for limits (`core`, `hedge`, `outer`, `lending`, `ramp`).
    """

    id: OrderId
    venue: str
    sleeve: Sleeve
    role: str
    legs: tuple[OrderLeg, ...]
    limit: Money
    arrival: Money
    step: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a vault batch, with the words that its bytes mean. `description` is made from the bytes."""

    to: Address
    data: bytes
    value: int
    description: str


@dataclass(frozen=True, slots=True)
class SafeTx:
    """
    One Safe transaction exactly as its owners sign it (EIP-712 `SafeTx`).

    `operation` is 0 (call) or 1 (delegatecall: only the pinned MultiSendCallOnly). All refund fields
    are zero, so that a failing batch reverts as a whole and keeps its nonce (faults, "What matters" 3).
    """

    chain_id: int
    safe: Address
    to: Address
    value: int
    data: bytes
    operation: int
    nonce: int
    hash: str


@dataclass(frozen=True, slots=True)
class VaultBatch:
    """One batch, the orders it carries out, and the cancel of the same nonce."""

    id: str
    order_ids: tuple[OrderId, ...]
    deadline: datetime
    calls: tuple[Call, ...]
    transaction: SafeTx
    cancel: SafeTx


@dataclass(frozen=True, slots=True)
class StateMark:
    """What the plan was made from; any difference at apply makes it stale."""

    journal_serial: int
    journal_hash: str
    chain_id: int
    block: int
    block_hash: str
    safe_nonce: int


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Ordered orders and vault batches, the state they were made from, and a deadline.

    `digest` is the SHA-256 of the canonical JSON of everything else here (`engine.plan.canonical`).
    """

    asof: datetime
    deadline: datetime
    snapshot_digest: str
    policy_digest: str
    state: StateMark
    orders: tuple[Order, ...]
    batches: tuple[VaultBatch, ...]
    notes: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Breach:
    """One limit, its level and its reading, in the limit's own unit."""

    limit: str
    level: float
    reading: float
    source: str
    detail: str

    def __str__(self) -> str:
        return f"{self.limit} is {self.reading:.4g}, limit {self.level:.4g} ({self.detail})"


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """A plan whose every reachable state keeps every limit. Only `risk.check` makes it."""

    plan: Plan
    worst: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PlanApproval:
    """
    One owner's signatures: one over the plan, one over each vault transaction and cancel in it.

    `transaction_signatures` maps each Safe transaction hash to the owner's 65-byte signature in hex.
    """

    owner: Address
    plan_digest: str
    plan_signature: str
    transaction_signatures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """A checked plan and the owners who signed all of it. Only `plan.approve` makes it."""

    plan: Plan
    approvals: tuple[PlanApproval, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """
    What happened to an order, with evidence.

    `key` is the venue's stable identity of the event (faults I2). `changes` are signed position
    changes, cash included, fees excluded; `fees` are what we paid on top, by kind, as positive
    amounts. `slippage` is cash received less cash at the arrival mid (negative = cost).
    """

    key: str
    order_id: OrderId
    at: datetime
    changes: tuple[Position, ...]
    fees: Mapping[str, Money]
    slippage: Money
    memo: str
    evidence: Mapping[str, str]
    final: bool = True
