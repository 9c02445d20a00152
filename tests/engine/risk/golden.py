"""The golden condor of finding 4 and its market, for tests of what is built on them."""

from datetime import UTC, datetime, timedelta

import numpy as np

from engine.instruments import Cash
from engine.money import USD, Money, usd
from engine.positions import Book, Position, Sleeve
from engine.risk.smile import Smile
from engine.risk.valuation import PricingView
from tests.engine.terms import condor

ASOF = datetime(2025, 1, 2, 21, 15, tzinfo=UTC)
EXPIRY = ASOF + timedelta(days=45)
S, R, Q, VOL = 6000.0, 0.042, 0.013, 0.18


def golden_view(**more):
    """Flat 18 % at 45 days on 6,000."""
    years = 45 / 365
    smile = Smile(EXPIRY, years, S * np.exp((R - Q) * years), R, np.array([-1.0, 1.0]), np.array([VOL, VOL]))
    return PricingView(ASOF, S, {("SPXW", EXPIRY): smile}, **({"token_usd": {}, "token_vol": {}} | more))


def condors(units=1, cash=None):
    """So many golden condors sold, and cash at the broker if given."""
    legs = condor(5425, 5475, 6625, 6675, expiry=EXPIRY)
    held = [
        Position(leg, Money(quantity * units, leg.unit), Sleeve.CONDOR, "broker")
        for leg, quantity in zip(legs.legs, legs.quantities, strict=True)
    ]
    if cash is not None:
        held.append(Position(Cash(USD), usd(cash), Sleeve.CONDOR, "broker"))
    return Book(tuple(held))
