"""A small whole plan that tests share."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from engine.instruments import Cash
from engine.money import Currency, Money, usd
from engine.orders import Address, Call, Order, OrderId, OrderLeg, Plan, SafeTx, StateMark, VaultBatch
from engine.plan.canonical import sealed
from engine.positions import Sleeve
from tests.engine.terms import condor, spx

NOW = datetime(2023, 2, 7, 21, 15, tzinfo=UTC)
SAFE = Address("0x5aFE3855358E112B5647B952709E6165e1c1eEEe")
USDC = Currency("USDC", 6)


def hedge_order(lots=1):
    return Order(
        OrderId("t-1-hedge"),
        "paper",
        Sleeve.CONDOR,
        "hedge",
        (OrderLeg(spx(3900, "P"), Decimal(lots)),),
        usd(-4000) * lots,
        usd(-3900) * lots,
        f"buy {lots} SPXW 3900 P",
    )


def condor_order(lots=2):
    legs = condor(3700, 3800, 4500, 4600)
    return Order(
        OrderId("t-2-core"),
        "paper",
        Sleeve.CONDOR,
        "core",
        tuple(OrderLeg(leg, Decimal(q * lots)) for leg, q in zip(legs.legs, legs.quantities, strict=True)),
        usd(600) * lots,
        usd(650) * lots,
        f"sell {lots} condors",
    )


def transfer_order():
    return Order(
        OrderId("t-3-ramp"),
        "ramp",
        Sleeve.DEFI,
        "ramp",
        (OrderLeg(Cash(USDC), Decimal(100)),),
        Money.of(-100, USDC),
        Money.of(-100, USDC),
        "send 100 USDC to the off-ramp",
    )


def transaction(nonce, hash_):
    return SafeTx(31337, SAFE, SAFE, 0, b"\x01", 1, nonce, hash_)


def plan(orders=None, batches=None, **changes):
    batch = VaultBatch(
        "b1",
        (OrderId("t-3-ramp"),),
        NOW + timedelta(hours=4),
        (Call(SAFE, b"\x02", 0, "words"),),
        transaction(7, "0xaa"),
        transaction(7, "0xcc"),
    )
    made = Plan(
        asof=NOW,
        deadline=NOW + timedelta(hours=4),
        snapshot_digest="s",
        policy_digest="p",
        state=StateMark(3, "h3", 31337, 10, "0xb", 7),
        orders=(hedge_order(), condor_order(), transfer_order()) if orders is None else orders,
        batches=(batch,) if batches is None else batches,
        notes=("modelled chain",),
        digest="",
    )
    return sealed(replace(made, **changes))
