"""Tokens handed out for taking part: income when claimed, counted with a haircut until sold (S33)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from engine.entries import Entry
from engine.errors import InputError
from engine.instruments import Cash
from engine.ledger.accounts import assets, cash_leg, income
from engine.money import USD, Money
from engine.positions import Position
from engine.pricing.emissions import HAIRCUT, emission_value

KIND = "emissions"


def claimed(tokens: Position, *, key: str, at: datetime, evidence: Mapping[str, str]) -> Entry:
    """
    Reward tokens that reached us; selling them later is a fill like any other.

    Parameters
    ----------
    tokens : a balance of the reward token, positive
    key : `chain:...` identity of the claim
    """
    if not isinstance(tokens.instrument, Cash) or tokens.held.units <= 0:
        raise InputError(
            f"claim of {tokens.held}", why="a claim brings tokens", todo="read the claim's transfer event again"
        )
    legs = (
        cash_leg(assets(tokens.sleeve, tokens.venue), tokens.held),
        cash_leg(income(KIND, tokens.sleeve), -tokens.held),
    )
    return Entry(key, at, f"emissions {tokens.held}", legs, evidence)


def counted(held: Money, average_price: Decimal, haircut: Decimal | None = None) -> Money:
    """
    What unsold reward tokens count for in NAV: time-weighted price less the haircut; at risk is all of it.

    >>> from engine.money import Currency
    >>> str(counted(Money.of(1000, Currency("RWD", 18)), Decimal("0.40")))
    '200.00 USD'
    """
    share = HAIRCUT if haircut is None else float(haircut)
    return Money.rounded(float(emission_value(held.to_float(), float(average_price), haircut=share)), USD)
