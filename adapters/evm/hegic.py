"""Hegic Herge as a venue: options bought from a pool at spot, exercised in the money, closed when they expired."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.hegic_wire import Herge, Strategy, Wish, buy, exercise, permits, unlock, wish
from adapters.evm.wire import Found, Holder, Permit, change, events, fill, refused, slippage
from contracts_abi import load
from engine.errors import VenueError
from engine.instruments import Right, VanillaOption
from engine.money import Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt

_LOCKED = 1
_NO_TERMS: list[bytes] = []


@dataclass(frozen=True, slots=True)
class StrategyAddress:
    """Where one strategy is, and what it sells; see `hegic_wire.Strategy`."""

    address: Address
    underlying: str
    right: Right
    scale: int = 10_000
    decimals: int = 18


@dataclass(frozen=True, slots=True)
class HeldOption:
    """A position the vault holds: its token, terms, units and expiry in seconds."""

    number: int
    option: VanillaOption
    strategy: Strategy
    units: int
    expiry: int


class HegicOptions:
    """
    Buys, exercises and closes options of listed strategies (port `engine.ports.OnchainVenue`).

    An option is struck at spot when it is bought and pays only if somebody asks before it expires: `expiring`
    finds what is in the money and about to be lost. It pays what treasury and cover pool can pay: read
    `cover` at every mark.

    Parameters
    ----------
    chain, holder : where, and for which Safe; position tokens are safely minted, so it needs its fallback handler
    treasury, manager, cover_pool : of the protocol
    strategies : listed
    since : block from which the vault's position tokens are looked for

    Source
    ------
    Hegic Herge: `OperationalTreasury`, `HegicStrategy`, `PositionsManager`, `CoverPool`.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        *,
        treasury: Address,
        manager: Address,
        cover_pool: Address,
        money: Token,
        strategies: Sequence[StrategyAddress],
        since: int = 0,
        name: str = "hegic",
    ) -> None:
        self.chain, self.holder, self.name, self.since = chain, holder, name, since
        listed = tuple(
            Strategy(Contract(s.address, load("hegic-strategy")), s.underlying, s.right, s.scale, s.decimals)
            for s in strategies
        )
        manager_contract = Contract(manager, load("hegic-positions-manager"))
        treasury_contract = Contract(treasury, load("hegic-treasury"))
        self.herge = Herge(treasury_contract, manager_contract, money, listed, holder.safe, name)
        self._cover_pool = Contract(cover_pool, load("hegic-cover-pool"))

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return permits(self.herge)

    def quote(self, order: Order) -> Money:
        """
        Premium that buying costs (-), or what exercising a held option pays (+), now.

        Raises `OrderRejected` where the pool has not that many to sell, or nothing is paid.
        """
        asked = wish(self.herge, order)
        if asked.units < 0:
            return Money(self._payoff(order, asked)[1], self.herge.money.currency)
        contract, period = asked.strategy.contract, self._period(order, asked)
        free, pnl = self.chain.read_many(
            [
                contract.query("getAvailableContracts", period, _NO_TERMS),
                contract.query("calculateNegativepnlAndPositivepnl", asked.units, period, _NO_TERMS),
            ]
        )
        if asked.units > free:
            raise refused(order, f"the pool sells {free} units now", "buy less, or elsewhere")
        return Money(-pnl["positivepnl"], self.herge.money.currency)

    def bounded(self, order: Order, slippage_share: Decimal) -> Order:
        """The order limited to its quote less `slippage_share` of it (0.005 = 0.5 %), rounded against us up."""
        quoted = self.quote(order)
        worst = quoted.amount - abs(quoted.amount) * slippage_share
        return replace(order, limit=Money.rounded(worst, quoted.currency, ROUND_FLOOR), arrival=quoted)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """Buy until the order's expiry, or exercise the position held. Clock and position are read on chain."""
        asked = wish(self.herge, order)
        if asked.units > 0:
            return buy(self.herge, asked, self._period(order, asked))
        return (exercise(self.herge, self._payoff(order, asked)[0].number),)

    def settlement(self, owner: str) -> tuple[Call, ...]:
        """Calls that close every expired position of `owner`; empty if there is none. Anybody may make them."""
        now = self.chain.block().timestamp
        return tuple(unlock(self.herge, held.number) for held in self._held(owner, "latest") if now > held.expiry)

    def expiring(self, owner: str, *, seconds: int) -> tuple[Call, ...]:
        """Calls that exercise what `owner` may take now and would lose within `seconds`: it pays nothing by itself."""
        now = self.chain.block().timestamp
        soon = [held for held in self._held(owner, "latest") if now < held.expiry <= now + seconds]
        queries = [held.strategy.contract.query("isPayoffAvailable", held.number, owner, owner) for held in soon]
        may = self.chain.read_many(queries)
        return tuple(exercise(self.herge, held.number) for held, pays in zip(soon, may, strict=True) if pays)

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        What this receipt bought or exercised for the order; a purchase carries the terms it was struck at.

        Raises `VenueError` if an event and the money disagree.
        """
        asked = wish(self.herge, order)
        if asked.units < 0:
            ended = change(asked.option, asked.units).held
            return tuple(f for f in self._ended(order, receipt) if f.changes[0].held == ended)
        if (seen := self._bought(asked, receipt)) is None:
            return ()
        event, held = seen
        paid = event["positivepnl"]
        self._moved(order, receipt, (self.holder.safe, self.herge.treasury.address, paid))
        cash = change(self.herge.money.cash, -paid)
        memo = f"buy {held.option.id} for {self.herge.money.shown(paid)}, position {held.number}"
        changes = change(held.option, asked.units), cash
        spent = slippage(order, cash.held)
        return (fill(order, receipt, self.holder, ordinal=event.ordinal, changes=changes, memo=memo, slippage=spent),)

    def settled(self, receipt: Receipt, order: Order) -> Sequence[Fill]:
        """Every position of ours that this receipt paid or closed, whoever asked for it (faults F98)."""
        return self._ended(order, receipt)

    def positions(self, owner: str) -> dict[str, int]:
        """Options held and not yet paid or closed, at the latest final block."""
        found: dict[str, int] = {}
        for held in self._held(owner, self.chain.block("finalized").number):
            found[held.option.id] = found.get(held.option.id, 0) + held.units
        return found

    def cover(self, *, block: BlockTag = "latest") -> float:
        """What treasury and cover pool can pay, over what they reserve: the reserve is no worst loss, so watch it."""
        number = block if isinstance(block, int) else self.chain.block(block).number
        treasury = self.herge.treasury
        queries = [treasury.query(name) for name in ("totalBalance", "totalLocked", "lockedPremium")]
        queries.append(self._cover_pool.query("availableForPayment"))
        balance, locked, premium, pool = self.chain.read_many(queries, block=number)
        return float(balance + pool) / float(locked + premium) if locked + premium else float("inf")

    def _period(self, order: Order, asked: Wish) -> int:
        period = int(asked.option.expiry.timestamp()) - self.chain.block().timestamp
        if period <= 0:
            raise refused(order, f"{asked.option.id} has expired")
        return period

    def _payoff(self, order: Order, asked: Wish) -> tuple[HeldOption, int]:
        for held in self._held(self.holder.safe, "latest"):
            if (held.option.id, held.units) == (asked.option.id, -asked.units):
                contract, safe = held.strategy.contract, self.holder.safe
                may, amount = self.chain.read_many(
                    [
                        contract.query("isPayoffAvailable", held.number, safe, safe),
                        contract.query("payOffAmount", held.number),
                    ]
                )
                if not may or amount < asked.bound:
                    paid = self.herge.money.shown(amount)
                    raise refused(order, f"exercising pays {paid} now", "wait for its window, or let it expire")
                return held, int(amount)
        raise refused(order, f"the vault holds no {asked.option.id} of exactly that size")

    def _held(self, owner: str, block: BlockTag) -> list[HeldOption]:
        """Positions that came to `owner` and are still its own and locked."""
        manager = self.herge.manager
        number = block if isinstance(block, int) else self.chain.block(block).number
        mine = [manager.topic("Transfer"), None, "0x" + owner.removeprefix("0x").lower().rjust(64, "0")]
        logs = self.chain.logs(address=manager.address, topics=mine, first=self.since, last=number)
        numbers = sorted({event["tokenId"] for event in manager.events("Transfer", logs)})
        owners = self.chain.read_many([manager.query("ownerOf", each) for each in numbers], block=number)
        still = [each for each, holder in zip(numbers, owners, strict=True) if holder.lower() == owner.lower()]
        return [held for each in still if (held := self._one(each, number)) is not None]

    def _bought(self, asked: Wish, receipt: Receipt) -> tuple[Found, HeldOption] | None:
        """
        The purchase of ours that this order asked for.

        The period is fixed when it is encoded and runs from the block that buys: of purchases of one size it is
        the one that expires first at or after the order's expiry.
        """
        least, found = int(asked.option.expiry.timestamp()), []
        for event in events(asked.strategy.contract, "Acquired", receipt):
            held = self._one(event["id"], receipt.block)
            if held is None or event["data"]["amount"] != asked.units or held.expiry < least:
                continue
            if self.herge.manager.read(self.chain, "ownerOf", held.number, block=receipt.block) == self.holder.safe:
                found.append((event, held))
        return min(found, key=lambda each: each[1].expiry, default=None)

    def _one(self, number: int, block: int) -> HeldOption | None:
        """A position's terms while it is locked; None once it ended, or of an unlisted strategy."""
        locked = self.herge.treasury.read(self.chain, "lockedLiquidity", number, block=block)
        strategy = next((s for s in self.herge.strategies if s.contract.address == locked["strategy"]), None)
        if locked["state"] != _LOCKED or strategy is None:
            return None
        terms = strategy.contract.read(self.chain, "strategyData", number, block=block)
        option = self.herge.option(strategy, terms["strike"], locked["expiration"])
        return HeldOption(number, option, strategy, terms["amount"], locked["expiration"])

    def _ended(self, order: Order, receipt: Receipt) -> tuple[Fill, ...]:
        fills = []
        ended = events(self.herge.treasury, "Paid", receipt) + events(self.herge.treasury, "Expired", receipt)
        for event in sorted(ended, key=lambda each: each.ordinal):
            owner = self.herge.manager.read(self.chain, "ownerOf", event["id"], block=receipt.block)
            held = self._one(event["id"], receipt.block - 1)
            if owner != self.holder.safe or held is None:
                continue
            paid = event.fields.get("amount", 0)
            if paid:
                self._moved(order, receipt, (self.herge.treasury.address, self.holder.safe, paid))
            cash = change(self.herge.money.cash, paid)
            memo = f"{'exercise' if paid else 'let expire'} {held.option.id} for {self.herge.money.shown(paid)}"
            fills.append(
                fill(
                    order,
                    receipt,
                    self.holder,
                    ordinal=event.ordinal,
                    changes=(change(held.option, -held.units), *([cash] if paid else [])),
                    memo=memo,
                )
            )
        return tuple(fills)

    def _moved(self, order: Order, receipt: Receipt, wanted: tuple[Address, Address, int]) -> None:
        if wanted not in [tuple(e.fields.values()) for e in events(self.herge.money.contract, "Transfer", receipt)]:
            raise VenueError(
                f"order {order.id} does not add up",
                why=f"the treasury logged {self.herge.money.shown(wanted[2])}, no such transfer was made",
                todo="halt, then reconcile by hand",
            )
