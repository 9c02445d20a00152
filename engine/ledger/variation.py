"""What futures pay each day: variation margin between two settlements."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, localcontext

from engine.entries import Entry
from engine.instruments import Future
from engine.ledger.settlement import variation
from engine.money import Money
from engine.positions import Position


def variation_due(
    future: Future,
    *,
    carried: int,
    last: Decimal,
    settles: Decimal,
    trades: Iterable[tuple[int, Decimal]] = (),
) -> Money:
    """
    Cash of one day: positive = we receive.

    Parameters
    ----------
    carried : signed contracts held since the last settlement
    last, settles : the settlement before, and the day's own (on the last day the final one), in points
    trades : the day's own contracts, signed, each with its price; they gain from there to `settles`

    Returns
    -------
    Rounded half-even to the future's currency; exact where a tick is a whole number of its units.

    Source: Cboe Futures Exchange rule 1202, VX: 1,000 dollars a point, settled daily.

    >>> from datetime import UTC
    >>> vx = Future("VX", "VIX", datetime(2026, 2, 18, 14, tzinfo=UTC), Decimal(1000))
    >>> str(variation_due(vx, carried=2, last=Decimal("17.05"), settles=Decimal("18.10")))
    '2,100.00 USD'
    """
    with localcontext(prec=60):
        points = carried * (settles - last) + sum((count * (settles - price) for count, price in trades), Decimal(0))
        return Money.rounded(points * future.multiplier, future.currency)


def variation_entry(
    position: Position, margin: Money, day: date, *, at: datetime, evidence: Mapping[str, str] | None = None
) -> Entry:
    """One day's variation of one holding; posted once a day per venue and contract."""
    key = f"variation:{position.venue}:{position.instrument.id}:{day.isoformat()}"
    return variation(margin, position, key=key, at=at, evidence=evidence)
