"""One Lyra Avalon market as a venue: puts and calls bought and sold back, written and bought back, and settled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from adapters.evm.abi import decode_result, encode_call
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.lyra_listings import LyraListings
from adapters.evm.lyra_shorts import LyraShorts
from adapters.evm.lyra_shorts_wire import Writing, is_written
from adapters.evm.lyra_trades import Traded, quote_entry, traded
from adapters.evm.lyra_wire import (
    CLOSE,
    EXPOSURES,
    LONG,
    OPEN,
    Listed,
    Market,
    OptionType,
    close_long,
    open_long,
    option_leg,
    permits,
    settle,
)
from adapters.evm.wire import Found, Holder, Permit, change, events, fill, refused, slippage
from contracts_abi import load
from engine.errors import VenueError
from engine.instruments import VanillaOption
from engine.money import Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt


@dataclass(frozen=True, slots=True)
class LyraAddresses:
    """Contracts of one market."""

    market: Address
    option_token: Address
    pricer: Address
    liquidity_pool: Address
    short_collateral: Address
    exchange: Address


class LyraOptions(LyraListings):
    """
    Trades options against one Lyra market (port `engine.ports.OnchainVenue`).

    Parameters
    ----------
    chain, holder : where, and for which Safe
    addresses : the market's contracts
    quote : the token that premiums are paid in
    name : the venue's name in orders and listings
    writing : terms on which options may be written; None for a vault that only buys them

    Source
    ------
    Lyra Avalon 0.1.3: `OptionMarket`, `OptionMarketPricer`, `OptionToken`, `ShortCollateral`.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        addresses: LyraAddresses,
        quote: Token,
        *,
        name: str = "lyra",
        writing: Writing | None = None,
    ) -> None:
        market, settler = (
            Contract(at, load(interface))
            for at, interface in (
                (addresses.market, "lyra-option-market"),
                (addresses.short_collateral, "lyra-short-collateral"),
            )
        )
        super().__init__(chain, Market(market, settler, quote, holder.safe), name)
        self.holder, self.addresses = holder, addresses
        self.tokens = Contract(addresses.option_token, load("lyra-option-token"))
        self.shorts = LyraShorts(self, writing) if writing is not None else None
        self._exchange = Contract(addresses.exchange, load("lyra-synthetix-adapter"))

    @cached_property
    def _quote_entry(self) -> dict[str, Any]:
        return quote_entry()

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        if self.shorts is None:
            return permits(self.market, self.terms_of)
        return permits(self.market, self.terms_of, self.shorts.words, self.shorts.writing.base)

    def quote(self, order: Order) -> Money:
        """
        What buying costs (-) or selling brings (+) at this block, volatility impact and fees included.

        Exact as of the block: the pricer is asked, read-only and in the market's name, about the very
        trade. Raises `OrderRejected` for an unlisted strike or a trade the market refuses.
        """
        if self.shorts is not None and is_written(order):
            return self.shorts.quote(order)
        option, units = option_leg(self.market, order)
        listed = self.listed(order, option)
        total = self.cost(listed, LONG[option.right], abs(units), opens=units > 0)
        return Money(-total if units > 0 else total, self.market.quote.currency)

    def cost(self, listed: Listed, kind: OptionType, units: int, *, opens: bool) -> int:
        """Total cost of a trade as the market would state it at the latest block, fees included."""
        market, where = self._market(), self.chain.block().pinned
        terms, spot = self.chain.read_many(
            [
                market.query("getStrikeAndBoard", listed.strike_id),
                self._exchange.query("getExchangeParams", self.addresses.market),
            ],
            block=where,
        )
        strike, board = terms
        pool = Contract(self.addresses.liquidity_pool, load("lyra-liquidity-pool"))
        liquidity = pool.read(self.chain, "getLiquidity", spot["spotPrice"], block=where)
        exposure = EXPOSURES[kind]
        strike = {**strike, exposure: strike[exposure] + (units if opens else -units)}
        trade = {
            "isBuy": opens == (kind.sign > 0),
            "isForceClose": False,
            "tradeDirection": OPEN if opens else CLOSE,
            "optionType": int(kind),
            "amount": units,
            "expiry": listed.expiry,
            "strikePrice": listed.strike,
            "liquidity": liquidity,
            "exchangeParams": spot,
        }
        data = encode_call(self._quote_entry, [strike, trade, board["iv"], listed.expiry])
        answer = self.chain.call(self.addresses.pricer, data, sender=self.addresses.market, block=where)
        return int(decode_result(self._quote_entry, answer)["totalCost"])

    def calls(self, order: Order) -> tuple[Call, ...]:
        """
        Buy (positive leg), sell back (negative leg), or settle (negative leg past its expiry).

        What is bought is added to the position the vault has of that option, so that one sale can end it all.
        An order with a leg of collateral writes, buys back or recollateralises (`LyraShorts.calls`). Strike ids
        and position ids are looked up on chain; their terms never change.
        """
        if self.shorts is not None and is_written(order):
            return self.shorts.calls(order)
        option, units = option_leg(self.market, order)
        listed = self.listed(order, option)
        mine = [p for p in self.owned(self.holder.safe) if self._is(p, listed, option)]
        if units > 0:
            return open_long(self.market, order, listed, min((p["positionId"] for p in mine), default=0))
        if self.chain.block().timestamp >= listed.expiry:
            return self._settlement(mine, order.id)
        match = [p for p in mine if p["amount"] >= -units]
        if not match:
            raise refused(order, f"the vault holds no single position of {option.id} that large")
        return close_long(self.market, order, listed, match[0]["positionId"])

    def settlement(self, owner: str) -> tuple[Call, ...]:
        """Calls that settle every expired position of `owner`; empty if there is none. Anybody may make them."""
        now = self.chain.block().timestamp
        expired = [p for p in self.owned(owner) if self.terms(p["strikeId"]).expiry <= now]
        return self._settlement(expired, "settlement") if expired else ()

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        What this receipt did for the order: the market's `Trade`, or the settlement of its position.

        Raises `VenueError` if a trade's cost and the tokens that moved disagree.
        """
        if self.shorts is not None and is_written(order):
            return self.shorts.read(order, receipt)
        option, units = option_leg(self.market, order)
        listed = self.listed(order, option)
        for event in events(self._market(), "Trade", receipt):
            done, kind = traded(event), event["trade"]["optionType"]
            same = event["strikeId"] == listed.strike_id and kind == LONG[option.right]
            if same and event["trader"] == self.holder.safe and done.units * (1 if done.bought else -1) == units:
                self._paid(order, done, receipt)
                return (self._trade_fill(order, receipt, option, done),)
        return self._settled(order, receipt, lambda found: found == option) if units < 0 else ()

    def settled(self, receipt: Receipt, order: Order) -> Sequence[Fill]:
        """Every settlement of a position of ours in this receipt, whoever asked for it (faults F98)."""
        return self._settled(order, receipt, lambda _: True)

    def positions(self, owner: str) -> dict[str, int]:
        """Options held (+) or written (-) in 18-decimal units, and collateral, at the latest final block."""
        owned = self.owned(owner, block="finalized")
        held: dict[str, int] = self.shorts.collateral(owned) if self.shorts is not None else {}
        for position in owned:
            kind = OptionType(position["optionType"])
            name = self.market.option(self.terms(position["strikeId"]), kind.right).id
            held[name] = held.get(name, 0) + kind.sign * position["amount"]
        return held

    def owned(self, owner: str, *, block: BlockTag = "latest") -> list[dict[str, Any]]:
        """Every position of `owner` as the option token tells it."""
        found: list[dict[str, Any]] = self.tokens.read(self.chain, "getOwnerPositions", owner, block=block)
        return found

    def _is(self, position: dict[str, Any], listed: Listed, option: VanillaOption) -> bool:
        return bool(position["strikeId"] == listed.strike_id and position["optionType"] == LONG[option.right])

    def _settlement(self, expired: list[dict[str, Any]], name: str) -> tuple[Call, ...]:
        if not expired:
            raise VenueError(f"{name}: nothing to settle", why="no such position is held", todo="reconcile")
        boards: list[int] = []
        for listed in {position["strikeId"]: self.terms(position["strikeId"]) for position in expired}.values():
            at_expiry = self._market().read(self.chain, "getSettlementParameters", listed.strike_id)["priceAtExpiry"]
            if at_expiry == 0 and listed.board_id not in boards:
                boards.append(listed.board_id)
        return settle(self.market, [position["positionId"] for position in expired], boards)

    def _trade_fill(self, order: Order, receipt: Receipt, option: VanillaOption, done: Traded) -> Fill:
        quote = self.market.quote
        verb, signed_premium = ("buy", -done.premium) if done.bought else ("sell", done.premium)
        return fill(
            order,
            receipt,
            self.holder,
            ordinal=done.ordinal,
            changes=done.changes(self.market, option),
            memo=f"{verb} {Money(done.units, option.unit).amount.normalize():f} {option.id} "
            f"for {quote.shown(signed_premium)}, position {done.position_id}",
            fees={kind: Money(units, quote.currency) for kind, units in done.fees.items()},
            slippage=slippage(order, Money(done.premium, quote.currency)),
        )

    def _settled(self, order: Order, receipt: Receipt, wanted: Callable[[VanillaOption], bool]) -> tuple[Fill, ...]:
        fills = []
        for event in events(self.market.settler, "PositionSettled", receipt):
            if event["optionOwner"] != self.holder.safe:
                continue
            kind = OptionType(event["optionType"])
            if kind.sign < 0 and self.shorts is not None:
                fills.append(self.shorts.settled(order, receipt, event))
                continue
            position = self.tokens.read(self.chain, "getOptionPosition", event["positionId"])
            option = self.market.option(self.terms(position["strikeId"]), kind.right)
            if kind.sign > 0 and wanted(option):
                fills.append(self._settlement_fill(order, receipt, option, event))
        return tuple(fills)

    def _settlement_fill(self, order: Order, receipt: Receipt, option: VanillaOption, event: Found) -> Fill:
        paid, quote = event["settlementAmount"], self.market.quote
        price = Money(event["priceAtExpiry"], quote.currency).amount.normalize()
        changes = [change(option, -event["amount"])] + ([change(quote.cash, paid)] if paid else [])
        memo = f"settle {option.id} at {price:f} for {quote.shown(paid)}"
        return fill(order, receipt, self.holder, ordinal=event.ordinal, changes=tuple(changes), memo=memo)

    def _paid(self, order: Order, done: Traded, receipt: Receipt) -> None:
        """Hold the trade's cost against the quote tokens that moved since the market's previous trade."""
        trades = [e.ordinal for e in events(self._market(), "Trade", receipt) if e.ordinal < done.ordinal]
        first, moved = max(trades, default=-1), 0
        for transfer in events(self.market.quote.contract, "Transfer", receipt):
            source, target, units = transfer.fields.values()
            if first < transfer.ordinal < done.ordinal and {source, target} & {
                self.addresses.liquidity_pool,
                self.addresses.market,
            }:
                moved += units * ((source == self.holder.safe) - (target == self.holder.safe))
        if moved != (done.total if done.bought else -done.total):
            raise VenueError(
                f"order {order.id} does not add up",
                why=f"the market logged {done.total}, {moved} units of {self.market.quote.currency} moved",
                todo="halt, then reconcile by hand",
            )
