"""A plan as one canonical JSON document, and the digest over its bytes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.errors import InputError, PlanChanged
from engine.instruments import from_terms, terms
from engine.money import Currency, Money
from engine.orders import Address, Call, Order, OrderId, OrderLeg, Plan, SafeTx, StateMark, VaultBatch
from engine.positions import Sleeve

SCHEMA = "hedge.plan/1"


def canonical_bytes(document: Mapping[str, Any]) -> bytes:
    """
    The one byte string of a JSON document: keys sorted, no spaces, UTF-8, no floats anywhere.

    For documents of strings, integers, booleans, lists and mappings this equals RFC 8785.

    >>> canonical_bytes({"b": 1, "a": "x"})
    b'{"a":"x","b":1}'
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_refuse).encode()


def sealed(plan: Plan) -> Plan:
    """The plan with its digest: SHA-256 of the canonical document without the digest."""
    return replace(plan, digest=_digest(document(plan)))


def document(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON values; every number that matters is a string or an integer."""
    return {
        "schema": SCHEMA,
        "asof": plan.asof.isoformat(),
        "deadline": plan.deadline.isoformat(),
        "snapshot": plan.snapshot_digest,
        "policy": plan.policy_digest,
        "state": {
            "journal_serial": plan.state.journal_serial,
            "journal_hash": plan.state.journal_hash,
            "chain_id": plan.state.chain_id,
            "block": plan.state.block,
            "block_hash": plan.state.block_hash,
            "safe_nonce": plan.state.safe_nonce,
        },
        "orders": [_order(order) for order in plan.orders],
        "batches": [_batch(batch) for batch in plan.batches],
        "notes": list(plan.notes),
        "digest": plan.digest,
    }


def parse(written: Mapping[str, Any]) -> Plan:
    """
    The plan of a document, its digest recomputed from the content.

    Raises `PlanChanged` when the document is not a plan of this schema or was edited after it was sealed.
    """
    try:
        if written["schema"] != SCHEMA:
            raise PlanChanged(
                "plan refused", why=f"its schema is {written['schema']}, not {SCHEMA}", todo="make a new plan"
            )
        plan = Plan(
            asof=datetime.fromisoformat(written["asof"]),
            deadline=datetime.fromisoformat(written["deadline"]),
            snapshot_digest=written["snapshot"],
            policy_digest=written["policy"],
            state=StateMark(**written["state"]),
            orders=tuple(_read_order(order) for order in written["orders"]),
            batches=tuple(_read_batch(batch) for batch in written["batches"]),
            notes=tuple(written["notes"]),
            digest=written["digest"],
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, InputError) as broken:
        raise PlanChanged(
            "plan refused", why=f"it is not a whole plan: {type(broken).__name__} {broken}", todo="make a new plan"
        ) from broken
    if canonical_bytes(document(plan)) != canonical_bytes(written) or _digest(document(plan)) != plan.digest:
        raise PlanChanged(
            "plan refused",
            why="its content does not match its digest: it was edited after it was made",
            todo="make a new plan and have it approved again",
        )
    return plan


def _digest(written: dict[str, Any]) -> str:
    return hashlib.sha256(
        canonical_bytes({key: value for key, value in written.items() if key != "digest"})
    ).hexdigest()


def _refuse(value: object) -> Any:
    raise TypeError(f"{value!r} has no canonical form")


def _money(money: Money) -> dict[str, Any]:
    return {"units": str(money.units), "currency": money.currency.code, "decimals": money.currency.decimals}


def _read_money(written: Mapping[str, Any]) -> Money:
    return Money(int(written["units"]), Currency(written["currency"], int(written["decimals"])))


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "venue": order.venue,
        "sleeve": order.sleeve.value,
        "role": order.role,
        "legs": [{"instrument": terms(leg.instrument), "quantity": format(leg.quantity, "f")} for leg in order.legs],
        "limit": _money(order.limit),
        "arrival": _money(order.arrival),
        "step": order.step,
    }


def _read_order(written: Mapping[str, Any]) -> Order:
    return Order(
        id=OrderId(written["id"]),
        venue=written["venue"],
        sleeve=Sleeve(written["sleeve"]),
        role=written["role"],
        legs=tuple(OrderLeg(from_terms(leg["instrument"]), Decimal(leg["quantity"])) for leg in written["legs"]),
        limit=_read_money(written["limit"]),
        arrival=_read_money(written["arrival"]),
        step=written["step"],
    )


def _transaction(transaction: SafeTx) -> dict[str, Any]:
    return {
        "chain_id": transaction.chain_id,
        "safe": transaction.safe,
        "to": transaction.to,
        "value": str(transaction.value),
        "data": transaction.data.hex(),
        "operation": transaction.operation,
        "nonce": transaction.nonce,
        "hash": transaction.hash,
    }


def _read_transaction(written: Mapping[str, Any]) -> SafeTx:
    return SafeTx(
        chain_id=written["chain_id"],
        safe=Address(written["safe"]),
        to=Address(written["to"]),
        value=int(written["value"]),
        data=bytes.fromhex(written["data"]),
        operation=written["operation"],
        nonce=written["nonce"],
        hash=written["hash"],
    )


def _batch(batch: VaultBatch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "orders": list(batch.order_ids),
        "deadline": batch.deadline.isoformat(),
        "calls": [
            {"to": call.to, "data": call.data.hex(), "value": str(call.value), "description": call.description}
            for call in batch.calls
        ],
        "transaction": _transaction(batch.transaction),
        "cancel": _transaction(batch.cancel),
    }


def _read_batch(written: Mapping[str, Any]) -> VaultBatch:
    return VaultBatch(
        id=written["id"],
        order_ids=tuple(OrderId(order) for order in written["orders"]),
        deadline=datetime.fromisoformat(written["deadline"]),
        calls=tuple(
            Call(Address(call["to"]), bytes.fromhex(call["data"]), int(call["value"]), call["description"])
            for call in written["calls"]
        ),
        transaction=_read_transaction(written["transaction"]),
        cancel=_read_transaction(written["cancel"]),
    )
