"""Fills, contributions and gas as balanced entries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from engine.entries import Account, Entry, EntryStatus, Leg
from engine.errors import InputError
from engine.instruments import Cash, Instrument
from engine.ledger.accounts import (
    EXECUTOR,
    TRADING,
    assets,
    capital_of,
    cash_leg,
    expenses,
    held_leg,
)
from engine.money import ETH, Money
from engine.orders import Fill
from engine.positions import Position, Sleeve

GAS = "gas"


def capital(
    put_in: Position, *, key: str, at: datetime, memo: str = "", evidence: Mapping[str, str] | None = None
) -> Entry:
    """
    Money or positions that cross the portfolio's boundary: an external flow of D15.

    Parameters
    ----------
    put_in : positive `held` = contributed to its sleeve, negative = withdrawn from it
    key : business identity, for example `capital:SLEEVE:REFERENCE`, or `adopted:VENUE:INSTRUMENT`
        for a position found at a venue on a cold start (fault F10)

    >>> from datetime import UTC
    >>> from engine.money import USD, usd
    >>> start = Position(Cash(USD), usd(1_000_000), Sleeve.CONDOR, "paper")
    >>> [str(leg.amount) for leg in capital(start, key="c1", at=datetime(2026, 1, 2, tzinfo=UTC)).legs]
    ['1,000,000.00 USD', '-1,000,000.00 USD']
    """
    return Entry(
        key=key,
        at=at,
        memo=memo or f"capital {put_in.held} to {put_in.sleeve}",
        legs=(held_leg(put_in), Leg(capital_of(put_in.sleeve), -put_in.held, put_in.instrument)),
        evidence=evidence or {},
    )


def entry_for(fill: Fill) -> Entry:
    """
    What a fill did to the books: the trade at arrival mid, its slippage and each fee, apart.

    Every commodity exchanged has its counter-side in `equity:trading`. Slippage (D35) is the cash
    received less the cash at arrival mid, so `expenses:slippage:SLEEVE` bears its negative and the
    trade itself stands at mid. Each fee is an expense of its own kind, paid from the cash account of
    its currency; a fee of kind `gas` is paid by the executor account.

    A fill that puts something into another sleeve than its first change also posts that as capital
    moved between the two, so that flows per sleeve stay complete and sum to zero in the blend.

    A fill whose evidence is not final becomes an in-flight entry; its key carries the block it was
    seen in, since the same event may be seen again in another block (`reversal.resolved`).
    """
    if not fill.changes:
        raise InputError(
            f"fill {fill.key!r} changes nothing",
            why="it has no position changes",
            todo="post pure costs with `gas` or leave it out",
        )
    home = fill.changes[0]
    return Entry(
        key=fill.key if fill.final else in_flight_key(fill),
        at=fill.at,
        memo=fill.memo,
        legs=(
            *_exchange(fill.changes, fill.slippage, home.sleeve),
            *_crossings(fill.changes, home.sleeve),
            *_fees(fill, home),
        ),
        evidence={**fill.evidence, "order": str(fill.order_id)},
        status=EntryStatus.FINAL if fill.final else EntryStatus.IN_FLIGHT,
    )


def gas(
    wei: int,
    *,
    chain_id: int,
    transaction_hash: str,
    at: datetime,
    sleeve: Sleeve = Sleeve.DEFI,
    evidence: Mapping[str, str] | None = None,
) -> Entry:
    """
    Ether the executor paid for one final transaction, whether or not it did what was asked.

    Parameters
    ----------
    wei : gas used times effective gas price, >= 0
    transaction_hash : identity of the payment; a batch somebody else executed costs us nothing
    """
    paid = Money(wei, ETH)
    return Entry(
        key=gas_key(chain_id, transaction_hash),
        at=at,
        memo=f"gas of {transaction_hash}",
        legs=(
            cash_leg(expenses(GAS, sleeve), paid),
            cash_leg(assets(sleeve, EXECUTOR), -paid),
        ),
        evidence=evidence or {},
    )


def gas_key(chain_id: int, transaction_hash: str) -> str:
    """Identity of what one transaction cost: it is paid once, whoever looks."""
    return f"gas:{chain_id}:{transaction_hash}"


def in_flight_key(fill: Fill) -> str:
    """Identity of one sighting of a fill: its own key, and the block it was seen in."""
    return f"{fill.key}@{fill.evidence.get('block_hash', 'unmined')}"


def exchange(changes: Sequence[Position]) -> tuple[Leg, ...]:
    """Legs that change positions, with every commodity's counter-side in `equity:trading`."""
    return (*(held_leg(change) for change in changes), *_counter_sides(changes))


def _exchange(changes: Sequence[Position], slippage: Money, sleeve: Sleeve) -> Iterable[Leg]:
    yield from exchange(changes)
    if slippage:
        yield cash_leg(TRADING, slippage)
        yield cash_leg(expenses("slippage", sleeve), -slippage)


def _counter_sides(changes: Sequence[Position]) -> Iterable[Leg]:
    totals: dict[Instrument, Money] = {}
    for change in changes:
        totals[change.instrument] = totals.get(change.instrument, Money.zero(change.held.currency)) + change.held
    return (Leg(TRADING, -total, instrument) for instrument, total in totals.items() if total)


def _crossings(changes: Sequence[Position], home: Sleeve) -> Iterable[Leg]:
    for change in changes:
        if change.sleeve is not home:
            yield Leg(capital_of(change.sleeve), -change.held, change.instrument)
            yield Leg(capital_of(home), change.held, change.instrument)


def _fees(fill: Fill, home: Position) -> Iterable[Leg]:
    for kind, fee in sorted(fill.fees.items()):
        if fee:
            yield cash_leg(expenses(kind, home.sleeve), fee)
            yield cash_leg(_payer(fill.changes, kind, fee, home), -fee)


def _payer(changes: Sequence[Position], kind: str, fee: Money, home: Position) -> Account:
    if kind == GAS:
        return assets(home.sleeve, EXECUTOR)
    cash = Cash(fee.currency)
    paying = [c for c in changes if c.instrument == cash and c.sleeve is home.sleeve]
    return assets(home.sleeve, (paying or [home])[0].venue)
