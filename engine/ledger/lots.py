"""Lots: what each holding cost, what closing it earned, and what the rest would earn now (D34)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from engine.errors import InputError, UnmatchedLot
from engine.instruments import Instrument
from engine.money import Currency, Money


@dataclass(frozen=True, slots=True)
class Trade:
    """
    One change of one instrument and the cash that came with it.

    `held` is signed: positive = bought. `cash` is received (+) or paid (-) before fees; `fees` are what
    was paid on top, positive. A future's cash is its notional, which never moves: its variation margin is
    then what realised and unrealised add up to.
    """

    id: str
    at: datetime
    instrument: Instrument
    held: Money
    cash: Money
    fees: Money

    def __post_init__(self) -> None:
        if not self.held or self.fees.units < 0 or self.held.currency != self.instrument.unit:
            raise InputError(
                f"trade {self.id!r} of {self.held} with fees of {self.fees}",
                why="a trade moves something, counts it in its instrument's unit, and its fees are not negative",
                todo="correct the trade",
            )

    @property
    def net(self) -> Money:
        """Cash received less fees."""
        return self.cash - self.fees


@dataclass(frozen=True, slots=True)
class Lot:
    """
    A part of a holding bought, or sold short, in one trade.

    `held` is signed; `basis` is what it cost, fees included: positive for a long lot, negative (proceeds)
    for a short one.
    """

    id: str
    opened: datetime
    instrument: Instrument
    held: Money
    basis: Money


@dataclass(frozen=True, slots=True)
class Realised:
    """Part of a lot that a trade closed: `proceeds` after fees less the `basis` of that part is the gain."""

    lot: str
    trade: str
    opened: datetime
    closed: datetime
    held: Money
    proceeds: Money
    basis: Money

    @property
    def gain(self) -> Money:
        """Positive = earned."""
        return self.proceeds - self.basis


@dataclass(frozen=True, slots=True)
class Lots:
    """Open lots of one instrument, oldest first, and what was realised; never changed, only followed by another."""

    open: tuple[Lot, ...] = ()
    realised: tuple[Realised, ...] = ()

    @property
    def units(self) -> int:
        """Signed smallest units held."""
        return sum(lot.held.units for lot in self.open)


def after(lots: Lots, trade: Trade, *, closes: Mapping[str, int] | None = None, opens: bool = True) -> Lots:
    """
    The lots after a trade: it closes lots of the other sign, and opens one with the rest.

    Parameters
    ----------
    closes : smallest units, positive, to take from each lot by id (specific identification); first in,
        first out if not given
    opens : False for what can only close: an expiry, an assignment, a redemption

    Returns
    -------
    Cash and fees are shared over the parts in proportion to what each part trades, exactly: no cent is
    lost or made by splitting.

    Raises
    ------
    UnmatchedLot for a lot that is not there, too small or of the wrong side, or a rest that may not open.

    >>> from datetime import UTC
    >>> from engine.instruments import FundShare
    >>> from engine.money import usd
    >>> share, at = FundShare("VNQ"), datetime(2026, 1, 2, tzinfo=UTC)
    >>> def trade(id, count, cash): return Trade(id, at, share, Money(count, share.unit), usd(cash), usd(1))
    >>> held = after(after(Lots(), trade("a", 3, -300)), trade("b", -1, 120))
    >>> str(held.realised[0].gain), str(held.open[0].basis)
    ('18.67 USD', '200.67 USD')
    """
    opposite = [lot for lot in lots.open if lot.held.units * trade.held.units < 0]
    taken = _specified(opposite, trade, closes) if closes is not None else _first_in(opposite, trade)
    rest = abs(trade.held.units) - sum(units for _, units in taken)
    if rest and not opens:
        raise UnmatchedLot(
            f"trade {trade.id!r} of {trade.held}",
            why=f"{rest} of its smallest units close nothing: {lots.units} are held",
            todo="find the opening trade that is missing from the journal",
        )
    shares = split(trade.net, [units for _, units in taken] + [rest])
    closed = [_closed(lot, units, share, trade) for (lot, units), share in zip(taken, shares, strict=False)]
    left = {lot.id: kept for lot, units in taken if (kept := _kept(lot, units)) is not None}
    gone = {lot.id for lot, _ in taken} - left.keys()
    opened = [_opened(trade, rest, shares[-1])] if rest else []
    return Lots(
        (*(left.get(lot.id, lot) for lot in lots.open if lot.id not in gone), *opened),
        (*lots.realised, *closed),
    )


def matched(trades: Iterable[Trade]) -> Mapping[Instrument, Lots]:
    """Lots of every instrument after all trades, first in, first out."""
    books: dict[Instrument, Lots] = {}
    for trade in trades:
        books[trade.instrument] = after(books.get(trade.instrument, Lots()), trade)
    return books


def unrealised(lots: Lots, worth: Money) -> Money:
    """What closing all of it at `worth` (signed: what we own is positive) would earn."""
    return worth - sum((lot.basis for lot in lots.open), Money.zero(worth.currency))


def realised(lots: Lots, currency: Currency) -> Money:
    """All gains realised so far."""
    return sum((part.gain for part in lots.realised), Money.zero(currency))


def split(whole: Money, weights: Sequence[int | Fraction]) -> tuple[Money, ...]:
    """
    `whole` in proportion to `weights` (not negative), in parts that sum to it exactly.

    Each part is the difference of two rounded running totals, so none is off by a smallest unit or more.

    >>> from engine.money import usd
    >>> [str(part.amount) for part in split(usd("1.00"), [1, 1, 1])]
    ['0.33', '0.34', '0.33']
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise InputError(f"split of {whole}", why=f"weights {list(weights)} share nothing", todo="give them positive")
    parts, running, before = [], Fraction(0), 0
    for weight in weights:
        running += weight
        upto = round(Fraction(whole.units) * running / total)
        parts.append(Money(upto - before, whole.currency))
        before = upto
    return tuple(parts)


def _first_in(opposite: Sequence[Lot], trade: Trade) -> list[tuple[Lot, int]]:
    taken, rest = [], abs(trade.held.units)
    for lot in opposite:
        if rest and (units := min(rest, abs(lot.held.units))):
            taken.append((lot, units))
            rest -= units
    return taken


def _specified(opposite: Sequence[Lot], trade: Trade, closes: Mapping[str, int]) -> list[tuple[Lot, int]]:
    known = {lot.id: lot for lot in opposite}
    for lot_id, units in closes.items():
        if lot_id not in known or not 0 < units <= abs(known[lot_id].held.units):
            held = known[lot_id].held if lot_id in known else "no such lot of the other side"
            raise UnmatchedLot(
                f"trade {trade.id!r} closes {units} of lot {lot_id!r}",
                why=f"held: {held}",
                todo="name lots that are open, and no more than they hold",
            )
    if sum(closes.values()) > abs(trade.held.units):
        raise UnmatchedLot(
            f"trade {trade.id!r} of {trade.held}",
            why=f"its lots name {sum(closes.values())} smallest units",
            todo="name no more than the trade moves",
        )
    return [(known[lot_id], units) for lot_id, units in closes.items()]


def _closed(lot: Lot, units: int, proceeds: Money, trade: Trade) -> Realised:
    signed = units if lot.held.units > 0 else -units
    part = Money(signed, lot.held.currency)
    return Realised(lot.id, trade.id, lot.opened, trade.at, part, proceeds, _basis_of(lot, units)[0])


def _kept(lot: Lot, units: int) -> Lot | None:
    left = abs(lot.held.units) - units
    if not left:
        return None
    signed = left if lot.held.units > 0 else -left
    return replace(lot, held=Money(signed, lot.held.currency), basis=_basis_of(lot, units)[1])


def _basis_of(lot: Lot, units: int) -> tuple[Money, Money]:
    closed, kept = split(lot.basis, [units, abs(lot.held.units) - units])
    return closed, kept


def _opened(trade: Trade, rest: int, cash: Money) -> Lot:
    signed = rest if trade.held.units > 0 else -rest
    return Lot(trade.id, trade.at, trade.instrument, Money(signed, trade.held.currency), -cash)
