"""
The peg of a token at the moment it would be bought: its market price over its redemption value, from a pool
and an oracle, each weighted by time over half an hour (D21).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np

from adapters.evm.batch_reads import Reads
from adapters.evm.chain import Block, BlockTag, Chain, Reverted
from adapters.evm.contract import Query
from adapters.evm.erc20 import Token
from adapters.evm.price_guard import tick_price
from adapters.evm.uniswap_wire import SwapPool
from engine.errors import MarketDataError, MissingQuote
from engine.risk.peg import PegPrices, PegRules, PegSide, PegState, PegTier, peg_ratio, watch_peg

_FAN = 16
"""Block heads asked for at once while looking for the one at the window's start."""


@dataclass(frozen=True, slots=True)
class PegWatch:
    """
    Watches the tokens of swap pools.

    Parameters
    ----------
    chain : where they are; it must still know its state half an hour ago
    oracle : USD per token by code, from a source that does not read these pools
    redemption : USD that one token redeems for, by code; a token that is not in it has no peg
    rules : tiers, window and sources (D21)
    samples : instants of the window at which prices are taken
    """

    chain: Chain
    oracle: Reads[dict[str, float]]
    redemption: Mapping[str, float]
    rules: PegRules = field(default_factory=PegRules)
    samples: int = 7

    def ratios(self, pool: SwapPool) -> dict[str, float]:
        """
        Market price over redemption value of each pegged token of `pool`, at the latest block.

        Each has two sources: the oracle's price, and the pool's price in the other token times that
        token's price at the oracle.

        Raises `MissingQuote` where a source does not cover the window.
        """
        head = self.chain.block()
        return self._ratios(pool, self.history(pool, head), head.at)

    def refuse_depegged(self, pool: SwapPool, bought: Token) -> None:
        """
        Raise `MarketDataError` where the token to be bought is 2 % or more below its redemption value.

        Selling it is never refused here: leaving it is what a lost peg asks for.
        """
        code = bought.currency.code
        if code not in self.redemption:
            return
        head = self.chain.block()
        ratio = self._ratios(pool, self.history(pool, head), head.at)[code]
        tier = watch_peg(PegState(PegSide.COLLATERAL), ratio, head.at, self.rules).tier
        if tier >= PegTier.FREEZE:
            raise MarketDataError(
                f"{code} has left its peg",
                why=f"it stands at {ratio:.4f} of what it redeems for ({tier.name.lower()})",
                todo="buy none; wait until the peg has held again for an hour",
            )

    def history(self, pool: SwapPool, head: Block) -> dict[str, list[PegPrices]]:
        """USD prices of each token of `pool` over the window that ends with `head`, by code and source."""
        blocks = self._sampled(head)
        ages = [head.timestamp - block.timestamp for block in blocks]
        groups: list[tuple[Sequence[Query], BlockTag]] = [(self.oracle.queries, block.number) for block in blocks]
        *rows, (past,) = self.chain.answers_at([*groups, ((pool.contract.query("observe", ages),), head.pinned)])
        if isinstance(past, Exception):
            raise MissingQuote(
                "peg not judged", why=f"the pool's oracle does not reach back {ages[0]} s", todo="widen it, then wait"
            ) from past
        try:
            prices = [self.oracle.of(row) for row in rows]
        except Reverted as silent:
            raise MissingQuote(
                "peg not judged", why=f"the oracle said nothing {ages[0]} s ago", todo="wait"
            ) from silent
        return self._sources(pool, blocks, prices, past["tickCumulatives"])

    def _sources(
        self, pool: SwapPool, blocks: Sequence[Block], prices: Sequence[Mapping[str, float]], ticks: Sequence[int]
    ) -> dict[str, list[PegPrices]]:
        seconds = np.array([float(block.timestamp) for block in blocks])
        first, second = sorted(pool.tokens, key=lambda token: int(token.address, 16))
        decimals = first.currency.decimals, second.currency.decimals
        means = np.diff(np.array(ticks, dtype=object)) / np.diff(seconds)
        ratio = np.array([tick_price(float(mean), decimals) for mean in means])
        worth = {t.currency.code: np.array([row[t.currency.code] for row in prices]) for t in (first, second)}
        one, other = worth[first.currency.code], worth[second.currency.code]
        return {
            first.currency.code: [
                PegPrices("oracle", seconds, one),
                PegPrices("pool", seconds[:-1], ratio * other[:-1]),
            ],
            second.currency.code: [
                PegPrices("oracle", seconds, other),
                PegPrices("pool", seconds[:-1], one[:-1] / ratio),
            ],
        }

    def _ratios(self, pool: SwapPool, found: Mapping[str, list[PegPrices]], at: datetime) -> dict[str, float]:
        codes = [token.currency.code for token in pool.tokens if token.currency.code in self.redemption]
        return {code: peg_ratio(found[code], self.redemption[code], at, self.rules) for code in codes}

    def _sampled(self, head: Block) -> list[Block]:
        """The latest block at or before the window's start, some in between, and the head; times rise."""
        first = self._block_before(head, head.timestamp - int(self.rules.window.total_seconds()))
        steps = np.linspace(first.number, head.number, self.samples).astype(int)
        found = self.chain.blocks(sorted({int(number) for number in steps[1:-1]} - {first.number, head.number}))
        return [block for block, after in pairwise([first, *found, head]) if block.timestamp < after.timestamp] + [head]

    def _block_before(self, head: Block, instant: int) -> Block:
        """
        The latest block stamped at or before `instant`: a search of `_FAN` heads a round trip.

        A block that the node no longer knows is older than all that it knows.
        """
        known, early, late = {head.number: head}, -1, head.number
        asked = sorted({0, *(head.number - 2**power for power in range(40) if 2**power <= head.number)})
        while late - early > 1:
            found = {block.number: block for block in self.chain.blocks(asked)}
            known |= found
            later = {number for number, block in found.items() if block.timestamp > instant}
            early = max((number for number in asked if number not in later), default=early)
            late = min((number for number in later if number > early), default=late)
            asked = sorted({int(n) for n in np.linspace(early, late, _FAN + 2)} - {early, late})
        if early not in known:
            raise MissingQuote("peg not judged", why="no block is known from before the window", todo="wait")
        return known[early]
