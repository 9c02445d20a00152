"""Uniswap v3 as a venue: swaps inside a bound, quoted by the pool, refused when spot left its own average."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from adapters.evm.batch_reads import Reads, together
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.peg_watch import PegWatch
from adapters.evm.price_guard import PriceGuard, PriceReading, agreed, believed, pool_reads
from adapters.evm.uniswap_wire import SwapPool, encode, fee, permits, proven, swap
from adapters.evm.wire import Holder, Permit, change, fill, slippage
from contracts_abi import load
from engine.money import Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt


class UniswapSwaps:
    """
    Swaps on listed Uniswap v3 pools (port `engine.ports.OnchainVenue`).

    Parameters
    ----------
    guard : what a pool must satisfy to be quoted; None quotes any
    oracle : USD per token by code from a second source, held against the pool's average
    peg : refuses to buy a token that has left what it is redeemed for

    Source
    ------
    Uniswap v3 `QuoterV2`, `SwapRouter02`, `IUniswapV3Pool.observe`.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        *,
        router: Address,
        quoter: Address,
        pools: Sequence[SwapPool],
        guard: PriceGuard | None = None,
        oracle: Reads[dict[str, float]] | None = None,
        peg: PegWatch | None = None,
        name: str = "uniswap",
    ) -> None:
        self.chain, self.holder, self.name = chain, holder, name
        self.router = Contract(router, load("uniswap-swap-router-02"))
        self._quoter = Contract(quoter, load("uniswap-quoter-v2"))
        self.pools, self.guard = tuple(pools), guard
        self.oracle, self.peg = oracle, peg

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return permits(self.router, self.pools, self.holder.safe)

    def quote(self, order: Order) -> Money:
        """
        What is paid (-) or received (+) at this block in the limit's token, the pool's fee included.

        Raises `MarketDataError` when spot is too far from its average, the pool cannot say, a second source
        disagrees, or what would be bought has left its peg.
        """
        asked = swap(self.pools, order)
        self._guarded(asked.pool)
        if self.peg is not None:
            self.peg.refuse_depegged(asked.pool, asked.received)
        terms = {
            "tokenIn": asked.paid.address,
            "tokenOut": asked.received.address,
            "fee": asked.pool.fee,
            "sqrtPriceLimitX96": 0,
            "amount" if asked.exact_out else "amountIn": asked.fixed,
        }
        function = "quoteExactOutputSingle" if asked.exact_out else "quoteExactInputSingle"
        answer = self._quoter.read(self.chain, function, terms)
        units = -int(answer["amountIn"]) if asked.exact_out else int(answer["amountOut"])
        return Money(units, order.limit.currency)

    def bounded(self, order: Order, slippage_share: Decimal) -> Order:
        """The order limited to its quote less `slippage_share` of it (0.005 = 0.5 %), rounded against us up."""
        quoted = self.quote(order)
        rounding = ROUND_FLOOR if quoted.units < 0 else ROUND_CEILING
        worst = quoted.amount - abs(quoted.amount) * slippage_share
        return replace(order, limit=Money.rounded(worst, quoted.currency, rounding), arrival=quoted)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """Approve exactly the most that may be paid, swap into the vault, take the approval back. Pure."""
        return encode(self.router, swap(self.pools, order), self.holder.safe)

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        What the pool says it swapped, once the tokens moved as it says; its fee apart.

        Raises `VenueError` if the event and the transfers disagree.
        """
        asked = swap(self.pools, order)
        if (seen := proven(order, asked, receipt, self.holder.safe)) is None:
            return ()
        event, paid, received = seen
        charged = fee(asked.pool, paid)
        cash = change(asked.paid.cash, charged - paid), change(asked.received.cash, received)
        counter = cash[0].held if asked.exact_out else cash[1].held
        memo = f"swap {asked.paid.shown(paid)} for {asked.received.shown(received)} on {self.name}"
        return (
            fill(
                order,
                receipt,
                self.holder,
                ordinal=event.ordinal,
                changes=cash,
                memo=memo,
                fees={"pool": Money(charged, asked.paid.currency)},
                slippage=slippage(order, counter),
            ),
        )

    def positions(self, owner: str) -> dict[str, int]:
        """Units of every token of the listed pools that `owner` holds at the latest final block."""
        tokens = {token.cash.id: token for pool in self.pools for token in pool.tokens}
        queries = [token.contract.query("balanceOf", owner) for token in tokens.values()]
        held = self.chain.read_many(queries, block="finalized")
        return {name: units for name, units in zip(tokens, held, strict=True) if units}

    def reading(self, pool: SwapPool, *, block: BlockTag = "latest") -> PriceReading:
        """
        Spot against its average over the guard's window.

        Raises `MarketDataError` if the pool's oracle does not reach back that far.
        """
        return pool_reads(pool, (self.guard or PriceGuard()).window_seconds).at(self.chain, block)

    def _guarded(self, pool: SwapPool) -> None:
        if self.guard is None:
            return
        wanted: dict[str, Reads[Any]] = {"pool": pool_reads(pool, self.guard.window_seconds)}
        if self.oracle is not None:
            wanted["oracle"] = self.oracle
        answers = together(wanted).at(self.chain)
        seen = believed(pool, answers["pool"], self.guard)
        if self.oracle is not None:
            agreed(pool, seen, answers["oracle"], self.guard)


__all__ = ["PriceGuard", "PriceReading", "UniswapSwaps"]
