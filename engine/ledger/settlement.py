"""What expiry does to the books: cash for what is in the money, nothing for what is not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext

from engine.entries import Entry, Leg
from engine.errors import InputError
from engine.instruments import Cash, Future, VanillaOption
from engine.ledger.accounts import assets, cash_leg, expenses
from engine.ledger.posting import exchange
from engine.money import Money
from engine.positions import Position


def payout(option: VanillaOption, held: Money, level: Decimal) -> Money:
    """
    Cash due at expiry for a signed holding: positive = we receive, negative = we pay.

    Parameters
    ----------
    held : signed contracts, in the option's unit
    level : settlement level in units of the underlying's price (SOQ, close, or a protocol's oracle)

    Returns
    -------
    Rounded half-even to the currency's smallest unit; exact for index options.
    """
    with localcontext(prec=100):
        intrinsic = max(option.right.sign * (level - option.strike), Decimal(0))
        return Money.rounded(held.amount * option.multiplier * intrinsic, option.currency)


def settled(
    position: Position,
    paid: Money,
    *,
    at: datetime,
    key: str | None = None,
    cash_venue: str | None = None,
    cost: Money | None = None,
    evidence: Mapping[str, str] | None = None,
) -> Entry:
    """
    Removes an expired position and books what it paid; zero = it expired worthless.

    Parameters
    ----------
    position : all of what is held at its venue, signed
    paid : received (+) or paid (-): `payout` at a broker, the measured balance change on chain
    key : identity; at a broker the default `settlement:VENUE:INSTRUMENT`, on chain the caller's
        `chain:...` key, also when a stranger settled for us (fault F98)
    cash_venue : where the cash arrives, the position's own venue unless given (a Safe, for example)
    cost : a settlement fee, positive, paid from the same cash

    Raises
    ------
    InputError for anything that does not expire, or a positive payment on a short option.
    """
    instrument = position.instrument
    if not isinstance(instrument, VanillaOption | Future):
        raise InputError(
            f"{instrument.id} does not settle",
            why=f"it is {instrument.kind}",
            todo="settle options and futures only",
        )
    if isinstance(instrument, VanillaOption) and paid.units * position.held.units < 0:
        raise InputError(
            f"settlement of {position.held} paid {paid}",
            why="a long option never costs and a short one never pays at expiry",
            todo="check the settlement level and the sign of the holding",
        )
    venue = cash_venue or position.venue
    cash = Position(Cash(paid.currency), paid, position.sleeve, venue)
    changes = [replace(position, held=-position.held), *([cash] if paid else [])]
    return Entry(
        key=key or f"settlement:{position.venue}:{instrument.id}",
        at=at,
        memo=f"{instrument.id} {'settled for ' + str(paid) if paid else 'expired worthless'}",
        legs=(*exchange(changes), *_fee(cost, cash)),
        evidence=evidence or {},
    )


def variation(
    margin: Money, position: Position, *, key: str, at: datetime, evidence: Mapping[str, str] | None = None
) -> Entry:
    """Cash a future paid (+) or cost (-) at a daily settlement; its own quantity does not change."""
    cash = Position(Cash(margin.currency), margin, position.sleeve, position.venue)
    return Entry(
        key=key,
        at=at,
        memo=f"variation of {position.instrument.id}",
        legs=exchange([cash]),
        evidence={"instrument": position.instrument.id, **(evidence or {})},
    )


def _fee(cost: Money | None, cash: Position) -> tuple[Leg, ...]:
    if not cost:
        return ()
    return (
        cash_leg(expenses("settlement", cash.sleeve), cost),
        cash_leg(assets(cash.sleeve, cash.venue), -cost),
    )
