"""One Aave v3 market as a venue: supply, withdraw, borrow at the variable rate, repay."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.aave_wire import Action, Move, Pool, changes, encode, found, market, move, permits, said
from adapters.evm.batch_reads import Moved, Reads, steady, told
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract, Query
from adapters.evm.erc20 import Token, transferred
from adapters.evm.wire import Found, Holder, Permit, between, events, fill, refused
from contracts_abi import load
from engine.errors import VenueError
from engine.instruments import LendingDebt, LendingSupply
from engine.market import LendingMarket
from engine.money import Money
from engine.orders import Address, Call, Fill, Order
from engine.ports import Receipt

_TERMS = ("reserve", "held", "liquidity", "kink", "base", "slope1", "slope2")


@dataclass(frozen=True, slots=True)
class AaveAddresses:
    """Where one market is: its pool, its data provider, its price oracle."""

    pool: Address
    data_provider: Address
    oracle: Address


class AaveMarket:
    """
    Lends and borrows in one Aave v3 market (port `engine.ports.OnchainVenue`).

    Parameters
    ----------
    chain, holder : where, and for which Safe
    addresses : of this market; a second market is a second instance with its own name
    tokens : what may be supplied or borrowed here, by code
    collateral, asset : codes whose terms and rates `lending` reports
    name : the market's name in the books, e.g. ``aave-cheap``

    Source
    ------
    Aave v3 core 1.19.3, `IPool`, `AaveProtocolDataProvider`.
    """

    def __init__(
        self,
        chain: Chain,
        holder: Holder,
        addresses: AaveAddresses,
        tokens: Mapping[str, Token],
        *,
        name: str,
        collateral: str = "WETH",
        asset: str = "USDC",
    ) -> None:
        self.chain, self.holder, self.name = chain, holder, name
        self.addresses = addresses
        self.collateral, self.asset = tokens[collateral], tokens[asset]
        self.pool = Pool(name, Contract(addresses.pool, load("aave-v3-pool")), dict(tokens), holder.safe)
        self._data = Contract(addresses.data_provider, load("aave-v3-data-provider"))
        self._known: tuple[Address, Address] | None = None

    def permits(self) -> tuple[Permit, ...]:
        """What a vault must allow for this venue."""
        return permits(self.pool)

    def quote(self, order: Order) -> Money:
        """
        Tokens that enter (+) or leave (-) the vault now; lending has no price but the rate.

        Raises `OrderRejected` if the reserve is frozen, paused, or lacks what would be borrowed.
        """
        asked = move(self.pool, order)
        self._open(order, asked)
        sign = 1 if asked.action in (Action.BORROW, Action.WITHDRAW) else -1
        return Money(sign * asked.units, asked.token.currency)

    def calls(self, order: Order) -> tuple[Call, ...]:
        """The pool call, with an exact approval taken back where the pool takes tokens. Pure."""
        return encode(self.pool, move(self.pool, order))

    def read(self, order: Order, receipt: Receipt) -> Sequence[Fill]:
        """
        What the pool says it did for this order, once the token moved as it says.

        Raises `VenueError` if the pool's event and the token's transfer disagree.
        """
        asked = move(self.pool, order)
        event = found(self.pool, asked, receipt)
        if event is None:
            return ()
        moved = int(event["amount"])
        if not self._moved(asked, event, receipt):
            raise VenueError(
                f"order {order.id} does not add up",
                why=f"{self.name} logged {asked.token.shown(moved)}, the token moved another amount",
                todo="halt, then reconcile by hand",
            )
        memo = said(self.pool, asked.action, asked.token, moved)
        done = changes(asked, moved, self.name)
        return (fill(order, receipt, self.holder, ordinal=event.ordinal, changes=done, memo=memo),)

    def positions(self, owner: str) -> dict[str, int]:
        """Supplies (+) and variable debts (-) to the unit, interest included, at the latest final block."""
        return self.balances(owner, block="finalized")

    def balances(self, owner: str, *, block: BlockTag = "latest") -> dict[str, int]:
        """As `positions`, at a block of choice."""
        return self.balance_reads(owner).at(self.chain, block)

    def balance_reads(self, owner: str) -> Reads[dict[str, int]]:
        """The reads behind `balances`."""
        tokens = list(self.pool.tokens.values())

        def make(answers: Sequence[Any]) -> dict[str, int]:
            held: dict[str, int] = {}
            for token, reserve in zip(tokens, answers, strict=True):
                held[LendingSupply(self.name, token.currency).id] = int(reserve["currentATokenBalance"])
                held[LendingDebt(self.name, token.currency).id] = -int(reserve["currentVariableDebt"])
            return {name: units for name, units in held.items() if units}

        return Reads(tuple(self._data.query("getUserReserveData", token.address, owner) for token in tokens), make)

    def health(self, owner: str, *, block: BlockTag = "latest") -> float:
        """Health factor of `owner`: below 1 anybody may liquidate; infinite without debt."""
        account = self.pool.contract.read(self.chain, "getUserAccountData", owner, block=block)
        return float(account["healthFactor"]) / 1e18 if account["totalDebtBase"] else float("inf")

    def lending(self, *, block: BlockTag = "latest") -> LendingMarket:
        """Rates, limits, liquidity and rate model of `asset` against `collateral`, all at one block."""
        where = block if isinstance(block, int) else self.chain.block(block).pinned
        return steady(lambda: self.lending_reads().at(self.chain, where))

    def lending_reads(self) -> Reads[LendingMarket]:
        """
        The reads behind `lending`.

        The reserve's own token and its rate strategy are known from the last reading; governance may move
        either, so both are asked again, and `Moved` is raised where they did.
        """
        asset, data = self.asset.address, self._data
        where = [data.query("getReserveTokensAddresses", asset), data.query("getInterestRateStrategyAddress", asset)]
        known = self._known

        def make(answers: Sequence[Any]) -> LendingMarket:
            tokens, strategy = told(answers[:2])
            self._known = tokens["aTokenAddress"], strategy
            if self._known != known:
                raise Moved(f"rate model of {self.asset.currency} in {self.name}")
            said = told(answers[2:])
            terms = dict(zip(self.pool.tokens, said[len(_TERMS) :], strict=True))
            readings = dict(zip(_TERMS, said, strict=False), terms=terms)
            return market(self.name, self.asset, self.collateral, readings)

        return Reads((*where, *(self._terms(*known) if known else ())), make, reverts_tell=True)

    def prices(self, *, block: BlockTag = "latest") -> dict[str, float]:
        """USD per token by code, as this market's oracle says."""
        return self.price_reads().at(self.chain, block)

    def price_reads(self) -> Reads[dict[str, float]]:
        """The reads behind `prices`."""
        oracle = Contract(self.addresses.oracle, load("aave-v3-oracle"))
        tokens = list(self.pool.tokens.values())
        asked = oracle.query("BASE_CURRENCY_UNIT"), oracle.query("getAssetsPrices", [token.address for token in tokens])

        def make(answers: Sequence[Any]) -> dict[str, float]:
            unit, raw = answers
            return {token.currency.code: price / unit for token, price in zip(tokens, raw, strict=True)}

        return Reads(asked, make)

    def terms_query(self, name: str, token: Token) -> Query:
        """A read of the data provider about one reserve, to be made later."""
        return self._data.query(name, token.address)

    def _terms(self, receipt_token: Address, strategy: Address) -> Iterator[Query]:
        """In the order of `_TERMS`, then every token's terms as collateral."""
        yield self._data.query("getReserveData", self.asset.address)
        yield self._data.query("getReserveData", self.collateral.address)
        yield self.asset.contract.query("balanceOf", receipt_token)
        model = Contract(strategy, load("aave-v3-rate-strategy"))
        for name in (
            "OPTIMAL_USAGE_RATIO",
            "getBaseVariableBorrowRate",
            "getVariableRateSlope1",
            "getVariableRateSlope2",
        ):
            yield model.query(name)
        for token in self.pool.tokens.values():
            yield self._data.query("getReserveConfigurationData", token.address)

    def _open(self, order: Order, asked: Move) -> None:
        reserve = asked.token.address
        terms, paused, tokens = self.chain.read_many(
            [
                self._data.query("getReserveConfigurationData", reserve),
                self._data.query("getPaused", reserve),
                self._data.query("getReserveTokensAddresses", reserve),
            ]
        )
        new_risk = asked.action in (Action.SUPPLY, Action.BORROW)
        if paused or not terms["isActive"] or (new_risk and terms["isFrozen"]):
            raise refused(order, f"{asked.token.currency} is paused or frozen in {self.name}", "use another market")
        if asked.action is Action.BORROW and not terms["borrowingEnabled"]:
            raise refused(order, f"{asked.token.currency} cannot be borrowed in {self.name}", "use another market")
        if asked.action in (Action.BORROW, Action.WITHDRAW):
            free = int(asked.token.contract.read(self.chain, "balanceOf", tokens["aTokenAddress"]))
            if free < asked.units:
                raise refused(order, f"{self.name} holds only {asked.token.shown(free)}", "take less, or wait")

    def _moved(self, asked: Move, event: Found, receipt: Receipt) -> bool:
        """Whether the reserve's own token paid or was paid what the pool logged, since the pool's word before."""
        reserve = self._data.read(self.chain, "getReserveTokensAddresses", asked.token.address, block=receipt.block)[
            "aTokenAddress"
        ]
        since = between([e for name in Action for e in events(self.pool.contract, name.capitalize(), receipt)], event)
        out = transferred(asked.token, receipt, sender=self.holder.safe, to=reserve, within=since)
        return bool(out == event["amount"] * (1 if asked.action in (Action.SUPPLY, Action.REPAY) else -1))
