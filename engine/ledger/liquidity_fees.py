"""Swap fees of a concentrated-liquidity position, in the pool's own integers."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from engine.entries import Entry, EntryStatus, Leg
from engine.errors import InputError
from engine.instruments import LiquidityRange
from engine.ledger.accounts import assets, cash_leg, income
from engine.ledger.posting import in_flight_key
from engine.money import Money
from engine.orders import Fill, Order
from engine.positions import Position

KIND = "liquidity_fees"
_WORD, _Q128 = 1 << 256, 1 << 128


def fees_owed(liquidity: int, growth: int, last_growth: int) -> int:
    """
    Smallest units of one token earned since the position was last touched, rounded down as the pool does.

    Parameters
    ----------
    liquidity : of the position, >= 0
    growth, last_growth : fee growth inside its range per unit of liquidity, times 2^128; they wrap at
        2^256, so that the later may be the smaller number

    Source: Adams et al., "Uniswap v3 Core" (2021), 6.4.1.

    >>> fees_owed(10**18, 5 << 128, 2 << 128) == 3 * 10**18
    True
    >>> fees_owed(1, 0, (1 << 256) - (7 << 128))
    7
    """
    if min(liquidity, growth, last_growth) < 0 or max(growth, last_growth) >= _WORD:
        raise InputError("fee growth refused", why="the pool's numbers are 256-bit unsigned", todo="read them again")
    return liquidity * ((growth - last_growth) % _WORD) // _Q128


def of_fill(fill: Fill, order: Order) -> Entry:
    """
    What a venue says a range of `order` earned (evidence `income` and `instrument`), as income.

    Raises `InputError` where the range it names is none of the order's legs.
    """
    named = fill.evidence["instrument"]
    ranges = [leg.instrument for leg in order.legs if leg.instrument.id == named]
    if not ranges:
        raise InputError(
            f"fees of {named} refused", why=f"order {order.id} names no such range", todo="read them for its own order"
        )
    at = fill.changes[0]
    return liquidity_fees(
        Position(ranges[0], Money.zero(ranges[0].unit), at.sleeve, at.venue),
        [change.held for change in fill.changes],
        key=fill.key if fill.final else in_flight_key(fill),
        at=fill.at,
        cash_venue=at.venue,
        collected=fill.final,
        evidence={**fill.evidence, "order": str(fill.order_id)},
    )


def liquidity_fees(
    position: Position,
    tokens: Sequence[Money],
    *,
    key: str,
    at: datetime,
    cash_venue: str,
    collected: bool = True,
    evidence: Mapping[str, str] | None = None,
) -> Entry:
    """
    Fees of a range: final once collected, in flight while the pool still holds them.

    Parameters
    ----------
    tokens : positive amounts of the pool's two tokens; zeros are left out
    key : `chain:...` identity of the collection; while in flight the same with `@` and the block
    cash_venue : where collected tokens arrive
    """
    known = isinstance(position.instrument, LiquidityRange)
    if not known or not any(tokens) or min(token.units for token in tokens) < 0:
        raise InputError(
            f"fees {[str(token) for token in tokens]} of {position.instrument.id}",
            why="only a range earns swap fees, and they are positive",
            todo="read the collection's events again",
        )
    legs: list[Leg] = []
    for token in tokens:
        if token:
            legs += [cash_leg(assets(position.sleeve, cash_venue), token)]
            legs += [cash_leg(income(KIND, position.sleeve), -token)]
    named = {"instrument": position.instrument.id, **(evidence or {})}
    status = EntryStatus.FINAL if collected else EntryStatus.IN_FLIGHT
    return Entry(key, at, f"swap fees of {position.instrument.id}", tuple(legs), named, status)
