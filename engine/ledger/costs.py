"""Cash that comes or goes without an exchange: funding, broker interest, fees of a venue."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, localcontext

from engine.entries import Account, Entry
from engine.errors import InputError
from engine.instruments import Cash, Perpetual
from engine.ledger.accounts import assets, cash_leg, expenses, income
from engine.money import Money
from engine.positions import Position

FUNDING = "funding"
INTEREST = "interest"


def funding_due(perpetual: Perpetual, held: Money, *, price: Decimal, rate: Decimal) -> Money:
    """
    Funding of one period: positive = we receive. Longs pay when the rate is positive.

    Parameters
    ----------
    held : signed contracts
    price : the venue's mark or index at the funding instant, > 0
    rate : of that period, not of a year

    >>> from engine.money import USD
    >>> eth = Perpetual("venue", "ETH", USD)
    >>> str(funding_due(eth, Money.of("-10", eth.unit), price=Decimal(2000), rate=Decimal("0.0001")))
    '2.00 USD'
    """
    if not price > 0:
        raise InputError(f"funding at {price}", why="a price is positive", todo="read the venue's mark again")
    with localcontext(prec=60):
        notional = held.amount * perpetual.multiplier * (1 / price if perpetual.inverse else price)
        return Money.rounded(-notional * rate, perpetual.currency)


def funding(
    position: Position, paid: Money, *, at: datetime, cash_venue: str | None = None, key: str | None = None
) -> Entry:
    """
    Funding received (+) or paid (-) by a perpetual at one funding instant; one account bears both.

    Parameters
    ----------
    key : `funding:VENUE:INSTRUMENT:INSTANT` unless given (a `chain:...` key where the chain says so)
    """
    if not isinstance(position.instrument, Perpetual):
        raise InputError(
            f"{position.instrument.id} pays no funding",
            why=f"it is {position.instrument.kind}",
            todo="post funding of perpetuals only",
        )
    return _flow(
        Position(Cash(paid.currency), paid, position.sleeve, cash_venue or position.venue),
        expenses(FUNDING, position.sleeve),
        key=key or f"funding:{position.venue}:{position.instrument.id}:{at.isoformat()}",
        at=at,
        memo=f"funding of {position.instrument.id}",
        evidence={"instrument": position.instrument.id},
    )


def broker_interest(cash: Position, day: date, *, at: datetime, evidence: Mapping[str, str] | None = None) -> Entry:
    """Interest a broker credited (`held` > 0, income) or charged on a debit balance (< 0, expense)."""
    earned = cash.held.units > 0
    return _flow(
        cash,
        income(INTEREST, cash.sleeve) if earned else expenses(INTEREST, cash.sleeve),
        key=f"interest:{cash.venue}:{cash.held.currency}:{day.isoformat()}",
        at=at,
        memo=f"broker interest {cash.held}",
        evidence=evidence,
    )


def venue_fee(kind: str, cash: Position, *, key: str, at: datetime, evidence: Mapping[str, str] | None = None) -> Entry:
    """
    A fee charged apart from any fill: market data, wire, exercise; `held` is negative, a refund positive.

    Parameters
    ----------
    kind : its own account, without a colon
    """
    if not kind or ":" in kind:
        raise InputError(f"fee kind {kind!r}", why="it names an account", todo="use one plain word")
    return _flow(cash, expenses(kind, cash.sleeve), key=key, at=at, memo=f"{kind} fee", evidence=evidence)


def interest_on(balance: Money, rate: Decimal, days: int, *, year: int = 365) -> Money:
    """
    Simple interest: what a balance (signed) earns, or owes, over `days` of a `year` of 365 or 360.

    >>> from engine.money import usd
    >>> str(interest_on(usd(-1_000_000), Decimal("0.0583"), 3, year=360))
    '-485.83 USD'
    """
    if days < 0 or year not in {360, 365}:
        raise InputError(f"interest over {days}/{year}", why="no such day count", todo="use ACT/365 or ACT/360")
    with localcontext(prec=100):
        return Money.rounded(balance.amount * rate * days / year, balance.currency)


def _flow(
    cash: Position, bears: Account, *, key: str, at: datetime, memo: str, evidence: Mapping[str, str] | None = None
) -> Entry:
    legs = (cash_leg(assets(cash.sleeve, cash.venue), cash.held), cash_leg(bears, -cash.held))
    return Entry(key=key, at=at, memo=memo, legs=legs, evidence=evidence or {})
