"""Listed contracts and margin legs in few words."""

from datetime import UTC, datetime
from decimal import Decimal

from engine.instruments import Right, Settlement, VanillaOption
from engine.risk.margin import MarginLeg

FRIDAY = datetime(2026, 3, 20, 20, tzinfo=UTC)


def listed(strike, right, *, root="SPXW", expiry=FRIDAY, settlement=Settlement.PM, underlying="SPX"):
    return VanillaOption(root, underlying, expiry, Decimal(str(strike)), Right(right), Decimal(100), settlement)


def leg(quantity, strike, right, *, mark=5.0, level=7_350.0, **terms):
    return MarginLeg(listed(strike, right, **terms), quantity, mark, level)


def condor(lots, low, put, call, high, **terms):
    """`lots` condors sold: wings bought, shorts sold."""
    return [leg(lots, low, "P", **terms), leg(-lots, put, "P", **terms),
            leg(-lots, call, "C", **terms), leg(lots, high, "C", **terms)]  # fmt: skip
