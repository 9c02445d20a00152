"""An honest paper broker: it crosses the real spread, charges published fees and remembers on disk."""

import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.paper.fees import FeeTable
from engine.errors import OrderRejected, StorageError, VenueUnavailable
from engine.instruments import Cash, Instrument, Right, VanillaOption, from_terms, terms
from engine.market import OptionChain
from engine.money import USD, Money
from engine.orders import Fill, Order, OrderId
from engine.plan.canonical import canonical_bytes
from engine.ports import Ack, AckState, Clock
from engine.positions import Position, Sleeve

Quotes = Callable[[], Sequence[OptionChain]]


class PaperBroker:
    """
    A broker for paper trading and tests; no order leaves this machine.

    Orders fill at once and whole if every leg's far side of the market gives the order its limit or
    better, else they rest until cancelled. The book (cash, contracts, orders) is one JSON file, replaced
    atomically, so that another process or a restart sees the same broker.
    """

    name = "paper"

    def __init__(self, path: Path, quotes: Quotes, clock: Clock, fees: FeeTable | None = None) -> None:
        self._path, self._quotes, self._clock = path, quotes, clock
        self._fees = fees or FeeTable()
        self._state: dict[str, Any] = {"cash": 0, "contracts": {}, "terms": {}, "orders": {}, "sequence": 0}
        if path.exists():
            try:
                self._state = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as broken:
                raise StorageError(
                    f"paper broker's book {path.name} cannot be read", why=str(broken), todo="restore it from a backup"
                ) from broken

    @property
    def fee_per_contract(self) -> float:
        """All fees for one index option contract, USD: what a decision expects to pay."""
        return self._fees.index_option

    def deposit(self, money: Money) -> None:
        """Pay money in (+) or out (-) of the account."""
        self._state["cash"] += money.units
        self._save()

    def quote(self, order: Order) -> Money:
        """Cash we would receive (+) or pay (-) now, fees included. Raises `VenueUnavailable`."""
        return self._cash(order) - _sum(self._fees.order(_legs(order)))

    def submit(self, order: Order) -> Ack:
        """Place `order` at its limit or better; an id already known is never placed again."""
        known = self._state["orders"].get(order.id)
        if known is not None:
            return self.status(order.id)
        if order.limit.currency != USD:
            raise OrderRejected(f"order {order.id}", why="this account settles in USD", todo="give a USD limit")
        cash, fees = self._cash(order), self._fees.order(_legs(order))
        now = self._clock.now()
        written: dict[str, Any] = {"state": AckState.WORKING.value, "at": now.isoformat(), "fills": []}
        if order.limit <= cash:
            if Money(self._state["cash"], USD) + cash - _sum(fees) < Money.zero(USD):
                raise OrderRejected(
                    f"order {order.id} ({order.step})",
                    why=f"it costs {_sum(fees) - cash} and the account has {Money(self._state['cash'], USD)}",
                    todo="make a smaller plan",
                )
            self._state["sequence"] += 1
            written["state"] = AckState.FILLED.value
            written["fills"] = [self._book(order, cash, fees, self._state["sequence"])]
        self._state["orders"][order.id] = written
        self._save()
        return self.status(order.id)

    def status(self, order_id: OrderId) -> Ack:
        """What the venue knows of this id; `UNKNOWN` if it never saw it."""
        known = self._state["orders"].get(order_id)
        if known is None:
            return Ack(order_id, AckState.UNKNOWN, self._clock.now())
        return Ack(order_id, AckState(known["state"]), datetime.fromisoformat(known["at"]))

    def fills(self, order_id: OrderId) -> Sequence[Fill]:
        """Every fill known for this order."""
        known = self._state["orders"].get(order_id)
        return tuple(_read_fill(order_id, fill) for fill in known["fills"]) if known else ()

    def cancel(self, order_id: OrderId) -> Ack:
        """Stop what is left of a working order."""
        known = self._state["orders"].get(order_id)
        if known and known["state"] == AckState.WORKING.value:
            known["state"] = AckState.CANCELLED.value
            self._save()
        return self.status(order_id)

    def positions(self) -> dict[str, int]:
        """Units held per instrument id, cash included."""
        held = {USD.code: self._state["cash"], **self._state["contracts"]}
        return {name: units for name, units in held.items() if units}

    def settle(self, expiry: datetime, settlement: str, level: float, underlying: str = "SPX") -> list[Fill]:
        """
        Settle every contract of one expiry in cash at `level`, once; returns what happened.

        Positions disappear and cash changes by the intrinsic value times the multiplier, to the cent.
        """
        fills = []
        for name, units in sorted(self._state["contracts"].items()):
            option = from_terms(self._state["terms"][name])
            if (
                units
                and isinstance(option, VanillaOption)
                and (option.expiry, option.settlement, option.underlying) == (expiry, settlement, underlying)
            ):
                fills.append(self._settle_one(option, units, level))
        self._save()
        return fills

    def _settle_one(self, option: VanillaOption, units: int, level: float) -> Fill:
        exact = Decimal(str(level))
        intrinsic = max((exact - option.strike) * option.right.sign, Decimal(0)) * option.multiplier
        cash = Money.rounded(intrinsic * units, USD)
        self._state["cash"] += cash.units
        self._state["contracts"][option.id] = 0
        order_id = OrderId(f"settle:{option.id}")
        changes = [Position(option, Money(-units, option.unit), Sleeve.CONDOR, self.name)]
        if cash:
            changes.append(Position(Cash(USD), cash, Sleeve.CONDOR, self.name))
        return Fill(
            key=f"settle:{self.name}:{option.id}",
            order_id=order_id,
            at=option.expiry,
            changes=tuple(changes),
            fees={},
            slippage=Money.zero(USD),
            memo=f"settle {option.id} at {level}",
            evidence={"level": str(level), "settlement": option.settlement.value},
        )

    def _cash(self, order: Order) -> Money:
        chains = self._quotes()
        total = Decimal(0)
        for leg in order.legs:
            if not isinstance(leg.instrument, VanillaOption):
                raise OrderRejected(
                    f"order {order.id}", why=f"{leg.instrument.id} is not traded here", todo="use another venue"
                )
            price = _far_side(chains, leg.instrument, leg.quantity)
            total -= leg.quantity * price * leg.instrument.multiplier
        return Money.rounded(total, USD)

    def _book(self, order: Order, cash: Money, fees: dict[str, Money], sequence: int) -> dict[str, Any]:
        for option, quantity in _legs(order):
            held = self._state["contracts"].get(option.id, 0)
            self._state["contracts"][option.id] = held + quantity
            self._state["terms"][option.id] = terms(option)
        self._state["cash"] += (cash - _sum(fees)).units
        return {
            "exec_id": f"{sequence:06d}",
            "at": self._clock.now().isoformat(),
            "legs": [{"instrument": terms(option), "units": quantity} for option, quantity in _legs(order)],
            "cash": cash.units,
            "fees": {part: fee.units for part, fee in fees.items()},
            "arrival": order.arrival.units,
            "step": order.step,
        }

    def _save(self) -> None:
        partial = self._path.with_suffix(".partial")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as out:
                out.write(canonical_bytes(self._state))
                out.flush()
                os.fsync(out.fileno())
            partial.replace(self._path)
        except OSError as failed:
            raise StorageError(
                f"paper broker's book {self._path.name} cannot be written", why=str(failed), todo="free disk space"
            ) from failed


def _legs(order: Order) -> list[tuple[VanillaOption, int]]:
    return [(leg.instrument, int(leg.quantity)) for leg in order.legs if isinstance(leg.instrument, VanillaOption)]


def _sum(fees: dict[str, Money]) -> Money:
    return sum(fees.values(), Money.zero(USD))


def _far_side(chains: Sequence[OptionChain], option: VanillaOption, quantity: Decimal) -> Decimal:
    for chain in chains:
        if chain.underlying != option.underlying:
            continue
        for quotes in chain.slices:
            if (quotes.root, quotes.expiry) != (option.root, option.expiry):
                continue
            at = [i for i, strike in enumerate(quotes.strikes) if Decimal(str(float(strike))) == option.strike]
            if not at:
                continue
            bid, ask = (
                (quotes.call_bid, quotes.call_ask) if option.right is Right.CALL else (quotes.put_bid, quotes.put_ask)
            )
            price = float(ask[at[0]] if quantity > 0 else bid[at[0]])
            if price > 0:
                return Decimal(str(round(price, 4)))
    raise VenueUnavailable(
        f"no {'offer' if quantity > 0 else 'bid'} for {option.id}",
        why="the paper market lists no price on that side",
        todo="nothing was sent; choose another strike or wait for a quote",
    )


def _read_fill(order_id: OrderId, written: dict[str, Any]) -> Fill:
    changes: list[Position] = []
    for leg in written["legs"]:
        instrument: Instrument = from_terms(leg["instrument"])
        changes.append(Position(instrument, Money(leg["units"], instrument.unit), Sleeve.CONDOR, PaperBroker.name))
    cash = Money(written["cash"], USD)
    changes.append(Position(Cash(USD), cash, Sleeve.CONDOR, PaperBroker.name))
    return Fill(
        key=f"fill:{PaperBroker.name}:{written['exec_id']}",
        order_id=order_id,
        at=datetime.fromisoformat(written["at"]),
        changes=tuple(changes),
        fees={part: Money(units, USD) for part, units in written["fees"].items()},
        slippage=cash - Money(written["arrival"], USD),
        memo=written["step"],
        evidence={"exec_id": written["exec_id"], "order": str(order_id)},
    )
