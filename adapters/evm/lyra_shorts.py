"""Written options of one Lyra market: quoted, written, bought back, recollateralised and read."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.evm.lyra_shorts_wire import (
    LIQUIDATED,
    SETTLED,
    Short,
    Writing,
    Written,
    added,
    check_terms,
    encode,
    ended,
    ended_changes,
    said,
    secured_in_full,
    supply,
    trade_changes,
    written,
)
from adapters.evm.lyra_trades import traded
from adapters.evm.lyra_wire import CLOSE, LIQUIDATE, OPEN, Listed, OptionType
from adapters.evm.wire import Found, events, fill, refused, slippage
from engine.errors import VenueError
from engine.money import Money
from engine.orders import Call, Fill, Order
from engine.ports import Receipt

if TYPE_CHECKING:
    from adapters.evm.lyra import LyraOptions


class LyraShorts:
    """The written side of `LyraOptions`; see `lyra_shorts_wire` for the shape of its orders."""

    def __init__(self, venue: "LyraOptions", writing: Writing) -> None:
        self.venue, self.writing = venue, writing

    def quote(self, order: Order) -> Money:
        """Cash received for writing (+), paid for buying back (-), or none; collateral is not counted."""
        asked, listed, _ = self._asked(order)
        if not asked.units:
            return Money.zero(self.venue.market.quote.currency)
        total = self.venue.cost(listed, asked.kind, abs(asked.units), opens=asked.units < 0)
        return Money(total if asked.units < 0 else -total, self.venue.market.quote.currency)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """
        Write, buy back or recollateralise.

        Raises `OrderRejected` where the vault has no such position, would have less than nothing of it, or
        the short would not be secured in full and the terms of writing ask for that.
        """
        asked, listed, held = self._asked(order)
        left, collateral = held.units - asked.units, held.collateral + asked.added
        whole = left == 0 or secured_in_full(asked.kind, left, listed.strike, collateral)
        if not (whole or self.writing.partial):
            shown = asked.secured.shown(max(collateral, 0))
            raise refused(order, f"{shown} do not secure it in full", "post more, or write a covered option")
        return encode(self.venue.market, order, asked, listed, held)

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """What the market's `Trade` of this written option did."""
        venue = self.venue
        asked = written(venue.market, self.writing, venue.name, order)
        listed = venue.listed(order, asked.option)
        place = venue.addresses.short_collateral
        terms = listed.strike_id, asked.kind, OPEN if asked.units <= 0 else CLOSE, abs(asked.units)
        traded_so = []
        for event in events(venue.market.contract, "Trade", receipt):
            trade = event["trade"]
            said = event["strikeId"], trade["optionType"], trade["tradeDirection"], trade["amount"]
            if said == terms and event["trader"] == venue.holder.safe:
                traded_so.append((event, added(venue.market, asked, event, receipt, place)))
        if not traded_so:
            return ()
        event, posted = next((each for each in traded_so if each[1] == asked.added), traded_so[0])
        changes = trade_changes(venue.market, asked, venue.name, event, posted)
        return (self._fill(order, receipt, event, changes, asked, listed),)

    def words(self, listed: Listed, terms: Mapping[str, Any], opens: bool) -> str:
        """A trade of a written option in words, once it is within its bounds."""
        check_terms(self.writing, listed, terms, opens=opens)
        return said(self.venue.market, listed, terms, self._secured(OptionType(terms["optionType"])), opens=opens)

    def settled(self, order: Order, receipt: Receipt, event: Found) -> Fill:
        """The settlement of a written option: what its collateral left for us."""
        venue, kind = self.venue, OptionType(event["optionType"])
        position = ended((SETTLED,), event["positionId"], receipt, venue.tokens)
        option = venue.market.option(venue.terms(position["strikeId"]), kind.right)
        secured, returned = self._secured(kind), event["settlementAmount"]
        changes = ended_changes(option, venue.name, secured, position, returned)
        memo = f"settle written {option.id}, {secured.shown(returned)} of collateral returned"
        return fill(order, receipt, venue.holder, ordinal=event.ordinal, changes=changes, memo=memo)

    def liquidations(self, order: Order, receipt: Receipt) -> tuple[Fill, ...]:
        """Every liquidation of a written option of ours in this receipt, its penalty a cost apart (faults F98)."""
        venue, fills = self.venue, []
        for event in events(venue.market.contract, "Trade", receipt):
            if event["trade"]["tradeDirection"] != LIQUIDATE or event["trader"] != venue.holder.safe:
                continue
            kind, terms = OptionType(event["trade"]["optionType"]), event["liquidation"]
            position = ended((LIQUIDATED,), event["positionId"], receipt, venue.tokens)
            option = venue.market.option(venue.terms(position["strikeId"]), kind.right)
            secured = self._secured(kind)
            penalty = terms["lpFee"] + terms["liquidatorFee"] + terms["smFee"]
            back = terms["returnCollateral"] + penalty
            fills.append(
                fill(
                    order,
                    receipt,
                    venue.holder,
                    ordinal=event.ordinal,
                    changes=ended_changes(option, venue.name, secured, position, back),
                    memo=f"liquidation of written {option.id}, {secured.shown(terms['returnCollateral'])} returned",
                    fees={"liquidation": Money(penalty, secured.currency)},
                )
            )
        return tuple(fills)

    def collateral(self, positions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Collateral behind the written among these positions, by instrument."""
        held: dict[str, int] = {}
        for position in positions:
            kind = OptionType(position["optionType"])
            if kind.sign < 0:
                name = supply(self.venue.name, self._secured(kind)).id
                held[name] = held.get(name, 0) + position["collateral"]
        return held

    def _asked(self, order: Order) -> tuple[Written, Listed, Short]:
        venue = self.venue
        asked = written(venue.market, self.writing, venue.name, order)
        listed = venue.listed(order, asked.option)
        mine = [
            Short(p["positionId"], asked.kind, p["amount"], p["collateral"])
            for p in venue.owned(venue.holder.safe)
            if (p["strikeId"], p["optionType"]) == (listed.strike_id, asked.kind)
        ]
        if len(mine) > 1:
            raise refused(order, f"the vault has {len(mine)} such positions", "merge them by hand first")
        if not mine and asked.units >= 0:
            raise refused(order, f"the vault has written no {asked.option.id} that way")
        return asked, listed, mine[0] if mine else Short(0, asked.kind, 0, 0)

    def _secured(self, kind: OptionType) -> Any:
        return self.writing.base if kind is OptionType.SHORT_CALL_BASE else self.venue.market.quote

    def _fill(self, order: Order, receipt: Receipt, event: Found, changes: Any, asked: Written, listed: Listed) -> Fill:
        venue, done = self.venue, traded(event)
        if not changes:
            raise VenueError(
                f"order {order.id} does not add up", why="its trade moved nothing", todo="halt, then reconcile by hand"
            )
        premium = (done.total + done.fee if done.bought else done.fee - done.total) if done.units else 0
        terms = {**event["trade"], "minTotalCost": done.total, "maxTotalCost": done.total}
        return fill(
            order,
            receipt,
            venue.holder,
            ordinal=event.ordinal,
            changes=changes,
            memo=said(venue.market, listed, terms, asked.secured, opens=done.bought),
            fees={kind: Money(units, venue.market.quote.currency) for kind, units in done.fees.items()},
            slippage=slippage(order, Money(premium, venue.market.quote.currency)),
        )
