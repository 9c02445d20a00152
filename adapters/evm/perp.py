"""One Perpetual v2 deployment as a venue: margin in and out, exact trades inside a bound, closed markets quit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Any

from adapters.evm.batch_reads import Reads
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, transferred
from adapters.evm.perp_wire import (
    DECIMALS,
    Exchange,
    Step,
    Trade,
    Transfer,
    asked,
    daily_funding,
    encode,
    permits,
    quit_closed,
    said,
    shown_price,
    steps,
    trade_data,
)
from adapters.evm.wire import Holder, Permit, change, fill, refused, slippage
from contracts_abi import load
from engine.errors import VenueError
from engine.market import PerpetualMark
from engine.money import Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt

_WAD = Decimal(10**DECIMALS)
_DAYS_A_YEAR = 365.0
_AVERAGE_SECONDS = 900
_FEE_UNIT = 1_000_000
_MOST_A_DAY = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class PerpAddresses:
    """Contracts of one deployment, and its base tokens by underlying (an index of volatility is one too, S26)."""

    clearing_house: Address
    vault: Address
    account_balance: Address
    exchange: Address
    registry: Address
    bases: Mapping[str, Address]


class PerpExchange:
    """
    Trades perpetuals against one Perpetual v2 deployment (port `engine.ports.OnchainVenue`).

    Margin is a deposit of its own (`LendingSupply` in this venue's name): an order for it moves tokens, an
    order for a `Perpetual` moves none. What trades, funding and fees realise changes the deposit.

    Parameters
    ----------
    chain, holder : where, and for which Safe
    addresses : of the deployment
    margin : the settlement token

    Source
    ------
    Perpetual Curie 2.8.4: `ClearingHouse`, `Vault`, `AccountBalance`, `Exchange`.
    """

    def __init__(
        self, chain: Chain, holder: Holder, addresses: PerpAddresses, margin: Token, *, name: str = "perp"
    ) -> None:
        self.chain, self.holder, self.name = chain, holder, name
        self.exchange = Exchange(
            name,
            Contract(addresses.clearing_house, load("perp-clearing-house")),
            Contract(addresses.vault, load("perp-vault")),
            Contract(addresses.account_balance, load("perp-account-balance")),
            margin,
            dict(addresses.bases),
            holder.safe,
        )
        self._funding = Contract(addresses.exchange, load("perp-exchange"))
        self._registry = Contract(addresses.registry, load("perp-market-registry"))

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return permits(self.exchange)

    def quote(self, order: Order) -> Money:
        """
        Quote that a trade costs (-) or brings (+) now, fee and price impact included; margin that moves.

        Asked of the house itself in the vault's name, so the margin must be there: raises `OrderRejected`
        (`CH_NEFCI`) where it is not, and for a withdrawal beyond free collateral.
        """
        wanted = asked(self.exchange, order)
        if isinstance(wanted, Transfer):
            free = self.exchange.vault.read(self.chain, "getFreeCollateral", self.holder.safe)
            if -wanted.units > free:
                raise refused(order, f"{self.exchange.margin.shown(free)} of margin is free", "take less, or close")
            return Money(-wanted.units, self.exchange.margin.currency)
        data = trade_data(self.exchange, replace(wanted, bound=0))
        raw = self.chain.call(self.exchange.house.address, data, sender=self.holder.safe)
        quote = int(self.exchange.house.decode("openPosition", raw)["quote"])
        return self._money(-quote if wanted.base > 0 else quote)

    def bounded(self, order: Order, slippage_share: Decimal) -> Order:
        """The order limited to its quote less `slippage_share` of it (0.005 = 0.5 %), rounded against us up."""
        quoted = self.quote(order)
        rounding = ROUND_FLOOR if quoted.units < 0 else ROUND_CEILING
        worst = quoted.amount - abs(quoted.amount) * slippage_share
        return replace(order, limit=Money.rounded(worst, quoted.currency, rounding), arrival=quoted)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """Deposit, withdraw, or trade exactly that much base within the limit. Pure."""
        return encode(self.exchange, asked(self.exchange, order))

    def settlement(self, owner: str) -> tuple[Call, ...]:
        """Calls that take `owner` out of every market that was closed; empty if there is none."""
        bases = self.exchange.bases
        sizes = self._sizes(owner, "latest")
        closed = self.chain.read_many([self._base(underlying).query("isClosed") for underlying in bases])
        return tuple(
            quit_closed(self.exchange, underlying)
            for underlying, shut in zip(bases, closed, strict=True)
            if shut and sizes[underlying]
        )

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        What this receipt did for the order. A trade's price is in its slippage and memo, since no token moves.

        Raises `VenueError` if margin and tokens disagree.
        """
        wanted = asked(self.exchange, order)
        steps = self._steps(receipt)
        for since, step in reversed(list(zip([0, *(each.ordinal + 1 for each in steps)], steps, strict=False))):
            if isinstance(wanted, Transfer) and step.moved == wanted.units:
                self._moved(order, wanted, receipt, range(since, step.ordinal))
                return (self._transfer_fill(order, receipt, wanted, step),)
            if isinstance(wanted, Trade) and (step.underlying, step.base) == (wanted.underlying, wanted.base):
                return (self._trade_fill(order, receipt, step),)
        return ()

    def settled(self, receipt: Receipt, order: Order) -> Sequence[Fill]:
        """Every change of our account in this receipt, whoever made it: liquidations, quits, funding (faults F98)."""
        return tuple(self._trade_fill(order, receipt, step) for step in self._steps(receipt) if not step.moved)

    def positions(self, owner: str) -> dict[str, int]:
        """Base held per market, and the deposit with all it realised, at the latest final block."""
        final = self.chain.block("finalized").number
        held = {self.exchange.perpetual(name).id: size for name, size in self._sizes(owner, final).items()}
        balance = self.exchange.vault.read(self.chain, "getBalance", owner, block=final)
        held[self.exchange.deposit.id] = balance + self.exchange.units(self._owed(owner, final))
        return {name: units for name, units in held.items() if units}

    def unrealised(self, owner: str, *, block: BlockTag = "latest") -> Money:
        """What open positions have gained at the exchange's mark and not yet realised, pending funding apart."""
        return self._money(self.exchange.balances.read(self.chain, "getPnlAndPendingFee", owner, block=block)[1])

    def margin_ratio(self, owner: str, *, block: BlockTag = "latest") -> float:
        """Account value over what liquidation asks for: below 1 anybody may liquidate; infinite without positions."""
        number = block if isinstance(block, int) else self.chain.block(block).number
        value, least = self.chain.read_many(
            [
                self.exchange.house.query("getAccountValue", owner),
                self.exchange.balances.query("getMarginRequirementForLiquidation", owner),
            ],
            block=number,
        )
        return float(value) / float(least) if least else float("inf")

    def marks(self, *, block: BlockTag = "latest") -> tuple[PerpetualMark, ...]:
        """
        Mark, funding a year and half the fee of every listed market, at one block.

        Funding is the market's fifteen-minute average over the feed's last answer. The exchange's own view
        of the index average is not used: between two trades it answers wrongly (it is cached by trades).
        """
        return self.mark_reads().at(self.chain, block)

    def mark_reads(self) -> Reads[tuple[PerpetualMark, ...]]:
        """The reads behind `marks`."""
        asked = tuple(
            query
            for underlying, base in self.exchange.bases.items()
            for query in (
                self.exchange.balances.query("getMarkPrice", base),
                self._funding.query("getSqrtMarketTwapX96", base, _AVERAGE_SECONDS),
                self._base(underlying).query("getIndexPrice", 0),
                self._registry.query("getMarketInfo", base),
            )
        )

        def make(answers: Sequence[Any]) -> tuple[PerpetualMark, ...]:
            size = len(answers) // len(self.exchange.bases)
            each = (answers[at : at + size] for at in range(0, len(answers), size))
            return tuple(self._mark(name, *said) for name, said in zip(self.exchange.bases, each, strict=True))

        return Reads(asked, make)

    def _mark(self, underlying: str, price: int, root: int, index: int, info: Mapping[str, int]) -> PerpetualMark:
        with localcontext(prec=60):
            market = (Decimal(root) / 2**96) ** 2
        daily = float(daily_funding(market, Decimal(index) / _WAD, _MOST_A_DAY))
        level = price / 10**DECIMALS
        fee = info["exchangeFeeRatio"] / _FEE_UNIT
        return PerpetualMark(self.name, underlying, level, daily * _DAYS_A_YEAR, half_spread=fee * level)

    def _base(self, underlying: str) -> Contract:
        return Contract(self.exchange.bases[underlying], load("perp-base-token"))

    def _sizes(self, owner: str, block: BlockTag) -> dict[str, int]:
        queries = [self.exchange.balances.query("getTakerPositionSize", owner, b) for b in self.exchange.bases.values()]
        return dict(zip(self.exchange.bases, self.chain.read_many(queries, block=block), strict=True))

    def _owed(self, owner: str, block: BlockTag) -> int:
        return int(self.exchange.balances.read(self.chain, "getPnlAndPendingFee", owner, block=block)[0])

    def _steps(self, receipt: Receipt) -> list[Step]:
        return steps(self.exchange, receipt, self._owed(self.holder.safe, receipt.block - 1))

    def _money(self, wad: int) -> Money:
        return Money(self.exchange.units(wad), self.exchange.margin.currency)

    def _trade_fill(self, order: Order, receipt: Receipt, step: Step) -> Fill:
        changes = [change(self.exchange.perpetual(step.underlying), step.base)] if step.underlying else []
        if step.margin:
            changes.append(change(self.exchange.deposit, step.margin))
        memo = f"{self._money(step.margin)} realised on {self.name}"
        if step.underlying:
            verb = "buy" if step.base > 0 else "sell"
            base = f"{abs(Decimal(step.base) / _WAD).normalize():f}"
            memo = f"{verb} {base} {step.underlying} perp at {shown_price(step.base, step.quote)} net of fee; {memo}"
        paid = self._money(step.quote) if order.limit.currency == self.exchange.margin.currency else order.arrival
        return fill(
            order,
            receipt,
            self.holder,
            ordinal=step.ordinal,
            changes=tuple(changes),
            memo=memo,
            slippage=slippage(order, paid) if step.underlying else None,
        )

    def _transfer_fill(self, order: Order, receipt: Receipt, wanted: Transfer, step: Step) -> Fill:
        changes = change(self.exchange.deposit, step.margin), change(self.exchange.margin.cash, -step.moved)
        memo = said(self.exchange, wanted)
        return fill(order, receipt, self.holder, ordinal=step.ordinal, changes=changes, memo=memo)

    def _moved(self, order: Order, wanted: Transfer, receipt: Receipt, since: range) -> None:
        vault = self.exchange.vault.address
        seen = transferred(self.exchange.margin, receipt, sender=self.holder.safe, to=vault, within=since)
        if seen != wanted.units:
            raise VenueError(
                f"order {order.id} does not add up",
                why=f"the vault logged {wanted.units}, {seen} units of {self.exchange.margin.currency} moved",
                todo="halt, then reconcile by hand",
            )
