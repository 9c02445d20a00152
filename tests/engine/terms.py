"""Contracts that tests share."""

from datetime import UTC, datetime
from decimal import Decimal

from engine.instruments import IronCondor, Right, Settlement, VanillaOption

EXPIRY = datetime(2023, 3, 24, 20, 0, tzinfo=UTC)


def spx(strike, right, expiry=EXPIRY, root="SPXW"):
    return VanillaOption(root, "SPX", expiry, Decimal(str(strike)), Right(right), Decimal(100), Settlement.PM)


def condor(*strikes, expiry=EXPIRY):
    return IronCondor(*(spx(k, right, expiry) for k, right in zip(strikes, "PPCC", strict=True)))
