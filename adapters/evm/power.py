"""A power perpetual (squeeth) as a venue: traded in its pool, marked by its controller, redeemed at shutdown."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from adapters.evm.batch_reads import Reads
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, transferred
from adapters.evm.power_wire import WAD, PowerMarket, implied_vol, market_permits, redeem, settlement_value, swap
from adapters.evm.uniswap_wire import SwapPool, encode, fee, proven
from adapters.evm.wire import ZERO_ADDRESS, Holder, Permit, between, change, events, fill, slippage
from contracts_abi import load
from engine.errors import VenueError
from engine.instruments import Cash, PowerPerpetual
from engine.market import PowerMark
from engine.money import ETH, Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt

_PERIOD = 420  # seconds of average that the protocol itself uses


class PowerMarketVenue:
    """
    Holds the long side of one power perpetual (port `engine.ports.OnchainVenue`).

    Longs only: a short is opened with native ether, which no vault batch of ours carries. Funding takes no
    cash; it is in the normalisation factor that `mark` reads.

    Parameters
    ----------
    chain, holder : where, and for which Safe
    instrument : the perpetual in the books; its currency is `money`'s
    controller, token : of the protocol
    router, quoter, pool, pool_fee : of Uniswap v3, where the token trades against `money`

    Source
    ------
    Squeeth `Controller` (S28); Uniswap v3 `SwapRouter02`, `QuoterV2`.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        instrument: PowerPerpetual,
        *,
        controller: Address,
        token: Address,
        money: Token,
        router: Address,
        quoter: Address,
        pool: Address,
        pool_fee: int,
        name: str = "squeeth",
    ) -> None:
        self.chain, self.holder, self.name = chain, holder, name
        claim = Token(instrument.unit, token)
        self.market = PowerMarket(
            instrument,
            Contract(controller, load("squeeth-controller")),
            SwapPool(pool, (claim, money), pool_fee),
            claim,
            money,
            holder.safe,
        )
        self.router = Contract(router, load("uniswap-swap-router-02"))
        self._quoter = Contract(quoter, load("uniswap-quoter-v2"))

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return market_permits(self.market, self.router)

    def quote(self, order: Order) -> Money:
        """What the tokens cost (-) or bring (+) in the pool now, its fee included."""
        asked = swap(self.market, order)
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
        return Money(units, self.market.money.currency)

    def bounded(self, order: Order, slippage_share: Decimal) -> Order:
        """The order limited to its quote less `slippage_share` of it (0.005 = 0.5 %), rounded against us up."""
        quoted = self.quote(order)
        rounding = ROUND_FLOOR if quoted.units < 0 else ROUND_CEILING
        worst = quoted.amount - abs(quoted.amount) * slippage_share
        return replace(order, limit=Money.rounded(worst, quoted.currency, rounding), arrival=quoted)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """Approve exactly the most that may be paid, swap into the vault, take the approval back. Pure."""
        return encode(self.router, swap(self.market, order), self.holder.safe)

    def settlement(self, owner: str) -> tuple[Call, ...]:
        """The call that redeems everything `owner` holds once the protocol is shut down; else empty."""
        shut, held = self.chain.read_many(
            [self.market.controller.query("isShutDown"), self.market.token.contract.query("balanceOf", owner)]
        )
        return (redeem(self.market, held),) if shut and held else ()

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        The swap this receipt made, its pool fee apart.

        Raises `VenueError` if the pool's event and the transfers disagree.
        """
        asked = swap(self.market, order)
        if (seen := proven(order, asked, receipt, self.holder.safe)) is None:
            return ()
        event, paid, received = seen
        charged = fee(asked.pool, paid) if asked.exact_out else 0  # of a sale it is taken in the token itself
        units, cash = (received, charged - paid) if asked.exact_out else (-paid, received)
        changes = change(self.market.instrument, units), change(self.market.money.cash, cash)
        fees = {"pool": Money(charged, asked.paid.currency)} if charged else {}
        memo = f"swap {asked.paid.shown(paid)} for {asked.received.shown(received)}"
        spent = slippage(order, changes[1].held)
        return (
            fill(
                order,
                receipt,
                self.holder,
                ordinal=event.ordinal,
                changes=changes,
                memo=memo,
                fees=fees,
                slippage=spent,
            ),
        )

    def settled(self, receipt: Receipt, order: Order) -> Sequence[Fill]:
        """Redemptions of ours in this receipt: tokens out, ether in. Raises `VenueError` if they do not add up."""
        fills, redeemed = [], events(self.market.controller, "RedeemLong", receipt)
        for event in redeemed:
            if event["sender"] != self.holder.safe:
                continue
            units, paid = event["wPowerPerpAmount"], event["payoutAmount"]
            since = between(redeemed, event)
            burnt = transferred(self.market.token, receipt, sender=self.holder.safe, to=ZERO_ADDRESS, within=since)
            if burnt != units or paid != self._owed(units, receipt.block):
                raise VenueError(
                    f"redemption of {units} units does not add up",
                    why=f"{burnt} were burnt, {paid} wei paid where {self._owed(units, receipt.block)} were owed",
                    todo="halt, then reconcile by hand",
                )
            changes = change(self.market.instrument, -units), change(Cash(ETH), paid)
            memo = f"redeem {self.market.token.shown(units)} for {Money(paid, ETH)}"
            fills.append(fill(order, receipt, self.holder, ordinal=event.ordinal, changes=changes, memo=memo))
        return tuple(fills)

    def positions(self, owner: str) -> dict[str, int]:
        """Tokens that `owner` holds at the latest final block."""
        held = self.market.token.contract.read(self.chain, "balanceOf", owner, block="finalized")
        return {self.market.instrument.id: held} if held else {}

    def mark(self, *, block: BlockTag = "latest") -> PowerMark:
        """Normalisation with funding to this block, the volatility its premium pays for, the pool's fee in USD."""
        return self.mark_reads().at(self.chain, block)

    def mark_reads(self) -> Reads[PowerMark]:
        """The reads behind `mark`."""
        controller, terms, fee_share = self.market.controller, self.market.instrument, self.market.pool.fee / 1_000_000
        asked = (
            controller.query("getExpectedNormalizationFactor"),
            controller.query("getDenormalizedMark", _PERIOD),
            controller.query("getIndex", _PERIOD),
        )

        def make(answers: Sequence[Any]) -> PowerMark:
            factor, mark, index = answers
            vol = implied_vol(mark, index, float(terms.period_days))
            normalisation = factor / WAD
            usd = mark / WAD * float(terms.scale) * normalisation
            return PowerMark(terms.venue, terms.underlying, normalisation, vol, half_spread=usd * fee_share)

        return Reads(asked, make)

    def _owed(self, units: int, block: int) -> int:
        controller = self.market.controller
        factor, index = self.chain.read_many(
            [controller.query("normalizationFactor"), controller.query("indexForSettlement")], block=block
        )
        return settlement_value(units, factor, index)
