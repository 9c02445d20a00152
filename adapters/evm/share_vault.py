"""ERC-4626 vaults as a venue: shares minted and redeemed, and a share price that is believed only when it is calm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from adapters.evm.batch_reads import Reads
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Query
from adapters.evm.erc20 import transferred
from adapters.evm.share_vault_wire import Dealing, ListedVault, dealing, mint, permits, redeem, request, waiting
from adapters.evm.wire import Found, Holder, Permit, change, events, fill, refused, slippage
from engine.errors import MarketDataError, VenueError
from engine.money import Money
from engine.orders import Call, Fill, Order
from engine.ports import Receipt


@dataclass(frozen=True, slots=True)
class SharePriceGuard:
    """How far a share's price may move over how many blocks before it is frozen (faults F44; 0.05 = 5 %)."""

    blocks: int = 50
    most: Decimal = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class SharePrice:
    """Assets per share now and some blocks ago; `calm` when the guard believes it."""

    now: Decimal
    before: Decimal
    calm: bool

    @property
    def mark(self) -> Decimal:
        """What a position is marked at: the price now, frozen at the lower of the two while it is not calm."""
        return self.now if self.calm else min(self.now, self.before)


class ShareVaults:
    """
    Buys and redeems shares of listed ERC-4626 vaults (port `engine.ports.OnchainVenue`).

    A share bought is bounded on chain by the exact approval. The standard has no bound on what a
    redemption pays: it is bounded by the guard, by `calls` refusing below the limit, by the simulation of
    the batch, and checked again in `read`. A queued vault (ERC-7540) first takes a request, which changes
    no position, and is redeemed by the same order once it is claimable.

    Source
    ------
    ERC-4626 "Tokenized Vaults"; ERC-7540 "Asynchronous ERC-4626 Tokenized Vaults".
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        vaults: Sequence[ListedVault],
        *,
        guard: SharePriceGuard | None = None,
        name: str = "vaults",
    ) -> None:
        self.chain, self.holder, self.name = chain, holder, name
        self.vaults, self.guard = tuple(vaults), guard or SharePriceGuard()

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return permits(self.vaults, self.holder.safe)

    def quote(self, order: Order) -> Money:
        """
        Assets that the shares cost (-) or bring (+) now, as the vault previews them.

        Raises `MarketDataError` when the share's price just jumped, `OrderRejected` when the vault will not
        take or pay that much now.
        """
        asked = dealing(self.vaults, order)
        self._calm(asked.vault)
        contract, safe, shares = asked.vault.contract, self.holder.safe, abs(asked.shares)
        if asked.shares > 0:
            self._within(order, asked, contract.query("maxMint", safe), shares)
            return Money(-contract.read(self.chain, "previewMint", shares), asked.vault.asset.currency)
        if not asked.vault.queued:
            self._within(order, asked, contract.query("maxRedeem", safe), shares)
        return Money(self._pays(asked.vault, shares), asked.vault.asset.currency)

    def bounded(self, order: Order, slippage_share: Decimal) -> Order:
        """The order limited to its quote less `slippage_share` of it (0.005 = 0.5 %), rounded against us up."""
        quoted = self.quote(order)
        rounding = ROUND_FLOOR if quoted.units < 0 else ROUND_CEILING
        worst = quoted.amount - abs(quoted.amount) * slippage_share
        return replace(order, limit=Money.rounded(worst, quoted.currency, rounding), arrival=quoted)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """
        Mint, redeem, or, where a queued vault owes us less than that, ask for it.

        Raises `OrderRejected` where a redemption would pay less than the limit now.
        """
        asked = dealing(self.vaults, order)
        if asked.shares > 0:
            return mint(asked, self.holder.safe)
        if asked.vault.queued and self._claimable(asked.vault) < -asked.shares:
            return request(asked, self.holder.safe)
        if (pays := self._pays(asked.vault, -asked.shares)) < asked.bound:
            raise refused(order, f"it would bring {asked.vault.asset.shown(pays)} now", "plan again at today's price")
        return redeem(asked, self.holder.safe)

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        Shares and assets that changed hands; nothing for a request, which changes neither.

        Raises `VenueError` if the vault's event and the asset disagree, or a redemption paid below the limit.
        """
        asked = dealing(self.vaults, order)
        event = self._found(asked, receipt)
        if event is None:
            return ()
        self._moved(order, asked, event, receipt)
        vault, sign = asked.vault, 1 if asked.shares > 0 else -1
        cash = change(vault.asset.cash, -sign * event["assets"])
        verb = "buy" if sign > 0 else "redeem"
        memo = f"{verb} {vault.shown(event['shares'])} for {vault.asset.shown(event['assets'])}"
        return (
            fill(
                order,
                receipt,
                self.holder,
                ordinal=event.ordinal,
                changes=(change(vault.share, sign * event["shares"]), cash),
                memo=memo,
                slippage=slippage(order, cash.held),
            ),
        )

    def positions(self, owner: str) -> dict[str, int]:
        """Shares of each vault at the latest final block, those in its queue included."""
        final = self.chain.block("finalized").number
        found: dict[str, int] = {}
        for vault in self.vaults:
            queries: list[Query] = [vault.contract.query("balanceOf", owner)]
            queries += waiting(vault, owner) if vault.queued else ()
            if units := sum(self.chain.read_many(queries, block=final)):
                found[vault.share.id] = units
        return found

    def price(self, symbol: str, *, block: BlockTag = "latest") -> SharePrice:
        """Assets per share of a listed vault, now and where the guard looks back to."""
        number = block if isinstance(block, int) else self.chain.block(block).number
        reads = self.price_reads()
        now, before = self.chain.answers_at([(reads.queries, number), (reads.queries, self.looks_back_to(number))])
        return self.believed(reads.of(now), reads.of(before))[symbol]

    def price_reads(self) -> Reads[dict[str, Decimal]]:
        """Assets per share of every listed vault, by symbol."""
        asked = tuple(v.contract.query("convertToAssets", 10**v.decimals) for v in self.vaults)

        def make(answers: Sequence[Any]) -> dict[str, Decimal]:
            paid = zip(self.vaults, answers, strict=True)
            return {vault.symbol: Money(units, vault.asset.currency).amount for vault, units in paid}

        return Reads(asked, make)

    def looks_back_to(self, number: int) -> int:
        """The block whose prices those of block `number` are held against."""
        return max(0, number - self.guard.blocks)

    def believed(self, now: Mapping[str, Decimal], before: Mapping[str, Decimal]) -> dict[str, SharePrice]:
        """Both readings of every vault, and whether the guard believes what lies between them."""
        calm = {name: bool(then) and abs(now[name] / then - 1) <= self.guard.most for name, then in before.items()}
        return {name: SharePrice(now[name], then, calm[name]) for name, then in before.items()}

    def _calm(self, vault: ListedVault) -> None:
        seen = self.price(vault.symbol)
        if not seen.calm:
            raise MarketDataError(
                f"{vault.symbol} is not quoted",
                why=f"its share went from {seen.before} to {seen.now} within {self.guard.blocks} blocks",
                todo="the mark is frozen at the lower; find out why before dealing",
            )

    def _within(self, order: Order, asked: Dealing, most: Query, shares: int) -> None:
        (limit,) = self.chain.read_many([most])
        if shares > limit:
            raise refused(order, f"the vault deals at most {asked.vault.shown(limit)} now", "take less, or wait")

    def _pays(self, vault: ListedVault, shares: int) -> int:
        """Assets for shares: previewed; in a queue what was fulfilled, or before that converted at today's price."""
        if not vault.queued:
            return int(vault.contract.read(self.chain, "previewRedeem", shares))
        queries = [vault.contract.query(name, self.holder.safe) for name in ("maxRedeem", "maxWithdraw")]
        owed, assets = self.chain.read_many(queries)
        if owed >= shares:
            return int(assets) * shares // int(owed)
        return int(vault.contract.read(self.chain, "convertToAssets", shares))

    def _claimable(self, vault: ListedVault) -> int:
        return int(self.chain.read_many([waiting(vault, self.holder.safe)[1]])[0])

    def _found(self, asked: Dealing, receipt: Receipt) -> Found | None:
        name = "Deposit" if asked.shares > 0 else "Withdraw"
        ours = self._ours(asked.vault, name, receipt)
        return next((event for event in ours if event["shares"] == abs(asked.shares)), None)

    def _ours(self, vault: ListedVault, name: str, receipt: Receipt) -> list[Found]:
        """What the vault logged of our own dealings; a stranger may deposit for us, at his cost."""
        safe = self.holder.safe
        return [e for e in events(vault.contract, name, receipt) if e["owner"] == e["sender"] == safe]

    def _moved(self, order: Order, asked: Dealing, event: Found, receipt: Receipt) -> None:
        """Hold all assets that the vault logged in and out against what moved; vaults log before or after they move."""
        vault, assets = asked.vault, event["assets"]
        logged = sum(
            sign * each["assets"]
            for name, sign in (("Deposit", 1), ("Withdraw", -1))
            for each in self._ours(vault, name, receipt)
        )
        seen = transferred(vault.asset, receipt, sender=self.holder.safe, to=vault.address)
        if seen != logged:
            raise self._wrong(order, f"the vault logged {logged} units, {seen} moved")
        if asked.shares < 0 and assets < asked.bound:
            raise self._wrong(order, f"it paid {asked.vault.asset.shown(assets)}, below its limit {order.limit}")

    def _wrong(self, order: Order, why: str) -> VenueError:
        return VenueError(f"order {order.id} does not add up", why=why, todo="halt, then reconcile by hand")
