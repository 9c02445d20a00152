"""Money that travels between sleeves: gone from one, not yet in the other, in transit meanwhile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.entries import Entry, Leg
from engine.errors import InputError
from engine.instruments import Cash
from engine.ledger.accounts import OFFRAMP, TRADING, assets, capital_of, cash_leg, expenses
from engine.money import Money
from engine.positions import Position, Sleeve

RAMP = "ramp"
_SENT, _ARRIVED = ":sent", ":arrived"


@dataclass(frozen=True, slots=True)
class Transfer:
    """
    Money on its way from one sleeve and venue to another.

    `sent` is what leaves, positive, in its own currency; `due` is when it should have arrived: the lag
    of a bridge or an off-ramp is one to three days (D13c), during which it is nobody's margin.
    """

    id: str
    sent: Money
    source: Sleeve
    source_venue: str
    target: Sleeve
    target_venue: str
    due: datetime

    def __post_init__(self) -> None:
        if self.sent.units <= 0 or Sleeve.TRANSIT in (self.source, self.target) or self.source is self.target:
            raise InputError(
                f"transfer {self.id!r} of {self.sent} from {self.source} to {self.target}",
                why="a transfer moves a positive amount between two different sleeves",
                todo="correct its amount or direction",
            )


def sent(transfer: Transfer, *, at: datetime, evidence: Mapping[str, str] | None = None) -> Entry:
    """First half: the source gives it as capital to the transit sleeve."""
    moved = transfer.sent
    return Entry(
        key=f"transfer:{transfer.id}{_SENT}",
        at=at,
        memo=f"{moved} sent from {transfer.source} to {transfer.target}",
        legs=(
            cash_leg(assets(transfer.source, transfer.source_venue), -moved),
            cash_leg(assets(Sleeve.TRANSIT, OFFRAMP), moved),
            *_capital(moved, transfer.source, Sleeve.TRANSIT),
        ),
        evidence={**(evidence or {}), "due": transfer.due.isoformat(), "transfer": transfer.id},
    )


def arrived(
    transfer: Transfer,
    received: Money,
    *,
    at: datetime,
    fee: Money | None = None,
    evidence: Mapping[str, str] | None = None,
) -> Entry:
    """
    Second half: what is left after the fee reaches the target.

    Parameters
    ----------
    received : what the target has got, in its own currency
    fee : the difference to what was due at mid, >= 0, in the currency received. It is a cost of the
        transit sleeve. Where both currencies are one, it must explain the difference exactly.
    """
    cost = fee or Money.zero(received.currency)
    moved, gross = transfer.sent, received + cost
    if cost.units < 0 or (moved.currency == gross.currency and moved != gross):
        raise InputError(
            f"transfer {transfer.id!r} sent {moved}, received {received} after a fee of {cost}",
            why="one currency, and the amounts differ by something else than the fee",
            todo="state the whole difference as the fee",
        )
    converted = (cash_leg(TRADING, moved), cash_leg(TRADING, -gross)) if moved != gross else ()
    return Entry(
        key=f"transfer:{transfer.id}{_ARRIVED}",
        at=at,
        memo=f"{received} arrived in {transfer.target} from {transfer.source}",
        legs=(
            cash_leg(assets(Sleeve.TRANSIT, OFFRAMP), -moved),
            *converted,
            *((cash_leg(expenses(RAMP, Sleeve.TRANSIT), cost),) if cost else ()),
            cash_leg(assets(transfer.target, transfer.target_venue), received),
            *_capital(received, Sleeve.TRANSIT, transfer.target),
        ),
        evidence={**(evidence or {}), "transfer": transfer.id},
    )


def moved(change: Position, target: Sleeve, target_venue: str, *, key: str, at: datetime, memo: str = "") -> Entry:
    """A move without lag or fee, where both ends are ours at once; `change` is what arrives, positive."""
    here = Leg(assets(change.sleeve, change.venue), -change.held, change.instrument)
    there = Leg(assets(target, target_venue), change.held, change.instrument)
    crossing = (
        (
            Leg(capital_of(change.sleeve), change.held, change.instrument),
            Leg(capital_of(target), -change.held, change.instrument),
        )
        if target is not change.sleeve
        else ()
    )
    return Entry(key=key, at=at, memo=memo or f"{change.held} to {target_venue}", legs=(here, there, *crossing))


def in_transit(entries: Iterable[Entry]) -> dict[str, datetime]:
    """Transfers sent and not yet arrived, with the instant each is due."""
    due: dict[str, datetime] = {}
    for entry in entries:
        if entry.key.startswith("transfer:"):
            if entry.key.endswith(_SENT):
                due[entry.evidence["transfer"]] = datetime.fromisoformat(entry.evidence["due"])
            elif entry.key.endswith(_ARRIVED):
                due.pop(entry.evidence["transfer"], None)
    return due


def _capital(amount: Money, giver: Sleeve, taker: Sleeve) -> tuple[Leg, Leg]:
    cash = Cash(amount.currency)
    return Leg(capital_of(giver), amount, cash), Leg(capital_of(taker), -amount, cash)
