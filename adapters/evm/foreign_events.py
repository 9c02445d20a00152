"""
What others did to our positions since the last sync: liquidations, settlements, Safe transactions we do not know,
and tokens that came or went.

Only final blocks are read, so nothing here is ever taken back; every effect has the key it would have whoever
reads it, so that reading twice posts once (faults I2, F98, F99).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from adapters.evm.aave import AaveMarket
from adapters.evm.chain import BlockHash, Chain
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, transferred
from adapters.evm.foreign_transfers import unexplained
from adapters.evm.lyra import LyraOptions
from adapters.evm.wire import Found, Holder, change, events, evidence, silenced
from contracts_abi import load
from engine.entries import Entry
from engine.errors import VenueError
from engine.instruments import LendingDebt, LendingSupply
from engine.ledger.lending import accruals
from engine.ledger.liquidation import liquidated, liquidation_bonus
from engine.ledger.posting import capital, entry_for
from engine.money import Money
from engine.orders import Order, OrderId
from engine.ports import Receipt
from engine.positions import Book, Sleeve

FOREIGN = OrderId("foreign")
"""Order id in the evidence of what no order of ours asked for."""

_NOWHERE = 0
_BLOCKS_AT_ONCE = 10_000


class ForeignKind(StrEnum):
    """What somebody else did."""

    LIQUIDATION = "liquidation"
    SETTLEMENT = "settlement"
    EXECUTION = "execution"
    FAILED_EXECUTION = "failed execution"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


_HARMLESS = frozenset({ForeignKind.SETTLEMENT, ForeignKind.DEPOSIT})


@dataclass(frozen=True, slots=True)
class ForeignEvent:
    """
    One effect, its place on the chain, and what it does to the books.

    `entries` are balanced and final; an execution we do not know posts the tokens that it moved as capital, for
    an operator to look at; tokens that came or went without one stand in suspense. `alarms` says that trading
    goes on reducing only until he has.
    """

    kind: ForeignKind
    key: str
    receipt: Receipt
    entries: tuple[Entry, ...]
    says: str

    @property
    def alarms(self) -> bool:
        """Whether it calls for REDUCING: all but a settlement or a gift, which everybody may make and costs nothing."""
        return self.kind not in _HARMLESS


@dataclass(frozen=True, slots=True)
class Sync:
    """What was found, and the last block that it covers: the next sync begins after it."""

    events: tuple[ForeignEvent, ...]
    through: int


@dataclass(frozen=True, slots=True)
class ForeignEvents:
    """
    Reads what others did to one Safe.

    Parameters
    ----------
    chain, holder : where, and which Safe
    lending, options : venues whose positions others may end
    tokens : what the vault holds
    ours : hashes of the Safe transactions that our plans made, cancels included
    """

    chain: Chain
    holder: Holder
    lending: Sequence[AaveMarket]
    options: LyraOptions | None
    tokens: Sequence[Token]
    ours: Callable[[], Collection[str]]

    def since(self, block: int) -> Sync:
        """
        Every foreign effect in the final blocks after `block`, in order, in a handful of round trips.

        Raises `VenueError` for an event that does not add up: nothing of the sync is posted then.
        """
        final = self.chain.heads().final
        if final <= block:
            return Sync((), block)
        found = self.chain.logs_many(list(self._filters(block + 1, final)))
        names = dict.fromkeys(log["transactionHash"] for logs in found for log in logs)
        receipts = [self._final(name) for name in names]
        effects = [effect for receipt in sorted(receipts, key=_place) for effect in self.of(receipt)]
        return Sync(tuple(effects), final)

    def of(self, receipt: Receipt) -> Iterator[ForeignEvent]:
        """The foreign effects of one final receipt."""
        known = frozenset(self.ours())
        found = [
            *(event for market in self.lending for event in self._liquidations(market, receipt)),
            *(self._options(self.options, receipt) if self.options is not None else ()),
            *self._executions(receipt, known),
        ]
        yield from found
        ours = known & frozenset(self.holder.executions(receipt).values())  # their own fills account for them
        around = silenced(receipt, [self.holder.own(receipt, name) for name in ours])
        stems = tuple(f"{self.holder.stem(name)}:" for name in ours)
        explained = [entry for event in found for entry in event.entries if not entry.key.startswith(stems)]
        yield from self._transfers(around, explained)

    def interest(self, book: Book, day: date, posted: Collection[str] = ()) -> tuple[Entry, ...]:
        """
        Interest of the supplies and debts in `book` up to the latest final block, as entries of that day.

        What interest cannot explain is left for `reconcile` to name (`engine.ledger.lending.accruals`).
        """
        head = self.chain.block(self.chain.heads().final)
        held: dict[str, int] = {}
        for market in self.lending:
            held |= market.balances(self.holder.safe, block=head.number)
        return accruals(book, held, day, at=head.at, block=head.number, posted=posted)

    def _filters(self, first: int, last: int) -> Iterator[dict[str, object]]:
        """Log filters by owner, in ranges that endpoints answer."""
        me = "0x" + self.holder.safe[2:].lower().rjust(64, "0")
        safe = self._safe
        wanted: list[tuple[str | list[str], list[object]]] = [
            (safe.address, [[safe.topic("ExecutionSuccess"), safe.topic("ExecutionFailure")]])
        ]
        if self.tokens:
            places = [str(token.address) for token in self.tokens]
            transfer = self.tokens[0].contract.topic("Transfer")
            wanted += [(places, [transfer, me]), (places, [transfer, None, me])]
        for market in self.lending:
            pool = market.pool.contract
            wanted.append((pool.address, [pool.topic("LiquidationCall"), None, None, me]))
        if self.options is not None:
            trades, settler = self.options.market.contract, self.options.market.settler
            wanted.append((trades.address, [trades.topic("Trade"), me]))
            wanted.append((settler.address, [settler.topic("PositionSettled"), None, None, me]))
        for start in range(first, last + 1, _BLOCKS_AT_ONCE):
            span = {"fromBlock": hex(start), "toBlock": hex(min(start + _BLOCKS_AT_ONCE - 1, last))}
            for address, topics in wanted:
                yield {"address": address, "topics": topics, **span}

    @property
    def _safe(self) -> Contract:
        return Contract(self.holder.safe, load("safe-1.4.1"))

    def _final(self, transaction_hash: str) -> Receipt:
        receipt = self.chain.receipt(transaction_hash)
        if receipt is None or not receipt.final:
            raise VenueError(
                f"transaction {transaction_hash} left a final block",
                why="the node told of it in a block it called final",
                todo="halt; compare with another endpoint",
            )
        return receipt

    def _liquidations(self, market: AaveMarket, receipt: Receipt) -> Iterator[ForeignEvent]:
        for event in events(market.pool.contract, "LiquidationCall", receipt):
            if event["user"] == self.holder.safe:
                entry = self._liquidated(market, receipt, event)
                yield ForeignEvent(ForeignKind.LIQUIDATION, entry.key, receipt, (entry,), entry.memo)

    def _liquidated(self, market: AaveMarket, receipt: Receipt, event: Found) -> Entry:
        by_address = {token.address: token for token in market.pool.tokens.values()}
        collateral, debt = (by_address.get(event[side]) for side in ("collateralAsset", "debtAsset"))
        if collateral is None or debt is None:
            raise VenueError(
                f"liquidation in {market.name} not understood",
                why="it took or repaid a token that is not configured",
                todo="add the token, then sync again",
            )
        terms, fee = self._terms(market, receipt, event, collateral)
        seized = Money(event["liquidatedCollateralAmount"] + fee, collateral.currency)
        return liquidated(
            change(LendingSupply(market.name, collateral.currency), -seized.units),
            change(LendingDebt(market.name, debt.currency), event["debtToCover"]),
            bonus=liquidation_bonus(seized, terms["liquidationBonus"]),
            key=self.holder.key(receipt, event.ordinal),
            at=receipt.at,
            evidence=evidence(receipt, event.ordinal),
        )

    def _terms(
        self, market: AaveMarket, receipt: Receipt, event: Found, collateral: Token
    ) -> tuple[dict[str, Any], int]:
        """The reserve's terms in that block, and the protocol's own fee, which the event leaves out."""
        asked = [
            market.terms_query("getReserveConfigurationData", collateral),
            market.terms_query("getReserveTokensAddresses", collateral),
        ]
        terms, tokens = self.chain.read_many(asked, block=BlockHash(receipt.block_hash))
        receipt_token = collateral.contract.at(tokens["aTokenAddress"])
        taken = [
            transfer["value"]
            for transfer in events(receipt_token, "Transfer", receipt)
            if transfer["from"] == self.holder.safe
            and int(transfer["to"], 16) != _NOWHERE
            and transfer["to"] != event["liquidator"]
        ]
        return terms, sum(taken)

    def _options(self, venue: LyraOptions, receipt: Receipt) -> Iterator[ForeignEvent]:
        order = _nobodys(venue)
        fills = [(ForeignKind.SETTLEMENT, fill) for fill in venue.settled(receipt, order)]
        if venue.shorts is not None:
            fills += [(ForeignKind.LIQUIDATION, fill) for fill in venue.shorts.liquidations(order, receipt)]
        for kind, fill in fills:
            final = replace(fill, final=receipt.final)
            yield ForeignEvent(kind, fill.key, receipt, (entry_for(final),), fill.memo)

    def _executions(self, receipt: Receipt, known: Collection[str]) -> Iterator[ForeignEvent]:
        for ordinal, name in self.holder.executions(receipt).items():
            if name not in known:
                key = self.holder.stem(name)
                entries = tuple(self._moved(receipt, key, ordinal))
                says = f"Safe transaction {name}, sent by {receipt.sender}, is of no plan of ours"
                yield ForeignEvent(ForeignKind.EXECUTION, key, receipt, entries, says)
        for name in self.holder.failures(receipt).values():
            key = self.holder.stem(name)
            says = f"Safe transaction {name}, sent by {receipt.sender}, failed and used its nonce"
            yield ForeignEvent(ForeignKind.FAILED_EXECUTION, key, receipt, (), says)

    def _transfers(self, receipt: Receipt, explained: Sequence[Entry]) -> Iterator[ForeignEvent]:
        for entry in unexplained(self.tokens, self.holder, receipt, explained):
            kind = ForeignKind.DEPOSIT if entry.legs[0].amount.units > 0 else ForeignKind.WITHDRAWAL
            yield ForeignEvent(kind, entry.key, receipt, (entry,), entry.memo)

    def _moved(self, receipt: Receipt, key: str, until: int) -> Iterator[Entry]:
        """What each token of ours gained or lost between the Safe's previous word and this one."""
        own = self.holder.own(receipt, self.holder.executions(receipt)[until])
        for token in self.tokens:
            if net := -transferred(token, receipt, sender=self.holder.safe, within=own):
                yield capital(
                    change(token.cash, net),
                    key=f"{key}:{token.currency}",
                    at=receipt.at,
                    memo=f"{token.shown(net)} moved by a Safe transaction of no plan",
                    evidence={**evidence(receipt, until), "by": receipt.sender},
                )


def _place(receipt: Receipt) -> tuple[int, int]:
    first = receipt.logs[0].get("transactionIndex", "0x0") if receipt.logs else "0x0"
    return receipt.block, int(first, 16)


def _nobodys(venue: LyraOptions) -> Order:
    zero = Money.zero(venue.market.quote.currency)
    return Order(FOREIGN, venue.name, Sleeve.DEFI, "foreign", (), zero, zero, "done by others")
