"""Opyn Gamma v2 as a venue: oTokens traded in their pools, covered puts written, all settled at a final price."""

from collections.abc import Callable, Sequence
from typing import Any

from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.erc20 import transferred
from adapters.evm.opyn_wire import (
    Deal,
    Gamma,
    Otoken,
    deal,
    permits,
    redeem,
    settle,
    swapped,
    trade,
    write,
)
from adapters.evm.uniswap_wire import fee, proven
from adapters.evm.wire import Found, Holder, Permit, between, change, events, fill, refused, slippage
from contracts_abi import load
from engine.errors import ConfigError, VenueError
from engine.instruments import Right
from engine.money import Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt
from engine.positions import Position


class OpynOptions:
    """
    Trades, writes and settles listed oTokens (port `engine.ports.OnchainVenue`).

    Gamma has no market: an oToken is bought and sold where a pool with depth is listed. A put is written on
    its whole strike in collateral and what is minted is sold in the same batch. Nothing pays before the
    oracle's price is final.

    Parameters
    ----------
    chain, holder : where, and for which Safe
    controller, margin_pool, oracle : of the protocol; collateral is approved to the margin pool
    router, quoter : of Uniswap v3
    otokens : listed; their terms are checked against the tokens once (`verified`)

    Source
    ------
    Opyn Gamma v2: `Controller`, `MarginPool`, `MarginCalculator`, `Oracle`, `Otoken`.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        *,
        controller: Address,
        margin_pool: Address,
        oracle: Address,
        router: Address,
        quoter: Address,
        otokens: Sequence[Otoken],
        name: str = "opyn",
    ) -> None:
        self.chain, self.holder, self.name = chain, holder, name
        self.gamma = Gamma(
            Contract(controller, load("opyn-controller")),
            margin_pool,
            Contract(router, load("uniswap-swap-router-02")),
            tuple(otokens),
            holder.safe,
            name,
        )
        self._oracle = Contract(oracle, load("opyn-oracle"))
        self._quoter = Contract(quoter, load("uniswap-quoter-v2"))

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return permits(self.gamma)

    def verified(self) -> None:
        """Silent when every listed oToken has the terms it is listed with; raises `ConfigError` else."""
        for otoken in self.gamma.otokens:
            terms = Contract(otoken.address, load("opyn-otoken")).read(self.chain, "getOtokenDetails")
            collateral, _, _, strike, expiry, put = terms
            if (collateral, strike, expiry, put) != (
                otoken.collateral.address,
                otoken.strike,
                otoken.expiry,
                otoken.right is Right.PUT,
            ):
                raise ConfigError(
                    f"oToken {otoken.address} refused", why=f"its terms are {terms}", todo="correct the listing"
                )

    def quote(self, order: Order) -> Money:
        """
        All cash of the order now: pool price with its fee, less what is locked; after expiry its payout.

        Raises `OrderRejected` after expiry while the price is not final.
        """
        asked = deal(self.gamma, order)
        currency = asked.otoken.collateral.currency
        if self._expired(asked.otoken):
            return Money(self._payout(order, asked), currency)
        wanted = swapped(asked, order)
        terms = {
            "tokenIn": wanted.paid.address,
            "tokenOut": wanted.received.address,
            "fee": wanted.pool.fee,
            "sqrtPriceLimitX96": 0,
            "amount" if wanted.exact_out else "amountIn": wanted.fixed,
        }
        function = "quoteExactOutputSingle" if wanted.exact_out else "quoteExactInputSingle"
        answer = self._quoter.read(self.chain, function, terms)
        units = -int(answer["amountIn"]) if wanted.exact_out else int(answer["amountOut"])
        return Money(units - asked.locked, currency)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """Swap, write and sell, or after expiry redeem. The next vault id and the clock are read on chain."""
        asked = deal(self.gamma, order)
        if self._expired(asked.otoken):
            self._payout(order, asked)
            return (redeem(self.gamma, asked.otoken, -asked.units),)
        if asked.locked:
            counter = self.gamma.controller.read(self.chain, "getAccountVaultCounter", self.holder.safe)
            return write(self.gamma, asked, order, counter + 1)
        return trade(self.gamma, asked, order)

    def settlement(self, owner: str) -> tuple[Call, ...]:
        """Calls that redeem every expired oToken and settle every expired vault of `owner` whose price is final."""
        final = {o.address for o in self.gamma.otokens if self._expired(o) and self._final(o)}
        held = self._held(owner, "latest")
        calls = [redeem(self.gamma, o, held[o.address]) for o in self.gamma.otokens if o.address in final & held.keys()]
        shorts = self._vaults(owner, "latest")
        return (*calls, *(settle(self.gamma, number) for number, otoken, _, _ in shorts if otoken.address in final))

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        What this receipt did for the order: a swap, a written and sold put, or a redemption.

        Raises `VenueError` if events and transfers disagree.
        """
        asked = deal(self.gamma, order)
        if (redeemed := self._redeemed(order, receipt, lambda o, n: (o, n) == (asked.otoken, -asked.units))) != ():
            return redeemed
        minted = self._minted(asked, receipt)

        def own(since: range) -> bool:
            """A written option is sold right behind its minting, one that was held is not."""
            return bool(asked.locked) == any(event.ordinal in since for event in minted)

        if (seen := proven(order, swapped(asked, order), receipt, self.holder.safe, own=own)) is None:
            return ()
        event, paid, received = seen
        if asked.locked:
            self._locked(order, asked, [each for each in minted if each.ordinal < event.ordinal][-1], receipt)
        return (self._trade_fill(order, receipt, asked, event, paid, received),)

    def settled(self, receipt: Receipt, order: Order) -> Sequence[Fill]:
        """Every redemption and vault settlement of ours in this receipt, whoever asked for it (faults F98)."""
        return (*self._redeemed(order, receipt, lambda *_: True), *self._vaults_settled(order, receipt))

    def positions(self, owner: str) -> dict[str, int]:
        """Holdings less what is written, and collateral locked, at the latest final block."""
        final = self.chain.block("finalized").number
        units: dict[str, int] = {}
        held = self._held(owner, final)
        for otoken in self.gamma.otokens:
            units[otoken.option.id] = held.get(otoken.address, 0)
        for _, otoken, short, locked in self._vaults(owner, final):
            units[otoken.option.id] -= short
            name = self.gamma.deposit(otoken).id
            units[name] = units.get(name, 0) + locked
        return {name: count for name, count in units.items() if count}

    def _expired(self, otoken: Otoken) -> bool:
        return self.chain.block().timestamp >= otoken.expiry

    def _final(self, otoken: Otoken) -> bool:
        return bool(self.gamma.controller.read(self.chain, "isSettlementAllowed", otoken.address))

    def _payout(self, order: Order, asked: Deal) -> int:
        if asked.units > 0 or asked.locked:
            raise refused(order, f"{asked.otoken.option.id} has expired", "settle what is held")
        if not self._final(asked.otoken):
            raise refused(order, "its expiry price is not final", "wait until the dispute period is over")
        pays = self.gamma.controller.read(self.chain, "getPayout", asked.otoken.address, -asked.units)
        if pays < asked.bound:
            raise refused(order, f"it pays {asked.otoken.collateral.shown(pays)}", "plan again at the final price")
        return int(pays)

    def _held(self, owner: str, block: BlockTag) -> dict[Address, int]:
        queries = [o.token.contract.query("balanceOf", owner) for o in self.gamma.otokens]
        units = self.chain.read_many(queries, block=block)
        return {o.address: held for o, held in zip(self.gamma.otokens, units, strict=True) if held}

    def _vaults(self, owner: str, block: BlockTag) -> list[tuple[int, Otoken, int, int]]:
        """Vault id, oToken, short units and locked collateral of every open vault on a listed oToken."""
        by_address = {o.address: o for o in self.gamma.otokens}
        counter = self.gamma.controller.read(self.chain, "getAccountVaultCounter", owner, block=block)
        numbers = range(1, counter + 1)
        vaults: list[Any] = self.chain.read_many(
            [self.gamma.controller.query("getVault", owner, number) for number in numbers], block=block
        )
        return [
            (number, by_address[vault["shortOtokens"][0]], vault["shortAmounts"][0], vault["collateralAmounts"][0])
            for number, vault in zip(numbers, vaults, strict=True)
            if vault["shortOtokens"] and vault["shortOtokens"][0] in by_address
        ]

    def _minted(self, asked: Deal, receipt: Receipt) -> list[Found]:
        wanted = asked.otoken.address, self.holder.safe, -asked.units
        return [
            event
            for event in events(self.gamma.controller, "ShortOtokenMinted", receipt)
            if (event["otoken"], event["AccountOwner"], event["amount"]) == wanted
        ]

    def _trade_fill(self, order: Order, receipt: Receipt, asked: Deal, event: Found, paid: int, received: int) -> Fill:
        otoken, buys = asked.otoken, asked.units > 0
        charged = fee(swapped(asked, order).pool, paid) if buys else 0  # of a sale it is taken in oTokens
        premium = charged - paid if buys else received
        changes: list[Position] = [change(otoken.option, asked.units)]
        changes.append(change(otoken.collateral.cash, premium - asked.locked))
        if asked.locked:
            changes.append(change(self.gamma.deposit(otoken), asked.locked))
        verb = "buy" if buys else "write" if asked.locked else "sell"
        memo = f"{verb} {otoken.token.shown(abs(asked.units))} for {otoken.collateral.shown(premium)}"
        cash = Money(premium - asked.locked, otoken.collateral.currency)
        return fill(
            order,
            receipt,
            self.holder,
            ordinal=event.ordinal,
            changes=tuple(changes),
            memo=memo,
            fees={"pool": Money(charged, otoken.collateral.currency)} if charged else {},
            slippage=slippage(order, cash),
        )

    def _redeemed(self, order: Order, receipt: Receipt, wanted: Callable[[Otoken, int], bool]) -> tuple[Fill, ...]:
        fills = []
        for event in events(self.gamma.controller, "Redeem", receipt):
            otoken = next((o for o in self.gamma.otokens if o.address == event["otoken"]), None)
            if otoken is None or event["receiver"] != self.holder.safe or not wanted(otoken, event["otokenBurned"]):
                continue
            units, paid = event["otokenBurned"], event["payout"]
            self._settles(otoken, units, paid, receipt.block)
            changes = [change(otoken.option, -units)] + ([change(otoken.collateral.cash, paid)] if paid else [])
            memo = f"redeem {otoken.token.shown(units)} for {otoken.collateral.shown(paid)}"
            fills.append(fill(order, receipt, self.holder, ordinal=event.ordinal, changes=tuple(changes), memo=memo))
        return tuple(fills)

    def _vaults_settled(self, order: Order, receipt: Receipt) -> tuple[Fill, ...]:
        fills = []
        before = {each[0]: each[1:] for each in self._vaults(self.holder.safe, receipt.block - 1)}
        for event in events(self.gamma.controller, "VaultSettled", receipt):
            if event["accountOwner"] != self.holder.safe or event["vaultId"] not in before:
                continue
            otoken, short, locked = before[event["vaultId"]]
            paid = event["payout"]
            self._settles(otoken, short, locked - paid, receipt.block, short=True)
            changes = [change(otoken.option, short), change(self.gamma.deposit(otoken), -locked)]
            changes += [change(otoken.collateral.cash, paid)] if paid else []
            memo = f"settle vault {event['vaultId']} for {otoken.collateral.shown(paid)}"
            fills.append(fill(order, receipt, self.holder, ordinal=event.ordinal, changes=tuple(changes), memo=memo))
        return tuple(fills)

    def _settles(self, otoken: Otoken, units: int, paid: int, block: int, *, short: bool = False) -> None:
        """Hold a payout against the published rule at the oracle's final price; a short may owe one unit more."""
        underlying = Contract(otoken.address, load("opyn-otoken")).read(self.chain, "underlyingAsset")
        price, final = self._oracle.read(self.chain, "getExpiryPrice", underlying, otoken.expiry, block=block)
        owed = otoken.pays(units, price)
        if not final or not owed <= paid <= owed + short:
            raise VenueError(
                f"settlement of {units} {otoken.option.id} does not add up",
                why=f"{paid} units were paid, {owed} are owed at a price of {price}",
                todo="halt, then reconcile by hand",
            )

    def _locked(self, order: Order, asked: Deal, minted: Found, receipt: Receipt) -> None:
        """Hold the collateral that moved since the controller's last word before this minting against the order's."""
        names = ("ShortOtokenMinted", "Redeem", "VaultSettled")
        since = between([e for name in names for e in events(self.gamma.controller, name, receipt)], minted)
        pool, safe = self.gamma.margin_pool, self.holder.safe
        moved = transferred(asked.otoken.collateral, receipt, sender=safe, to=pool, within=since)
        if moved != asked.locked:
            raise VenueError(
                f"order {order.id} does not add up",
                why=f"{asked.locked} are to secure it, {moved} were locked",
                todo="halt, then reconcile by hand",
            )
