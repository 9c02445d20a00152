"""Uniswap v3 ranges as a venue: liquidity opened inside a price band, collected, and taken out again."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

from adapters.evm.chain import BlockTag, Chain, Reverted
from adapters.evm.contract import Contract
from adapters.evm.liquidity_calls import close_range, collect, open_range, permits
from adapters.evm.liquidity_wire import Held, RangePool, Stake, amounts, stake
from adapters.evm.uniswap import UniswapSwaps
from adapters.evm.wire import Found, Holder, Permit, change, events, fill, refused, slippage
from contracts_abi import load
from engine.errors import InputError, MarketDataError, VenueError
from engine.money import Money
from engine.orders import Address, Call, Fill, Order, OrderLeg
from engine.ports import Receipt

_Q96 = 2**96


class UniswapRanges:
    """
    Liquidity between two prices of listed Uniswap v3 pools (port `engine.ports.OnchainVenue`).

    An order has two legs, the range and its asset token; `bounded` fills in what the pool asks. One
    range is one NFT: more liquidity is added to the one the vault holds.

    Parameters
    ----------
    chain, holder : where, and for which Safe
    manager : the `NonfungiblePositionManager`
    pools : that liquidity may go to
    move : how far the price may move between plan and execution, as a share (0.005 = 0.5 %)
    swaps : if given, its guard must believe the pool's price before anything is quoted (faults F42)
    name : the venue's name in orders

    Source
    ------
    Uniswap v3 periphery 1.4.4 `INonfungiblePositionManager`; D07 for what a range is worth.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        *,
        manager: Address,
        pools: Sequence[RangePool],
        move: Decimal = Decimal("0.005"),
        swaps: UniswapSwaps | None = None,
        name: str = "uniswap-range",
    ) -> None:
        if not 0 < move < 1:
            raise InputError(f"price move {move} refused", why="it is a share", todo="give a number such as 0.005")
        self.chain, self.holder, self.name = chain, holder, name
        self.manager = Contract(manager, load("uniswap-position-manager"))
        self.pools, self.move, self._swaps = tuple(pools), move, swaps

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return permits(self.manager, self.pools, self.holder.safe, self._ours)

    def quote(self, order: Order) -> Money:
        """
        Currency tokens that go in (-) or come out (+) at this block; the asset's part is in `bounded`.

        Raises `MarketDataError` when the pool's price is not to be believed.
        """
        asked = stake(self.pools, order)
        _, currency = self._amounts(asked)
        return Money(-currency if asked.opens else currency, asked.pool.currency.currency)

    def bounded(self, order: Order) -> Order:
        """The order with what its liquidity takes now, or with the least it gives within the price move."""
        asked = stake(self.pools, order)
        asset, currency = self._amounts(asked)
        arrival = Money(-currency if asked.opens else currency, asked.pool.currency.currency)
        if not asked.opens:
            asset, currency = self._least_out(asked)
        sign = -1 if asked.opens else 1
        legs = (order.legs[0], OrderLeg(asked.pool.asset.cash, Money(sign * asset, asked.pool.asset.currency).amount))
        return replace(order, legs=legs, limit=Money(sign * currency, arrival.currency), arrival=arrival)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """
        Mint or add to the range (positive), or take out and collect (negative).

        The NFT is looked up on chain. Raises `OrderRejected` if the vault's holds less.
        """
        asked = stake(self.pools, order)
        mine = [held for held, _ in self._holdings(self.holder.safe) if held.range == order.legs[0].instrument]
        if asked.opens:
            return open_range(self.manager, asked, mine[0] if mine else None, self.holder.safe, self.move)
        large = [held for held, units in self._holdings(self.holder.safe) if held in mine and units >= asked.liquidity]
        if not large:
            raise refused(order, f"the vault holds no position of {order.legs[0].instrument.id} that large")
        return close_range(self.manager, asked, large[0], self.holder.safe)

    def collection(self, owner: str) -> tuple[Call, ...]:
        """Calls that collect the fees of every range `owner` holds; empty if it holds none."""
        return tuple(collect(self.manager, held, self.holder.safe) for held, _ in self._holdings(owner))

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        What this receipt did for the order: liquidity and its tokens, then fees that came with a closing.

        Raises `VenueError` if the manager's event and the transfers disagree.
        """
        asked = stake(self.pools, order)
        event = self._found(asked, receipt)
        if event is None:
            return ()
        asset, currency = asked.pool.sorted(event["amount0"], event["amount1"])
        sign = 1 if asked.opens else -1
        wanted = asked.pool.range(asked.lower_tick, asked.upper_tick)
        changes = [change(wanted, sign * event["liquidity"])]
        for token, units in ((asked.pool.asset, asset), (asked.pool.currency, currency)):
            changes += [change(token.cash, -sign * units)] if units else []
        if asked.opens:
            self._moved(asked.pool, event, receipt, inwards=True)
        verb, tokens = ("put", "into") if asked.opens else ("take", "out of")
        memo = f"{verb} {asked.pool.asset.shown(asset)} and {asked.pool.currency.shown(currency)} {tokens} {wanted.id}"
        paid = Money(-sign * currency, asked.pool.currency.currency)
        done = fill(
            order,
            receipt,
            self.holder,
            ordinal=event.ordinal,
            changes=tuple(changes),
            memo=memo,
            slippage=slippage(order, paid),
        )
        return (done,) if asked.opens else (done, *self._fees(order, receipt, only=event["tokenId"]))

    def collected(self, receipt: Receipt, order: Order) -> Sequence[Fill]:
        """Swap fees that this receipt brought in, range by range; principal that came with them is left out."""
        return self._fees(order, receipt)

    def positions(self, owner: str) -> dict[str, int]:
        """Liquidity per range of `owner` at the latest final block; uncollected fees apart."""
        found: dict[str, int] = {}
        for held, units in self._holdings(owner, block="finalized"):
            if units:
                found[held.range.id] = found.get(held.range.id, 0) + units
        return found

    def _amounts(self, asked: Stake) -> tuple[int, int]:
        """Asset and currency behind the order's liquidity at the pool's price now."""
        self._believed(asked.pool)
        with localcontext(prec=60):
            root = Decimal(self._root(asked.pool)) / _Q96
        return asked.pool.sorted(*amounts(asked, root, asked.liquidity, up=asked.opens))

    def _least_out(self, asked: Stake) -> tuple[int, int]:
        with localcontext(prec=60):
            root, step = Decimal(self._root(asked.pool)) / _Q96, (1 + self.move).sqrt()
            ends = root * step, root / step
        first, second = (amounts(asked, end, asked.liquidity, up=False)[index] for index, end in enumerate(ends))
        return asked.pool.sorted(first, second)

    def _root(self, pool: RangePool) -> int:
        return int(pool.swaps.contract.read(self.chain, "slot0")["sqrtPriceX96"])

    def _believed(self, pool: RangePool) -> None:
        if self._swaps is None or self._swaps.guard is None:
            return
        seen, guard = self._swaps.reading(pool.swaps), self._swaps.guard
        if abs(seen.deviation) > guard.most or seen.observations < guard.least_observations:
            raise MarketDataError(
                f"{pool.name} is not quoted",
                why=f"spot is {seen.deviation:+.2%} off its average over {seen.observations} observations",
                todo="wait; liquidity put in at a moved price is lost to whoever moved it",
            )

    def _ours(self, token_id: int) -> Held | None:
        """Terms of an NFT that the vault itself holds in a listed pool; None otherwise."""
        try:
            if self.manager.read(self.chain, "ownerOf", token_id) != self.holder.safe:
                return None
        except Reverted:
            return None
        return self._terms(token_id)

    def _terms(self, token_id: int, block: BlockTag = "latest") -> Held | None:
        return self._held(token_id, self.manager.read(self.chain, "positions", token_id, block=block))

    def _held(self, token_id: int, terms: dict[str, Any]) -> Held | None:
        for pool in self.pools:
            if (terms["token0"], terms["token1"], terms["fee"]) == (*(t.address for t in pool.tokens), pool.fee):
                return Held(token_id, pool, terms["tickLower"], terms["tickUpper"])
        return None

    def _holdings(self, owner: str, *, block: BlockTag = "latest") -> list[tuple[Held, int]]:
        number = block if isinstance(block, int) else self.chain.block(block).number
        count = self.manager.read(self.chain, "balanceOf", owner, block=number)
        ids = self.chain.read_many(
            [self.manager.query("tokenOfOwnerByIndex", owner, at) for at in range(count)], block=number
        )
        terms = self.chain.read_many([self.manager.query("positions", each) for each in ids], block=number)
        found = [(self._held(token_id, each), each["liquidity"]) for token_id, each in zip(ids, terms, strict=True)]
        return [(held, units) for held, units in found if held is not None]

    def _found(self, asked: Stake, receipt: Receipt) -> Found | None:
        name = "IncreaseLiquidity" if asked.opens else "DecreaseLiquidity"
        for event in events(self.manager, name, receipt):
            held = self._terms(event["tokenId"], receipt.block)
            if held is None or (held.pool, held.lower_tick, held.upper_tick) != (
                asked.pool,
                asked.lower_tick,
                asked.upper_tick,
            ):
                continue
            asset, currency = asked.pool.sorted(event["amount0"], event["amount1"])
            fits = asset <= asked.asset and currency <= asked.currency
            if self._is_ours(held, receipt) and (fits if asked.opens else event["liquidity"] == asked.liquidity):
                return event
        return None

    def _is_ours(self, held: Held, receipt: Receipt) -> bool:
        owner = self.manager.read(self.chain, "ownerOf", held.token_id, block=receipt.block)
        return bool(owner == self.holder.safe)

    def _fees(self, order: Order, receipt: Receipt, *, only: int | None = None) -> tuple[Fill, ...]:
        fills: list[Fill] = []
        principal: dict[int, tuple[int, int]] = {}
        taken = [(e.ordinal, "taken", e) for e in events(self.manager, "DecreaseLiquidity", receipt)]
        paid = [(e.ordinal, "paid", e) for e in events(self.manager, "Collect", receipt)]
        for _, kind, event in sorted(taken + paid, key=lambda each: each[0]):
            token_id, first, second = event["tokenId"], event["amount0"], event["amount1"]
            before = principal.get(token_id, (0, 0))
            if kind == "taken":
                principal[token_id] = before[0] + first, before[1] + second
                continue
            principal.pop(token_id, None)
            held = self._terms(token_id, receipt.block)
            if held is None or only not in (None, token_id) or not self._is_ours(held, receipt):
                continue
            self._moved(held.pool, event, receipt, inwards=False)
            earned = held.pool.sorted(first - before[0], second - before[1])
            if any(earned):
                fills.append(self._fee_fill(order, receipt, held, event, earned))
        return tuple(fills)

    def _fee_fill(self, order: Order, receipt: Receipt, held: Held, event: Found, earned: tuple[int, int]) -> Fill:
        tokens = held.pool.asset, held.pool.currency
        changes = tuple(change(t.cash, units) for t, units in zip(tokens, earned, strict=True) if units)
        words = " and ".join(t.shown(units) for t, units in zip(tokens, earned, strict=True))
        memo = f"swap fees of {held.range.id}: {words}"
        made = fill(order, receipt, self.holder, ordinal=event.ordinal, changes=changes, memo=memo)
        return replace(made, evidence={**made.evidence, "income": "liquidity_fees", "instrument": held.range.id})

    def _moved(self, pool: RangePool, event: Found, receipt: Receipt, *, inwards: bool) -> None:
        way = (self.holder.safe, pool.address) if inwards else (pool.address, self.holder.safe)
        for token, units in zip(pool.tokens, (event["amount0"], event["amount1"]), strict=True):
            seen = [tuple(t.fields.values()) for t in events(token.contract, "Transfer", receipt)]
            if units and (*way, units) not in seen:
                raise VenueError(
                    f"position {event['tokenId']} does not add up",
                    why=f"the manager logged {token.shown(units)}, no such transfer was made",
                    todo="halt, then reconcile by hand",
                )
